/** The statistics of the gates against exact sums in integers. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binomialTail, logGamma } from '../../../lib/core/gates/statistics.ts';
import { cpuMs } from '../../helpers/cpu-time.ts';

/** P(X ≥ k), X ~ Bin(n, a / 2^bits), as a fraction of integers, rounded once. */
function exactTail(n: number, k: number, a: bigint, bits: bigint): number {
  const whole = 1n << bits;
  let term = 1n;
  let sum = 0n;
  for (let i = 0; i <= n; i += 1) {
    if (i > 0) term = (term * BigInt(n - i + 1)) / BigInt(i);
    if (i >= k) sum += term * a ** BigInt(i) * (whole - a) ** BigInt(n - i);
  }
  return fraction(sum, 1n << (bits * BigInt(n)));
}

/** A quotient of two large integers to 17 significant digits. */
function fraction(above: bigint, below: bigint): number {
  if (above === 0n) return 0;
  const shift = below.toString(2).length - above.toString(2).length + 80;
  const scaled = (above << BigInt(Math.max(0, shift))) / (below << BigInt(Math.max(0, -shift)));
  // In two steps: 2⁻ˢʰⁱᶠᵗ alone may be no number any more where the quotient still is one.
  const half = Math.trunc(shift / 2);
  return Number(scaled) * 2 ** -half * 2 ** -(shift - half);
}

const BITS = 10n;
const close = (value: number, exact: number, relative = 1e-9) =>
  expect(Math.abs(value - exact)).toBeLessThanOrEqual(relative * Math.abs(exact) + 1e-300);

describe('binomialTail', () => {
  it('is the exact sum, to nine digits, for every k of small n', () => {
    for (const n of [1, 2, 5, 17, 40]) {
      for (const a of [1, 10, 102, 512, 900, 1_023]) {
        for (let k = 0; k <= n + 1; k += 1) {
          close(binomialTail(n, k, a / 1_024), k > n ? 0 : exactTail(n, k, BigInt(a), BITS));
        }
      }
    }
  });

  it('is the exact sum where it is near the smallest numbers there are', () => {
    close(binomialTail(229, 122, 1 / 1_024), exactTail(229, 122, 1n, BITS));
    expect(exactTail(229, 122, 1n, BITS)).toBeGreaterThan(0);
  });

  it('is the exact sum for random n up to 300', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.integer({ min: 1, max: 1_023 }), (n, any, a) => {
        const k = any % (n + 1);
        close(binomialTail(n, k, a / 1_024), exactTail(n, k, BigInt(a), BITS));
      }),
      { numRuns: 150 },
    );
  });

  it('is certain for none, impossible for more than all, and decided at p = 0 and p = 1', () => {
    expect(binomialTail(10, 0, 0.1)).toBe(1);
    expect(binomialTail(10, -3, 0.1)).toBe(1);
    expect(binomialTail(10, 11, 0.1)).toBe(0);
    expect(binomialTail(10, 1, 0)).toBe(0);
    expect(binomialTail(10, 10, 1)).toBe(1);
    expect(binomialTail(0, 1, 0.5)).toBe(0);
  });

  it('falls in k, grows in p, and stays between 0 and 1 for a million operations, too', () => {
    const n = fc.integer({ min: 1, max: 1_000_000 });
    const p = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
    fc.assert(
      fc.property(n, fc.double({ min: 0, max: 1, noNaN: true }), p, p, (count, at, a, b) => {
        const k = Math.floor(at * count);
        const [low, high] = a < b ? [a, b] : [b, a];
        const value = binomialTail(count, k, low);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        expect(binomialTail(count, k + 1, low)).toBeLessThanOrEqual(value * (1 + 1e-6) + 1e-12);
        expect(binomialTail(count, k, high)).toBeGreaterThanOrEqual(value * (1 - 1e-6) - 1e-12);
      }),
      { numRuns: 300 },
    );
  });

  it('is quick, also for a million operations', () => {
    const took = cpuMs(() => {
      for (let i = 0; i < 100; i += 1) binomialTail(1_000_000, 10_100 + i, 0.01);
    });
    expect(took / 100).toBeLessThan(5);
  });
});

describe('logGamma', () => {
  it('is the logarithm of the factorial', () => {
    let factorial = 1n;
    for (let n = 1; n <= 170; n += 1) {
      factorial *= BigInt(n);
      const exact = Math.log(Number(factorial));
      expect(Math.abs(logGamma(n + 1) - exact)).toBeLessThanOrEqual(1e-12 * Math.max(1, exact));
    }
  });

  it('is known at a half', () => {
    close(logGamma(0.5), Math.log(Math.sqrt(Math.PI)), 1e-13);
    close(logGamma(2.5), Math.log((3 / 4) * Math.sqrt(Math.PI)), 1e-12);
  });
});
