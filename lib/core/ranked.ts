/**
 * A histogram with its buckets in order and their sum, found once and remembered for as long as the histogram lives; so
 * only for histograms that nobody changes any more, as those of closed minutes.
 */

import { bucketIndexes, bucketUpperMs, type Histogram } from './histogram.ts';

export type Ranked = {
  /** Buckets with something in them, lowest first. */
  indexes: readonly number[];
  total: number;
};

const known = new WeakMap<Histogram, Ranked>();

export function ranked(histogram: Histogram): Ranked {
  const there = known.get(histogram);
  if (there) return there;
  const indexes = bucketIndexes(histogram);
  let total = 0;
  for (const index of indexes) total += histogram[index]!;
  const made = { indexes, total };
  known.set(histogram, made);
  return made;
}

/** The bucket that holds the rank-th value; the last one where the histogram holds fewer, `null` where it holds none. */
export function bucketOf(histogram: Histogram, rank: number): number | null {
  const { indexes } = ranked(histogram);
  let seen = 0;
  for (const index of indexes) {
    seen += histogram[index]!;
    if (seen >= rank) return index;
  }
  return indexes.at(-1) ?? null;
}

/** How many lie above the upper edge of a bucket. */
export function countAbove(histogram: Histogram, edge: number): number {
  const { indexes } = ranked(histogram);
  let above = 0;
  for (let i = indexes.length - 1; i >= 0 && indexes[i]! > edge; i -= 1) above += histogram[indexes[i]!]!;
  return above;
}

/** The same as `quantileMs`, for a histogram that nobody changes any more. */
export function settledQuantileMs(histogram: Histogram, q: number): number | null {
  const { total } = ranked(histogram);
  const bucket = total === 0 ? null : bucketOf(histogram, Math.ceil(q * total));
  return bucket === null ? null : bucketUpperMs(bucket - 0.5);
}

/** The sum of both, the first one's counts weighed; of those, what falls to `least` or below is left out. */
export function added(first: Histogram, second: Histogram, weight = 1, least = 0): Histogram {
  const a = ranked(first).indexes;
  const b = ranked(second).indexes;
  const sum: Record<number, number> = {};
  const falling: number[] = [];
  let [total, same] = [0, true];
  // From the top down, so that the memory of the sum is taken once and not grown bucket by bucket.
  for (let i = a.length - 1, j = b.length - 1; i >= 0 || j >= 0; ) {
    const ia = i >= 0 ? a[i]! : Number.NEGATIVE_INFINITY;
    const ib = j >= 0 ? b[j]! : Number.NEGATIVE_INFINITY;
    const index = Math.max(ia, ib);
    let count = 0;
    if (ia === index) {
      const old = first[index]! * weight;
      if (old > least) count = old;
      i -= 1;
    }
    if (ib === index) {
      count += second[index]!;
      j -= 1;
    }
    same &&= ia === index && count > 0;
    if (count === 0) continue;
    total += count;
    sum[index] = count;
    falling.push(index);
  }
  known.set(sum, { indexes: same ? a : falling.reverse(), total });
  return sum;
}
