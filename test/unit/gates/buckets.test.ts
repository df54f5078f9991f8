/** Buckets in a row say the same as the histograms they come from: laws against the plain, slow functions. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  added,
  bucketOf,
  bucketsOf,
  bucketsQuantileMs,
  countAbove,
  NO_BUCKETS,
} from '../../../lib/core/gates/buckets.ts';
import {
  addHistograms,
  type Histogram,
  histogramCount,
  MAX_BUCKET,
  MIN_BUCKET,
  quantileMs,
} from '../../../lib/core/gates/histogram.ts';

const histograms: fc.Arbitrary<Histogram> = fc
  .array(fc.tuple(fc.integer({ min: -30, max: 30 }), fc.integer({ min: 1, max: 9 })), { maxLength: 25 })
  .map((entries) => Object.fromEntries(entries));

describe('buckets in a row', () => {
  it('have the same sum, quantiles and counts above an edge', () => {
    fc.assert(
      fc.property(
        histograms,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.integer({ min: -32, max: 32 }),
        (h, q, edge) => {
          const buckets = bucketsOf(h);
          expect(buckets.total).toBe(histogramCount(h));
          expect(bucketsQuantileMs(buckets, q)).toBeOneOf([null, expect.closeTo(quantileMs(h, q) ?? 0, 9)]);
          expect(bucketsQuantileMs(buckets, q) === null).toBe(quantileMs(h, q) === null);
          const above = Object.entries(h).filter(([index]) => Number(index) > edge);
          expect(countAbove(buckets, edge)).toBe(above.reduce((sum, [, count]) => sum + count, 0));
        },
      ),
    );
  });

  it('add up to the same, however often', () => {
    fc.assert(
      fc.property(fc.array(histograms, { minLength: 2, maxLength: 6 }), (all) => {
        const sum = all.map(bucketsOf).reduce((a, b) => added(a, b), NO_BUCKETS);
        expect(sum).toEqual(bucketsOf(all.reduce((a, b) => addHistograms(a, b), {})));
      }),
    );
  });

  it('forget of the first what weighs too little, and nothing of the second', () => {
    const sum = (a: Histogram, b: Histogram) => added(bucketsOf(a), bucketsOf(b), 0.5, 0.5);
    expect(sum({ 3: 1, 4: 4 }, { 5: 1 })).toEqual(bucketsOf({ 4: 2, 5: 1 }));
    expect(sum({ 3: 4, 9: 1 }, { 5: 1 })).toEqual(bucketsOf({ 3: 2, 5: 1 }));
    expect(sum({ 3: 1, 9: 1 }, { 5: 1 })).toEqual(bucketsOf({ 5: 1 }));
    expect(sum({ 3: 1, 4: 4 }, {})).toEqual(bucketsOf({ 4: 2 }));
  });

  it('give the last bucket for a rank beyond, and none of none', () => {
    expect(bucketOf(bucketsOf({ 1: 2, 7: 1 }), 9)).toBe(7);
    expect(bucketOf(NO_BUCKETS, 1)).toBeNull();
  });

  it('count at the edge what no latency can be, so that an item edited by hand takes no memory', () => {
    expect(bucketsOf({ 1000000000: 2, [MAX_BUCKET]: 1 })).toEqual({ first: MAX_BUCKET, counts: [3], total: 3 });
    expect(bucketsOf({ [-1_000_000_000]: 2 })).toEqual({ first: MIN_BUCKET, counts: [2], total: 2 });
  });
});
