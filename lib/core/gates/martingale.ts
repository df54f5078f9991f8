/**
 * Evidence that may be looked at every minute: a mixture over K alternatives and over the unknown minute of the change.
 *
 *   A_k(t) = (A_k(t−1) + w_t) · exp(min(l_k(t), C_k))      A_k(0) = 0
 *   E(t)   = Σ π_k A_k(t) + (1 − w_1 − … − w_t)            Σ π_k = 1
 *
 * While nothing is wrong E is a supermartingale that starts at 1, so it ever reaches 1/α with probability α at most,
 * however often it is looked at (Ville), whatever the priors π_k and w_t are that were fixed beforehand. Everything is kept
 * in logarithms. The weights are used up after a day; then a new one begins with a smaller share of the budget, since a
 * stage may last for weeks.
 */

import { DAY_MINUTES } from '../base/units.ts';

/** Minutes over which the prior of the change is spread. */
export const HORIZON_MINUTES = DAY_MINUTES;
/**
 * How likely it is held that the shadow is bad from the first minute on; the rest is spread over the others. A half finds
 * that two minutes sooner and a change after ten hours five minutes later (95 %, 5 requests a second).
 */
const AT_ONCE = 0.45;

/** Logarithm of nothing, as JSON can hold it. */
const NOTHING = -1e9;

/** What was counted since the evidence of one alternative last stood at zero. */
export type Excursion = {
  /** max(0, g + l), the minutes in which l was above 0, and the sums of the metric's counts. */
  g: number;
  bad: number;
  sums: readonly number[];
  /** The minute of the clock in which it began, a bad one; absent where it was not given. */
  from?: number | undefined;
};

export type Martingale = { logA: readonly number[]; excursions: readonly Excursion[] };

export function newMartingale(alternatives: number, sums: number): Martingale {
  return {
    logA: Array.from({ length: alternatives }, () => NOTHING),
    excursions: Array.from({ length: alternatives }, () => nothingCounted(sums)),
  };
}

const nothingCounted = (sums: number): Excursion => ({ g: 0, bad: 0, sums: new Array<number>(sums).fill(0) });

/** The same excursions with no evidence: how the next day begins. */
export function withoutEvidence(martingale: Martingale): Martingale {
  return { ...martingale, logA: martingale.logA.map(() => NOTHING) };
}

/** ln w_t for the t-th minute (from 1) of the horizon. */
export const logWeight = (t: number) => (t === 1 ? FIRST_WEIGHT : LATER_WEIGHT);
const FIRST_WEIGHT = Math.log(AT_ONCE);
const LATER_WEIGHT = Math.log((1 - AT_ONCE) / (HORIZON_MINUTES - 1));

/** The same evidence with nothing counted yet. */
export function withoutExcursions(martingale: Martingale): Martingale {
  return { ...martingale, excursions: martingale.excursions.map(({ sums }) => nothingCounted(sums.length)) };
}

/** The prior that is left after t minutes. */
const remainingWeight = (t: number) => (t === 0 ? 1 : (1 - AT_ONCE) * (1 - (t - 1) / (HORIZON_MINUTES - 1)));

/**
 * No single minute can prove anything: of an alternative it counts for at most 1/2.8 of a proof. Three minutes are asked for
 * anyway; with a third each, one that is a little quieter would make them four. With more, failures that come in clusters
 * are taken for proof more often: of healthy stages whose every failure is tried four times, 17 % are rolled back within a
 * day at 1/3, 26 % at 1/2.8 and 41 % at 1/2.5 (100 requests a second, 200 runs).
 */
export function cap(logNeeded: number, prior: readonly number[]): number[] {
  return prior.map((weight) => (logNeeded - logWeight(HORIZON_MINUTES) - Math.log(weight)) / 2.8);
}

/** The t-th minute of the horizon (from 1): the log ratio of every alternative, and the counts they come from. */
export type EvidenceMinute = {
  t: number;
  /** Of the clock. */
  minute?: number;
  logRatios: readonly number[];
  counts: readonly number[];
};

/** One more minute. */
export function step(
  before: Martingale,
  { t, minute, logRatios, counts }: EvidenceMinute,
  limits: readonly number[],
): Martingale {
  const weight = logWeight(t);
  const logA: number[] = [];
  const excursions: Excursion[] = [];
  for (let k = 0; k < logRatios.length; k += 1) {
    const l = logRatios[k]!;
    logA.push(logAdd(before.logA[k]!, weight) + Math.min(l, limits[k]!));
    excursions.push(excursionAfter(before.excursions[k]!, l, minute, counts));
  }
  return { logA, excursions };
}

function excursionAfter(
  before: Excursion,
  l: number,
  minute: number | undefined,
  counts: readonly number[],
): Excursion {
  const g = before.g + l;
  if (g <= 0) return before.g === 0 ? before : nothingCounted(counts.length);
  const sums: number[] = [];
  for (let i = 0; i < counts.length; i += 1) sums.push(before.sums[i]! + counts[i]!);
  const after = { g, bad: l > 0 ? before.bad + 1 : before.bad, sums };
  const from = before.g === 0 ? minute : before.from;
  return from === undefined ? after : { from, ...after };
}

/** ln E after t minutes. */
export function logEvidence({ logA }: Martingale, t: number, prior: readonly number[]): number {
  const left = remainingWeight(t);
  let sum = left > 1e-15 ? Math.log(left) : NOTHING;
  for (let k = 0; k < logA.length; k += 1) sum = logAdd(sum, logA[k]! + Math.log(prior[k]!));
  return sum;
}

/** The excursion of the alternative that speaks loudest. */
export function loudest({ logA, excursions }: Martingale): Excursion {
  let best = 0;
  for (let k = 1; k < logA.length; k += 1) if (logA[k]! > logA[best]!) best = k;
  return excursions[best]!;
}

/** ln(e^a + e^b). */
export function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return high - low > 700 ? high : high + Math.log1p(Math.exp(low - high));
}
