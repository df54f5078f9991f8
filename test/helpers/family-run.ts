/** One seeded run of a family through the evidence engine, a look a minute. */

import { DEFAULT_POLICY, initialState, type Policy } from '../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../lib/core/gates/evidence.ts';
import type { WindowPart } from '../../lib/core/gates/minute-window.ts';
import { HISTORY_MINUTES, type Run, traffic } from './gate-families.ts';

const MINUTE_MS = 60_000;

export type FamilyOutcome = {
  rollback: number | null;
  codes: readonly string[];
  says: string | null;
  advance: number | null;
  /** First minute in which it was rolled back or held as proven worse, and looks in which something was proven and not rolled back. */
  noticed: number | null;
  held: number;
  steps: number;
  judgedMs: number;
  bytes: number;
};

const FAMILY_POLICY: Policy = { ...DEFAULT_POLICY, latencyFloorMs: 0, minSamples: 1 };

type Gates = { evaluateGates: typeof evaluateGates };
export type HowRun = { policy?: Partial<Policy>; gates?: Gates; sliced?: boolean };

/** @param how the gates with a rule taken out, other limits, or without what is known of slices */
export function runFamily(seed: number, run: Run, how: HowRun = {}): FamilyOutcome {
  const { gates = { evaluateGates }, sliced = true } = how;
  const policy = { ...FAMILY_POLICY, ...how.policy };
  const drawn = traffic(seed, run);
  const ends = run.slices.map((_, i) => run.slices.slice(0, i + 1).reduce((sum, share) => sum + share, 0));
  ends[ends.length - 1] = 1;
  const share = run.onShadow === 0 ? 0 : ends[run.onShadow - 1]!;
  const kind = share >= 1 ? ('full' as const) : ('ramp' as const);
  const state = {
    ...initialState({
      id: 'run',
      kind: 'component',
      plan: { name: 'run', stages: [{ name: 'stage', kind, sharePpm: Math.round(share * 1e6), dwellMinutes: 5 }] },
    }),
    version: 1,
    stage: 'stage',
    stageKind: kind,
    enteredAtMs: MINUTE_MS - 1,
  };
  let waiting: { part: WindowPart; at: number }[] = [];
  for (let minute = 1 - HISTORY_MINUTES; minute <= 0; minute += 1) waiting.push(...drawn.minute(minute));
  let evidence: Evidence | null = null;
  const outcome: FamilyOutcome = {
    rollback: null,
    codes: [],
    says: null,
    advance: null,
    noticed: null,
    held: 0,
    steps: 0,
    judgedMs: 0,
    bytes: 0,
  };
  for (let minute = 1; minute <= run.minutes; minute += 1) {
    waiting.push(...drawn.minute(minute));
    const closed: number = evidence?.closedThrough ?? Number.NEGATIVE_INFINITY;
    waiting = waiting.filter(({ part }) => part.window.minute > closed);
    const parts = waiting.filter(({ at }) => at <= minute).map(({ part }) => part);
    const asked = performance.now();
    const { verdict, evidence: next } = gates.evaluateGates({
      state,
      policy,
      parts,
      ends: sliced && run.slices.length > 1 ? ends : [],
      evidence,
      checksRequired: false,
      table: null,
      flagsDeployed: true,
      nowMs: (minute + 1) * MINUTE_MS,
    });
    outcome.judgedMs += performance.now() - asked;
    outcome.steps += 1;
    evidence = next;
    if (verdict.verdict === 'advance') outcome.advance ??= minute;
    const proven = verdict.reasons.some(({ code }) => code === 'proven_regression');
    if (proven) {
      outcome.noticed ??= minute;
      outcome.held += 1;
    }
    if (verdict.verdict === 'rollback') {
      outcome.noticed ??= minute;
      return {
        ...outcome,
        rollback: minute,
        codes: verdict.reasons.map(({ code }) => code),
        says: verdict.reasons.map(({ says }) => says).join(' '),
        bytes: JSON.stringify(evidence).length,
      };
    }
  }
  return { ...outcome, bytes: JSON.stringify(evidence).length };
}
