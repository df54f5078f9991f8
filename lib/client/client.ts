/**
 * The SDK: asks for a side, synchronously and without the network, runs code paths that have two sides, and records
 * what became of the operations. It never throws into its host: whatever is wrong, the answer is a side and the reason
 * for it.
 */

import type { FlagDocument } from '../core/routing/flags.ts';
import type { PreparedRoute, RouteRequest } from '../core/routing/routing.ts';
import { circuitBreaker } from '../routing/breaker.ts';
import { type FlagProblem, type FlagSource, flagCache } from '../routing/flag-cache.ts';
import { type ClientRoute, type Environment, type RouteTable, routeTable, undecided } from '../routing/route-table.ts';
import { createComparer } from './comparer.ts';
import type { ComparisonReport } from './comparison-report.ts';
import type { CutoverRun } from './cutover-run.ts';
import { memoryShare } from './memory.ts';
import type { MismatchGroup } from './mismatch-groups.ts';
import { type Outcome, type OutcomeSink, Recorder } from './recorder.ts';
import { RunCall, type SimulatedWrite } from './run-call.ts';
import { type RunDecision, type RunParts, runCutover } from './run-cutover.ts';
import { readSwitches } from './switches.ts';
import { type CutoverWrite, type ForwardRecorder, type WriteParts, writeCutover } from './write-cutover.ts';

export type ClientOptions = {
  flags: FlagSource;
  outcomes: OutcomeSink;
  /** What makes writes durable for the other side; only `write` needs it. */
  forwards?: ForwardRecorder;
  /** @deprecated Old name of `forwards`, accepted for one release. */
  copies?: ForwardRecorder;
  /** Name of this process among others: spreads writers, shows in nothing else. */
  source?: string;
  /** Environment with `CROSSFADE_<CUTOVER>=primary|shadow` overrides. Default: the process's. Read when flags arrive. */
  environment?: Environment;
  /** Epoch milliseconds for the minutes of outcomes; the real clock unless a demonstration accelerates it. */
  now?: () => number;
  /** Flags older than this are fetched again on use; real milliseconds. */
  maxFlagAgeMs?: number;
  flushIntervalMs?: number;
  /** How long a flush waits for one batch. */
  flushDeadlineMs?: number;
  /** How long the new path of a readonly run may take before the old one answers. */
  shadowDeadlineMs?: number;
  /** How long `write` tries to record what it is about to write. */
  writeDeadlineMs?: number;
  comparisons?: ComparisonLimits;
  /** Called for every write that was only said. Default: one line of JSON on the console while read-only. */
  onSimulatedWrite?: (write: SimulatedWrite) => void;
};

/** Limits of comparing, for each cutover. */
export type ComparisonLimits = {
  perSecond?: number;
  concurrency?: number;
  /** Share of the thread's time, 0–1. */
  threadShare?: number;
  deadlineMs?: number;
  /** Keep values and keys in samples of mismatches. They are somebody's data. */
  values?: boolean;
};

export type ClientHealth = {
  /** Null before the first flags. */
  flagAgeMs: number | null;
  flagProblem: FlagProblem | null;
  droppedOutcomes: number;
  /** Runs whose new path failed and whose old path answered. */
  fallbacks: number;
  /** Writes that were not recorded, since the flags said that nothing is being forwarded and the API could not be asked. */
  unaskedWrites: number;
  /** Cutovers whose shadow this process has left. */
  openCircuits: number;
  /** Environment variables with a value that means nothing, and is ignored. */
  invalidVariables: readonly string[];
};

export type Client = {
  /** The side that serves this request. @example client.route('customer', { key: userId }).side */
  route(cutover: string, request?: RouteRequest): ClientRoute;
  shouldRouteToShadow(cutover: string, operation: string, key?: string): boolean;
  /**
   * Runs a code path that has two sides: see `CutoverRun`.
   * @throws what the paths throw, and nothing else
   * @example await client.runCutover({ cutover: 'planner', key: userId, primary: () => plan(task), shadow: () => planAnew(task) })
   */
  runCutover<T>(run: CutoverRun<T>): Promise<T>;
  /**
   * Writes to the side that is the authority and has the other one get the same: see `CutoverWrite`.
   * @throws what that side throws; CrossfadeError when nothing was written
   * @example await client.write({ cutover: 'planner', key: userId, payload: plan, primary: () => save(plan), shadow: () => saveAnew(plan) })
   */
  write<T>(write: CutoverWrite<T>): Promise<T>;
  /** A write to the outside that is only said while the process is read-only. */
  effect<T>(what: string, write: () => T, instead?: T): T | undefined;
  isReadonly(): boolean;
  migrationPhase(): string;
  /** What became of an operation. Costs a few additions. */
  record(outcome: Outcome): void;
  /** Fetches the flags when they are too old: at start, and in Lambda at the beginning of an invocation. Never throws. */
  refresh(): Promise<void>;
  /** Called with the new flags whenever they say something else. Returns what ends it. */
  onFlags(listener: (document: FlagDocument) => void): () => void;
  /** Sends what was recorded, after waiting for running comparisons for `comparisonsMs` (default 0). Never throws. */
  flush(options?: { comparisonsMs?: number }): Promise<void>;
  close(): Promise<void>;
  /** Outcomes that were lost because they could not be delivered. */
  droppedOutcomes(): number;
  /** Where both sides differed in this process, the most frequent first. */
  mismatches(cutover?: string): readonly MismatchGroup[];
  /** What comparing came to in this process; null before the first comparison. */
  comparisons(cutover: string): ComparisonReport | null;
  health(): ClientHealth;
};

const NO_REQUEST: RouteRequest = {};
const monotonicMs = () => performance.now();

export function createClient(options: ClientOptions): Client {
  const environment = options.environment ?? process.env;
  const breaker = circuitBreaker();
  const flags = flagCache({ source: options.flags, maxAgeMs: options.maxFlagAgeMs, now: monotonicMs });
  const table = routeTable(environment, breaker);
  flags.onChange(table.use);
  const switches = readSwitches(environment);
  const flagAgeMs = () => flags.current()?.ageMs ?? null;
  const recorder = recorderOf(options, environment, flagAgeMs);
  const comparer = comparerOf(options, recorder);
  const counted = { fallbacks: 0, unaskedWrites: 0 };

  function route(cutover: string, request: RouteRequest = NO_REQUEST): ClientRoute {
    const nowMs = monotonicMs();
    if (flags.isStale(nowMs)) void flags.refreshIfStale();
    try {
      return table.route(cutover, request, nowMs, flags.confirmedAtMs());
    } catch {
      // A name or request of another type, which only callers without types can send.
      return undecided('unknown_cutover', flagAgeMs());
    }
  }

  function record(outcome: Outcome): void {
    if (outcome?.side === 'shadow') breaker.record(outcome.cutover, outcome.success, monotonicMs);
    recorder.record(outcome);
  }

  const system = () => flags.current()?.document.system;
  const parts: RunParts = {
    decide: (run) => runDecision(route(run.cutover, run), table.prepared(run.cutover)),
    record,
    comparer,
    now: monotonicMs,
    nextId: () => crypto.randomUUID(),
    isReadonly: () => switches.isReadonly(system()),
    simulated: options.onSimulatedWrite ? guarded(options.onSimulatedWrite) : sayWrite,
    shadowDeadlineMs: options.shadowDeadlineMs ?? 2_000,
    fellBack: () => {
      counted.fallbacks += 1;
    },
  };
  const writing = writePartsOf(options, parts, table, () => {
    counted.unaskedWrites += 1;
  });

  async function flush({ comparisonsMs = 0 } = {}): Promise<void> {
    if (comparisonsMs > 0) await comparer.settle(comparisonsMs);
    await recorder.flush();
  }

  return {
    route,
    shouldRouteToShadow: (cutover, operation, key) => route(cutover, { operation, key }).side === 'shadow',
    runCutover: (run) => runCutover(parts, run),
    write: (write) => writeCutover(writing, write),
    effect: (what, write, instead) => new RunCall(parts, '', 'primary').effect(what, write, instead),
    isReadonly: parts.isReadonly,
    migrationPhase: () => switches.migrationPhase(system()),
    record,
    refresh: () => flags.refreshIfStale(),
    onFlags: flags.onChange,
    flush,
    close: () => flush({ comparisonsMs: options.comparisons?.deadlineMs ?? COMPARISON_DEADLINE_MS }),
    droppedOutcomes: () => recorder.dropped,
    mismatches: comparer.mismatches,
    comparisons: comparer.report,
    health: () => ({
      flagAgeMs: flagAgeMs(),
      flagProblem: flags.problem(),
      droppedOutcomes: recorder.dropped,
      ...counted,
      openCircuits: breaker.open,
      invalidVariables: switches.invalid(Object.keys(flags.current()?.document.cutovers ?? {})),
    }),
  };
}

const COMPARISON_DEADLINE_MS = 1_000;

function runDecision({ side, reason, slice }: ClientRoute, prepared: PreparedRoute | undefined): RunDecision {
  const isPromoted = prepared?.isPromoted ?? false;
  const isStopped = prepared?.fixed?.reason === 'emergency_stop';
  return {
    side,
    slice,
    left: reason === 'circuit_open',
    promoted: isPromoted,
    comparable: prepared?.flag?.shadow_writes === true && !isPromoted && !isStopped,
  };
}

function writePartsOf(options: ClientOptions, parts: RunParts, table: RouteTable, unasked: () => void): WriteParts {
  return {
    ...parts,
    forwards: options.forwards ?? options.copies,
    unasked,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    deadlineMs: options.writeDeadlineMs ?? 5_000,
    sliceOf: (cutover, key) => table.sliceOf(cutover, { key }),
    believed: (cutover) => {
      const prepared = table.prepared(cutover);
      return { side: prepared?.isPromoted ? 'shadow' : 'primary', stage: prepared?.flag?.stage ?? null };
    },
  };
}

function recorderOf(options: ClientOptions, environment: Environment, flagAgeMs: () => number | null): Recorder {
  // Numbered, so that the receiver keeps one number a sender in place of every flush.
  const sender = crypto.randomUUID();
  let flushes = 0;
  const recorder: Recorder = new Recorder({
    sink: options.outcomes,
    source: options.source ?? crypto.randomUUID(),
    nextId: () => `${sender}~${++flushes}`,
    now: options.now ?? Date.now,
    flushIntervalMs: options.flushIntervalMs,
    deadlineMs: options.flushDeadlineMs,
    state: () => {
      const ageMs = flagAgeMs();
      return {
        ...(ageMs === null ? {} : { flagAgeMs: Math.round(ageMs) }),
        dropped: recorder.dropped,
        memory: memoryShare(environment),
      };
    },
  });
  return recorder;
}

function comparerOf({ comparisons = {}, now = Date.now }: ClientOptions, recorder: Recorder) {
  return createComparer({
    now: monotonicMs,
    wallNow: now,
    random: Math.random,
    later: (work) => void setImmediate(work),
    compared: (pair) => recorder.compared(pair),
    deadlineMs: comparisons.deadlineMs ?? COMPARISON_DEADLINE_MS,
    limits: {
      perSecond: comparisons.perSecond ?? 20,
      concurrency: comparisons.concurrency ?? 4,
      threadShare: comparisons.threadShare ?? 0.05,
    },
    values: comparisons.values ?? false,
  });
}

/** A listener of the host must not break what it listens to. */
function guarded(tell: (write: SimulatedWrite) => void): (write: SimulatedWrite) => void {
  return (write) => {
    try {
      tell(write);
    } catch {
      // Its own affair.
    }
  };
}

function sayWrite(write: SimulatedWrite): void {
  if (write.because === 'readonly') console.info(JSON.stringify({ event: 'write_simulated', ...write }));
}
