/**
 * An asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
 * asymptotic confidence sequences" (arXiv 2103.06476), the two-sided Gaussian mixture boundary, with the tuning of its appendix.
 * It may be looked at as often as one likes; it assumes that observations are independent, as every rule here does.
 *
 * As a rule: with our margins. The difference of the error rates; a quantile by its indicator, which is a share again: the p50
 * is 20 % above the primary's where more than half of the shadow's operations are slower than 1.2 times the primary's p50.
 */

import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { quantileMs } from '../../../lib/core/gates/histogram.ts';
import { type BothSides, type PeerRule, type Sample, share, shareAbove, soFar } from './rule.ts';

const ALPHA = 0.05;
export const TUNING = 5_000;

/** Half of the interval around an estimate of this variance, from n observations of both sides. */
export function halfWidth(variance: number, n: number, { alpha = ALPHA, tuning = TUNING } = {}): number {
  const rho2 = (-2 * Math.log(alpha) + Math.log(1 - 2 * Math.log(alpha))) / tuning;
  const grown = n * rho2 + 1;
  return Math.sqrt((variance * n * 2 * grown * Math.log(Math.sqrt(grown) / alpha)) / (n * n * rho2));
}

const seen = (estimate: number, margin: number, ...samples: Sample[]) => ({
  estimate,
  margin,
  n: samples.reduce((sum, { n }) => sum + n, 0),
  variance: samples.reduce((sum, { n, variance }) => sum + variance / n, 0),
});

/** Each test as what it estimates, from how many operations, its variance, and the margin. */
const TESTS: readonly ((sums: BothSides) => ReturnType<typeof seen>)[] = [
  ({ primary, shadow }) => {
    const [old, now] = [share(primary.errors, primary.count), share(shadow.errors, shadow.count)];
    return seen(now.mean - old.mean, DEFAULT_POLICY.errorRateRollback, old, now);
  },
  ...[0.5, 0.95].map((q) => ({ primary, shadow }: BothSides) => {
    const limitMs = quantileMs(primary.latency, q)! * (1 + DEFAULT_POLICY.latencyIncreaseRollback);
    const slow = shareAbove(shadow, limitMs);
    return seen(slow.mean, 1 - q, slow);
  }),
];

export const CONFIDENCE_SEQUENCE: PeerRule = {
  name: 'confidence seq.',
  start() {
    const sums = soFar();
    return (minute) => {
      const both = sums.add(minute);
      if (both.primary.count === 0 || both.shadow.count === 0) return false;
      return TESTS.some((test) => {
        const { estimate, margin, n, variance } = test(both);
        return variance > 0 && estimate - halfWidth(variance, n, { alpha: ALPHA / TESTS.length }) > margin;
      });
    };
  },
};
