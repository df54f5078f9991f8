/** What a rule of another tool sees and says: whole minutes of both sides, one after another, and whether it rolls back now. */

import type { Side } from '../../../lib/core/cutover/cutover.ts';
import { bucketUpperMs } from '../../../lib/core/gates/histogram.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';

export type BothSides = Readonly<Record<Side, MinuteWindow>> & { minute: number };
export type PeerRule = { name: string; start(): (minute: BothSides) => boolean };

/** A sample by its size, mean and variance. */
export type Sample = { n: number; mean: number; variance: number };

export const share = (some: number, n: number): Sample => {
  const mean = n > 0 ? some / n : 0;
  return { n, mean, variance: mean * (1 - mean) };
};

const middleMs = (bucket: string): number => bucketUpperMs(Number(bucket) - 0.5);

export function latencySample({ latency }: Pick<MinuteWindow, 'latency'>): Sample {
  let [n, sum, squares] = [0, 0, 0];
  for (const bucket in latency) {
    const [count, ms] = [latency[bucket]!, middleMs(bucket)];
    n += count;
    sum += count * ms;
    squares += count * ms * ms;
  }
  return { n, mean: sum / n, variance: squares / n - (sum / n) ** 2 };
}

export function shareAbove({ latency }: Pick<MinuteWindow, 'latency'>, ms: number): Sample {
  let [n, above] = [0, 0];
  for (const bucket in latency) {
    n += latency[bucket]!;
    if (middleMs(bucket) > ms) above += latency[bucket]!;
  }
  return share(above, n);
}

/** Everything so far as one window a side, added up in place: a day has 1,440 minutes. */
export function soFar(): { add(minute: BothSides): BothSides } {
  const of = (side: Side) => ({ minute: 0, side, count: 0, errors: 0, keyless: 0, checks: 0, mismatches: 0 });
  const sums = {
    minute: 0,
    primary: { ...of('primary'), latency: {} as Record<number, number> },
    shadow: { ...of('shadow'), latency: {} as Record<number, number> },
  };
  return {
    add(both) {
      sums.minute = both.minute;
      for (const side of ['primary', 'shadow'] as const) {
        const [sum, { count, errors, latency }] = [sums[side], both[side]];
        sum.count += count;
        sum.errors += errors;
        for (const bucket in latency) sum.latency[bucket] = (sum.latency[bucket] ?? 0) + latency[bucket]!;
      }
      return sums;
    },
  };
}
