/** Guards: what forces a rollback. Floors act in the same minute, everything else on proof over several. */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, fired } from '../conditions/condition.ts';
import { ms, percent } from '../conditions/figures.ts';
import { clock } from '../conditions/release.ts';
import type { TestEvidence } from '../conditions/verdict.ts';
import type { Policy } from '../cutover/cutover.ts';
import type { Evidence } from './evidence.ts';
import { unavailable } from './floors.ts';
import { isLatency, type LatencyMetric, QUANTILES } from './levels.ts';
import { binomialLogRatio } from './likelihood.ts';
import { inside } from './likelihood-of-minute.ts';
import { latencyLimit } from './limits.ts';
import { logEvidence, loudest } from './martingale.ts';
import { logNeeded, METRIC_ROWS, METRICS, type Metric } from './metrics.ts';
import { failingOperations, slowOperations } from './operation-conditions.ts';
import type { Seen } from './seen.ts';
import { BEYOND_WARM, beyond, LIKELIER_TWICE, POINTS_BEYOND } from './size.ts';
import { corruption } from './table-conditions.ts';

export type TestedMetric = TestEvidence & {
  metric: Metric;
  proven: boolean;
  /** The last bad run lies beyond the rollback threshold. */
  beyond: boolean;
  /** The first minute of the excursion that speaks loudest; null where it is not known. */
  firstBadMinute: number | null;
  /** Counts of the excursion of the alternative that speaks loudest. */
  counts: { n0: number; e0: number; n1: number; e1: number; over: number };
};

/** Every metric's evidence that the shadow is worse than allowed. */
export function testedMetrics({ evidence, input }: Seen): TestedMetric[] {
  return METRICS.map((metric) => {
    const martingale = evidence.metrics[metric];
    const logE = logEvidence(martingale, evidence.minutes, METRIC_ROWS[metric].prior);
    const needed = logNeeded(metric, evidence.horizon);
    const { bad, sums, from = null } = loudest(martingale);
    const [n0, e0, n1, e1, over] = sums as [number, number, number, number, number];
    return {
      metric,
      code: metric === 'share' ? 'black_hole' : metric,
      // Numbers of any size are written to JSON; beyond this they are not compared any more.
      evidence: Math.exp(Math.min(logE, 30)),
      needed: Math.exp(needed),
      badMinutes: bad,
      firstBadMinute: from,
      // Bad minutes alone are no proof, and nothing is proven in fewer of them than the policy says.
      proven: logE >= needed && bad >= input.policy.consecutiveFailures,
      beyond: isBeyond(evidence, metric, input.policy),
      counts: { n0, e0, n1, e1, over },
    };
  });
}

/** The guards that force a rollback. */
export function firedGuards(seen: Seen, tested: readonly TestedMetric[]): Condition[] {
  const corrupted = corruption(seen);
  if (corrupted) return [corrupted];
  if (!seen.servesReads) return [];
  const floor = unavailable(seen);
  const proven = tested.filter((one) => one.proven && rollsBack(seen, one));
  const ofTypes = [...failingOperations(seen), ...slowOperations(seen)];
  return [...(floor ? [floor] : []), ...proven.map((one) => firedCondition(seen, one)), ...ofTypes];
}

/** Proven worse than it may be, but by less than forces a rollback: a reason to stay, for a person to look at. */
export function provenRegressions(seen: Seen, tested: readonly TestedMetric[]): TestedMetric[] {
  if (!seen.servesReads) return [];
  const { cold } = seen.evidence;
  return tested.filter((one) => one.proven && !rollsBack(seen, one) && !(cold && isLatency(one.metric)));
}

/** All of the excursion that proves it lies beyond the rollback threshold, or its last run does: a proof may be old and small. */
function isBeyond(evidence: Evidence, metric: Metric, policy: Policy): boolean {
  const { at, bad } = evidence.sizes[metric];
  const cold = evidence.cold && isLatency(metric);
  const lastRun = at >= (cold ? BEYOND_WARM : beyond(metric)) && bad >= policy.consecutiveFailures;
  const points = !isLatency(metric) || at >= POINTS_BEYOND;
  return lastRun || (!cold && points && excursionBeyond(evidence, metric, policy));
}

function excursionBeyond({ metrics }: Evidence, metric: Metric, policy: Policy): boolean {
  const [n0, e0, n1, , over] = loudest(metrics[metric]).sums as [number, number, number, number, number];
  if (n1 === 0) return false;
  const [seen, primary] = [over / n1, n0 > 0 ? e0 / n0 : 0];
  if (metric === 'errors') {
    const [at, twice] = [1, 2].map((times) => inside(primary + times * policy.errorRateRollback)) as [number, number];
    return seen >= at && binomialLogRatio(n1, over, twice, at) >= LIKELIER_TWICE;
  }
  // Where nothing lies above the primary's quantile both shares can be 0, and then nothing lies beyond the limit.
  return !isLatency(metric) || (over > 0 && seen >= primary);
}

/**
 * With nothing left on the primary its own past is all there is to compare with, and days differ: that holds, and is no proof. What is
 * compared row by row, and reads that do not come, need no control.
 */
const needsControl = (metric: Metric) => metric === 'errors' || isLatency(metric);

const rollsBack = ({ share }: Seen, { metric, beyond }: TestedMetric): boolean =>
  beyond && !(share >= 1 && needsControl(metric));

function firedCondition(seen: Seen, tested: TestedMetric): Condition {
  const { n0, e0, n1, e1, over } = tested.counts;
  const { policy } = seen.input;
  const first = tested.firstBadMinute === null ? '' : `, the first at ${clock(tested.firstBadMinute * MINUTE_MS)}`;
  const proof = `Proven over ${tested.badMinutes} bad minutes${first}.`;
  switch (tested.metric) {
    case 'errors':
      return fired('errors', {
        seen: e1 / n1,
        limit: policy.errorRateRollback,
        says: `The shadow fails ${percent(e1 / n1)} of its operations (${whole(e1)} of ${whole(n1)}), the primary ${percent(e0 / n0)}; the limit is ${percent(policy.errorRateRollback)} (errorRateRollback). ${proof}`,
      });
    case 'latency_p50':
    case 'latency_p95':
    case 'latency_p99': {
      const { limitMs, is } = latencyLimitText(seen, tested.metric);
      return fired(tested.metric, {
        seen: over / n1,
        limit: e0 / n0,
        unit: 'rate',
        says: `${percent(over / n1)} of the shadow's operations (${whole(over)} of ${whole(n1)}) take longer than ${ms(limitMs)}; ${percent(e0 / n0)} may. ${is} ${proof}`,
      });
    }
    case 'validation':
      return fired('validation', {
        seen: e1 / n1,
        limit: 1 - policy.validationScoreRollback,
        says: `${whole(e1)} of ${whole(n1)} checked rows differ (${percent(e1 / n1)}); the limit is ${percent(1 - policy.validationScoreRollback)} (validationScoreRollback). ${proof}`,
      });
    case 'share':
      return fired('black_hole', {
        seen: e1 / n1,
        limit: seen.share / 2,
        says: `Only ${percent(e1 / n1)} of the reads came to the shadow where ${percent(seen.share)} are sent: it swallows them, does not report, or processes have left it after failures. ${proof}`,
      });
  }
}

/** Where the limit lies, and which one it is. */
function latencyLimitText(
  { evidence, input: { policy } }: Seen,
  metric: LatencyMetric,
): { limitMs: number; is: string } {
  const { latencyIncreaseRollback: share, latencyFloorMs: floorMs } = policy;
  const { primaryMs, limitMs } = latencyLimit(evidence.baseline, policy, metric);
  const of = `the primary's p${Math.round(QUANTILES[metric] * 100)} of ${ms(primaryMs)}`;
  const is =
    floorMs > primaryMs * share
      ? `The limit is ${of} and the floor of ${ms(floorMs)} (latencyFloorMs), which is more than ${percent(share)} of it (latencyIncreaseRollback).`
      : `The limit is ${of} and ${percent(share)} of it (latencyIncreaseRollback).`;
  return { limitMs, is };
}

const whole = (count: number) => Math.round(count);
