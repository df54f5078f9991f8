/**
 * A Mann–Whitney test per window, as Kayenta's judge has it, with the requests of five minutes as the sample: spinnaker/kayenta,
 * docs/canary-config.md, "EffectSize", and NetflixACAJudge, which tests two-sided at 98 %. A window in which the shadow is
 * slower, and by a quarter of the mean at least (`allowedIncrease` 1.25), rolls back. Nothing accounts for the number of windows.
 */

import type { Histogram } from '../../../lib/core/gates/histogram.ts';
import { poolWindows } from '../../../lib/core/gates/minute-window.ts';
import { normalUpper } from '../../../lib/core/report/distributions.ts';
import { type BothSides, latencySample, type PeerRule } from './rule.ts';

const WINDOW_MINUTES = 5;
const Z = normalUpper((1 - 0.98) / 2);
const ALLOWED_INCREASE = 1.25;

export const MANN_WHITNEY: PeerRule = {
  name: 'Mann–Whitney',
  start() {
    let window: BothSides[] = [];
    return (minute) => {
      window.push(minute);
      if (window.length < WINDOW_MINUTES) return false;
      const [old, now] = (['primary', 'shadow'] as const).map((side) =>
        poolWindows(
          0,
          side,
          window.map((both) => both[side]),
        ),
      ) as [BothSides['primary'], BothSides['shadow']];
      window = [];
      const increase = latencySample(now).mean / latencySample(old).mean;
      return slowerBy(old.latency, now.latency) > Z && increase >= ALLOWED_INCREASE;
    };
  },
};

/** The z of U by its normal approximation, corrected for ties: values of a bucket are one value. */
function slowerBy(old: Histogram, now: Histogram): number {
  const buckets = [...new Set([...Object.keys(old), ...Object.keys(now)].map(Number))].sort((a, b) => a - b);
  let [n, m, below, u, ties] = [0, 0, 0, 0, 0];
  for (const bucket of buckets) {
    const [a, b] = [old[bucket] ?? 0, now[bucket] ?? 0];
    u += b * (below + a / 2);
    below += a;
    n += a;
    m += b;
    ties += (a + b) ** 3 - (a + b);
  }
  const all = n + m;
  const variance = ((n * m) / 12) * (all + 1 - ties / (all * (all - 1)));
  return n > 0 && m > 0 && variance > 0 ? (u - (n * m) / 2) / Math.sqrt(variance) : 0;
}
