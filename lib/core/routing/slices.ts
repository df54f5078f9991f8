/**
 * The slices of a plan: all keys in their order, cut where the shares of the plan's stages end and where the part begins
 * that is held back. A slice goes to the shadow as a whole, so what it did before is what it is compared with.
 *
 *   gradual with 1 % held back   [0, 1 %) [1 %, 10 %) [10 %, 50 %) [50 %, 99 %) [99 %, 100 %)
 *
 * A plan with more stages has neighbouring slices joined until eight are left: first those whose shares differ least in
 * proportion, since the stage between them changes the load least. The first slice and the one held back are never
 * joined: the first is what the first decision rests on, the other one is the control until the end.
 */

import { FULL_SHARE_PPM, type Plan } from '../cutover/plan.ts';

const BUCKETS = 4_294_967_296;
export const MAX_SLICES = 8;

export const isSlice = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_SLICES;

/** Buckets below this go to the shadow: floor(ppm · 2³² / 1 000 000). Exact, since ppm · 2³² < 2⁵³. */
export function shareThreshold(ppm: number): number {
  return Math.floor((ppm * BUCKETS) / 1_000_000);
}

/** How many thresholds lie at or below a bucket: the number of its slice. */
export function placeAmong(bucket: number, thresholds: readonly number[]): number {
  let place = 0;
  while (place < thresholds.length && bucket >= thresholds[place]!) place += 1;
  return place;
}

/** The upper ends of the slices in ppm, rising; the last one is 1 000 000. */
export function slicesOf({ stages }: Pick<Plan, 'stages'>, holdBackPpm: number): readonly number[] {
  const most = FULL_SHARE_PPM - holdBackPpm;
  const shares = stages
    .filter(({ kind }) => kind === 'ramp' || kind === 'full')
    .map(({ sharePpm }) => Math.min(sharePpm, most));
  let ends = [...new Set([...shares, most, FULL_SHARE_PPM])].filter((end) => end > 0).sort((a, b) => a - b);
  while (ends.length > MAX_SLICES) {
    const least = leastNeeded(ends, most);
    ends = ends.filter((_, index) => index !== least);
  }
  return ends;
}

/** The end between the two slices that are joined next. */
function leastNeeded(ends: readonly number[], most: number): number {
  const growth = ends.map((end, i) =>
    i === 0 || end >= most ? Number.POSITIVE_INFINITY : ends[i + 1]! / ends[i - 1]!,
  );
  return growth.indexOf(Math.min(...growth));
}

/**
 * The slice that a bucket of `bucketOf` lies in.
 * @example sliceOf(bucketOf(salt, key), slicesOf(plan, 10_000))
 */
export function sliceOf(bucket: number, ends: readonly number[]): number {
  return placeAmong(bucket, ends.map(shareThreshold));
}
