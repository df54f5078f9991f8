/**
 * A minute window as an item: its counters, one attribute `b<index>` per bucket of the latency histogram and `m<percent>`
 * per share of memory, so that writers add to it without reading it. ADD is atomic but not idempotent, so the item also keeps a short mark of every
 * flush it has taken, and an update is conditional on its mark being absent.
 */

import { createHash } from 'node:crypto';
import { type Histogram, histogramCount } from '../../core/gates/histogram.ts';
import {
  emptyWindow,
  type MinuteWindow,
  mergeWindows,
  OPTIONAL_COUNTERS,
  PAIR_COUNTERS,
  TOLD_COUNTERS,
} from '../../core/gates/minute-window.ts';
import type { OperationWindow } from '../../core/report/performance.ts';
import type { WindowAddition } from '../../ports/windows.ts';
import { problemsOf, windowCounters } from '../../schemas/state.ts';
import type { Item } from './state-items.ts';

/**
 * An update expression may have 4 KB and 300 operators; 200 buckets stay below both. They span a factor of 57 in
 * latency when every one is used, so most windows need a single update.
 */
export const MAX_BUCKETS_PER_UPDATE = 200;

const COUNTERS = ['count', 'errors', 'keyless', 'checks', 'mismatches'] as const;
const BUCKET = /^[bm]-?\d+$/;

/** Additions to the same window in one flush become one, since the flush counts once per window. */
export function mergeAdditions(additions: readonly WindowAddition[]): WindowAddition[] {
  const merged = new Map<string, WindowAddition>();
  for (const addition of additions) {
    const { cutover, operation, window } = addition;
    const key = JSON.stringify([cutover, window.minute, window.side, operation]);
    const before = merged.get(key);
    merged.set(key, before ? { cutover, operation, window: mergeWindows(before.window, window) } : addition);
  }
  return [...merged.values()];
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

/**
 * 12 characters for a sender's flush and its part: 72 bits, compared only within one window. The sender belongs to it,
 * since two senders may number their flushes alike and share a shard.
 */
export function flushMark(source: string, flushId: string, part: number): string {
  const identity = JSON.stringify([source, flushId, part]);
  return createHash('sha256').update(identity).digest('base64url').slice(0, 12);
}

/** The expressions that add one part, unless its mark is there already. Numbered places are at most two characters long. */
export function additionExpressions(part: MinuteWindow, operation: string, mark: string, expiresAt: number) {
  const names: Record<string, string> = { '#minute': 'minute', '#side': 'side', '#operation': 'operation' };
  const values: Record<string, unknown> = {
    ':minute': part.minute,
    ':side': part.side,
    ':operation': operation,
    ':expires': expiresAt,
    ':marks': new Set([mark]),
    ':mark': mark,
  };
  const adds = ['flushes :marks'];
  const add = (attribute: string, amount: number) => {
    const place = adds.length.toString(36);
    names[`#${place}`] = attribute;
    values[`:${place}`] = amount;
    adds.push(`#${place} :${place}`);
  };
  for (const counter of COUNTERS) add(counter, part[counter]);
  for (const name of TOLD_COUNTERS) if (part[name]) add(name, part[name]);
  for (const [index, count] of Object.entries(part.latency)) add(`b${index}`, count);
  for (const [percent, count] of Object.entries(part.memory ?? {})) add(`m${percent}`, count);
  return {
    UpdateExpression:
      'SET #minute = :minute, #side = :side, #operation = :operation, expires_at = :expires ' +
      `ADD ${adds.join(', ')}`,
    ConditionExpression: 'NOT contains(flushes, :mark)',
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}

/** The window an item holds, or what is wrong with it. */
export function windowOf(item: Item): { ok: true; window: MinuteWindow } | { ok: false; problems: string } {
  const counters = windowCounters.safeParse(item);
  if (!counters.success) return { ok: false, problems: problemsOf(counters.error) };
  const latency: Record<number, number> = {};
  const memory: Record<number, number> = {};
  for (const attribute in item) {
    if (!BUCKET.test(attribute)) continue;
    const value = item[attribute];
    if (!isCount(value)) return { ok: false, problems: `${attribute}: is ${String(value)}, which counts nothing` };
    const histogram = attribute.startsWith('b') ? latency : memory;
    histogram[Number(attribute.slice(1))] = value;
  }
  const told = Object.keys(memory).length > 0 ? { memory } : {};
  return { ok: true, window: { ...counters.data, ...told, latency } };
}

/** Asked of some fifty buckets a window, so by hand. */
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** One window per minute and side, oldest first. */
export function mergeByMinute(windows: readonly MinuteWindow[]): MinuteWindow[] {
  const merged = new Map<string, MinuteWindow>();
  for (const window of windows) {
    const key = `${window.minute}#${window.side}`;
    const before = merged.get(key);
    merged.set(key, before ? mergeWindows(before, window) : window);
  }
  return [...merged.values()].sort((a, b) => a.minute - b.minute || (a.side < b.side ? -1 : 1));
}

/** One window per minute, side and operation, oldest first, then by side and operation. */
export function mergeByOperation(windows: readonly OperationWindow[]): OperationWindow[] {
  const merged = new Map<string, OperationWindow>();
  for (const one of windows) {
    const key = JSON.stringify([one.window.minute, one.window.side, one.operation]);
    const before = merged.get(key);
    merged.set(key, before ? { ...one, window: mergeWindows(before.window, one.window) } : one);
  }
  return [...merged.values()].sort(byMinuteSideOperation);
}

function byMinuteSideOperation(a: OperationWindow, b: OperationWindow): number {
  const sides = a.window.side < b.window.side ? -1 : a.window.side > b.window.side ? 1 : 0;
  return a.window.minute - b.window.minute || sides || (a.operation < b.operation ? -1 : 1);
}
