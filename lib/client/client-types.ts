/** What `createClient` takes, and what a client can do. */

import type { Side } from '../core/cutover/cutover.ts';
import type { FlagDocument } from '../core/routing/flags.ts';
import type { RouteRequest } from '../core/routing/routing.ts';
import type { FlagProblem, FlagSource } from '../routing/flag-cache.ts';
import type { ClientRoute, Environment } from '../routing/route-table.ts';
import type { ComparisonReport } from './comparison-report.ts';
import type { CutoverRead, CutoverRun } from './cutover-run.ts';
import type { MismatchGroup } from './mismatch-groups.ts';
import type { Outcome, OutcomeSink } from './outcome.ts';
import type { Problem } from './problems.ts';
import type { SimulatedWrite } from './run-call.ts';
import type { CutoverWrite, ForwardRecorder } from './write-cutover.ts';
import type { OneSideWrite } from './write-one-side.ts';

/** `Id`: the ids of your cutovers, so that the compiler knows a wrong one. */
export type ClientOptions<Id extends string = string> = {
  flags: FlagSource;
  outcomes: OutcomeSink;
  /** What makes writes durable for the other side; only `write` needs it. */
  forwards?: ForwardRecorder | undefined;
  /** @deprecated Old name of `forwards`, accepted for one release. */
  copies?: ForwardRecorder | undefined;
  /** Name of this process among others: spreads writers, shows in nothing else. */
  source?: string | undefined;
  /** Environment with `CROSSFADE_<CUTOVER>=primary|shadow` overrides. Default: the process's. Read when flags arrive. */
  environment?: Environment | undefined;
  /** Epoch milliseconds for the minutes of outcomes; the real clock unless a demonstration accelerates it. */
  now?: (() => number) | undefined;
  /** Flags older than this are fetched again on use; real milliseconds. */
  maxFlagAgeMs?: number | undefined;
  /** Sides for as long as no flag says one. Of a cutover that is completed: `shadow`, or the old code meets the new table. */
  defaults?: Readonly<Partial<Record<Id, Side>>> | undefined;
  /** Where the last good flags are kept for the next start of this process; a path of its own. Default: nowhere. */
  flagFile?: string | undefined;
  /** Real milliseconds between two sends while outcomes come in. */
  flushIntervalMs?: number | undefined;
  /** How long a flush waits for one batch. */
  flushDeadlineMs?: number | undefined;
  /** `deadlineMs` of reads that name none. */
  readDeadlineMs?: number | undefined;
  /** How long `write` tries to record what it is about to write. */
  writeDeadlineMs?: number | undefined;
  comparisons?: ComparisonLimits | undefined;
  /** Called for every write that was only said. Default: one line of JSON to the logger while read-only. */
  onSimulatedWrite?: ((write: SimulatedWrite) => void) | undefined;
  /** Called when something is wrong with flags or outcomes, which no caller notices. Default: one line of JSON to the logger. */
  onProblem?: ((problem: Problem) => void) | undefined;
  /** Default: the console. */
  logger?: Pick<Console, 'info' | 'warn'> | undefined;
};

/** Limits of comparing, for each cutover. */
export type ComparisonLimits = {
  perSecond?: number | undefined;
  concurrency?: number | undefined;
  /** Share of the thread's time, 0–1. */
  threadShare?: number | undefined;
  deadlineMs?: number | undefined;
  /** Keep values and keys in samples of mismatches. They are somebody's data. */
  values?: boolean | undefined;
};

export type FlushOptions = {
  /** How long it waits for comparisons that are under way, before. Default 0. */
  comparisonsMs?: number | undefined;
  /** How long it waits for the answer; the batch goes on without it. Default: until `flushDeadlineMs`. */
  waitMs?: number | undefined;
  /** Only when the last one began longer than `flushIntervalMs` ago, frozen time included. */
  ifDue?: boolean | undefined;
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

export type Client<Id extends string = string> = {
  /** The side that serves this request. @example client.route('customer', { key: userId }).side */
  route(cutover: Id, request?: RouteRequest): ClientRoute;
  shouldRouteToShadow(cutover: Id, operation: string, key?: RouteRequest['key']): boolean;
  /**
   * A read of any kind that has two sides: picks one, measures it, counts what fails, and has the old side answer when the
   * new one fails or is late. See `CutoverRead`.
   * @throws what the paths throw, and nothing else
   * @example await client.read('customer', { key: userId, primary: () => readOld(id), shadow: () => readNew(id) })
   */
  read<T>(cutover: Id, read: CutoverRead<T>): Promise<T>;
  /** For who picks the side by hand: does the work, measures it and records what became of it. @throws what the work throws */
  timed<T>(cutover: Id, request: RouteRequest, work: (route: ClientRoute) => T | PromiseLike<T>): Promise<T>;
  /**
   * Runs a code path that has two sides: see `CutoverRun`.
   * @throws what the paths throw; CrossfadeError `invalid_config` for a comparison of what is not readonly
   * @example await client.runCutover({ cutover: 'planner', key: userId, primary: () => plan(task), shadow: () => planAnew(task) })
   */
  runCutover<T>(run: CutoverRun<T, Id>): Promise<T>;
  /**
   * Writes to the side that is the authority and has the other one get the same: see `CutoverWrite`.
   * @throws what that side throws; CrossfadeError when nothing was written
   * @example await client.write({ cutover: 'planner', key: userId, payload: plan, primary: () => save(plan), shadow: () => saveAnew(plan) })
   */
  write<T>(write: CutoverWrite<T, Id>): Promise<T>;
  /**
   * A write of a table whose sides are in two databases, to the one that takes writes: see `OneSideWrite`.
   * @throws what that side throws; the refusal (SQLSTATE 25006) when none takes it in time
   * @example await client.writeOneSide('orders', { key: id, primary: () => update(oldPool, id), shadow: () => update(newPool, id) })
   */
  writeOneSide<T>(cutover: Id, write: OneSideWrite<T>): Promise<T>;
  /** A write to the outside that is only said while the process is read-only. */
  effect<T>(what: string, write: () => T, instead?: T): T | undefined;
  isReadonly(): boolean;
  migrationPhase(): string;
  /** What became of an operation. Costs a few additions. */
  record(outcome: Outcome): void;
  /** Fetches the flags when they are too old: at start, and in Lambda at the beginning of an invocation. Never throws. */
  refresh(): Promise<void>;
  /** True as soon as there are flags, from the source or the flag file; false after `timeoutMs` (5,000) without. Never throws. */
  ready(options?: { timeoutMs?: number }): Promise<boolean>;
  /** Called with the new flags whenever they say something else. Returns what ends it. */
  onFlags(listener: (document: FlagDocument) => void): () => void;
  /** Sends what was recorded. Never throws. */
  flush(options?: FlushOptions): Promise<void>;
  close(): Promise<void>;
  /** Outcomes that were lost because they could not be delivered. */
  droppedOutcomes(): number;
  /** Where both sides differed in this process, the most frequent first. */
  mismatches(cutover?: Id): readonly MismatchGroup[];
  /** What comparing came to in this process; null before the first comparison. */
  comparisons(cutover: Id): ComparisonReport | null;
  health(): ClientHealth;
};
