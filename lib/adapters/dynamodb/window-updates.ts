/**
 * A flush as updates of window items: as few as the limits of an update expression allow, each plausible alone, and the
 * same ones whenever the same flush comes again.
 */

import type { CutoverId } from '../../core/cutover/cutover.ts';
import { type Histogram, histogramCount } from '../../core/gates/histogram.ts';
import {
  emptyWindow,
  type MinuteWindow,
  mergeWindows,
  OPTIONAL_COUNTERS,
  PAIR_COUNTERS,
} from '../../core/gates/minute-window.ts';
import type { WindowAddition } from '../../ports/windows.ts';
import { amountsOf, type Slice } from './window-item.ts';

/**
 * An update expression may have 4 KB and 300 operators: so many additions stay below both. 200 buckets span a factor of
 * 57 in latency when every one is used, so most windows need a single update. Those of a slice are added twice.
 */
const MAX_ADDITIONS = 280;
export const MAX_BUCKETS_PER_UPDATE = 200;
const MAX_BUCKETS_OF_SLICE = 120;

/** What a flush adds to one item. */
type ItemAddition = { cutover: CutoverId; operation: string; slices: Slice[] };

/** Additions to the same item in one flush become one, since the flush counts once per item. */
export function mergeAdditions(additions: readonly WindowAddition[]): ItemAddition[] {
  const merged = new Map<string, ItemAddition>();
  for (const { cutover, operation, window, slice = null } of additions) {
    const key = JSON.stringify([cutover, window.minute, window.side, operation]);
    const item = merged.get(key) ?? { cutover, operation, slices: [] };
    merged.set(key, item);
    const at = item.slices.findIndex((one) => one.slice === slice);
    if (at < 0) item.slices.push({ slice, window });
    else item.slices[at] = { slice, window: mergeWindows(item.slices[at]!.window, window) };
  }
  return [...merged.values()];
}

/** The updates of one item in a flush: as few as its limits allow, and the same ones for the same flush. */
export function updatesOf(slices: readonly Slice[]): Slice[][] {
  const pieces = [...slices]
    .sort((a, b) => (a.slice ?? -1) - (b.slice ?? -1))
    .flatMap(({ slice, window }) =>
      splitWindow(window, slice === null ? MAX_BUCKETS_PER_UPDATE : MAX_BUCKETS_OF_SLICE).map((part) => ({
        slice,
        window: part,
      })),
    );
  const updates: Slice[][] = [];
  for (const piece of pieces) {
    const last = updates.at(-1);
    if (last && amountsOf([...last, piece]).size <= MAX_ADDITIONS) last.push(piece);
    else updates.push([piece]);
  }
  return updates;
}

/**
 * Parts that add up to the window, each with at most `maxBuckets` buckets and each plausible alone (no more errors than
 * operations), so that a flush interrupted between two parts leaves a smaller window and not an impossible one.
 * The same window is always split alike: a repeated flush meets its own parts.
 */
export function splitWindow(window: MinuteWindow, maxBuckets = MAX_BUCKETS_PER_UPDATE): MinuteWindow[] {
  const buckets = Object.entries(window.latency)
    .map(([index, count]) => [Number(index), count] as const)
    .filter(([, count]) => count > 0)
    .sort((a, b) => a[0] - b[0]);
  if (buckets.length <= maxBuckets) return [{ ...window, latency: Object.fromEntries(buckets) }];
  const parts: MinuteWindow[] = [];
  const left = { ...window };
  for (let start = 0; start < buckets.length; start += maxBuckets) {
    const latency: Histogram = Object.fromEntries(buckets.slice(start, start + maxBuckets));
    const last = start + maxBuckets >= buckets.length;
    const count = last ? left.count : Math.min(left.count, histogramCount(latency));
    const errors = last ? left.errors : Math.min(left.errors, count);
    const keyless = last ? left.keyless : Math.min(left.keyless, count);
    const optional: Partial<Record<(typeof OPTIONAL_COUNTERS)[number], number>> = {};
    for (const name of OPTIONAL_COUNTERS) {
      const gone = last ? (left[name] ?? 0) : Math.min(left[name] ?? 0, name === 'drops' ? errors : count);
      if (gone > 0) optional[name] = gone;
      left[name] = (left[name] ?? 0) - gone;
    }
    parts.push({ ...emptyWindow(window.minute, window.side), count, errors, keyless, ...optional, latency });
    left.count -= count;
    left.errors -= errors;
    left.keyless -= keyless;
  }
  const { checks, mismatches, memory } = window;
  const paired = Object.fromEntries(PAIR_COUNTERS.flatMap((name) => (window[name] ? [[name, window[name]]] : [])));
  parts[0] = { ...parts[0]!, checks, mismatches, ...paired, ...(memory ? { memory } : {}) };
  return parts;
}
