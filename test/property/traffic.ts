/** Seeded traffic as minute windows, for the gates: how many operations, how many fail, how long they take. */

import type { Side } from '../../lib/core/cutover/cutover.ts';
import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../lib/core/gates/minute-window.ts';

export type Traffic = {
  perMinute: number;
  errorRate: number;
  /** Median and shape of a log-normal latency. */
  medianMs: number;
  spread: number;
};

/** A binomial count: Bernoulli draws while there are few operations, the normal approximation beyond. */
function binomial(random: () => number, n: number, p: number): number {
  if (n > 500) {
    const drawn = Math.round(n * p + Math.sqrt(n * p * (1 - p)) * normal(random));
    return Math.max(0, Math.min(n, drawn));
  }
  let hits = 0;
  for (let i = 0; i < n; i += 1) if (random() < p) hits += 1;
  return hits;
}

/** A Poisson count, by the product of uniforms for small means. */
function poisson(random: () => number, mean: number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let product = random();
  let count = 0;
  while (product > limit) {
    product *= random();
    count += 1;
  }
  return count;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** One minute of one side. Latencies are drawn one by one, so keep `perMinute` in the thousands at most. */
export function minuteOf(random: () => number, minute: number, side: Side, traffic: Traffic): MinuteWindow {
  const count = poisson(random, traffic.perMinute);
  const latency: Record<number, number> = {};
  for (let i = 0; i < count; i += 1) {
    const index = bucketIndex(traffic.medianMs * Math.exp(traffic.spread * normal(random)));
    latency[index] = (latency[index] ?? 0) + 1;
  }
  return { ...emptyWindow(minute, side), count, errors: binomial(random, count, traffic.errorRate), latency };
}

/** A minute with exactly these figures, every operation taking `latencyMs`. */
export function exactMinute(
  minute: number,
  side: Side,
  count: number,
  { errors = 0, latencyMs = 10, keyless = 0, checks = 0, mismatches = 0 } = {},
): MinuteWindow {
  const latency = count > 0 ? { [bucketIndex(latencyMs)]: count } : {};
  return { minute, side, count, errors, keyless, latency, checks, mismatches };
}
