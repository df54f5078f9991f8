/**
 * Other limits on recorded minutes: which limits a replay can try, and what they would have changed. Both replays see the
 * same minutes and neither moves the stage, so verdicts are compared minute by minute, until one of both is rolled back. Pure.
 */

import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverKind, Policy, StagePolicy } from '../cutover/cutover.ts';
import { policyProblems, withDwells } from '../cutover/policy.ts';
import type { ReplayedMinute, ReplayTrace } from './replay.ts';
import type { StageRun } from './stages.ts';

/** What the verdict on a replayed minute depends on: no replay asks tables or people, and none of them sets a deadline. */
export const TRIED_LIMITS = [
  'errorRateRollback',
  'errorRateAdvance',
  'latencyIncreaseRollback',
  'latencyIncreaseAdvance',
  'latencyFloorMs',
  'validationScoreRollback',
  'validationScoreAdvance',
  'consecutiveFailures',
  'warmUpMinutes',
  'minSamples',
  'keylessAdvance',
  'p95LimitMs',
  'availabilityMin',
  'connectionDropsMax',
  'memoryMax',
  'dwellMinutes',
] as const satisfies readonly (keyof StagePolicy)[];

export type TriedLimits = Pick<StagePolicy, (typeof TRIED_LIMITS)[number]>;

/** What became of a replay; minutes are counted as its own are, null is never. */
export type ReplayOutcome = {
  /** First minute in which it could have advanced, and the one in which it was rolled back. */
  advance: number | null;
  rollback: number | null;
  lastMinute: number;
  /** What held it or rolled it back in its last minute. */
  codes: readonly string[];
  /** What the shadow had served of the stage by then. */
  shadow: { count: number; errors: number };
};

/** Minutes in a row in which the verdicts differ in the same way. */
export type VerdictSpan = {
  fromMinute: number;
  toMinute: number;
  before: Verdict['verdict'];
  after: Verdict['verdict'];
};

/** `before`: with the limits that were in force. `after`: with those in `set`. */
export type Trial = {
  set: TriedLimits;
  before: ReplayOutcome;
  after: ReplayOutcome;
  differences: readonly VerdictSpan[];
};

const NOTHING: ReplayOutcome = {
  advance: null,
  rollback: null,
  lastMinute: 0,
  codes: [],
  shadow: { count: 0, errors: 0 },
};

export function outcomeOf(minutes: Iterable<ReplayedMinute>): ReplayOutcome {
  let outcome = NOTHING;
  for (const minute of minutes) outcome = withMinute(outcome, minute);
  return outcome;
}

function withMinute({ advance }: ReplayOutcome, { minute, verdict, reasons, evidence }: ReplayedMinute): ReplayOutcome {
  return {
    advance: advance ?? (verdict === 'advance' ? minute : null),
    rollback: verdict === 'rollback' ? minute : null,
    lastMinute: minute,
    codes: [...new Set(reasons.map(({ code }) => code))],
    shadow: evidence.shadow,
  };
}

/** The minutes of a replay with other limits, one after another, and in the end what differs from the one before. */
export function* trial(
  set: TriedLimits,
  before: Iterable<ReplayedMinute>,
  after: Iterable<ReplayedMinute>,
): Generator<ReplayedMinute, Trial> {
  const firsts = before[Symbol.iterator]();
  const differences: VerdictSpan[] = [];
  let [was, is] = [NOTHING, NOTHING];
  for (const minute of after) {
    const { value: first } = firsts.next() as IteratorResult<ReplayedMinute, undefined>;
    if (first) was = withMinute(was, first);
    if (first && first.verdict !== minute.verdict) add(differences, first, minute);
    is = withMinute(is, minute);
    yield minute;
  }
  for (let rest = firsts.next(); !rest.done; rest = firsts.next()) was = withMinute(was, rest.value);
  return { set, before: was, after: is, differences };
}

function add(
  spans: VerdictSpan[],
  { verdict: before }: ReplayedMinute,
  { minute, verdict: after }: ReplayedMinute,
): void {
  const last = spans.at(-1);
  if (last?.toMinute === minute - 1 && last.before === before && last.after === after) last.toMinute = minute;
  else spans.push({ fromMinute: minute, toMinute: minute, before, after });
}

/** A trace as if its stage had had these limits. */
export function withLimits(trace: ReplayTrace, { dwellMinutes, ...limits }: TriedLimits): ReplayTrace {
  return {
    ...trace,
    policy: { ...trace.policy, ...limits },
    minDwellMinutes: dwellMinutes ?? trace.minDwellMinutes,
  };
}

/** A stored stay as if its stage had had these limits: the shortest stay is part of its plan, the others of its policy. */
export const runWith = (run: StageRun, { dwellMinutes }: TriedLimits): StageRun =>
  dwellMinutes === undefined
    ? run
    : {
        ...run,
        state: { ...run.state, plan: withDwells(run.state.plan, { everywhere: { dwellMinutes }, stages: {} }) },
      };

export const policyWith = (policy: Policy, { dwellMinutes: _, ...limits }: TriedLimits): Policy => ({
  ...policy,
  ...limits,
});

/** What contradicts itself with these limits and did not without them. */
export function trialProblems(policy: Policy, set: TriedLimits, kind: CutoverKind): string[] {
  const before = policyProblems(policy, kind);
  return policyProblems(policyWith(policy, set), kind, set.dwellMinutes).filter((problem) => !before.includes(problem));
}
