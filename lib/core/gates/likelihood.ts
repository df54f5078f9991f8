/**
 * Log-likelihood ratios of one minute: how much better an alternative explains it than the nearest point of the null.
 * Each is the logarithm of an e-variable: whatever the truth inside the null, the mean of its exponential is at most 1,
 * as long as the alternative was fixed before the minute was seen (Turner and Grünwald, exact sequential k-sample tests).
 */

import { logGamma } from './statistics.ts';

/** Bad outcomes of operations on each side. */
export type TwoSample = { n0: number; e0: number; n1: number; e1: number };

const EDGE = 1e-12;
/**
 * The border is found to the last digit but one: what it is off by counts as often as there are operations, also where the usual
 * rate is a millionth.
 */
const PRECISION = 2 * Number.EPSILON;

/**
 * Two samples against the null's border p1 = p0 + margin. With the alternative (q0, q1) above the border this is
 * evidence that the shadow is worse than p0 + margin, below it that it is better.
 *   n0 (a − q0)/(a(1−a)) + n1 (b − q1)/(b(1−b)) = 0,  b = a + margin
 * Without a margin that is where both sides together would be.
 * Without operations on one side nothing can be compared: 0.
 */
export function twoSampleLogRatio(sample: TwoSample, q0: number, q1: number, margin: number): number {
  const { n0, e0, n1, e1 } = sample;
  if (n0 === 0 || n1 === 0) return 0;
  const a = nearest(sample, q0, q1, margin);
  return a === null ? 0 : binomialLogRatio(n0, e0, q0, a) + binomialLogRatio(n1, e1, q1, a + margin);
}

/** The point of the border from which the alternative is hardest to tell, or null where the border leaves no room. */
function nearest({ n0, n1 }: TwoSample, q0: number, q1: number, margin: number): number | null {
  if (margin === 0) return (n0 * q0 + n1 * q1) / (n0 + n1);
  const worse = q1 > q0 + margin;
  // Both rates of the border are rates, on either side of a margin of either sign.
  let low = Math.max(EDGE, EDGE - margin, worse ? q0 : q1 - margin);
  let high = Math.min(1 - EDGE, 1 - margin - EDGE, worse ? q1 - margin : q0);
  if (high <= low) return null;
  // Newton's method, which doubles the digits with each step, and a halving where it would leave the interval.
  for (let a = (low + high) / 2; high - low > PRECISION * high; ) {
    const b = a + margin;
    const [va, vb] = [a * (1 - a), b * (1 - b)];
    const slope = (n0 * (a - q0)) / va + (n1 * (b - q1)) / vb;
    if (slope === 0) return a;
    if (slope < 0) low = a;
    else high = a;
    const steep = (n0 * (a * a - 2 * a * q0 + q0)) / (va * va) + (n1 * (b * b - 2 * b * q1 + q1)) / (vb * vb);
    const next = a - slope / steep;
    if (Math.abs(next - a) <= PRECISION * a) return next;
    a = next > low && next < high ? next : (low + high) / 2;
  }
  return (low + high) / 2;
}

/** One sample: e bad of n under the rate q against the rate p. */
export function binomialLogRatio(n: number, e: number, q: number, p: number): number {
  const bad = e > 0 ? e * Math.log(q / p) : 0;
  return n > e ? bad + (n - e) * Math.log((1 - q) / (1 - p)) : bad;
}

/**
 * The same where the rate itself scatters from minute to minute, by a beta distribution: the more it does, the less the operations of one
 * minute say, and never nothing.
 * @param steady α + β of that distribution; infinite where the rate does not scatter
 */
export function scatteredLogRatio(n: number, e: number, { q, p }: { q: number; p: number }, steady: number): number {
  if (steady === Number.POSITIVE_INFINITY) return binomialLogRatio(n, e, q, p);
  return logBeta(n, e, q * steady, steady) - logBeta(n, e, p * steady, steady);
}

/** ln of the beta-binomial probability without its binomial coefficient. */
const logBeta = (n: number, e: number, a: number, steady: number): number =>
  logGamma(e + a) - logGamma(a) + logGamma(n - e + steady - a) - logGamma(steady - a);

/**
 * Both sides answered the same requests: only pairs that differ speak. The null is that the shadow alone fails at most
 * `margin` more often than the primary alone.
 */
export function pairLogRatio(
  pairs: { n: number; shadowOnly: number; primaryOnly: number },
  lambda: number,
  margin: number,
): number {
  const same = pairs.n - pairs.shadowOnly - pairs.primaryOnly;
  // No pair may stake more than there is, however wide the margin.
  const stake = Math.min(lambda, MOST_STAKED / (1 + margin));
  return (
    pairs.shadowOnly * Math.log(1 + stake * (1 - margin)) +
    pairs.primaryOnly * Math.log(1 - stake * (1 + margin)) +
    same * Math.log(1 - stake * margin)
  );
}

const MOST_STAKED = 0.95;

export const PAIR_LAMBDAS = [0.1, 0.3, 0.6, 0.9] as const;
