/** A minute of both sides under each alternative, and under "better than the rollback threshold": beside the primary, or against its past. */

import { highestRate } from './baseline.ts';
import type { Compared } from './compared.ts';
import { binomialLogRatio, scatteredLogRatio, type TwoSample, twoSampleLogRatio } from './likelihood.ts';

/** Sums of an excursion, in this order. `over` counts what lies beyond the rollback threshold itself. */
export type Counts = readonly [n0: number, e0: number, n1: number, e1: number, over: number];
export const COUNTS = 5;

/** `size` is the log ratio of "clearly beyond the rollback threshold" to "clearly inside". */
export type Measured = {
  logRatios: readonly number[];
  counts: Counts;
  good: number;
  /** The same against what the primary usually did: it may just have become faster than it ever was. */
  usuallyGood?: number;
  size: number;
};

export const CERTAIN = 1 - 1e-6;
export const inside = (rate: number): number => Math.min(CERTAIN, Math.max(1e-6, rate));

type Sample = {
  e0: number;
  e1: number;
  over: number;
  /** What the baseline says of the primary's rate. */
  usual: number;
  margin: number;
  worse: readonly number[];
  good: { e0: number; e1: number; usual: number; better: number; margin: number };
  size: number;
};

export function tested({ n0, n1, past, fewLeft }: Compared, seen: Sample): Measured | null {
  if (n1 === 0) return null;
  if (past !== null) return againstUsual(n1, past, seen);
  if (n0 === 0 && !fewLeft) return null;
  const minute: TwoSample = { n0, e0: seen.e0, n1, e1: seen.e1 };
  const { good } = seen;
  // Where the margin leaves no room for an alternative, that one says nothing.
  const border = seen.usual + seen.margin;
  return {
    logRatios: seen.worse.map((q1) => (q1 > border ? twoSampleLogRatio(minute, seen.usual, q1, seen.margin) : 0)),
    counts: [n0, seen.e0, n1, seen.e1, seen.over],
    good: fewLeft
      ? goodByPast(n1, seen.good)
      : good.better < good.usual + good.margin
        ? twoSampleLogRatio({ n0, e0: good.e0, n1, e1: good.e1 }, good.usual, good.better, good.margin)
        : 0,
    size: seen.size,
  };
}

/**
 * Where so little is left on the primary, it is control enough to see harm, and too little to prove health in any time: that is asked
 * of its past, as at 100 %.
 */
export function goodByPast(
  n1: number,
  { e1, usual, better, margin }: Sample['good'],
  steady = Number.POSITIVE_INFINITY,
): number {
  const border = usual + margin;
  return border < 1 && better < border && steady > 0 ? scatteredLogRatio(n1, e1, { q: better, p: border }, steady) : 0;
}

/** The primary serves nothing: the most that its past of so many operations allows stands for it. */
function againstUsual(n1: number, pastCount: number, seen: Sample): Measured | null {
  if (pastCount === 0) return null;
  const highest = highestRate(seen.usual, pastCount) + seen.margin;
  return {
    logRatios: seen.worse.map((q) =>
      q > highest && highest < CERTAIN ? binomialLogRatio(n1, seen.e1, q, highest) : 0,
    ),
    counts: [n1, n1 * highest, n1, seen.e1, seen.over],
    good: goodByPast(n1, seen.good),
    size: seen.size,
  };
}
