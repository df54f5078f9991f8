/** Buckets in a row say the same as the histograms they come from: laws against the plain, slow functions. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  added,
  bucketOf,
  bucketsOf,
  bucketsQuantileMs,
  countAbove,
  countAboveEdge,
  NO_BUCKETS,
  quantileEdge,
  weighed,
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

  it('are weighed in whole numbers, and lose less than one in all by that, above every edge', () => {
    fc.assert(
      fc.property(histograms, fc.double({ min: 0.01, max: 1, noNaN: true }), (histogram, weight) => {
        const before = bucketsOf(histogram);
        const after = weighed(before, weight);
        expect(after.counts.every(Number.isInteger)).toBe(true);
        expect(after.counts.reduce((sum, count) => sum + count, 0)).toBe(after.total);
        for (let edge = before.first - 1; edge <= before.first + before.counts.length; edge += 1)
          expect(Math.abs(countAbove(after, edge) - weight * countAbove(before, edge))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('have their quantile at an edge anywhere, above which just that share lies', () => {
    fc.assert(
      fc.property(histograms, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (histogram, q) => {
        const buckets = bucketsOf(histogram);
        const edge = quantileEdge(buckets, q);
        if (edge === null) {
          expect(buckets.total).toBe(0);
          return;
        }
        expect(countAboveEdge(buckets, edge)).toBeCloseTo((1 - q) * buckets.total, 6);
      }),
    );
  });

  it('count no more above a higher edge', () => {
    const edge = fc.double({ min: -60, max: 400, noNaN: true });
    fc.assert(
      fc.property(histograms, edge, edge, (histogram, a, b) => {
        const above = (of: number) => countAboveEdge(bucketsOf(histogram), of);
        expect(above(Math.max(a, b))).toBeLessThanOrEqual(above(Math.min(a, b)) + 1e-9);
      }),
    );
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
