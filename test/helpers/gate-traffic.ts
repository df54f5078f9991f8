/**
 * Seeded traffic for the evidence engine, quick enough for millions of minutes: Poisson arrivals, exact binomial errors,
 * log-normal latencies drawn by bucket. A run is the minutes of both sides, with an hour of the primary before.
 */

import type { Side } from '../../lib/core/cutover/cutover.ts';
import { bucketIndex, bucketUpperMs } from '../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../lib/core/gates/minute-window.ts';
import { normalTail } from '../../lib/core/report/distributions.ts';

export type Random = () => number;

/** Mulberry32: the same numbers for the same seed, everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const normal = (random: Random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

export function poisson(random: Random, mean: number): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

/** Exact while few are expected (the gaps between hits are geometric), else the normal approximation. */
export function binomial(random: Random, n: number, p: number): number {
  if (p <= 0 || n === 0) return 0;
  if (p >= 1) return n;
  if (n * p > 60 && n * (1 - p) > 60)
    return Math.min(n, Math.max(0, Math.round(n * p + Math.sqrt(n * p * (1 - p)) * normal(random))));
  const gap = Math.log1p(-p);
  let hits = 0;
  for (let at = Math.floor(Math.log(1 - random()) / gap); at < n; at += 1 + Math.floor(Math.log(1 - random()) / gap))
    hits += 1;
  return hits;
}

/** Latencies as a mixture of log-normals: their buckets, and the share of each. */
export type Latencies = { first: number; shares: readonly number[]; upTo: Float64Array };
export type Hump = { medianMs: number; spread: number; weight: number };

export function latenciesOf(humps: readonly Hump[]): Latencies {
  const first = bucketIndex(Math.min(...humps.map(({ medianMs, spread }) => medianMs * Math.exp(-4 * spread))));
  const last = bucketIndex(Math.max(...humps.map(({ medianMs, spread }) => medianMs * Math.exp(4 * spread))));
  const above = (ms: number) =>
    humps.reduce((sum, { medianMs, spread, weight }) => sum + weight * normalTail(Math.log(ms / medianMs) / spread), 0);
  const shares: number[] = [];
  for (let index = first; index <= last; index += 1) {
    const [from, to] = [
      index === first ? 1 : above(bucketUpperMs(index - 1)),
      index === last ? 0 : above(bucketUpperMs(index)),
    ];
    shares.push(from - to);
  }
  let sum = 0;
  return { first, shares, upTo: Float64Array.from(shares, (share) => (sum += share)) };
}

export type Operations = { perMinute: number; errorRate: number; latencies: Latencies };

/** A minute of one side. */
export function drawnMinute(
  random: Random,
  minute: number,
  side: Side,
  { perMinute, errorRate, latencies }: Operations,
): MinuteWindow {
  const latency: Record<number, number> = {};
  let count = 0;
  if (perMinute > 400) {
    // The sum of independent Poisson counts is Poisson again.
    for (const [i, share] of latencies.shares.entries()) {
      const there = poisson(random, perMinute * share);
      if (there > 0) latency[latencies.first + i] = there;
      count += there;
    }
  } else {
    count = poisson(random, perMinute);
    for (let i = 0; i < count; i += 1) {
      const index = latencies.first + placeAt(latencies.upTo, random());
      latency[index] = (latency[index] ?? 0) + 1;
    }
  }
  return { ...emptyWindow(minute, side), count, errors: binomial(random, count, errorRate), latency };
}

/** The place of a drawn share in ascending sums. */
export function placeAt(upTo: Float64Array, u: number): number {
  let [low, high] = [0, upTo.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo[middle]! < u) low = middle + 1;
    else high = middle;
  }
  return low;
}
