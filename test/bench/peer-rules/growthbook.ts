/**
 * GrowthBook's sequential test: docs.growthbook.io, "Sequential Testing", section "GrowthBook's implementation"; the width as in
 * its package gbstats (`sequential_interval_halfwidth`), with the default tuning of 5,000 and a level of 5 % a metric. The interval
 * of the relative uplift is by the delta method; there is no margin: any proven increase is one.
 * The unit is the request, since a minute window does not tell who asked. GrowthBook itself counts by user where its data do.
 */

import { halfWidth } from './confidence-sequence.ts';
import { latencySample, type PeerRule, type Sample, share, soFar } from './rule.ts';

export const GROWTHBOOK: PeerRule = {
  name: 'GrowthBook',
  start() {
    const sums = soFar();
    return (minute) => {
      const { primary, shadow } = sums.add(minute);
      return [
        [share(primary.errors, primary.count), share(shadow.errors, shadow.count)] as const,
        [latencySample(primary), latencySample(shadow)] as const,
      ].some(([old, now]) => provenIncrease(old, now));
    };
  },
};

function provenIncrease(old: Sample, now: Sample): boolean {
  if (!(old.mean > 0 && old.n > 0 && now.n > 0)) return false;
  const uplift = now.mean / old.mean - 1;
  const variance = now.variance / (old.mean ** 2 * now.n) + (old.variance * now.mean ** 2) / (old.mean ** 4 * old.n);
  return variance > 0 && uplift - halfWidth(variance, old.n + now.n) > 0;
}
