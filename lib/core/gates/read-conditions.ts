/**
 * What must be proven of the reads to advance: enough of them, estimates inside the advance thresholds, "at or beyond
 * the rollback threshold" rejected at 5 % for each metric, and no evidence worth speaking of that anything is wrong.
 */

import { type Condition, condition } from '../conditions/condition.ts';
import { ms, percent, round } from '../conditions/figures.ts';
import { waitsAbout } from '../conditions/release.ts';
import type { Policy } from '../cutover/cutover.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { bucketsQuantileMs } from './buckets.ts';
import { FEW_LEFT } from './compared.ts';
import type { Above } from './evidence.ts';
import { explainedFailures } from './floors.ts';
import { errorsBySlice, isSliced, MOSTLY_SERVED } from './ground.ts';
import { provenRegressions, type TestedMetric } from './guards.ts';
import { LATENCIES, QUANTILES } from './levels.ts';
import { proof, quantile, regression, samples, staysBelowThreshold } from './proof-conditions.ts';
import type { Seen } from './seen.ts';
import { slowest } from './seen.ts';
import { binomialTail, differenceInterval, Z_95 } from './statistics.ts';
import { minutesToShare } from './time-to-proof.ts';

/** Checks older than this say nothing of now. */
const CHECKS_MAX_AGE_MINUTES = 15;
const LEFT_MINUTES = 10;

export function readConditions(seen: Seen, tested: readonly TestedMetric[]): Condition[] {
  const { policy } = seen.input;
  const { shadow, primary } = seen;
  const past = pastOf(seen);
  const proven = provenRegressions(seen, tested);
  return [
    samples(seen),
    errors(seen, past),
    proof(seen, 'errors'),
    ...(['latency_p50', 'latency_p95'] as const).flatMap((metric) => [
      isSliced(seen.evidence.levels, seen) ? bySlice(metric, seen) : latencyCondition(metric, seen, past),
      proof(seen, metric),
    ]),
    ...validation(seen),
    ...incomparable(seen),
    keyless(primary, shadow, policy),
    ...leftReads(seen),
    ...shortfall(seen),
    ...(proven.length > 0 ? proven.map((one) => staysBelowThreshold(seen, one)) : [regression(seen, tested)]),
    ...failures(seen),
  ];
}

/** What the shadow is compared with: the primary beside it, or what the primary did before when it serves nothing. */
function pastOf({ evidence, primary, share }: Seen): Pick<BucketedWindow, 'count' | 'errors' | 'latency'> {
  return share >= 1 || primary.count === 0 ? evidence.baseline : primary;
}

type Counted = Pick<BucketedWindow, 'count' | 'errors'>;
const rateOf = ({ count, errors }: Counted) => (count > 0 ? errors / count : 0);
/** Operations of a past are weighed, and no whole numbers. */
const ofAll = ({ count, errors }: Counted) => `(${Math.round(errors)} of ${Math.round(count)})`;

function errors(seen: Seen, past: Counted): Condition {
  const { shadow, evidence, input } = seen;
  const limit = input.policy.errorRateAdvance;
  const usual = isSliced(evidence.levels, seen) ? errorsBySlice(evidence.levels!, seen) : 0;
  const allowed = rateOf(past) + usual;
  const excess = rateOf(shadow) - allowed;
  const beyond = (n: number, bad: number) => ({ n, bad: bad - allowed * n });
  const ok = excess < limit || shadow.errors === 0;
  const minutes = ok
    ? undefined
    : minutesToShare(beyond(shadow.count, shadow.errors), limit, ({ n1, e1 }) => beyond(n1, e1), seen);
  return condition('errors', {
    ok,
    seen: excess,
    limit,
    says: `The shadow fails ${percent(rateOf(shadow))} of its operations ${ofAll(shadow)}, the primary ${percent(rateOf(past))} ${ofAll(past)}: ${percent(Math.abs(excess))} ${excess < 0 ? 'less' : 'more'}${usual === 0 ? '' : ' than is usual of its keys'}${confidence(past, shadow, usual)}; less than ${percent(limit)} more is needed (errorRateAdvance).`,
    release: waitsAbout('fewer_errors', minutes),
  });
}

function confidence(past: Counted, shadow: Counted, usual: number): string {
  if (past.count === 0 || shadow.count === 0) return '';
  const seen = (side: Counted) => ({ rate: rateOf(side), n: side.count });
  const { low, high } = differenceInterval(seen(past), seen(shadow), Z_95);
  return `, with 95 % confidence ${percent(low - usual)} to ${percent(high - usual)}`;
}

function latencyCondition(
  metric: 'latency_p50' | 'latency_p95',
  { shadow, input: { policy } }: Seen,
  past: Pick<BucketedWindow, 'latency' | 'count'>,
): Condition {
  const q = QUANTILES[metric];
  const before = bucketsQuantileMs(past.latency, q);
  const now = bucketsQuantileMs(shadow.latency, q);
  if (before === null || now === null) {
    return condition(metric, {
      ok: false,
      seen: now,
      limit: before,
      says: `No latency of both sides to compare at ${quantile(metric)}.`,
      release: { wait: 'operations_of_both' },
    });
  }
  const limit = slowest(before, policy.latencyIncreaseAdvance, policy);
  const which =
    limit > before * (1 + policy.latencyIncreaseAdvance)
      ? `latencyFloorMs, ${ms(policy.latencyFloorMs)} more`
      : `latencyIncreaseAdvance, ${percent(policy.latencyIncreaseAdvance)} more`;
  return condition(metric, {
    ok: now < limit,
    seen: round(now),
    limit: round(limit),
    says: `${quantile(metric)} is ${ms(now)} on the shadow (${shadow.count} operations) and ${ms(before)} on the primary (${Math.round(past.count)}); less than ${ms(limit)} is needed (${which}).`,
    release: { wait: 'faster' },
  });
}

/** Each slice against itself: by how much the shadow is slower, from the shares above the edges. */
function bySlice(metric: 'latency_p50' | 'latency_p95', { evidence, share, input: { policy } }: Seen): Condition {
  const above = evidence.above[LATENCIES.indexOf(metric)]!;
  const { latencyIncreaseAdvance: limit } = policy;
  const may = usually(above, share);
  if (may === null || above.n1 === 0) {
    const says = `No latency of both sides to compare at ${quantile(metric)}.`;
    const release = { wait: 'operations_of_both' } as const;
    return condition(metric, { ok: false, seen: null, limit, unit: 'rate', says, release });
  }
  const found = slowerBy(above, may, policy);
  return condition(metric, {
    ok: above.slower / above.n1 < may || above.slower === 0,
    seen: Math.round(found * 1000) / 1000,
    limit,
    unit: 'rate',
    says: `${quantile(metric)} is ${percent(Math.abs(found))} ${found < 0 ? 'faster' : 'slower'} than the same keys were on the primary, corrected by what the others do meanwhile (${Math.round(above.n1)} operations); less than ${percent(limit)} slower is needed (latencyIncreaseAdvance).`,
    release: { wait: 'faster' },
  });
}

/** The share of the shadow that may lie above the edge: that of the primary, or of its past where next to nothing is left of it. */
function usually({ n0, primary, n1, usual }: Above, share: number): number | null {
  if (share >= MOSTLY_SERVED && n0 * FEW_LEFT < n1) return usual / n1;
  return n0 > 0 ? primary / n0 : null;
}

/** Where the share above the edge is what it may be, between the edges and beyond them in a straight line. */
function slowerBy({ n1, same, slower, over }: Above, may: number, policy: Policy): number {
  const points = [
    [0, same / n1],
    [policy.latencyIncreaseAdvance, slower / n1],
    [policy.latencyIncreaseRollback, over / n1],
  ] as const;
  const [from, to] = points[1][1] > may ? [points[1], points[2]] : [points[0], points[1]];
  const fall = from[1] - to[1];
  if (fall <= 0) return from[1] > may ? to[0] : from[0];
  return Math.max(-0.5, from[0] + ((from[1] - may) / fall) * (to[0] - from[0]));
}

function validation(seen: Seen): Condition[] {
  const { shadow, evidence, openMinute } = seen;
  const { policy, state, checksRequired } = seen.input;
  const required = checksRequired || (state.kind !== 'table' && shadow.checks > 0);
  const differing = shadow.checks > 0 ? shadow.mismatches / shadow.checks : 0;
  const mayDiffer = 1 - policy.validationScoreAdvance;
  const age = evidence.checkedMinute === null ? null : openMinute - evidence.checkedMinute;
  const score = condition('mismatches', {
    ok: shadow.mismatches === 0 || differing < mayDiffer,
    seen: differing,
    limit: mayDiffer,
    says: `${shadow.mismatches} of ${shadow.checks} checked rows differ; less than ${percent(mayDiffer)} may (validationScoreAdvance).`,
    release: { person: 'Checks count per stage: repair the cause, then more of them release it, or start again' },
  });
  if (!required) return [score];
  return [
    score,
    condition('not_validated', {
      ok: age !== null && age <= CHECKS_MAX_AGE_MINUTES,
      seen: age,
      limit: CHECKS_MAX_AGE_MINUTES,
      says:
        age === null
          ? 'Nothing was compared in this stage.'
          : `The last comparison is ${age} minutes old; at most ${CHECKS_MAX_AGE_MINUTES} are allowed.`,
      release: { wait: 'comparisons' },
    }),
    proof(seen, 'validation'),
  ];
}

/** What was not compared may differ, so it must be less than what may differ. */
function incomparable({ evidence: { recent } }: Seen): Condition[] {
  let [hidden, made] = [0, 0];
  for (const { incomparable = 0, checks } of recent) {
    hidden += incomparable;
    made += incomparable + checks;
  }
  if (hidden <= MOST_INCOMPARABLE * made) return [];
  return [
    condition('incomparable_answers', {
      ok: false,
      seen: hidden / made,
      limit: MOST_INCOMPARABLE,
      says: `${hidden} of ${made} comparisons of the last ${recent.length} minutes could not be judged: the answers, or parts of them, are of a kind that is not compared; at most ${percent(MOST_INCOMPARABLE)} may. comparisons() of the client names them.`,
      release: {
        person: 'Saying what is compared of them (compare.as), or that they may differ (ignore), releases it',
      },
    }),
  ];
}

const MOST_INCOMPARABLE = 0.01;

function keyless(primary: BucketedWindow, shadow: BucketedWindow, policy: Policy): Condition {
  const reads = primary.count + shadow.count;
  const share = reads > 0 ? (primary.keyless + shadow.keyless) / reads : 0;
  return condition('keyless', {
    ok: share <= policy.keylessAdvance,
    seen: share,
    limit: policy.keylessAdvance,
    says: `${percent(share)} of the reads came without a key; at most ${percent(policy.keylessAdvance)} may (keylessAdvance).`,
    release: { wait: 'keyed_reads' },
  });
}

/** A process that sees the shadow fail leaves it before its errors prove anything: nothing advances meanwhile. */
function leftReads({ evidence, openMinute, input: { policy } }: Seen): Condition[] {
  const last = evidence.recent.filter(({ minute }) => minute >= openMinute - LEFT_MINUTES);
  const left = last.reduce((sum, minute) => sum + (minute.left ?? 0), 0);
  if (left === 0) return [];
  const meant = left + last.reduce((sum, minute) => sum + minute.n1, 0);
  return [
    condition('left_reads', {
      ok: left / meant < policy.errorRateRollback,
      seen: left / meant,
      limit: policy.errorRateRollback,
      says: `${left} of ${meant} operations that were meant for the shadow in ${LEFT_MINUTES} minutes went to the primary: processes saw it fail and left it (open circuit breakers). Less than ${percent(policy.errorRateRollback)} may (errorRateRollback).`,
      release: { wait: 'closed_breakers' },
    }),
  ];
}

/** Far fewer reads than are planned: its keys may be quiet ones, or it swallows them. A person, or more of them, decides. */
function shortfall({ evidence, share }: Seen): Condition[] {
  if (share >= 1) return [];
  const last = evidence.recent.slice(-SHORTFALL_MINUTES);
  const came = last.reduce((sum, { n1, left = 0 }) => sum + n1 + left, 0);
  const all = last.reduce((sum, { n0, n1 }) => sum + n0 + n1, 0);
  const least = share / 2;
  if (all === 0 || came / all >= least || 1 - binomialTail(all, came + 1, least) > SHORTFALL_CHANCE) return [];
  return [
    condition('black_hole', {
      ok: false,
      seen: came / all,
      limit: least,
      says: `Only ${percent(came / all)} of the reads came to the shadow in ${last.length} minutes where ${percent(share)} are sent: its keys are quiet, or it swallows them, or does not report.`,
      release: { wait: 'traffic' },
    }),
  ];
}

const SHORTFALL_MINUTES = 15;
const SHORTFALL_CHANCE = 1e-4;

function failures(seen: Seen): Condition[] {
  const failing = explainedFailures(seen);
  if (!failing) return [];
  const { rate, limit, n1, e1, minutes, primaryRate } = failing;
  const figures = `the shadow ${percent(rate)} (${e1} of ${n1} in ${minutes} minutes), the primary ${percent(primaryRate)}`;
  if (primaryRate >= limit / 2) {
    const says = `Both sides fail: ${figures}. Going back would not help.`;
    return [
      condition('primary_failing', { ok: false, seen: rate, limit, says, release: { wait: 'primary_recovers' } }),
    ];
  }
  const says = `Many operations fail: ${figures}. So few may be chance.`;
  return [condition('shadow_failing', { ok: false, seen: rate, limit, says, release: { wait: 'more_evidence' } })];
}
