/** A phase is an ordered group of cutovers: what is declared about it, and what is known. Types, and a phase never touched. */

/** How far the cutovers of a phase must have come before its soak begins. */
export const GOALS = ['dual_write', 'ramp', 'full', 'completed'] as const;
export type Goal = (typeof GOALS)[number];

/** Something that must hold; `manual` ones are confirmed by a person, the others are evaluated. */
export type Check = { name: string } & (
  | { manual: string }
  /** Every cutover has come this far. */
  | { reached: Goal }
  /** Every cutover sends at least this share of its reads to the shadow. */
  | { sharePercentMin: number }
  /** No cutover was rolled back since the phase was started. */
  | { noRollback: true }
  /** Rows, or compared answers, that agree, 0–1. */
  | { validationScoreMin: number }
  /** Errors of the shadow in its stage, 0–1. */
  | { errorRateMax: number }
  /** A criterion of this name passes, of every cutover that declares one. */
  | { criterion: string }
);

export type Phase = {
  name: string;
  /** Where it stands in the declaration. */
  place: number;
  /** Ids, in the order in which they are listed; rolled back in reverse. */
  cutovers: readonly string[];
  /** Phases that must be done before. */
  after: readonly string[];
  reach: Goal;
  /** How long all of its cutovers must have been at their goal before the decision. */
  soakMinutes: number;
  /** Before it may start. */
  preparation: readonly Check[];
  /** Between the phases: evaluated over the cutovers of the phases it depends on, before it may start. */
  validation: readonly Check[];
  /** What its end is decided by. */
  criteria: readonly Check[];
  /** Who decides at its end. */
  decision: 'automatic' | 'person';
};

export type PhaseStatus = 'waiting' | 'running' | 'soaking' | 'done' | 'rolled_back';

export type PhaseState = {
  status: PhaseStatus;
  /** When it entered this status. */
  sinceMs: number;
  /** When it was started last; null before. */
  startedAtMs: number | null;
  /** When its soak ends; null unless it soaks. */
  soakUntilMs: number | null;
  /** Manual checks that a person has confirmed. */
  confirmed: Readonly<Record<string, { actor: string; atMs: number }>>;
  /** The last decision at its end. */
  decision: { kind: 'go' | 'extend' | 'rollback'; actor: string; reason: string; atMs: number } | null;
};

export const UNTOUCHED_PHASE: PhaseState = {
  status: 'waiting',
  sinceMs: 0,
  startedAtMs: null,
  soakUntilMs: null,
  confirmed: {},
  decision: null,
};

/** What happened to a phase. */
export type PhaseChange =
  | { kind: 'confirmed' | 'withdrawn'; check: string }
  | { kind: 'started' }
  | { kind: 'soaking'; untilMs: number }
  | { kind: 'soak_broken' }
  | { kind: 'extended'; untilMs: number }
  | { kind: 'done' }
  | { kind: 'rolled_back' }
  | { kind: 'reset' };

/** A change in a few words, for histories. */
export function phaseChangeText(change: PhaseChange): string {
  const until = 'untilMs' in change ? ` until ${new Date(change.untilMs).toISOString().slice(0, 16)}Z` : '';
  if ('check' in change) return `check ${change.check} ${change.kind}`;
  return `${change.kind.replace('_', ' ')}${until}`;
}
