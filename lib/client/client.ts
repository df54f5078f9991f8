/**
 * The SDK: asks for a side, synchronously and without the network, runs code paths that have two sides, and records
 * what became of the operations. It never throws into its host: whatever is wrong, the answer is a side and the reason
 * for it.
 */

import { elapsedClock } from '../core/base/elapsed-clock.ts';
import { guarded } from '../core/base/guarded.ts';
import type { PreparedRoute } from '../core/routing/routing.ts';
import { host } from '../routing/host.ts';
import type { ClientRoute, RouteTable } from '../routing/route-table.ts';
import { clientRoutes, type RoutesParts } from './client-routes.ts';
import type { Client, ClientOptions, FlushOptions } from './client-types.ts';
import { lazyComparer } from './lazy-comparer.ts';
import { memoryShare } from './memory.ts';
import { minutesOf } from './minutes.ts';
import type { Outcome } from './outcome.ts';
import { overdueWatch } from './overdue.ts';
import { problemTeller } from './problems.ts';
import { Recorder } from './recorder.ts';
import { RunCall, type SimulatedWrite } from './run-call.ts';
import { type RunDecision, type RunParts, runCutover } from './run-cutover.ts';
import { readSwitches } from './switches.ts';
import { timed } from './timed.ts';
import { refuseUnusable } from './usable-options.ts';
import { type WriteParts, writeCutover } from './write-cutover.ts';
import { writeOneSide } from './write-one-side.ts';

const READ_DEADLINE_MS = 2_000;
/** Of what is no read. */
const RUN_DEADLINE_MS = 10_000;
const FLUSH_INTERVAL_MS = 10_000;
const COMPARISON_DEADLINE_MS = 1_000;
const monotonicMs = () => performance.now();
const wallMs = () => Date.now();

/** @throws CrossfadeError `invalid_config` for options that cannot work; what it gives never throws into its host */
export function createClient<Id extends string = string>(options: ClientOptions<Id>): Client<Id> {
  refuseUnusable(options);
  const environment = options.environment ?? host().env ?? {};
  const elapsedMs = elapsedClock(monotonicMs, wallMs);
  const logger = options.logger ?? console;
  const tell =
    options.onProblem ?? ((problem) => logger.warn(JSON.stringify({ event: 'crossfade_problem', ...problem })));
  const problem = problemTeller(tell, elapsedMs);
  const { flags, table, breaker, ...routes } = clientRoutes(options, { environment, elapsedMs, wallMs, problem });
  const { route, routed } = routes;
  const switches = readSwitches(environment);
  const flagAgeMs = () => flags.current()?.ageMs ?? null;
  const recorder = recorderOf(options, { environment, elapsedMs, problem, flagAgeMs });
  const comparer = comparerOf(options, recorder);
  const counted = { fallbacks: 0, unaskedWrites: 0 };

  function record(outcome: Outcome): void {
    if (recorder.record(outcome) && outcome.side === 'shadow')
      breaker.record(outcome.cutover, outcome.success, elapsedMs);
  }

  const system = () => flags.current()?.document.system;
  const parts: RunParts = {
    woken: routes.woken,
    decide: (run) => runDecision(routed(run.cutover, run), table.prepared(run.cutover)),
    record,
    comparer,
    now: monotonicMs,
    nextId: () => crypto.randomUUID(),
    isReadonly: () => switches.isReadonly(system()),
    simulated: guarded(options.onSimulatedWrite ?? ((write) => sayWrite(logger, write))),
    readDeadlineMs: options.readDeadlineMs ?? READ_DEADLINE_MS,
    deadlineMs: RUN_DEADLINE_MS,
    overdue: overdueWatch(monotonicMs),
    fellBack: () => {
      counted.fallbacks += 1;
    },
  };
  const writing = writePartsOf(options, parts, table, () => {
    counted.unaskedWrites += 1;
  });

  async function flush({ comparisonsMs = 0, ...how }: FlushOptions = {}): Promise<void> {
    if (comparisonsMs > 0) await comparer.settle(comparisonsMs);
    await recorder.flush(how);
  }

  return {
    route,
    shouldRouteToShadow: (cutover, operation, key) => route(cutover, { operation, key }).side === 'shadow',
    read: (cutover, read) => runCutover(parts, { ...read, cutover, readonly: true }),
    timed: (cutover, request, work) => timed({ route: routed, record, now: monotonicMs }, cutover, request, work),
    runCutover: (run) => runCutover(parts, run),
    write: (write) => writeCutover(writing, write),
    writeOneSide: (cutover, write) =>
      writeOneSide({ route: routed, record, now: monotonicMs, sleep: writing.sleep }, cutover, write),
    effect: (what, write, instead) => new RunCall(parts, '', 'primary').effect(what, write, instead),
    isReadonly: parts.isReadonly,
    migrationPhase: () => switches.migrationPhase(system()),
    record,
    refresh: () => flags.refreshIfStale(),
    ready: routes.ready,
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

type ProcessParts = Omit<RoutesParts, 'wallMs'> & { flagAgeMs(): number | null };

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

function recorderOf(options: ClientOptions, { environment, elapsedMs, problem, flagAgeMs }: ProcessParts): Recorder {
  // Numbered, so that the receiver keeps one number a sender in place of every flush.
  const sender = crypto.randomUUID();
  const minutes = minutesOf(environment, () => Date.now());
  let flushes = 0;
  const recorder: Recorder = new Recorder({
    sink: options.outcomes,
    source: options.source ?? crypto.randomUUID(),
    nextId: () => `${sender}~${++flushes}`,
    now: options.now ?? minutes.now,
    elapsedMs,
    flushIntervalMs: options.flushIntervalMs ?? FLUSH_INTERVAL_MS / minutes.speed,
    deadlineMs: options.flushDeadlineMs,
    onProblem: problem,
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
  return lazyComparer({
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

function sayWrite(logger: Pick<Console, 'info'>, write: SimulatedWrite): void {
  if (write.because === 'readonly') logger.info(JSON.stringify({ event: 'write_simulated', ...write }));
}
