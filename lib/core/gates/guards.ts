/** Guards: what forces a rollback. Floors act in the same minute, everything else on proof over several. */

import { type Condition, fired } from '../conditions/condition.ts';
import { ms, number, percent } from '../conditions/figures.ts';
import type { TestEvidence } from '../conditions/verdict.ts';
import { quantileEdges } from './baseline.ts';
import { unavailable } from './floors.ts';
import { bucketUpperMs } from './histogram.ts';
import { logEvidence, loudest } from './martingale.ts';
import { edgeBeyond, logNeeded, METRIC_ROWS, METRICS, type Metric } from './metrics.ts';
import type { Seen } from './seen.ts';
import { corruption } from './table-conditions.ts';

export type TestedMetric = TestEvidence & {
  metric: Metric;
  proven: boolean;
  /** Counts of the excursion of the alternative that speaks loudest. */
  counts: { n0: number; e0: number; n1: number; e1: number; over: number };
};

/** Every metric's evidence that the shadow is worse than allowed. */
export function testedMetrics({ evidence, input }: Seen): TestedMetric[] {
  return METRICS.map((metric) => {
    const martingale = evidence.metrics[metric];
    const logE = logEvidence(martingale, evidence.minutes, METRIC_ROWS[metric].prior);
    const needed = logNeeded(metric, evidence.horizon);
    const { bad, sums } = loudest(martingale);
    const [n0, e0, n1, e1, over] = sums as [number, number, number, number, number];
    return {
      metric,
      code: metric === 'share' ? 'black_hole' : metric,
      // Numbers of any size are written to JSON; beyond this they are not compared any more.
      evidence: Math.exp(Math.min(logE, 30)),
      needed: Math.exp(needed),
      badMinutes: bad,
      // Bad minutes alone are no proof, and nothing is proven in fewer of them than the policy says.
      proven: logE >= needed && bad >= input.policy.consecutiveFailures,
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
  const proven = tested.filter((one) => one.proven && beyondThreshold(seen, one));
  return [...(floor ? [floor] : []), ...proven.map((one) => firedCondition(seen, one))];
}

/** Proven worse than it may be, but by less than forces a rollback: a reason to stay, for a person to look at. */
export function provenRegressions(seen: Seen, tested: readonly TestedMetric[]): TestedMetric[] {
  return seen.servesReads ? tested.filter((one) => one.proven && !beyondThreshold(seen, one)) : [];
}

function beyondThreshold({ input: { policy } }: Seen, { metric, counts }: TestedMetric): boolean {
  const { n0, e0, n1, over } = counts;
  if (n1 === 0) return false;
  switch (metric) {
    case 'errors':
      return over / n1 >= policy.errorRateRollback;
    case 'latency_p50':
    case 'latency_p95':
      // Where nothing lies above the primary's quantile both shares can be 0, and then nothing lies beyond the limit.
      return over > 0 && over / n1 >= e0 / n0;
    default:
      return true;
  }
}

function firedCondition(seen: Seen, tested: TestedMetric): Condition {
  const { n0, e0, n1, e1, over } = tested.counts;
  const { policy } = seen.input;
  const proof = `Proven with evidence ${number(tested.evidence)} of ${number(tested.needed)} over ${tested.badMinutes} bad minutes.`;
  switch (tested.metric) {
    case 'errors':
      return fired('errors', {
        seen: e1 / n1,
        limit: policy.errorRateRollback,
        says: `The shadow fails ${percent(e1 / n1)} of its operations (${whole(e1)} of ${whole(n1)}), the primary ${percent(e0 / n0)}; the limit is ${percent(policy.errorRateRollback)}. ${proof}`,
      });
    case 'latency_p50':
    case 'latency_p95': {
      const { name, primaryMs, limitMs } = latencyLimit(seen, tested.metric);
      return fired(tested.metric, {
        seen: over / n1,
        limit: e0 / n0,
        unit: 'rate',
        says: `${percent(over / n1)} of the shadow's operations take longer than ${ms(limitMs)}, ${percent(policy.latencyIncreaseRollback)} over the primary's ${name} of ${ms(primaryMs)}; ${percent(e0 / n0)} may. ${proof}`,
      });
    }
    case 'validation':
      return fired('validation', {
        seen: e1 / n1,
        limit: 1 - policy.validationScoreRollback,
        says: `${whole(e1)} of ${whole(n1)} checked rows differ (${percent(e1 / n1)}); the limit is ${percent(1 - policy.validationScoreRollback)}. ${proof}`,
      });
    case 'share':
      return fired('black_hole', {
        seen: e1 / n1,
        limit: seen.share / 2,
        says: `Only ${percent(e1 / n1)} of the reads came to the shadow where ${percent(seen.share)} are sent: it swallows them, does not report, or processes have left it after failures. ${proof}`,
      });
  }
}

function latencyLimit({ evidence, input: { policy } }: Seen, metric: 'latency_p50' | 'latency_p95') {
  const q = metric === 'latency_p50' ? 0.5 : 0.95;
  const upper = quantileEdges(evidence.baseline.latency, q)?.upper ?? 0;
  const limit = edgeBeyond(upper, policy.latencyIncreaseRollback, policy.latencyFloorMs);
  return { name: `p${q * 100}`, primaryMs: bucketUpperMs(upper), limitMs: bucketUpperMs(limit) };
}

const whole = (count: number) => Math.round(count);
