/** The latency histogram: bounded error, nine buckets are +20 %, merging is adding. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addHistograms,
  bucketIndex,
  bucketUpperMs,
  type Histogram,
  histogramCount,
  MAX_BUCKET,
  MIN_BUCKET,
  quantileMs,
} from '../../../lib/core/gates/histogram.ts';

const latency = fc.double({ min: 0.001, max: 3_600_000, noNaN: true });
const histogramOf = (values: readonly number[]): Histogram =>
  values.reduce<Histogram>((sum, value) => addHistograms(sum, { [bucketIndex(value)]: 1 }), {});

describe('a bucket', () => {
  it('holds what lies above the edge below it and up to its own', () => {
    fc.assert(
      fc.property(latency, (ms) => {
        const index = bucketIndex(ms);
        expect(ms).toBeLessThanOrEqual(bucketUpperMs(index) * (1 + 1e-9));
        expect(ms).toBeGreaterThan(bucketUpperMs(index - 1) * (1 - 1e-9));
      }),
      { numRuns: 2_000 },
    );
  });

  it('nine further up lies 20 % higher', () => {
    for (let index = MIN_BUCKET; index <= MAX_BUCKET - 9; index += 1) {
      expect(bucketUpperMs(index + 9) / bucketUpperMs(index)).toBeCloseTo(1.2, 9);
    }
  });

  it('never falls when the latency grows', () => {
    fc.assert(
      fc.property(latency, latency, (a, b) => {
        expect(bucketIndex(Math.min(a, b))).toBeLessThanOrEqual(bucketIndex(Math.max(a, b)));
      }),
    );
  });

  it('its own upper edge still belongs to it', () => {
    const wrong: number[] = [];
    for (let index = MIN_BUCKET; index <= MAX_BUCKET; index += 1) {
      if (bucketIndex(bucketUpperMs(index)) !== index) wrong.push(index);
    }
    expect(wrong).toEqual([]);
  });

  it('at the edge counts everything outside of 1 µs … 1 h', () => {
    expect(bucketIndex(0)).toBe(MIN_BUCKET);
    expect(bucketIndex(1e-9)).toBe(MIN_BUCKET);
    expect(bucketIndex(1e12)).toBe(MAX_BUCKET);
    expect(bucketIndex(Number.POSITIVE_INFINITY)).toBe(MAX_BUCKET);
  });
});

describe('a quantile', () => {
  it('is at most 1.1 % away from that of the values themselves', () => {
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.95, 0.99, 1),
        (values, q) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(q * sorted.length) - 1]!;
          expect(Math.abs(quantileMs(histogramOf(values), q)! / exact - 1)).toBeLessThan(0.011);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of nothing is nothing', () => {
    expect(quantileMs({}, 0.5)).toBeNull();
    expect(quantileMs({ 5: 0 }, 0.5)).toBeNull();
  });
});

describe('merging', () => {
  const values = fc.array(latency, { maxLength: 50 });

  it('gives the histogram of all values, in any order, and changes neither part', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [left, right] = [histogramOf(a), histogramOf(b)];
        const copy = structuredClone([left, right]);
        expect(addHistograms(left, right)).toEqual(histogramOf([...a, ...b]));
        expect(addHistograms(right, left)).toEqual(addHistograms(left, right));
        expect(histogramCount(addHistograms(left, right))).toBe(a.length + b.length);
        expect([left, right]).toEqual(copy);
      }),
    );
  });
});
