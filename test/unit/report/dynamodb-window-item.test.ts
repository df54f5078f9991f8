/** Splitting wide histograms and merging flushes: nothing is lost, and no part is impossible. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shardOf } from '../../../lib/adapters/dynamodb/keys.ts';
import {
  additionExpressions,
  flushMark,
  type Slice,
  slicesOf,
  windowOf,
} from '../../../lib/adapters/dynamodb/window-item.ts';
import {
  MAX_BUCKETS_PER_UPDATE,
  mergeAdditions,
  splitWindow,
  updatesOf,
} from '../../../lib/adapters/dynamodb/window-updates.ts';
import { histogramCount, MAX_BUCKET, MIN_BUCKET } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow, mergeWindows, poolWindows } from '../../../lib/core/gates/minute-window.ts';

const plausibleWindow: fc.Arbitrary<MinuteWindow> = fc
  .record({
    latency: fc.dictionary(
      fc.integer({ min: MIN_BUCKET, max: MAX_BUCKET }).map(String),
      fc.integer({ min: 1, max: 1_000 }),
      { maxKeys: 60 },
    ),
    errorShare: fc.double({ min: 0, max: 1, noNaN: true }),
    keylessShare: fc.double({ min: 0, max: 1, noNaN: true }),
    checks: fc.nat(1_000),
    told: fc.boolean(),
    memory: fc.option(
      fc.dictionary(fc.nat(100).map(String), fc.integer({ min: 1, max: 9 }), { minKeys: 1, maxKeys: 5 }),
    ),
  })
  .map(({ latency, errorShare, keylessShare, checks, told, memory }) => {
    const count = histogramCount(latency);
    const errors = Math.floor(count * errorShare);
    return {
      ...emptyWindow(29_000_000, 'shadow'),
      ...(told && count > 0 ? { told: count } : {}),
      ...(told && errors > 1 ? { drops: errors >> 1 } : {}),
      ...(memory ? { memory } : {}),
      count,
      errors,
      keyless: Math.floor(count * keylessShare),
      latency,
      checks,
      mismatches: Math.floor(checks / 2),
      ...(checks > 3 ? { pairs: checks, onlyShadow: checks >> 2, onlyPrimary: 1, incomparable: checks >> 1 } : {}),
    };
  });

describe('splitting a window', () => {
  it('gives parts that add up to it, stay within the limit, and are each possible', () => {
    fc.assert(
      fc.property(plausibleWindow, fc.integer({ min: 1, max: 20 }), (window, limit) => {
        const parts = splitWindow(window, limit);
        expect(parts.reduce(mergeWindows)).toEqual(window);
        for (const part of parts) {
          expect(Object.keys(part.latency).length).toBeLessThanOrEqual(limit);
          expect(histogramCount(part.latency)).toBe(part.count);
          expect(part.errors).toBeLessThanOrEqual(part.count);
          expect(part.keyless).toBeLessThanOrEqual(part.count);
          expect(part.drops ?? 0).toBeLessThanOrEqual(part.errors);
          expect(part.told ?? 0).toBeLessThanOrEqual(part.count);
        }
      }),
    );
  });

  it('is the same every time, whatever the order of the buckets', () => {
    const window = { ...emptyWindow(1, 'primary'), count: 6, latency: { 5: 1, [-3]: 2, 700: 3 } };
    const turned = { ...window, latency: { 700: 3, [-3]: 2, 5: 1 } };
    expect(splitWindow(turned, 2)).toEqual(splitWindow(window, 2));
    expect(
      splitWindow(window, 2).map(({ latency }) =>
        Object.keys(latency)
          .map(Number)
          .sort((a, b) => a - b),
      ),
    ).toEqual([[-3, 5], [700]]);
  });
});

describe('merging windows', () => {
  it('does not mind their order or grouping, nor the empty window, and is what pooling them gives', () => {
    const empty = emptyWindow(0, 'shadow');
    fc.assert(
      fc.property(plausibleWindow, plausibleWindow, plausibleWindow, (a, b, c) => {
        expect(mergeWindows(a, b)).toEqual(mergeWindows(b, a));
        expect(mergeWindows(mergeWindows(a, b), c)).toEqual(mergeWindows(a, mergeWindows(b, c)));
        expect(mergeWindows(a, empty)).toEqual(a);
        expect(poolWindows(0, 'shadow', [a, b, c])).toEqual(mergeWindows(mergeWindows(a, b), c));
      }),
    );
  });
});

describe('the update of a part', () => {
  it('stays below the 4 KB of an expression with as many buckets as are allowed', () => {
    const latency = Object.fromEntries(Array.from({ length: MAX_BUCKETS_PER_UPDATE }, (_, n) => [n - 340, 1]));
    const told = { left: 1, drops: 1, told: 1, memory: { 41: 1 } };
    const part = { ...emptyWindow(29_000_000, 'primary'), ...told, latency };
    const [update] = updatesOf([{ slice: null, window: part }]);
    const { UpdateExpression, ...rest } = additionExpressions(update!, 'read', { mark: 'mark' }, 1);
    expect(Buffer.byteLength(UpdateExpression)).toBeLessThan(4_096);
    expect(Object.keys(rest.ExpressionAttributeNames)).toHaveLength(MAX_BUCKETS_PER_UPDATE + 5 + 4 + 3);
    expect(Object.keys(rest.ExpressionAttributeValues)).toHaveLength(MAX_BUCKETS_PER_UPDATE + 5 + 4 + 6);
  });
});

describe('the slices of a flush', () => {
  const slices: fc.Arbitrary<Slice[]> = fc.uniqueArray(
    fc.record({ slice: fc.option(fc.integer({ min: 0, max: 7 })), window: plausibleWindow }),
    { selector: ({ slice }) => slice, minLength: 1, maxLength: 9 },
  );

  it('are read from the item as they were written, and its totals are their sum for readers who know no slices', () => {
    fc.assert(
      fc.property(slices, (flush) => {
        const item = itemAfter(flush);
        const whole = { ok: true, window: flush.map(({ window }) => window).reduce(mergeWindows) };
        expect(windowOf(item)).toEqual(whole);
        const told = flush.filter(({ window }) => isTold(window));
        const read = slicesOf(item);
        const inOrder = told.sort((a, b) => (a.slice ?? -1) - (b.slice ?? -1));
        expect(read).toEqual({
          ok: true,
          slices: inOrder.length > 0 ? inOrder : [{ slice: null, ...nothingOf(item) }],
        });
      }),
    );
  });

  it('fit into updates within the limits, each plausible alone, the same ones for the same flush', () => {
    fc.assert(
      fc.property(slices, (flush) => {
        const updates = updatesOf(flush);
        expect(updatesOf([...flush].reverse())).toEqual(updates);
        for (const update of updates) {
          const { UpdateExpression } = additionExpressions(update, 'read', { mark: 'mark' }, 1);
          expect(UpdateExpression.split(/[,=]/).length).toBeLessThanOrEqual(290);
          expect(Buffer.byteLength(UpdateExpression)).toBeLessThan(4_096);
        }
      }),
    );
  });

  it('of a busy sender are one update', () => {
    const window = (buckets: number): MinuteWindow => ({
      ...emptyWindow(29_000_000, 'primary'),
      count: buckets,
      told: buckets,
      latency: Object.fromEntries(Array.from({ length: buckets }, (_, n) => [n, 1])),
    });
    expect(updatesOf([5, 25, 60, 70].map((buckets, slice) => ({ slice, window: window(buckets) })))).toHaveLength(1);
    expect(updatesOf([5, 60, 80, 80].map((buckets, slice) => ({ slice, window: window(buckets) })))).toHaveLength(2);
  });

  it('that count more than there is in all are refused', () => {
    const item = { ...itemAfter([{ slice: 3, window: { ...emptyWindow(1, 'primary'), count: 2 } }]), count: 1 };
    expect(slicesOf(item)).toEqual({ ok: false, problems: 's3: there is more of it than there is in all' });
    expect(slicesOf({ ...item, s3count: 'two' })).toMatchObject({ ok: false, problems: /^s3: count/ });
  });
});

/** The item that DynamoDB has after the updates of a flush. */
function itemAfter(flush: readonly Slice[]): Record<string, unknown> {
  const item: Record<string, unknown> = {};
  for (const update of updatesOf(flush)) {
    const { minute, side } = update[0]!.window;
    const { UpdateExpression, ...rest } = additionExpressions(update, 'read', { mark: 'mark' }, 1);
    Object.assign(item, { minute, side });
    const [, adds] = UpdateExpression.split(' ADD flushes :marks, ');
    for (const add of adds!.split(', ')) {
      const [name, value] = add.split(' ');
      const attribute = rest.ExpressionAttributeNames[name!]!;
      item[attribute] = ((item[attribute] as number) ?? 0) + (rest.ExpressionAttributeValues[value!] as number);
    }
  }
  return item;
}

const isTold = (window: MinuteWindow): boolean => window.count > 0 || window.checks > 0 || window.memory !== undefined;
const nothingOf = (item: Record<string, unknown>) => ({
  window: emptyWindow(item.minute as number, item.side as 'primary'),
});

describe('merging a flush', () => {
  it('keeps windows of different cutovers, sides, minutes and operations apart', () => {
    const at = (cutover: string, operation: string, minute: number, side: 'primary' | 'shadow') => ({
      cutover,
      operation,
      window: { ...emptyWindow(minute, side), count: 1 },
    });
    const different = [
      at('a', 'read', 1, 'primary'),
      at('b', 'read', 1, 'primary'),
      at('a', 'write', 1, 'primary'),
      at('a', 'read', 2, 'primary'),
      at('a', 'read', 1, 'shadow'),
    ];
    const item = ({ cutover, operation, window }: (typeof different)[number]) => ({
      cutover,
      operation,
      slices: [{ slice: null, window }],
    });
    expect(mergeAdditions(different)).toEqual(different.map(item));
    const twice = mergeAdditions([...different, ...different]);
    expect(twice.map(({ slices }) => slices.map(({ window }) => window.count))).toEqual([[2], [2], [2], [2], [2]]);
  });

  it('keeps the slices of one item together', () => {
    const of = (slice: number | null, count: number) => ({
      cutover: 'a',
      operation: 'read',
      slice,
      window: { ...emptyWindow(1, 'primary'), count },
    });
    const [item, ...others] = mergeAdditions([of(1, 2), of(null, 1), of(1, 3)]);
    expect(others).toEqual([]);
    expect(item!.slices.map(({ slice, window }) => [slice, window.count])).toEqual([
      [1, 5],
      [null, 1],
    ]);
  });
});

describe('marks and shards', () => {
  it('differ by sender, flush and part', () => {
    const marks = [
      ['a', 'b', '0'],
      ['a', 'b', '1'],
      ['ab', '', '0'],
      ['a', 'c', '0'],
    ].map(([source, flush, part]) => flushMark(source!, flush!, part!));
    expect(new Set(marks).size).toBe(4);
    expect(flushMark('a', 'b', '0')).toBe(marks[0]);
  });

  it('a sender has one shard of ten, and senders spread evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n += 1) counts[shardOf(`sender-${n}`)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });
});
