/** Evaluates the checks of a phase over what is known of its cutovers. Nothing known is never good news. */

import { type Condition, condition } from '../conditions/condition.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import type { Check, Goal, PhaseState } from '../cutover/phase.ts';
import { FULL_SHARE_PPM, type StageKind } from '../cutover/plan.ts';
import { effectiveKind, stageText } from '../cutover/switches.ts';
import { criterionCondition } from '../holds/criteria.ts';
import type { Judgement } from '../look/snapshot.ts';
import { sharePpmOf } from '../routing/flags.ts';

/** What a check looks at of one cutover. */
export type Member = Pick<Judgement, 'state' | 'verdict' | 'table' | 'declaration' | 'observations' | 'nowMs'>;

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
  RANKS[effectiveKind(state)] >= RANKS[goal];

/** Was it rolled back since then? */
export const rolledBackSince = ({ rollback }: CutoverState, sinceMs: number | null): boolean =>
  rollback !== null && sinceMs !== null && rollback.atMs >= sinceMs;

/** `members` undefined where one could not be looked at: then nothing that is evaluated holds. */
export function evaluateCheck(check: Check, phase: PhaseState, members: readonly (Member | undefined)[]): Condition {
  if ('manual' in check) return confirmation(check, phase);
  const known = members.filter((member) => member !== undefined);
  const { name } = check;
  if (known.length < members.length)
    return condition(codeOf(check), {
      name,
      ok: false,
      seen: null,
      limit: null,
      says: 'Not all of its cutovers can be looked at.',
      release: { wait: 'next_tick' },
    });
  if ('reached' in check) {
    const late = known.filter(({ state }) => !hasReached(state, check.reached));
    return condition('check_reached', {
      name,
      ok: late.length === 0,
      seen: known.length - late.length,
      limit: known.length,
      says:
        late.length === 0
          ? `All cutovers have reached ${check.reached}.`
          : `Not yet ${check.reached}: ${late.map(({ state }) => `${state.id} (${stageText(state)})`).join(', ')}.`,
      release: { wait: 'progress' },
    });
  }
  if ('noRollback' in check) {
    const back = known.filter(({ state }) => rolledBackSince(state, phase.startedAtMs));
    return condition('check_rollbacks', {
      name,
      ok: back.length === 0,
      seen: back.length,
      limit: 0,
      says:
        back.length === 0
          ? 'Nothing was rolled back.'
          : `Rolled back: ${back.map(({ state }) => state.id).join(', ')}.`,
      release: { person: 'A person decides on the phase' },
    });
  }
  if ('criterion' in check) return criterionCheck(check, known);
  return figure(check, known);
}

/** Members without this criterion have nothing to say; that one of them has it was looked at when it was declared. */
function criterionCheck(
  { name, criterion: wanted }: Check & { criterion: string },
  members: readonly Member[],
): Condition {
  const seen = members.flatMap((member) =>
    (member.declaration.criteria ?? [])
      .filter((criterion) => criterion.name === wanted)
      .map((criterion) => ({ id: member.state.id, condition: criterionCondition(criterion, member) })),
  );
  const failing = seen.filter(({ condition }) => !condition.ok);
  const shown = failing.length > 0 ? failing : seen;
  return condition('check_criterion', {
    name,
    ok: failing.length === 0 && seen.length > 0,
    seen: seen.length - failing.length,
    limit: Math.max(1, seen.length),
    says: shown.map(({ id, condition }) => `${id}: ${condition.says}`).join(' ') || `No cutover of it has '${wanted}'.`,
    release: failing.flatMap(({ condition }) => condition.release).slice(0, 1),
  });
}

type Evaluated = Exclude<Check, { manual: string }>;

const codeOf = (check: Evaluated) =>
  'reached' in check
    ? 'check_reached'
    : 'noRollback' in check
      ? 'check_rollbacks'
      : 'criterion' in check
        ? 'check_criterion'
        : figureCode(check);

const figureCode = (check: Measured) =>
  'sharePercentMin' in check ? 'check_share' : 'validationScoreMin' in check ? 'check_validation' : 'check_errors';

function confirmation(check: Check & { manual: string }, { confirmed }: PhaseState): Condition {
  const by = confirmed[check.name];
  return condition('check_manual', {
    name: check.name,
    ok: by !== undefined,
    seen: by?.actor ?? null,
    limit: 'confirmed',
    says: by ? `${check.manual}: confirmed by ${by.actor}.` : `${check.manual}: to be confirmed by a person.`,
    release: { person: 'A person confirms it' },
  });
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
  // What is held back is served from completion on: no phase waits for it.
  const mostOf = (member: Member) => ('sharePercentMin' in check ? servablePercent(member) : limit);
  const figures = members.map((member) => ({
    id: member.state.id,
    seen: value(member),
    limit: Math.min(limit, mostOf(member)),
  }));
  const unknown = figures.find(({ seen }) => seen === null);
  const { name } = check;
  const code = figureCode(check);
  if (unknown || figures.length === 0)
    return condition(code, {
      name,
      ok: false,
      seen: null,
      limit,
      says: `No figure of ${unknown?.id ?? 'any cutover'} yet.`,
      release: { wait: 'operations' },
    });
  const margin = (one: (typeof figures)[number]) => (atLeast ? one.seen! - one.limit : one.limit - one.seen!);
  const worst = [...figures].sort((a, b) => margin(a) - margin(b))[0]!;
  const ok = margin(worst) >= 0;
  const held = worst.limit < limit ? `, of which ${Number((limit - worst.limit).toPrecision(4))} are held back` : '';
  const says = `${worst.id}: ${Number(worst.seen!.toPrecision(4))} ${what}; ${atLeast ? 'at least' : 'at most'} ${limit}${held}.`;
  const release = { wait: 'sharePercentMin' in check ? 'progress' : 'healthy_operations' } as const;
  return condition(code, { name, ok, seen: worst.seen, limit: worst.limit, says, release });
}

const shareOf = ({ state }: Member): number | null => sharePpmOf(state) / 10_000;
const servablePercent = ({ state }: Member): number => (FULL_SHARE_PPM - (state.plan.holdBackPpm ?? 0)) / 10_000;

function scoreOf({ table, verdict }: Member): number | null {
  if (table) return table.verification?.score ?? null;
  const { checks = 0, mismatches = 0 } = verdict?.evidence ?? {};
  return checks > 0 ? 1 - mismatches / checks : null;
}

const errorRateOf = ({ verdict }: Member): number | null => verdict?.evidence.shadow.errorRate ?? null;
