/** Checks of a phase: what is not known never holds, and of what is known the worst cutover decides. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CutoverState, INITIAL_SYSTEM } from '../../../lib/core/cutover/cutover.ts';
import { type Check, GOALS, type Phase, UNTOUCHED_PHASE } from '../../../lib/core/cutover/phase.ts';
import { withHoldBack } from '../../../lib/core/cutover/plan.ts';
import { evaluateCheck, type Member, rolledBackSince } from '../../../lib/core/phases/checks.ts';
import { decidePhase } from '../../../lib/core/phases/command.ts';
import { stepPhases } from '../../../lib/core/phases/step.ts';
import { declarationOf, NOW, STAGES, type StageName, stateIn, verdictOf } from '../../property/samples.ts';

const EVALUATED: Exclude<Check, { manual: string }>[] = [
  ...GOALS.map((reached) => ({ name: 'c', reached })),
  { name: 'c', noRollback: true },
  { name: 'c', sharePercentMin: 50 },
  { name: 'c', validationScoreMin: 0.9 },
  { name: 'c', errorRateMax: 0.1 },
  { name: 'c', criterion: 'totals' },
];
const STARTED = { ...UNTOUCHED_PHASE, status: 'running' as const, startedAtMs: NOW };

type Figures = { checks?: number; mismatches?: number; errorRate?: number | null };

function member(stage: StageName, over: Partial<CutoverState> = {}, figures: Figures = {}): Member {
  const { errorRate = null, ...counted } = figures;
  const { evidence, ...verdict } = verdictOf('advance');
  return {
    state: { ...stateIn(stage, {}, 'component'), ...over },
    verdict: { ...verdict, evidence: { ...evidence, ...counted, shadow: { ...evidence.shadow, errorRate } } },
    table: null,
    declaration: declarationOf('component'),
    observations: {},
    nowMs: NOW,
  };
}
const rolledBackAt = (atMs: number): Pick<CutoverState, 'rollback'> => ({
  rollback: { fromStage: 'r1', reason: 'slow', cause: 'guard', actor: 'tick', atMs, steps: [] },
});
const holds = (check: Check, ...members: (Member | undefined)[]) => evaluateCheck(check, STARTED, members).ok;

const anyMember = fc
  .record({
    stage: fc.constantFrom(...(Object.keys(STAGES) as StageName[])),
    held: fc.constantFrom(0, 1, 60),
    onPrimary: fc.boolean(),
    back: fc.constantFrom(null, NOW - 1, NOW, NOW + 1),
    checks: fc.constantFrom(0, 10),
    mismatches: fc.integer({ min: 0, max: 3 }),
    errorRate: fc.constantFrom(null, 0, 0.1, 0.2),
  })
  .map(({ stage, held, onPrimary, back, ...figures }) => {
    const { plan } = stateIn(stage);
    const switches = { shadowReads: !onPrimary, shadowWrites: true, sinceMs: 0 };
    return member(stage, { plan: withHoldBack(plan, held), switches, ...(back && rolledBackAt(back)) }, figures);
  });

describe('a check over several cutovers', () => {
  it.each(EVALUATED)('holds when it holds of each, and at all only of what can be looked at: %j', (check) => {
    fc.assert(
      fc.property(fc.array(anyMember, { minLength: 1, maxLength: 4 }), (members) => {
        // A criterion is asked of those that declare it.
        if (!('criterion' in check)) expect(holds(check, ...members)).toBe(members.every((one) => holds(check, one)));
        expect(holds(check, ...members, undefined)).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it.each(EVALUATED.filter((check) => !('reached' in check || 'noRollback' in check)))(
    'without a figure does not hold: %j',
    (check) => {
      expect(holds(check)).toBe(false);
      expect(holds(check, member('r1'))).toBe(false);
    },
  );

  it('goes by the figure: on its limit it holds, beyond it does not', () => {
    const at = (check: Check, figures: Figures) => holds(check, member('r2', {}, figures));
    expect(at({ name: 'c', validationScoreMin: 0.9 }, { checks: 10, mismatches: 1 })).toBe(true);
    expect(at({ name: 'c', validationScoreMin: 0.9 }, { checks: 10, mismatches: 2 })).toBe(false);
    expect(at({ name: 'c', errorRateMax: 0.1 }, { errorRate: 0.1 })).toBe(true);
    expect(at({ name: 'c', errorRateMax: 0.1 }, { errorRate: 0.11 })).toBe(false);
    expect(at({ name: 'c', sharePercentMin: 50 }, {})).toBe(true);
    expect(at({ name: 'c', sharePercentMin: 50.1 }, {})).toBe(false);
  });

  it('a stage whose reads are on the primary is not reached', () => {
    const switches = { shadowReads: false, shadowWrites: true, sinceMs: 0 };
    expect(holds({ name: 'c', reached: 'ramp' }, member('r1'))).toBe(true);
    expect(holds({ name: 'c', reached: 'ramp' }, member('r1', { switches }))).toBe(false);
    expect(holds({ name: 'c', reached: 'dual_write' }, member('r1', { switches }))).toBe(true);
  });

  it('counts a rollback from the moment of the start on', () => {
    const back = (atMs: number) => rolledBackSince({ ...stateIn('r1'), ...rolledBackAt(atMs) }, NOW);
    expect([NOW - 1, NOW, NOW + 1].map(back)).toEqual([false, true, true]);
    expect(holds({ name: 'c', noRollback: true }, member('r1', rolledBackAt(NOW)))).toBe(false);
    expect(holds({ name: 'c', noRollback: true }, member('r1', rolledBackAt(NOW - 1)))).toBe(true);
  });
});

describe('the end of a phase', () => {
  const phase = (decision: Phase['decision']): Phase => ({
    name: 'first',
    place: 0,
    cutovers: ['customer'],
    after: [],
    reach: 'full',
    soakMinutes: 10,
    preparation: [],
    validation: [],
    criteria: [],
    decision,
  });
  const soaking = {
    ...INITIAL_SYSTEM,
    phases: { first: { ...STARTED, status: 'soaking' as const, soakUntilMs: NOW + 60_000 } },
  };
  const fallen = new Map([['customer', member('full_100', rolledBackAt(NOW + 1))]]);
  const kinds = (one: Phase) => stepPhases([one], soaking, fallen, NOW + 60_000).map(({ change }) => change.kind);

  it('rolls back by itself only where no person decides', () => {
    expect(kinds(phase('automatic'))).toEqual(['rolled_back']);
    expect(kinds(phase('person'))).toEqual([]);
  });

  it.each([
    [-60_000, 6 * 60_000],
    [0, 6 * 60_000],
    [120_000, 7 * 60_000],
  ])('is put off by minutes from its end, or from now when that is over: %i ms after the start', (afterMs, untilMs) => {
    const around = { phases: [phase('person')], system: soaking, members: fallen, nowMs: NOW + afterMs };
    expect(decidePhase(phase('person'), { type: 'extend', minutes: 5, reason: 'look' }, around)).toMatchObject({
      steps: [{ change: { kind: 'extended', untilMs: NOW + untilMs } }],
    });
  });
});
