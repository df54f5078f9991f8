/**
 * A histogram for reckoning: the counts of neighbouring buckets in a row, so that sums, quantiles and additions are one
 * pass over numbers. Windows come and are stored as `Histogram`s, to which many senders can add.
 */

import { bucketIndexes, bucketUpperMs, type Histogram, MAX_BUCKET, MIN_BUCKET } from './histogram.ts';

/** `counts[i]` is that of bucket `first + i`, `total` their sum. */
export type Buckets = { first: number; counts: readonly number[]; total: number };

export const NO_BUCKETS: Buckets = { first: 0, counts: [], total: 0 };

const known = (index: number) => Math.min(MAX_BUCKET, Math.max(MIN_BUCKET, index));

/** Buckets that no latency can have are counted at the edge. */
export function bucketsOf(histogram: Histogram): Buckets {
  const indexes = bucketIndexes(histogram);
  if (indexes.length === 0) return NO_BUCKETS;
  const first = known(indexes[0]!);
  const counts = new Array<number>(known(indexes.at(-1)!) - first + 1).fill(0);
  let total = 0;
  for (const index of indexes) {
    const count = histogram[index]!;
    counts[known(index) - first]! += count;
    total += count;
  }
  return { first, counts, total };
}

/** The bucket that holds the rank-th value; the last one where there are fewer, `null` where there are none. */
export function bucketOf({ first, counts }: Buckets, rank: number): number | null {
  let seen = 0;
  let last: number | null = null;
  for (let i = 0; i < counts.length; i += 1) {
    if (counts[i] === 0) continue;
    seen += counts[i]!;
    last = first + i;
    if (seen >= rank) break;
  }
  return last;
}

/** How many lie above the upper edge of a bucket. */
export function countAbove({ first, counts }: Buckets, edge: number): number {
  let above = 0;
  for (let i = Math.max(0, edge - first + 1); i < counts.length; i += 1) above += counts[i]!;
  return above;
}

/** The same as `quantileMs` of the histogram. */
export function bucketsQuantileMs(buckets: Buckets, q: number): number | null {
  const bucket = bucketOf(buckets, Math.ceil(q * buckets.total));
  return bucket === null ? null : bucketUpperMs(bucket - 0.5);
}

/** The sum of both, the first one's counts weighed; of those, what falls to `least` or below is left out. */
export function added(a: Buckets, b: Buckets, weight = 1, least = 0): Buckets {
  let [low, high] = [0, a.counts.length];
  while (low < high && a.counts[low]! * weight <= least) low += 1;
  while (low < high && a.counts[high - 1]! * weight <= least) high -= 1;
  if (low === high) return b;
  const second = b.counts.length === 0 ? a.first + low : b.first;
  const first = Math.min(a.first + low, second);
  const end = Math.max(a.first + high, second + b.counts.length);
  const counts = new Array<number>(end - first).fill(0);
  let total = b.total;
  for (let i = low; i < high; i += 1) {
    const count = a.counts[i]! * weight;
    if (count <= least) continue;
    counts[a.first - first + i] = count;
    total += count;
  }
  for (let i = 0; i < b.counts.length; i += 1) counts[second - first + i]! += b.counts[i]!;
  return { first, counts, total };
}
