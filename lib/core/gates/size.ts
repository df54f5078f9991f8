/**
 * The second clock: a proof may be old and small, so whether the rollback threshold is passed is asked of the last bad run alone.
 * A CUSUM (Page 1954): it stands at 0 while the shadow is inside, and grows as soon as it is clearly beyond.
 */

import { type Metric, MOST_SIZE } from './metrics.ts';

export type Size = { at: number; bad: number };

export const NO_SIZE: Size = { at: 0, bad: 0 };

/**
 * From here on the last run is beyond the threshold, and only a regression that is proven is asked. Failures are held to twice the threshold
 * against the threshold itself: one at three quarters of it comes so far about once in ten days at 60 operations a minute, one at three times
 * of it in five minutes. Latencies are held to twice the usual share above the edge against half of it, which is more than failures
 * give in a minute.
 */
const BEYOND = { errors: 3.3, others: 6 } as const;
export const beyond = (metric: Metric): number => (metric === 'errors' ? BEYOND.errors : BEYOND.others);

/**
 * An estimate beyond the threshold counts where it is so much likelier at twice the threshold: the moment of the proof is one at which a small
 * regression looks large.
 */
export const LIKELIER_TWICE = 0.7;

/**
 * A latency is beyond the threshold only where its last minutes say so as clearly as a last run must: a proof that is older than a cold cache, and
 * three minutes of few operations, would roll back what is about to be inside. Of 40 cold caches at 60 operations a minute 6 went where 1.5 was
 * enough, and 1 does now; what is twice as slow is found as soon.
 */
export const POINTS_BEYOND = BEYOND.others;

/**
 * While caches are cold a latency is beyond the threshold only where no cold cache explains it: three quarters more than usual, and
 * clearly so.
 */
export const WARM_INCREASE = 0.75;
export const BEYOND_WARM = 4;

export function sized({ at, bad }: Size, logRatio: number): Size {
  const next = Math.min(MOST_SIZE, at + logRatio);
  return next <= 0 ? NO_SIZE : { at: next, bad: bad + 1 };
}
