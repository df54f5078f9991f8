/** Evaluates the checks of a phase over what is known of its cutovers. Nothing known is never good news. */

import type { Condition, Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import type { Check, Goal, PhaseState } from '../cutover/phase.ts';
import type { StageKind } from '../cutover/plan.ts';
import { judgedKind, stageText } from '../cutover/switches.ts';
import type { TableStatus } from '../gates/evidence.ts';
import { sharePpmOf } from '../routing/flags.ts';

/** What a tick or a report knows of one cutover. */
export type Member = { state: CutoverState; verdict: Verdict | null; table: TableStatus | null };

const RANKS: Record<StageKind, number> = {
  rolled_back: -1,
  disabled: 0,
  dual_write: 1,
  ramp: 2,
  full: 3,
  completed: 4,
  cleaned: 5,
};

/** A stage whose reads were switched to the primary is not lived through. */
export const hasReached = (state: Pick<CutoverState, 'stageKind' | 'switches'>, goal: Goal): boolean =>
  RANKS[judgedKind(state)] >= RANKS[goal];

/** Was it rolled back since then? */
export const rolledBackSince = ({ rollback }: CutoverState, sinceMs: number | null): boolean =>
  rollback !== null && sinceMs !== null && rollback.atMs >= sinceMs;

/** `members` undefined where one could not be looked at: then nothing that is evaluated holds. */
export function evaluateCheck(check: Check, phase: PhaseState, members: readonly (Member | undefined)[]): Condition {
  if ('manual' in check) return confirmation(check, phase);
  const known = members.filter((member) => member !== undefined);
  if (known.length < members.length)
    return { code: check.name, ok: false, value: null, limit: null, text: 'Not all of its cutovers can be looked at.' };
  if ('reached' in check) {
    const late = known.filter(({ state }) => !hasReached(state, check.reached));
    return {
      code: check.name,
      ok: late.length === 0,
      value: known.length - late.length,
      limit: known.length,
      text:
        late.length === 0
          ? `All cutovers have reached ${check.reached}.`
          : `Not yet ${check.reached}: ${late.map(({ state }) => `${state.id} (${stageText(state)})`).join(', ')}.`,
    };
  }
  if ('noRollback' in check) {
    const back = known.filter(({ state }) => rolledBackSince(state, phase.startedAtMs));
    return {
      code: check.name,
      ok: back.length === 0,
      value: back.length,
      limit: 0,
      text:
        back.length === 0
          ? 'Nothing was rolled back.'
          : `Rolled back: ${back.map(({ state }) => state.id).join(', ')}.`,
    };
  }
  return figure(check, known);
}

function confirmation(check: Check & { manual: string }, { confirmed }: PhaseState): Condition {
  const by = confirmed[check.name];
  const text = by ? `${check.manual}: confirmed by ${by.actor}.` : `${check.manual}: to be confirmed by a person.`;
  return { code: check.name, ok: by !== undefined, value: by?.actor ?? null, limit: 'confirmed', text };
}

type Measured = Extract<Check, { sharePercentMin: number } | { validationScoreMin: number } | { errorRateMax: number }>;

/** The worst cutover decides; one without a figure does not hold. */
function figure(check: Measured, members: readonly Member[]): Condition {
  const [value, limit, atLeast, what] =
    'sharePercentMin' in check
      ? ([shareOf, check.sharePercentMin, true, '% of reads'] as const)
      : 'validationScoreMin' in check
        ? ([scoreOf, check.validationScoreMin, true, 'of what was compared agrees'] as const)
        : ([errorRateOf, check.errorRateMax, false, 'of the operations of the shadow fail'] as const);
  const figures = members.map((member) => ({ id: member.state.id, seen: value(member) }));
  const unknown = figures.find(({ seen }) => seen === null);
  if (unknown || figures.length === 0)
    return {
      code: check.name,
      ok: false,
      value: null,
      limit,
      text: `No figure of ${unknown?.id ?? 'any cutover'} yet.`,
    };
  const sorted = [...figures].sort((a, b) => (atLeast ? a.seen! - b.seen! : b.seen! - a.seen!));
  const worst = sorted[0]!;
  const ok = atLeast ? worst.seen! >= limit : worst.seen! <= limit;
  const text = `${worst.id}: ${Number(worst.seen!.toPrecision(4))} ${what}; ${atLeast ? 'at least' : 'at most'} ${limit}.`;
  return { code: check.name, ok, value: worst.seen, limit, text };
}

const shareOf = ({ state }: Member): number | null => sharePpmOf(state) / 10_000;

function scoreOf({ table, verdict }: Member): number | null {
  if (table) return table.verification?.score ?? null;
  const { checks = 0, mismatches = 0 } = verdict?.evidence ?? {};
  return checks > 0 ? 1 - mismatches / checks : null;
}

const errorRateOf = ({ verdict }: Member): number | null => verdict?.evidence.shadow.errorRate ?? null;
