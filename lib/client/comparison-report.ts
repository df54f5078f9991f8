/** What the comparisons of one cutover came to in this process. */

import type { Side } from '../core/cutover/cutover.ts';
import type { Unseen } from '../core/forwards/json-diff.ts';
import { bucketIndex, quantileMs } from '../core/gates/histogram.ts';
import type { NoiseReport } from './noise-floor.ts';

export type ComparisonReport = {
  compared: number;
  mismatched: number;
  /** Could not be judged: the old path was slow, a side took too long for a second look, or what is in `unseen`. */
  incomparable: number;
  /** What kept answers from being compared whole: where, what, and how often. At most fifty. */
  unseen: readonly (Unseen & { count: number })[];
  /** Not made, because the budget was used up: so many a second, so many at once, share of the thread's time. */
  shed: Readonly<Record<'rate' | 'concurrency' | 'thread', number>>;
  running: number;
  /** Latency of both sides in compared runs; null before the first. Not part of the recorded outcomes. */
  latencyMs: Readonly<Record<Side, { p50: number; p95: number; p99: number } | null>>;
  noise: NoiseReport;
};

const MAX_KINDS = 50;
type Timed = { side: Side; latencyMs: number };

export type ComparisonCounts = ReturnType<typeof comparisonCounts>;

export function comparisonCounts() {
  let compared = 0;
  let mismatched = 0;
  let incomparable = 0;
  const kinds = new Map<string, Unseen & { count: number }>();
  const shed = { rate: 0, concurrency: 0, thread: 0 };
  const latency: Record<Side, Record<number, number>> = { primary: {}, shadow: {} };
  const time = ({ side, latencyMs }: Timed) => {
    const bucket = bucketIndex(latencyMs);
    latency[side][bucket] = (latency[side][bucket] ?? 0) + 1;
  };
  return {
    ran(served: Timed, other: Timed | null): void {
      time(served);
      if (other) time(other);
    },
    /** @param mismatch null where both could not be compared, for what is unseen */
    compared(mismatch: boolean | null, unseen: readonly Unseen[] = []): void {
      if (mismatch === null) incomparable += 1;
      else compared += 1;
      if (mismatch) mismatched += 1;
      for (const { path, what } of unseen) {
        const known = kinds.get(`${path} ${what}`);
        if (known) known.count += 1;
        else if (kinds.size < MAX_KINDS) kinds.set(`${path} ${what}`, { path, what, count: 1 });
      }
    },
    shed(reason: keyof typeof shed): void {
      shed[reason] += 1;
    },
    report: (): Omit<ComparisonReport, 'running' | 'noise'> => ({
      compared,
      mismatched,
      incomparable,
      unseen: [...kinds.values()].sort((a, b) => b.count - a.count),
      shed: { ...shed },
      latencyMs: { primary: quantilesOf(latency.primary), shadow: quantilesOf(latency.shadow) },
    }),
  };
}

function quantilesOf(histogram: Readonly<Record<number, number>>) {
  const p50 = quantileMs(histogram, 0.5);
  if (p50 === null) return null;
  return { p50, p95: quantileMs(histogram, 0.95)!, p99: quantileMs(histogram, 0.99)! };
}
