/**
 * A histogram for reckoning: the counts of neighbouring buckets in a row, so that sums, quantiles and additions are one
 * pass over numbers. Windows come and are stored as `Histogram`s, to which many senders can add.
 */

import { bucketUpperMs, type Histogram, MAX_BUCKET, MIN_BUCKET } from './histogram.ts';

/** `counts[i]` is that of bucket `first + i`, `total` their sum. */
export type Buckets = { first: number; counts: readonly number[]; total: number };

export const NO_BUCKETS: Buckets = { first: 0, counts: [], total: 0 };

/** Every bucket there is, where counts are put before it is known which is the first of them; zeros in between. */
const ROW = new Array<number>(MAX_BUCKET - MIN_BUCKET + 1).fill(0);

/** Buckets that no latency can have are counted at the edge. */
export function bucketsOf(histogram: Histogram): Buckets {
  let [low, high, total] = [ROW.length, -1, 0];
  for (const index in histogram) {
    const place = Math.min(MAX_BUCKET, Math.max(MIN_BUCKET, Number(index))) - MIN_BUCKET;
    const count = histogram[index]!;
    ROW[place]! += count;
    total += count;
    if (place < low) low = place;
    if (place > high) high = place;
  }
  if (high < low) return NO_BUCKETS;
  const counts = ROW.slice(low, high + 1);
  ROW.fill(0, low, high + 1);
  return { first: low + MIN_BUCKET, counts, total };
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

/**
 * How many lie above an edge anywhere between buckets, in buckets: edge 10.25 is γ^10.25 ms. Each bucket counts as spread over
 * twice its width, so that a share changes evenly with the edge, and histograms of coarser buckets can be compared with ours.
 */
export function countAboveEdge({ first, counts }: Buckets, edge: number): number {
  const place = Math.floor(edge + 0.5);
  const part = edge + 0.5 - place;
  const here = countAt(counts, place - first);
  const next = countAt(counts, place + 1 - first);
  let above = 0;
  for (let i = Math.max(0, place + 1 - first); i < counts.length; i += 1) above += counts[i]!;
  return above + here / 2 - (part * (here + next)) / 2;
}

/** Nothing lies beyond the row; a look there is many times as slow as one inside. */
const countAt = (counts: readonly number[], i: number): number => (i >= 0 && i < counts.length ? counts[i]! : 0);

/** The edge above which the share 1 − q lies, by `countAboveEdge`; `null` without latencies. */
export function quantileEdge({ first, counts, total }: Buckets, q: number): number | null {
  if (!(total > 0)) return null;
  const wanted = (1 - q) * total;
  let [above, higher] = [0, 0];
  for (let i = counts.length; i >= 0; i -= 1) {
    const lower = countAt(counts, i - 1);
    const more = (higher + lower) / 2;
    if (above + more >= wanted && more > 0) return first + i - (wanted - above) / more - 0.5;
    above += more;
    higher = lower;
  }
  return first - 1.5;
}

/** The same as `quantileMs` of the histogram. */
export function bucketsQuantileMs(buckets: Buckets, q: number): number | null {
  const bucket = bucketOf(buckets, Math.ceil(q * buckets.total));
  return bucket === null ? null : bucketUpperMs(bucket - 0.5);
}

/** The sum of both. */
export function added(a: Buckets, b: Buckets): Buckets {
  if (a.counts.length === 0 || b.counts.length === 0) return a.counts.length === 0 ? b : a;
  const first = Math.min(a.first, b.first);
  const end = Math.max(a.first + a.counts.length, b.first + b.counts.length);
  const counts = new Array<number>(end - first).fill(0);
  addTo(counts, a.counts, a.first - first);
  addTo(counts, b.counts, b.first - first);
  return { first, counts, total: a.total + b.total };
}

/** The sum of all. */
export function summed(all: readonly Buckets[]): Buckets {
  let [first, end, total] = [MAX_BUCKET, MIN_BUCKET, 0];
  for (let i = 0; i < all.length; i += 1) {
    const one = all[i]!;
    if (one.counts.length === 0) continue;
    first = Math.min(first, one.first);
    end = Math.max(end, one.first + one.counts.length);
    total += one.total;
  }
  if (end <= first) return NO_BUCKETS;
  const counts = new Array<number>(end - first).fill(0);
  for (let i = 0; i < all.length; i += 1) addTo(counts, all[i]!.counts, all[i]!.first - first);
  return { first, counts, total };
}

function addTo(counts: number[], more: readonly number[], at: number): void {
  for (let i = 0; i < more.length; i += 1) counts[at + i] = counts[at + i]! + more[i]!;
}

/** Each count times a weight, in whole numbers: what one bucket loses by rounding the next one gets. */
export function weighed({ first, counts }: Buckets, weight: number): Buckets {
  const rounded: number[] = [];
  let [carry, total, low, high] = [0, 0, counts.length, 0];
  for (let i = 0; i < counts.length; i += 1) {
    carry += counts[i]! * weight;
    const whole = Math.round(carry);
    carry -= whole;
    total += whole;
    rounded.push(whole);
    if (whole > 0) {
      if (i < low) low = i;
      high = i + 1;
    }
  }
  return total === 0 ? NO_BUCKETS : { first: first + low, counts: rounded.slice(low, high), total };
}
