/** What the gates look at: minute windows of both sides and the state of the data plane. Types and their merging. */

import type { Side } from '../cutover/cutover.ts';
import { addHistograms, bucketIndexes, type Histogram } from './histogram.ts';

/** One minute of one side. `minute` is epoch milliseconds / 60 000, rounded down. */
export type MinuteWindow = {
  minute: number;
  side: Side;
  count: number;
  errors: number;
  /** Operations that came without a routing key. */
  keyless: number;
  /** Of the primary: operations that were meant for the shadow, and that a process which saw it fail took away from it. */
  left?: number | undefined;
  /** Operations that failed because a connection was refused or lost, and those whose sender tells such failures apart. */
  drops?: number | undefined;
  told?: number | undefined;
  /** Operations of processes that used so many per cent of their memory, by per cent. */
  memory?: Histogram | undefined;
  latency: Histogram;
  /** Comparisons of both sides and how many of them differed. */
  checks: number;
  mismatches: number;
  /** Of the shadow: requests that both sides were asked, and those that one of them alone failed. */
  pairs?: number | undefined;
  onlyShadow?: number | undefined;
  onlyPrimary?: number | undefined;
};

export function emptyWindow(minute: number, side: Side): MinuteWindow {
  return { minute, side, count: 0, errors: 0, keyless: 0, latency: {}, checks: 0, mismatches: 0 };
}

export function mergeWindows(a: MinuteWindow, b: MinuteWindow): MinuteWindow {
  return {
    minute: Math.max(a.minute, b.minute),
    side: a.side,
    count: a.count + b.count,
    errors: a.errors + b.errors,
    keyless: a.keyless + b.keyless,
    ...mergedOptional(a, b),
    latency: addHistograms(a.latency, b.latency),
    checks: a.checks + b.checks,
    mismatches: a.mismatches + b.mismatches,
  };
}

/** What senders may leave out stays out where no sender gave it. */
export const OPTIONAL_COUNTERS = ['left', 'drops', 'told'] as const;
export const PAIR_COUNTERS = ['pairs', 'onlyShadow', 'onlyPrimary'] as const;
export const TOLD_COUNTERS = [...OPTIONAL_COUNTERS, ...PAIR_COUNTERS] as const;

type Optional = Pick<MinuteWindow, (typeof TOLD_COUNTERS)[number] | 'memory'>;

function mergedOptional(a: MinuteWindow, b: MinuteWindow): Optional {
  const merged: { -readonly [Name in keyof Optional]: Optional[Name] } = {};
  for (const name of TOLD_COUNTERS) {
    const sum = (a[name] ?? 0) + (b[name] ?? 0);
    if (sum > 0) merged[name] = sum;
  }
  if (a.memory || b.memory) merged.memory = addHistograms(a.memory ?? {}, b.memory ?? {});
  return merged;
}

/** The most of its memory that a process used, 0–1. */
export const highestShare = (memory: Histogram): number => (bucketIndexes(memory).at(-1) ?? 0) / 100;

/** All windows of one side as one, from `fromMinute` on. The same as merging them one by one, without the copies. */
export function poolWindows(fromMinute: number, side: Side, windows: readonly MinuteWindow[]): MinuteWindow {
  const latency: Record<number, number> = {};
  const pool = { ...emptyWindow(fromMinute, side), latency };
  for (const window of windows) {
    pool.minute = Math.max(pool.minute, window.minute);
    pool.count += window.count;
    pool.errors += window.errors;
    pool.keyless += window.keyless;
    pool.checks += window.checks;
    pool.mismatches += window.mismatches;
    for (const index in window.latency) latency[index] = (latency[index] ?? 0) + window.latency[index]!;
    Object.assign(pool, mergedOptional(pool, window));
  }
  return pool;
}

export type BackfillProgress = {
  /** A cancelled copy begins again from the first row when it is resumed, a paused one goes on. */
  state: 'none' | 'running' | 'paused' | 'cancelled' | 'done';
  rowsDone: number;
  /** Estimated rows of the primary. */
  rowsTotal: number;
  rowsPerSecond: number;
  /** Why rows that were copied before are copied and compared again; absent once every row was. */
  sweep?: string;
};

export type VerificationResult = {
  /** Rows of the primary seen by the last complete pass. */
  rowsCompared: number;
  /** Keys that differed and had no un-applied hint. */
  divergences: number;
  /** Consistent rows / compared rows, 0–1; 1 for an empty table. */
  score: number;
  /** When the pass ended. */
  atMs: number;
  /** At most 20 diverged keys as JSON text, with the differing columns where the row exists on both sides. */
  samples: readonly { key: string; columns: readonly string[] }[];
};

/** What Postgres says of one table cutover at one moment. */
export type TableStatus = {
  armed: 'none' | 'forward' | 'reverse';
  /** Epoch, version and stage of the mirror row; null before the first `start`. */
  mirror: { epoch: number; version: number; stage: string } | null;
  /** Age of the oldest un-applied hint in milliseconds, 0 when there is none. One clock: the database's. */
  lagMs: number;
  outboxRows: number;
  /** Keys in quarantine, and at most 20 of them. */
  quarantined: number;
  quarantine: readonly { key: string; sqlstate: string; reason: string; attempts: number }[];
  backfill: BackfillProgress;
  /** Connections to the whole server, and how many it takes of those who are no superusers. */
  connections?: { used: number; most: number };
  verification: VerificationResult | null;
  /** Why the last pass of verification proves nothing; absent when it does. */
  unproven?: string;
  /** Writes to the side that only Crossfade should write. */
  foreignWrites?: number;
  /** The application's writes to the primary are refused until then; null when they are not. */
  readOnlyUntilMs?: number | null;
  /** Indexes that are still to be built after the copy, which runs as long. */
  indexesAside?: number;
  /**
   * Writes that the shadow did not take in the application's transaction, and that went on without it; after promotion, those
   * that went on with a column that could not be computed.
   */
  inlineFailures?: number;
  /** What is not as it was armed; absent while nothing is armed. */
  shape?: ShapeStatus;
};

export type ShapeDifference = {
  object: string;
  /** Null: it was not there, or is not there any more. */
  was: string | null;
  is: string | null;
};

export type ShapeStatus = {
  differences: readonly ShapeDifference[];
  /** When a tick first saw one; null when none was seen. */
  sinceMs: number | null;
  /** Why changes may have been missed; null when none can be, or every row was copied and compared since. */
  gap: string | null;
  /** A tick has something of it to write down, or to make again. */
  due: boolean;
};

/** Why the figures of the pairs cannot be true, or null. */
export function impossiblePairs({
  pairs = 0,
  onlyShadow = 0,
  onlyPrimary = 0,
}: Pick<MinuteWindow, (typeof PAIR_COUNTERS)[number]>): string | null {
  const possible = onlyShadow >= 0 && onlyPrimary >= 0 && onlyShadow + onlyPrimary <= pairs;
  return possible ? null : `${onlyShadow} and ${onlyPrimary} of ${pairs} pairs failed on one side`;
}
