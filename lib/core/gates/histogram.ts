/**
 * Latency histogram with logarithmic buckets, γ = 1.2^(1/9): nine buckets are exactly +20 %, and the middle of a
 * bucket is at most ~1 % away from any value in it. Histograms merge by adding counts, which DynamoDB can do.
 */

import { HOUR_MS } from '../base/units.ts';

/** Bucket index → count. Bucket i covers (γ^(i−1), γ^i] milliseconds. */
export type Histogram = Readonly<Record<number, number>>;

const LOG_GAMMA = Math.log(1.2) / 9;
/** 1 µs … 1 h: everything outside is counted at the edge. */
export const MIN_BUCKET = Math.ceil(Math.log(0.001) / LOG_GAMMA);
export const MAX_BUCKET = Math.ceil(Math.log(HOUR_MS) / LOG_GAMMA);

/** Index of the bucket that holds a latency in milliseconds. */
export function bucketIndex(latencyMs: number): number {
  const index = Math.ceil(Math.log(latencyMs) / LOG_GAMMA - 1e-9);
  return Math.min(MAX_BUCKET, Math.max(MIN_BUCKET, index));
}

/** Where a latency in milliseconds lies between the upper edges of buckets: 10.25 is γ^10.25 ms. */
export function bucketIndexAt(latencyMs: number): number {
  return Math.min(MAX_BUCKET, Math.max(MIN_BUCKET, Math.log(latencyMs) / LOG_GAMMA));
}

/** Upper edge of a bucket in milliseconds. */
export function bucketUpperMs(index: number): number {
  return Math.exp(index * LOG_GAMMA);
}

export function addHistograms(a: Histogram, b: Histogram): Histogram {
  const sum: Record<number, number> = { ...a };
  for (const [index, count] of Object.entries(b)) sum[Number(index)] = (sum[Number(index)] ?? 0) + count;
  return sum;
}

export function histogramCount(histogram: Histogram): number {
  let count = 0;
  for (const index in histogram) count += histogram[index]!;
  return count;
}

/**
 * The q-quantile in milliseconds (0 < q ≤ 1): the geometric middle of the bucket that holds the ⌈q·n⌉-th value.
 * `null` for an empty histogram.
 */
export function quantileMs(histogram: Histogram, q: number): number | null {
  const total = histogramCount(histogram);
  if (total === 0) return null;
  const rank = Math.ceil(q * total);
  let seen = 0;
  for (const index of bucketIndexes(histogram)) {
    seen += histogram[index]!;
    if (seen >= rank) return Math.exp((index - 0.5) * LOG_GAMMA);
  }
  return null;
}

/** Indexes of the buckets, lowest first. Those that are not negative come in order by themselves. */
export function bucketIndexes(histogram: Histogram): number[] {
  const indexes: number[] = [];
  let ordered = true;
  for (const key in histogram) {
    ordered &&= key[0] !== '-';
    indexes.push(Number(key));
  }
  return ordered ? indexes : indexes.sort((a, b) => a - b);
}
