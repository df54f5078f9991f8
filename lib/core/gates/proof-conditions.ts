/**
 * Conditions that wait for proof: enough operations, health that is proven for each metric, and no sign of harm that is worth
 * speaking of. Sentences say how far it has come; what evidence there is in figures is for programs alone.
 */

import { type Condition, condition } from '../conditions/condition.ts';
import { percent, proofText } from '../conditions/figures.ts';
import { waitsAbout } from '../conditions/release.ts';
import type { Policy } from '../cutover/cutover.ts';
import { logGood } from './evidence.ts';
import type { TestedMetric } from './guards.ts';
import type { LatencyMetric } from './levels.ts';
import type { ProvenGood } from './metrics.ts';
import type { Seen } from './seen.ts';
import { firstProvingMinute, minutesToProof, minutesToSamples, PROOF } from './time-to-proof.ts';

/** From this share on the stage must also have seen so many operations that errors at the threshold would have shown. */
const LARGE_SHARE = 0.1;

export function samples(seen: Seen): Condition {
  const { shadow, share, input } = seen;
  const { minSamples, errorRateAdvance } = input.policy;
  const large = share >= LARGE_SHARE ? Math.ceil(3 / errorRateAdvance - 1e-9) : 0;
  const needed = Math.max(minSamples, large);
  const why = large > minSamples ? `3 / errorRateAdvance, from ${percent(LARGE_SHARE)} of the reads on` : 'minSamples';
  return condition('samples', {
    ok: shadow.count >= needed,
    seen: shadow.count,
    limit: needed,
    says: `${shadow.count} operations of the shadow seen in this stage, ${needed} are needed (${why}).`,
    release: waitsAbout('samples', minutesToSamples(needed - shadow.count, seen)),
  });
}

const CLAIMS: Readonly<Record<ProvenGood, (policy: Policy) => string>> = {
  errors: ({ errorRateRollback }) =>
    `fewer than ${percent(errorRateRollback)} more of its operations fail (errorRateRollback)`,
  latency_p50: ({ latencyIncreaseRollback }) =>
    `its p50 is less than ${percent(latencyIncreaseRollback)} slower (latencyIncreaseRollback)`,
  latency_p95: ({ latencyIncreaseRollback }) =>
    `its p95 is less than ${percent(latencyIncreaseRollback)} slower (latencyIncreaseRollback)`,
  validation: ({ validationScoreRollback }) =>
    `more than ${percent(validationScoreRollback)} of the checked rows agree (validationScoreRollback)`,
};

/** "At or beyond the rollback threshold" is rejected at 5 %. */
export function proof(seen: Seen, metric: ProvenGood): Condition {
  const { shadow, evidence, input } = seen;
  const value = Math.exp(logGood(evidence, metric));
  const ok = value >= PROOF;
  const [count, what, wait] =
    metric === 'validation'
      ? ([shadow.checks, 'comparisons', 'agreeing_comparisons'] as const)
      : ([shadow.count, 'operations', 'healthy_operations'] as const);
  const claim = CLAIMS[metric](input.policy);
  const minutes = ok ? undefined : minutesToProof(metric, seen);
  return condition(`proof_${metric}`, {
    ok,
    seen: Number(value.toPrecision(3)),
    limit: PROOF,
    says: ok
      ? `Proven that ${claim}: ${count} ${what} were seen.`
      : `Not proven yet that ${claim}: ${proofText(value, PROOF)} of the way, ${progress(seen, count, what, minutes)}.${whileCold(metric, seen)}`,
    release: waitsAbout(wait, minutes),
  });
}

/** How many it will be in the end is known by how fast the proof grows. */
function progress(seen: Seen, count: number, what: string, minutes: number | null | undefined): string {
  const judged = seen.openMinute - seen.firstMinute;
  if (count === 0 || !minutes || judged <= 0) return `${count} ${what} so far`;
  return `${count} of about ${twoDigits(count + (count / judged) * minutes)} ${what} that this takes`;
}

const twoDigits = (value: number): number => Number(value.toPrecision(2));

function whileCold(metric: ProvenGood, seen: Seen): string {
  const first = firstProvingMinute(metric, seen);
  if (first === seen.firstMinute || seen.openMinute > first) return '';
  return ` Latencies count from minute ${first - seen.firstMinute + 1} of the stage on, when caches are warm (warmUpMinutes).`;
}

export function regression(seen: Seen, tested: readonly TestedMetric[]): Condition {
  const highest = tested.reduce((most, one) => (one.evidence > most.evidence ? one : most));
  const ok = highest.evidence <= PROOF;
  return condition('regression', {
    ok,
    seen: Number(highest.evidence.toPrecision(3)),
    limit: PROOF,
    says: ok
      ? 'No sign that the shadow is worse than it may be.'
      : `There are signs that the shadow is worse than it may be: ${harm(highest, seen.input.policy)}. They are no proof of it, and too strong to advance.`,
    release: { wait: 'less_evidence' },
  });
}

export function staysBelowThreshold(seen: Seen, tested: TestedMetric): Condition {
  const { code, evidence, needed, badMinutes } = tested;
  return condition('proven_regression', {
    ok: false,
    seen: Number(evidence.toPrecision(3)),
    limit: Number(needed.toPrecision(3)),
    says: `The shadow is proven to be worse than it may be (${code}), over ${badMinutes} bad minutes, and by less than what rolls back: ${harm(tested, seen.input.policy)}.`,
    release: { person: 'A person decides: repair the cause and start again, or loosen the limit' },
  });
}

/** What was counted of the bad run that speaks loudest, and which limit it is held against. */
function harm({ metric, counts: { n0, e0, n1, e1 } }: TestedMetric, policy: Policy): string {
  const of = (bad: number, all: number) => (all > 0 ? bad / all : 0);
  const whole = (count: number) => Math.round(count);
  const sides = `${percent(of(e1, n1))} of its operations (${whole(e1)} of ${whole(n1)})`;
  switch (metric) {
    case 'errors':
      return `it fails ${sides}, the primary ${percent(of(e0, n0))}; up to ${percent(policy.errorRateAdvance)} more may fail (errorRateAdvance)`;
    case 'validation':
      return `${whole(e1)} of ${whole(n1)} checked rows differ; up to ${percent(1 - policy.validationScoreRollback)} may (validationScoreRollback)`;
    case 'share':
      return `${percent(of(e1, n1))} of the reads came to it`;
    default:
      return `${sides} take more than ${percent(policy.latencyIncreaseAdvance)} longer than the primary's ${quantile(metric)} (latencyIncreaseAdvance); ${percent(of(e0, n0))} may`;
  }
}

/** @example quantile('latency_p95') // 'p95' */
export const quantile = (metric: LatencyMetric): string => metric.slice('latency_'.length);
