/**
 * The second clock: a proof may be old and small, so whether the rollback threshold is passed is asked of the last bad run alone.
 * A CUSUM (Page 1954): it stands at 0 while the shadow is inside, and grows as soon as it is clearly beyond.
 */

import { MOST_SIZE } from './metrics.ts';

export type Size = { at: number; bad: number };

export const NO_SIZE: Size = { at: 0, bad: 0 };

/**
 * From here on the last run is beyond the threshold: a regression at half of it comes so far once in some hundred minutes, and only
 * one that is proven is asked.
 */
export const BEYOND = 6;

/**
 * A latency is beyond the threshold only where its last minutes point there, too: a proof that is older than a cold cache, and three
 * minutes of few operations, would roll back what is about to be inside.
 */
export const POINTS_BEYOND = 1.5;

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
