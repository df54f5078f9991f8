/**
 * Tests and intervals for two groups, from their totals alone. Reports, never gates: each is valid for one look at a size
 * that was declared before. `null` where the figures allow no statement.
 */

import { differenceInterval, wilsonInterval } from '../gates/statistics.ts';
import { betaLower, chiSquareTail, normalTail, normalUpper, studentTail, studentUpper } from './distributions.ts';

/** Successes among n, of one group. */
export type Proportion = { n: number; successes: number };
/** Values of one group: how many, their sum and the sum of their squares. */
export type Moments = { n: number; sum: number; sumSquares: number };
export type Interval = { low: number; high: number };

/** Wilson's score interval; never leaves 0–1. */
export function wilson({ n, successes }: Proportion, confidence = 0.95): Interval | null {
  if (!possible({ n, successes }) || n === 0) return null;
  const { low, high } = wilsonInterval(successes / n, n, normalUpper((1 - confidence) / 2));
  return { low: successes === 0 ? 0 : low, high: successes === n ? 1 : high };
}

/** The exact interval of Clopper and Pearson: covers at least as often as it says. */
export function clopperPearson({ n, successes }: Proportion, confidence = 0.95): Interval | null {
  if (!possible({ n, successes }) || n === 0) return null;
  const alpha = (1 - confidence) / 2;
  return {
    low: successes === 0 ? 0 : betaLower(alpha, successes, n - successes + 1),
    high: successes === n ? 1 : betaLower(1 - alpha, successes + 1, n - successes),
  };
}

export type ProportionTest = {
  difference: number;
  /** Newcombe's interval of the difference, from the two Wilson intervals. */
  interval: Interval;
  z: number;
  /** Two-sided, pooled. */
  p: number;
  /** Pearson's chi-square with one degree of freedom, without a correction: the square of z. */
  chiSquare: number;
  chiSquareP: number;
  /** Cohen's h. */
  effect: number;
};

/** b against a. */
export function compareProportions(a: Proportion, b: Proportion, confidence = 0.95): ProportionTest | null {
  if (!possible(a) || !possible(b) || a.n === 0 || b.n === 0) return null;
  const [pa, pb] = [a.successes / a.n, b.successes / b.n];
  const pooled = (a.successes + b.successes) / (a.n + b.n);
  if (pooled === 0 || pooled === 1) return null;
  const difference = pb - pa;
  const z = difference / Math.sqrt(pooled * (1 - pooled) * (1 / a.n + 1 / b.n));
  const chiSquare = pearson([
    [a.successes, a.n - a.successes],
    [b.successes, b.n - b.successes],
  ]);
  return {
    difference,
    interval: differenceInterval({ rate: pa, n: a.n }, { rate: pb, n: b.n }, normalUpper((1 - confidence) / 2)),
    z,
    p: 2 * normalTail(Math.abs(z)),
    chiSquare,
    chiSquareP: chiSquareTail(chiSquare, 1),
    effect: 2 * Math.asin(Math.sqrt(pb)) - 2 * Math.asin(Math.sqrt(pa)),
  };
}

/** Σ (observed − expected)² / expected over a table of counts. */
function pearson(table: readonly (readonly number[])[]): number {
  const rows = table.map((row) => row.reduce((sum, n) => sum + n, 0));
  const columns = table[0]!.map((_, column) => table.reduce((sum, row) => sum + row[column]!, 0));
  const all = rows.reduce((sum, n) => sum + n, 0);
  let chi = 0;
  for (const [i, row] of table.entries()) {
    for (const [j, observed] of row.entries()) {
      const expected = (rows[i]! * columns[j]!) / all;
      if (expected > 0) chi += (observed - expected) ** 2 / expected;
    }
  }
  return chi;
}

export type MeanTest = {
  means: readonly [number, number];
  deviations: readonly [number, number];
  difference: number;
  interval: Interval;
  t: number;
  /** Welch–Satterthwaite. */
  df: number;
  /** Two-sided. */
  p: number;
  /** Cohen's d with the root of the mean variance. */
  effect: number;
};

/** Welch's t-test of b against a; the groups may differ in variance and size. */
export function welch(a: Moments, b: Moments, confidence = 0.95): MeanTest | null {
  const [va, vb] = [varianceOf(a), varianceOf(b)];
  if (va === null || vb === null || va + vb === 0) return null;
  const [ma, mb] = [a.sum / a.n, b.sum / b.n];
  const [ea, eb] = [va / a.n, vb / b.n];
  const error = Math.sqrt(ea + eb);
  const df = (ea + eb) ** 2 / (ea ** 2 / (a.n - 1) + eb ** 2 / (b.n - 1));
  const difference = mb - ma;
  const t = difference / error;
  const half = studentUpper((1 - confidence) / 2, df) * error;
  return {
    means: [ma, mb],
    deviations: [Math.sqrt(va), Math.sqrt(vb)],
    difference,
    interval: { low: difference - half, high: difference + half },
    t,
    df,
    p: 2 * studentTail(Math.abs(t), df),
    effect: difference / Math.sqrt((va + vb) / 2),
  };
}

/** With n − 1; `null` below two values, or when the sums cannot belong together. */
function varianceOf({ n, sum, sumSquares }: Moments): number | null {
  if (!Number.isInteger(n) || n < 2 || !Number.isFinite(sum) || !Number.isFinite(sumSquares)) return null;
  const variance = (sumSquares - (sum * sum) / n) / (n - 1);
  // What rounding leaves of equal values is no variance.
  if (variance < 0) return variance > -1e-9 * (sumSquares / n) ? 0 : null;
  return variance <= 1e-14 * (sumSquares / n) ? 0 : variance;
}

/** How surprising the split between the groups is, when a share of `share` was meant for b. Chi-square, one degree of freedom. */
export function sampleRatio(a: number, b: number, share: number): { chiSquare: number; p: number } | null {
  const n = a + b;
  if (!(n > 0 && share > 0 && share < 1)) return null;
  const chiSquare = (b - n * share) ** 2 / (n * share) + (a - n * (1 - share)) ** 2 / (n * (1 - share));
  return { chiSquare, p: chiSquareTail(chiSquare, 1) };
}

const possible = ({ n, successes }: Proportion) =>
  Number.isInteger(n) && Number.isInteger(successes) && n >= 0 && successes >= 0 && successes <= n;
