/** Histograms in order say the same as the histograms themselves: laws against the plain, slow functions. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addHistograms, type Histogram, histogramCount, quantileMs } from '../../lib/core/histogram.ts';
import { added, bucketOf, countAbove, ranked, settledQuantileMs } from '../../lib/core/ranked.ts';

const histograms: fc.Arbitrary<Histogram> = fc
  .array(fc.tuple(fc.integer({ min: -30, max: 30 }), fc.integer({ min: 1, max: 9 })), { maxLength: 25 })
  .map((entries) => Object.fromEntries(entries));

describe('a histogram in order', () => {
  it('has the same sum, quantiles and counts above an edge', () => {
    fc.assert(
      fc.property(
        histograms,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.integer({ min: -32, max: 32 }),
        (h, q, edge) => {
          expect(ranked(h).total).toBe(histogramCount(h));
          expect(settledQuantileMs(h, q)).toBeOneOf([null, expect.closeTo(quantileMs(h, q) ?? 0, 9)]);
          expect(settledQuantileMs(h, q) === null).toBe(quantileMs(h, q) === null);
          const above = Object.entries(h).filter(([index]) => Number(index) > edge);
          expect(countAbove(h, edge)).toBe(above.reduce((sum, [, count]) => sum + count, 0));
        },
      ),
    );
  });

  it('adds up to the same, however often, and what is remembered of the sum is true of it', () => {
    fc.assert(
      fc.property(fc.array(histograms, { minLength: 2, maxLength: 6 }), (all) => {
        const sum = all.reduce((a, b) => added(a, b), {});
        expect(sum).toEqual(all.reduce((a, b) => addHistograms(a, b), {}));
        expect(ranked(sum)).toEqual(ranked({ ...sum }));
      }),
    );
  });

  it('forgets of the first what weighs too little, and nothing of the second', () => {
    expect(added({ 3: 1, 4: 4 }, { 5: 1 }, 0.5, 0.5)).toEqual({ 4: 2, 5: 1 });
    // As many buckets as before, but others.
    expect(ranked(added({ 3: 1, 4: 4 }, { 5: 1 }, 0.5, 0.5)).indexes).toEqual([4, 5]);
  });

  it('gives the last bucket for a rank beyond, and none of none', () => {
    expect(bucketOf({ 1: 2, 7: 1 }, 9)).toBe(7);
    expect(bucketOf({}, 1)).toBeNull();
  });
});
