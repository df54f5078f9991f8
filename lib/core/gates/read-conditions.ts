/**
 * What must be proven of the reads to advance: enough of them, estimates inside the advance thresholds, "at or beyond
 * the rollback threshold" rejected at 5 % for each metric, and no evidence worth speaking of that anything is wrong.
 */

import { type Condition, condition, ms, number, percent, round } from '../conditions/verdict.ts';
import type { Policy } from '../cutover/cutover.ts';
import { bucketsQuantileMs } from './buckets.ts';
import { explainedFailures } from './floors.ts';
import { type Judged, provenRegressions } from './guards.ts';
import type { ProvenGood } from './metrics.ts';
import type { Seen } from './seen.ts';
import { slowest } from './seen.ts';
import type { JudgedWindow } from './window.ts';

/** Rejected at 5 %, and the evidence of the contrary above which nothing advances. */
const PROOF = 20;
/** From this share on the stage must also have seen so many operations that errors at the threshold would have shown. */
const LARGE_SHARE = 0.1;
/** Checks older than this say nothing of now. */
const CHECKS_MAX_AGE_MINUTES = 15;
const LEFT_MINUTES = 10;

export function readConditions(seen: Seen, judged: readonly Judged[]): Condition[] {
  const { policy } = seen.input;
  const { shadow, primary } = seen;
  const past = pastOf(seen);
  const errors = excessErrors(shadow, past);
  const proven = provenRegressions(seen, judged);
  return [
    samples(seen),
    condition(
      'errors',
      errors.excess < policy.errorRateAdvance || shadow.errors === 0,
      errors.excess,
      policy.errorRateAdvance,
      `The shadow fails ${percent(errors.shadow)} of its operations, the primary ${percent(errors.primary)}; less than ${percent(policy.errorRateAdvance)} more is needed.`,
      'It is released when the shadow fails no more often than that.',
    ),
    proof(seen, 'errors', `that fewer than ${percent(policy.errorRateRollback)} more of its operations fail`),
    ...(['latency_p50', 'latency_p95'] as const).flatMap((metric) => [
      latencyCondition(metric, shadow, past, policy),
      proof(seen, metric, `that its ${name(metric)} is less than ${percent(policy.latencyIncreaseRollback)} slower`),
    ]),
    ...validation(seen),
    keyless(primary, shadow, policy),
    ...leftReads(seen),
    ...(proven.length > 0 ? proven.map(staysBelowThreshold) : [regression(judged)]),
    ...failures(seen),
  ];
}

const name = (metric: 'latency_p50' | 'latency_p95') => (metric === 'latency_p50' ? 'p50' : 'p95');

/** What the shadow is compared with: the primary beside it, or what the primary did before when it serves nothing. */
function pastOf({ evidence, primary, share }: Seen): Pick<JudgedWindow, 'count' | 'errors' | 'latency'> {
  return share >= 1 || primary.count === 0 ? evidence.baseline : primary;
}

function excessErrors(shadow: JudgedWindow, past: Pick<JudgedWindow, 'count' | 'errors'>) {
  const rate = ({ count, errors }: Pick<JudgedWindow, 'count' | 'errors'>) => (count > 0 ? errors / count : 0);
  return { shadow: rate(shadow), primary: rate(past), excess: rate(shadow) - rate(past) };
}

function samples({ shadow, share, input: { policy } }: Seen): Condition {
  const large = share >= LARGE_SHARE ? Math.ceil(3 / policy.errorRateAdvance - 1e-9) : 0;
  const needed = Math.max(policy.minSamples, large);
  return condition(
    'samples',
    shadow.count >= needed,
    shadow.count,
    needed,
    `${shadow.count} operations of the shadow seen in this stage, ${needed} are needed.`,
    'More operations of the shadow release it.',
  );
}

function proof({ evidence }: Seen, metric: ProvenGood, claim: string): Condition {
  const value = Math.exp(evidence.good[metric]);
  return condition(
    `proof_${metric}`,
    value >= PROOF,
    Number(value.toPrecision(3)),
    PROOF,
    `Evidence ${number(value)} of ${PROOF} ${claim}.`,
    metric === 'validation' ? 'More comparisons that agree release it.' : 'More healthy operations release it.',
  );
}

function latencyCondition(
  metric: 'latency_p50' | 'latency_p95',
  shadow: JudgedWindow,
  past: Pick<JudgedWindow, 'latency'>,
  policy: Policy,
): Condition {
  const q = metric === 'latency_p50' ? 0.5 : 0.95;
  const before = bucketsQuantileMs(past.latency, q);
  const now = bucketsQuantileMs(shadow.latency, q);
  if (before === null || now === null) {
    return condition(
      metric,
      false,
      now,
      before,
      `No latency of both sides to compare at ${name(metric)}; operations of both release it.`,
    );
  }
  const limit = slowest(before, policy.latencyIncreaseAdvance, policy);
  return condition(
    metric,
    now < limit,
    round(now),
    round(limit),
    `${name(metric)} is ${ms(now)} on the shadow and ${ms(before)} on the primary; less than ${ms(limit)} is needed.`,
    'It is released when the shadow is that fast.',
  );
}

function validation(seen: Seen): Condition[] {
  const { shadow, evidence, openMinute } = seen;
  const { policy, state, checksRequired } = seen.input;
  const required = checksRequired || (state.kind !== 'table' && shadow.checks > 0);
  const differing = shadow.checks > 0 ? shadow.mismatches / shadow.checks : 0;
  const mayDiffer = 1 - policy.validationScoreAdvance;
  const age = evidence.checkedMinute === null ? null : openMinute - evidence.checkedMinute;
  const score = condition(
    'mismatches',
    shadow.mismatches === 0 || differing < mayDiffer,
    differing,
    mayDiffer,
    `${shadow.mismatches} of ${shadow.checks} checked rows differ; less than ${percent(mayDiffer)} may.`,
    'Checks count per stage: mend the cause, then more of them release it, or start again.',
  );
  if (!required) return [score];
  return [
    score,
    condition(
      'not_validated',
      age !== null && age <= CHECKS_MAX_AGE_MINUTES,
      age,
      CHECKS_MAX_AGE_MINUTES,
      age === null
        ? 'Nothing was compared in this stage.'
        : `The last comparison is ${age} minutes old; at most ${CHECKS_MAX_AGE_MINUTES} are allowed.`,
      'Comparisons of both sides release it.',
    ),
    proof(seen, 'validation', `that more than ${percent(policy.validationScoreRollback)} of the checked rows agree`),
  ];
}

function keyless(primary: JudgedWindow, shadow: JudgedWindow, policy: Policy): Condition {
  const reads = primary.count + shadow.count;
  const share = reads > 0 ? (primary.keyless + shadow.keyless) / reads : 0;
  return condition(
    'keyless',
    share <= policy.keylessAdvance,
    share,
    policy.keylessAdvance,
    `${percent(share)} of the reads came without a key; at most ${percent(policy.keylessAdvance)} may.`,
    'It is released when enough reads carry a routing key.',
  );
}

/** A process that sees the shadow fail leaves it before its errors prove anything: nothing advances meanwhile. */
function leftReads({ evidence, openMinute, input: { policy } }: Seen): Condition[] {
  const last = evidence.recent.filter(({ minute }) => minute >= openMinute - LEFT_MINUTES);
  const left = last.reduce((sum, minute) => sum + (minute.left ?? 0), 0);
  if (left === 0) return [];
  const meant = left + last.reduce((sum, minute) => sum + minute.n1, 0);
  return [
    condition(
      'left_reads',
      left / meant < policy.errorRateRollback,
      left / meant,
      policy.errorRateRollback,
      `${left} of ${meant} operations that were meant for the shadow in ${LEFT_MINUTES} minutes went to the primary: processes saw it fail and left it (open circuit breakers). Less than ${percent(policy.errorRateRollback)} may.`,
      'It is released when processes stay with the shadow.',
    ),
  ];
}

function regression(judged: readonly Judged[]): Condition {
  const highest = judged.reduce((most, one) => (one.evidence > most.evidence ? one : most));
  return condition(
    'regression',
    highest.evidence <= PROOF,
    Number(highest.evidence.toPrecision(3)),
    PROOF,
    `The strongest evidence that the shadow is worse is ${number(highest.evidence)} of ${number(highest.needed)} (${highest.code}); above ${PROOF} nothing advances.`,
    'It is released when healthy operations have lowered the evidence.',
  );
}

function staysBelowThreshold({ code, evidence, needed }: Judged): Condition {
  return condition(
    'proven_regression',
    false,
    Number(evidence.toPrecision(3)),
    Number(needed.toPrecision(3)),
    `The shadow is proven to be worse (${code}, evidence ${number(evidence)} of ${number(needed)}), but by less than what rolls back.`,
    'A person decides: mend the cause and start again, or loosen the limit.',
  );
}

function failures(seen: Seen): Condition[] {
  const failing = explainedFailures(seen);
  if (!failing) return [];
  const { rate, limit, n1, e1, minutes, primaryRate } = failing;
  const figures = `the shadow ${percent(rate)} (${e1} of ${n1} in ${minutes} minutes), the primary ${percent(primaryRate)}`;
  const [code, text] =
    primaryRate >= limit / 2
      ? [
          'primary_failing',
          `Both sides fail: ${figures}. Going back would help nobody. A primary that works again releases it.`,
        ]
      : [
          'shadow_failing',
          `Many operations fail: ${figures}. So few may be chance: more failures roll back, more that succeed release it.`,
        ];
  return [condition(code, false, rate, limit, text)];
}
