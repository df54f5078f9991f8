/**
 * A minute window as an item: its counters, one attribute `b<index>` per bucket of the latency histogram and `m<percent>`
 * per share of memory, so that writers add to it without reading it. What is known of a slice of the plan stands in the
 * same attributes a second time, after `s<slice>`: the totals are whole for readers who know no slices, and the slices of a
 * flush cost no update of their own. What has no slice is the rest of the totals.
 * ADD is atomic but not idempotent, so the item also keeps what it has taken: of a sender that numbers its flushes the last
 * number, under `q<sender>`, and of others a short mark of every flush. An update is conditional on being none of them.
 */

import { createHash } from 'node:crypto';
import { bucketIndexes, type Histogram } from '../../core/gates/histogram.ts';
import {
  emptyWindow,
  type MinuteWindow,
  mergeParts,
  TOLD_COUNTERS,
  type WindowPart,
} from '../../core/gates/minute-window.ts';
import type { OperationWindow } from '../../core/report/performance.ts';
import { problemsOf, windowCounters } from '../../schemas/state.ts';
import type { Item } from './state-items.ts';

const COUNTERS = ['count', 'errors', 'keyless', 'checks', 'mismatches'] as const;
const BUCKET = /^[bm]-?\d+$/;
const OF_SLICE = /^s([0-7])([a-z].*)$/;

/** One slice of an item. */
export type Slice = Pick<WindowPart, 'slice' | 'window'>;

/**
 * 12 characters for a sender's flush and its part: 72 bits, compared only within one window. The sender belongs to it,
 * since two senders may number their flushes alike and share a shard.
 */
export function flushMark(source: string, flushId: string, part: string | number): string {
  const identity = JSON.stringify([source, flushId, part]);
  return createHash('sha256').update(identity).digest('base64url').slice(0, 12);
}

/** By what an update is known again. */
export type Taken = { mark: string } | { sender: string; number: number };

const NUMBERED = /^(.+)~(\d{1,12})$/;

/**
 * @param part of the flush within the item. The parts of one sender have numbers of their own, since the slices of a minute
 *   may come in two flushes, of which the first one is sent again
 */
export function takenBy(source: string, flushId: string, part: string): Taken {
  const [, sender, number] = NUMBERED.exec(flushId) ?? [];
  if (sender === undefined) return { mark: flushMark(source, flushId, part) };
  return { sender: `q${flushMark(source, sender, part)}`, number: Number(number) };
}

/** Of a sender that numbers its flushes. A minute has six of a process, and so two or three items. */
const FLUSHES_PER_ITEM = 3;
/** An update with more attributes has an item of its own, since each later one would pay for them, too. */
const SHARED_ATTRIBUTES = 40;

/** Names the flushes that share an item with this update: the same whenever it comes again. */
export function flushesBeside(flushId: string, slices: readonly Slice[], index: number): string {
  const [, sender, number] = NUMBERED.exec(flushId) ?? [];
  if (index > 0) return `${flushId}.${index}`;
  if (sender === undefined || amountsOf(slices).size > SHARED_ATTRIBUTES) return flushId;
  return `${sender}~${Math.floor(Number(number) / FLUSHES_PER_ITEM)}`;
}

/** What one update adds to which attribute. */
export function amountsOf(slices: readonly Slice[]): Map<string, number> {
  const amounts = new Map<string, number>();
  const add = (attribute: string, amount: number) => amounts.set(attribute, (amounts.get(attribute) ?? 0) + amount);
  for (const counter of COUNTERS) add(counter, 0);
  for (const { slice, window } of slices) {
    const each = (attribute: string, amount: number | undefined) => {
      if (!amount) return;
      add(attribute, amount);
      if (slice !== null) add(`s${slice}${attribute}`, amount);
    };
    for (const counter of [...COUNTERS, ...TOLD_COUNTERS]) each(counter, window[counter]);
    for (const [index, count] of Object.entries(window.latency)) each(`b${index}`, count);
    for (const [percent, count] of Object.entries(window.memory ?? {})) each(`m${percent}`, count);
  }
  return amounts;
}

/** The expressions of one update, unless it was taken already. Numbered places are at most two characters long. */
export function additionExpressions(slices: readonly Slice[], operation: string, taken: Taken, expiresAt: number) {
  const { minute, side } = slices[0]!.window;
  const names: Record<string, string> = { '#minute': 'minute', '#side': 'side', '#operation': 'operation' };
  const values: Record<string, unknown> = {
    ':minute': minute,
    ':side': side,
    ':operation': operation,
    ':expires': expiresAt,
  };
  const sets = ['#minute = :minute', '#side = :side', '#operation = :operation', 'expires_at = :expires'];
  const adds: string[] = [];
  if ('mark' in taken) {
    Object.assign(values, { ':marks': new Set([taken.mark]), ':mark': taken.mark });
    adds.push('flushes :marks');
  } else {
    names['#sender'] = taken.sender;
    values[':number'] = taken.number;
    sets.push('#sender = :number');
  }
  for (const [attribute, amount] of amountsOf(slices)) {
    const place = adds.length.toString(36);
    names[`#${place}`] = attribute;
    values[`:${place}`] = amount;
    adds.push(`#${place} :${place}`);
  }
  return {
    UpdateExpression: `SET ${sets.join(', ')} ADD ${adds.join(', ')}`,
    ConditionExpression:
      'mark' in taken ? 'NOT contains(flushes, :mark)' : 'attribute_not_exists(#sender) OR #sender < :number',
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}

export type Read<T> = ({ ok: true } & T) | { ok: false; problems: string };

/** The window an item holds, over all slices, or what is wrong with it. */
export function windowOf(item: Item): Read<{ window: MinuteWindow }> {
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

/** The slices an item holds and the rest of its totals, which has none; or what is wrong with it. */
export function slicesOf(item: Item): Read<{ slices: readonly Slice[] }> {
  const total = windowOf(item);
  if (!total.ok) return total;
  const found = new Map<number, Item>();
  for (const attribute in item) {
    const [, slice, name] = OF_SLICE.exec(attribute) ?? [];
    if (slice === undefined || name === undefined) continue;
    const { minute, side } = total.window;
    const one = found.get(Number(slice)) ?? { minute, side, ...NOTHING };
    one[name] = item[attribute];
    found.set(Number(slice), one);
  }
  const slices: Slice[] = [];
  let rest: MinuteWindow | null = total.window;
  for (const [slice, one] of found) {
    const read = windowOf(one);
    if (!read.ok) return { ok: false, problems: `s${slice}: ${read.problems}` };
    slices.push({ slice, window: read.window });
    rest = withoutWindow(rest!, read.window);
    if (!rest) return { ok: false, problems: `s${slice}: there is more of it than there is in all` };
  }
  const isRest = found.size === 0 || Math.max(...amountsOf([{ slice: null, window: rest! }]).values()) > 0;
  return { ok: true, slices: isRest ? [{ slice: null, window: rest! }, ...slices] : slices };
}

/** What is left of a window without one of its parts; null when the part is none. */
function withoutWindow(whole: MinuteWindow, part: MinuteWindow): MinuteWindow | null {
  const latency = withoutHistogram(whole.latency, part.latency);
  const memory = withoutHistogram(whole.memory ?? {}, part.memory ?? {});
  if (!latency || !memory) return null;
  const { minute, side } = whole;
  const rest: Mutable<MinuteWindow> = { ...emptyWindow(minute, side), latency };
  if (Object.keys(memory).length > 0) rest.memory = memory;
  for (const name of [...COUNTERS, ...TOLD_COUNTERS]) {
    const left = (whole[name] ?? 0) - (part[name] ?? 0);
    if (left < 0) return null;
    if (left > 0) rest[name] = left;
  }
  return rest;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

function withoutHistogram(whole: Histogram, part: Histogram): Histogram | null {
  const rest: Record<number, number> = { ...whole };
  for (const index of bucketIndexes(part)) {
    const left = (rest[index] ?? 0) - part[index]!;
    if (left < 0) return null;
    if (left > 0) rest[index] = left;
    else delete rest[index];
  }
  return rest;
}

const NOTHING = Object.fromEntries(COUNTERS.map((counter) => [counter, 0]));

/** Asked of some fifty buckets a window, so by hand. */
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** One window per minute, side and operation, oldest first, then by side and operation. */
export const mergeByOperation = (windows: readonly OperationWindow[]): OperationWindow[] =>
  mergeParts(windows.map(({ operation, window }) => ({ slice: null, operation, window }))).map(
    ({ operation, window }) => ({ operation, window }),
  );
