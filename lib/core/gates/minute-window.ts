/** Minute windows: counts and latencies of one side, and how several become one. The gates fold evidence from them. */

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
  /** Comparisons beside them that could not be judged, since the answers are of a kind that is not compared. */
  incomparable?: number | undefined;
  /** Of the shadow: requests that both sides were asked, and those that one of them alone failed. */
  pairs?: number | undefined;
  onlyShadow?: number | undefined;
  onlyPrimary?: number | undefined;
  /** Operations of earlier minutes that were reported in this one, when those were judged already. */
  late?: number | undefined;
};

/** What one slice of the plan did in one minute, on one side, with one operation type. */
export type WindowPart = {
  /** Counted from 0; null where the operation had no key, or where its sender does not say. */
  slice: number | null;
  operation: string;
  window: MinuteWindow;
};

export function emptyWindow(minute: number, side: Side): MinuteWindow {
  return { minute, side, count: 0, errors: 0, keyless: 0, latency: {}, checks: 0, mismatches: 0 };
}

/** What a report of a minute that is judged already leaves behind, in the minute in which it came. */
export const lateWindow = (minute: number, { side, count }: MinuteWindow): MinuteWindow => ({
  ...emptyWindow(minute, side),
  late: count,
});

/**
 * Says for how many operations the optional figures were given, so that their sums show when a sender has left them out.
 * Both sides may live in one process: the share of its memory that it uses counts for the shadow, whose being there is what is new.
 */
export function withTold(window: MinuteWindow, memory: number | undefined): MinuteWindow {
  const { drops, ...rest } = window;
  const { side, count } = window;
  if (count === 0) return rest;
  const usesMemory = memory !== undefined && side === 'shadow';
  return {
    ...rest,
    ...(drops === undefined ? {} : { told: count }),
    ...(drops ? { drops } : {}),
    ...(usesMemory ? { memory: { [Math.min(100, Math.ceil(memory * 100))]: count } } : {}),
  };
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
export const PAIR_COUNTERS = ['pairs', 'onlyShadow', 'onlyPrimary', 'incomparable'] as const;
export const TOLD_COUNTERS = [...OPTIONAL_COUNTERS, ...PAIR_COUNTERS, 'late'] as const;

export type OptionalFigures = Pick<MinuteWindow, (typeof TOLD_COUNTERS)[number] | 'memory'>;
export type Mutable<Of> = { -readonly [Name in keyof Of]: Of[Name] };

function mergedOptional(a: OptionalFigures, b: OptionalFigures): OptionalFigures {
  const merged: Mutable<OptionalFigures> = {};
  addOptional(merged, a);
  addOptional(merged, b);
  return merged;
}

/** Adds the figures of one more sender. Most give few of them, so each is looked at before it is added. */
export function addOptional(sum: Mutable<OptionalFigures>, more: OptionalFigures): void {
  const { left, drops, told, pairs, onlyShadow, onlyPrimary, incomparable, late, memory } = more;
  if (left) sum.left = (sum.left ?? 0) + left;
  if (drops) sum.drops = (sum.drops ?? 0) + drops;
  if (told) sum.told = (sum.told ?? 0) + told;
  if (pairs) sum.pairs = (sum.pairs ?? 0) + pairs;
  if (onlyShadow) sum.onlyShadow = (sum.onlyShadow ?? 0) + onlyShadow;
  if (onlyPrimary) sum.onlyPrimary = (sum.onlyPrimary ?? 0) + onlyPrimary;
  if (incomparable) sum.incomparable = (sum.incomparable ?? 0) + incomparable;
  if (late) sum.late = (sum.late ?? 0) + late;
  if (memory) sum.memory = addHistograms(sum.memory ?? {}, memory);
}

/** One window per minute and side, oldest first, then the primary. */
export function wholeWindows(windows: readonly MinuteWindow[]): MinuteWindow[] {
  const merged = new Map<string, MinuteWindow>();
  for (const window of windows) {
    const key = `${window.minute}#${window.side}`;
    const before = merged.get(key);
    merged.set(key, before ? mergeWindows(before, window) : window);
  }
  return [...merged.values()].sort((a, b) => a.minute - b.minute || compare(a.side, b.side));
}

/** One part per minute, side, operation and slice, oldest first, then in this order; what has no slice comes first. */
export function mergeParts(parts: readonly WindowPart[]): WindowPart[] {
  const merged = new Map<string, WindowPart>();
  for (const part of parts) {
    const { slice, operation, window } = part;
    const key = `${window.minute} ${window.side} ${slice} ${operation}`;
    const before = merged.get(key);
    merged.set(key, before ? { slice, operation, window: mergeWindows(before.window, window) } : part);
  }
  return [...merged.values()].sort(inOrder);
}

function inOrder(a: WindowPart, b: WindowPart): number {
  return (
    a.window.minute - b.window.minute ||
    compare(a.window.side, b.window.side) ||
    compare(a.operation, b.operation) ||
    (a.slice ?? -1) - (b.slice ?? -1)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The most of its memory that a process used, 0–1. */
export const highestShare = (memory: Histogram): number => (bucketIndexes(memory).at(-1) ?? 0) / 100;

/** All windows of one side as one, from `fromMinute` on. The same as merging them one by one, without the copies. */
export function poolWindows(fromMinute: number, side: Side, windows: readonly MinuteWindow[]): MinuteWindow {
  const latency: Record<number, number> = {};
  const pool: Mutable<MinuteWindow> & { latency: Record<number, number> } = {
    ...emptyWindow(fromMinute, side),
    latency,
  };
  for (const window of windows) {
    pool.minute = Math.max(pool.minute, window.minute);
    pool.count += window.count;
    pool.errors += window.errors;
    pool.keyless += window.keyless;
    pool.checks += window.checks;
    pool.mismatches += window.mismatches;
    for (const index in window.latency) latency[index] = (latency[index] ?? 0) + window.latency[index]!;
    addOptional(pool, window);
  }
  return pool;
}

/** Why the figures of the pairs cannot be true, or null. */
export function impossiblePairs({
  pairs = 0,
  onlyShadow = 0,
  onlyPrimary = 0,
}: Pick<MinuteWindow, 'pairs' | 'onlyShadow' | 'onlyPrimary'>): string | null {
  const possible = onlyShadow >= 0 && onlyPrimary >= 0 && onlyShadow + onlyPrimary <= pairs;
  return possible ? null : `${onlyShadow} and ${onlyPrimary} of ${pairs} pairs failed on one side`;
}
