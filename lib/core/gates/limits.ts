/** Where a rollback begins, in the units in which figures are seen. Guards name these limits, and plots draw them. */

import type { Policy } from '../cutover/cutover.ts';
import { type Baseline, usualErrorRate } from './baseline.ts';
import { quantileEdge } from './buckets.ts';
import { edgeBeyond } from './ground.ts';
import { bucketUpperMs } from './histogram.ts';
import { type LatencyMetric, QUANTILES } from './levels.ts';

export type Limits = {
  /** Failed operations / operations of the shadow, 0–1. */
  errorRate: number;
  /** 95 % of the shadow's operations must be faster; null before the primary has any past. */
  p95Ms: number | null;
  /** Age of the oldest un-applied change above which nothing advances. */
  lagMs: number;
};

export const limitsOf = (baseline: Baseline, policy: Policy): Limits => ({
  errorRate: Math.min(1, usualErrorRate(baseline) + policy.errorRateRollback),
  p95Ms: baseline.count > 0 ? latencyLimit(baseline, policy, 'latency_p95').limitMs : null,
  lagMs: policy.lagAdvanceMs,
});

/** The primary's quantile, and where the limit lies: the greater of a share of it and of the milliseconds that matter beyond it. */
export function latencyLimit(
  { latency }: Pick<Baseline, 'latency'>,
  { latencyIncreaseRollback, latencyFloorMs }: Policy,
  metric: LatencyMetric,
): { primaryMs: number; limitMs: number } {
  const edge = quantileEdge(latency, QUANTILES[metric]) ?? 0;
  return {
    primaryMs: bucketUpperMs(edge),
    limitMs: bucketUpperMs(edgeBeyond(edge, latencyIncreaseRollback, latencyFloorMs)),
  };
}
