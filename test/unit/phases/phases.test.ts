/** Phases: what is refused at load, how they go on, and how their end is decided. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import {
  type CutoverState,
  INITIAL_SYSTEM,
  type RollbackCause,
  type SystemState,
} from '../../../lib/core/cutover/cutover.ts';
import type { PhaseChange } from '../../../lib/core/cutover/phase.ts';
import { withHoldBack } from '../../../lib/core/cutover/plan.ts';
import { cohortBar, cohortHold, fellBehind, groupsOf, takesBack, withHold } from '../../../lib/core/holds/cohort.ts';
import { migrationPhaseOf, phaseHold, phasesOf, rollbackOrder } from '../../../lib/core/holds/phase-order.ts';
import { evaluateCheck, type Member } from '../../../lib/core/phases/checks.ts';
import { decidePhase, type PhaseCommand } from '../../../lib/core/phases/command.ts';
import { phaseEvents } from '../../../lib/core/phases/events.ts';
import { recommend, stepPhases } from '../../../lib/core/phases/step.ts';
import { verifyChain } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { recordSystem, replaySystem } from '../../../lib/core/stage/system.ts';
import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';
import { definePhases, type PhaseInput } from '../../../lib/define/phases.ts';
import { PHASE_COMMANDS } from '../../../lib/schemas/phases.ts';
import { systemState } from '../../../lib/schemas/state.ts';
import { codeOf, declarationOf, NOW, stateIn, verdictOf } from '../../property/samples.ts';

const component = (id: string, over: Partial<CutoverInput> = {}) =>
  ({ id, kind: 'component', ...over }) as CutoverInput;
const CUTOVERS = defineCutovers([component('planner'), component('bundler'), component('executor')]);
const THREE: PhaseInput[] = [
  {
    name: 'first',
    cutovers: ['planner'],
    soakMinutes: 30,
    preparation: [{ name: 'runbook', manual: 'The runbook is written' }],
    criteria: [{ name: 'calm', noRollback: true }],
    decision: 'automatic',
  },
  { name: 'second', cutovers: ['bundler'], after: ['first'], soakMinutes: 10 },
  {
    name: 'third',
    cutovers: ['executor'],
    after: ['second'],
    validation: [{ name: 'few_errors', errorRateMax: 0.01 }],
    decision: 'automatic',
  },
];
const DECLARED = definePhases(THREE, CUTOVERS);
const PHASES = phasesOf(DECLARED);
const problemsOf = (input: PhaseInput[], cutovers = CUTOVERS): string[] => {
  try {
    definePhases(input, cutovers);
  } catch (error) {
    const { code, details } = error as { code: string; details: { problems: string[] } };
    expect(code).toBe('invalid_plan');
    return details.problems;
  }
  return [];
};

describe('row 71: phases that cannot be', () => {
  it.each<[string, PhaseInput[], RegExp]>([
    [
      'a cycle',
      [{ ...THREE[0]!, after: ['third'] }, THREE[1]!, THREE[2]!],
      /phases\.first\.after: the phases wait for each other: first → third → second → first/,
    ],
    ['a phase after itself', [{ ...THREE[0]!, after: ['first'] }], /wait for each other: first → first/],
    [
      'an unknown cutover',
      [{ ...THREE[0]!, cutovers: ['planer'] }],
      /phases\.first\.cutovers: no cutover 'planer' is declared\. Did you mean 'planner'/,
    ],
    [
      'an unknown dependency',
      [{ ...THREE[1]!, after: ['frist'] }, THREE[0]!],
      /phases\.second\.after: no phase 'frist' is declared\. Did you mean 'first'/,
    ],
    [
      'a cutover in two phases',
      [THREE[0]!, { ...THREE[1]!, cutovers: ['planner'] }],
      /'planner' belongs to phase 'first' already/,
    ],
    ['one name twice', [THREE[0]!, { ...THREE[0]!, cutovers: ['bundler'] }], /phases\.first is declared twice/],
    ['no cutover', [{ name: 'empty', cutovers: [] }], /phases\.0\.cutovers/],
    ['a soak that is negative', [{ ...THREE[0]!, soakMinutes: -1 }], /phases\.0\.soakMinutes/],
    [
      'an unknown key',
      [{ ...THREE[0]!, soakMinuts: 1 } as PhaseInput],
      /phases\.0\.soakMinuts is not known here\. Did you mean 'soakMinutes'/,
    ],
    [
      'one check twice',
      [{ ...THREE[0]!, criteria: [{ name: 'runbook', noRollback: true }] }],
      /check 'runbook' appears twice/,
    ],
    [
      'validation with nothing before',
      [{ ...THREE[0]!, validation: [{ name: 'v', errorRateMax: 0.1 }] }],
      /phases\.first\.validation/,
    ],
  ])('%s', (_, input, text) => {
    expect(problemsOf(input).join('; ')).toMatch(text);
  });

  it('are told all at once', () => {
    expect(
      problemsOf([
        { ...THREE[0]!, cutovers: ['x'], after: ['y'] },
        { name: 'Bad Name', cutovers: ['planner'] },
      ]),
    ).toHaveLength(3);
  });

  it('a cohort over two phases, or with other salts or stages', () => {
    const members = (over: Partial<CutoverInput>) => [
      component('a', { cohort: 'c' }),
      component('b', { cohort: 'c', ...over }),
    ];
    expect(problemsOf([{ name: 'p', cutovers: ['a'] }], defineCutovers(members({})))).toEqual([
      "cohort 'c' is spread over p, no phase",
    ]);
    expect(() => defineCutovers(members({ salt: 'other' }))).toThrow(
      /cohort 'c': 'a' and 'b' have the salts 'c' and 'other'/,
    );
    expect(() => defineCutovers(members({ plan: 'canary' }))).toThrow(/plans with different stages/);
    expect(defineCutovers(members({})).map(({ salt }) => salt)).toEqual(['c', 'c']);
  });
});

const system = (phases: SystemState['phases'] = {}): SystemState => ({ ...INITIAL_SYSTEM, phases });
const moved = (before: SystemState, phase: string, change: PhaseChange, atMs = NOW) =>
  recordSystem(before, phaseEvents(PHASES, before, [{ phase, change, reason: '' }]), { nowMs: atMs, actor: 'ada' })
    .state;
const memberIn = (id: string, stage: Parameters<typeof stateIn>[0], over: Partial<CutoverState> = {}): Member => ({
  state: { ...stateIn(stage, {}, 'component'), id, ...over },
  verdict: verdictOf('advance'),
  table: null,
  declaration: CUTOVERS.find((declaration) => declaration.id === id) ?? declarationOf('component', { id }),
  observations: {},
  nowMs: NOW,
});
const members = (...list: Member[]) => new Map(list.map((member) => [member.state.id, member]));
const kinds = (steps: ReturnType<typeof stepPhases>) => steps.map(({ phase, change }) => `${phase} ${change.kind}`);
const back = (cause: 'guard' | 'operator') => ({
  rollback: { fromStage: 'r1', reason: 'slow', cause, actor: 'tick', atMs: NOW + 1, steps: [] },
});

describe('the order of phases', () => {
  it('sorts each after those it depends on, and rolls back the last one first', () => {
    const turned = definePhases([THREE[2]!, THREE[1]!, THREE[0]!], CUTOVERS);
    expect(phasesOf(turned).map(({ name }) => name)).toEqual(['first', 'second', 'third']);
    expect(rollbackOrder(PHASES, 'first').map(({ name }) => name)).toEqual(['third', 'second', 'first']);
    expect(rollbackOrder(PHASES, 'second').map(({ name }) => name)).toEqual(['third', 'second']);
  });

  it('holds a cutover until its phase is open, and those of no phase never', () => {
    const [planner, bundler] = DECLARED;
    expect(phaseHold(planner!, system())).toMatchObject({ ok: false, code: 'phase' });
    const begun = moved(system(), 'first', { kind: 'started' });
    expect(phaseHold(planner!, begun)!.ok).toBe(true);
    expect(phaseHold(bundler!, begun)!.says).toContain("it comes after 'first' (running)");
    const second = moved(moved(begun, 'first', { kind: 'done' }), 'second', { kind: 'started' });
    expect(phaseHold(bundler!, second)!.ok).toBe(true);
    // What was done and is not any more holds again those that come after.
    expect(phaseHold(bundler!, moved(second, 'first', { kind: 'soak_broken' }))!.ok).toBe(false);
    expect(phaseHold(planner!, moved(begun, 'first', { kind: 'rolled_back' }))).toMatchObject({
      ok: false,
      says: expect.stringContaining('it was rolled back'),
    });
    expect(phaseHold({}, system())).toBeNull();
  });

  it('the flag says the phase that is under way', () => {
    const begun = moved(system(), 'first', { kind: 'started' });
    expect([system().migrationPhase, begun.migrationPhase]).toEqual(['none', 'first']);
    const second = moved(moved(begun, 'first', { kind: 'done' }), 'second', { kind: 'started' });
    expect(second.migrationPhase).toBe('second');
    expect(moved(second, 'second', { kind: 'rolled_back' }).migrationPhase).toBe('first');
    expect(migrationPhaseOf(PHASES, system())).toBe('none');
  });
});

describe('a tick', () => {
  const begun = moved(system(), 'first', { kind: 'started' });
  const soaking = moved(begun, 'first', { kind: 'soaking', untilMs: NOW + 1_800_000 });
  const at = (state: SystemState, minutes: number, ...list: Member[]) =>
    stepPhases(PHASES, state, members(...list), NOW + minutes * 60_000);
  const full = memberIn('planner', 'full_100');

  it('starts a phase when it is prepared, and not before', () => {
    expect(kinds(at(system(), 0, memberIn('planner', 'disabled')))).toEqual([]);
    const prepared = moved(system(), 'first', { kind: 'confirmed', check: 'runbook' });
    expect(kinds(at(prepared, 0, memberIn('planner', 'disabled')))).toEqual(['first started']);
  });

  it('lets it soak when all are at their goal, and decides at the end of the soak', () => {
    expect(kinds(at(begun, 0, memberIn('planner', 'r2')))).toEqual([]);
    expect(at(begun, 0, full)[0]).toMatchObject({ change: { kind: 'soaking', untilMs: NOW + 1_800_000 } });
    expect(kinds(at(soaking, 29, full))).toEqual([]);
    expect(kinds(at(soaking, 30, full))).toEqual(['first done']);
  });

  it('extends where a criterion does not hold, and rolls back where a guard did', () => {
    const operator = memberIn('planner', 'full_100', back('operator'));
    expect(at(soaking, 30, operator)[0]).toMatchObject({ change: { kind: 'extended', untilMs: NOW + 90 * 60_000 } });
    expect(kinds(at(soaking, 1, memberIn('planner', 'rolled_back', back('guard'))))).toEqual(['first rolled_back']);
    expect(kinds(at(soaking, 1, memberIn('planner', 'rolled_back', back('operator'))))).toEqual(['first soak_broken']);
  });

  it('rolls back all that depend on it, in reverse order', () => {
    const all = moved(
      moved(moved(moved(soaking, 'first', { kind: 'done' }), 'second', { kind: 'started' }), 'second', {
        kind: 'done',
      }),
      'third',
      { kind: 'started' },
    );
    const steps = at(
      all,
      1,
      memberIn('planner', 'rolled_back', back('guard')),
      memberIn('bundler', 'full_100'),
      memberIn('executor', 'r1'),
    );
    expect(kinds(steps)).toEqual(['third rolled_back', 'second rolled_back', 'first rolled_back']);
    expect(steps[0]!.reason).toContain("it depends on 'first'");
  });

  it('waits for a person where one decides', () => {
    const second = moved(moved(soaking, 'first', { kind: 'done' }), 'second', { kind: 'started' });
    const soaked = moved(second, 'second', { kind: 'soaking', untilMs: NOW });
    expect(kinds(at(soaked, 60, full, memberIn('bundler', 'full_100')))).toEqual([]);
    expect(recommend(PHASES[1]!, soaked.phases.second!, members(memberIn('bundler', 'full_100')), NOW).decision).toBe(
      'go',
    );
  });

  it('says nothing of a phase whose cutover could not be looked at, and nothing while everything is stopped', () => {
    expect(at(soaking, 30)).toEqual([]);
    expect(at({ ...soaking, emergencyStop: true }, 30, full)).toEqual([]);
  });

  it('no data is no good news between the phases', () => {
    const second = moved(moved(moved(soaking, 'first', { kind: 'done' }), 'second', { kind: 'started' }), 'second', {
      kind: 'done',
    });
    const bundler = memberIn('bundler', 'full_100');
    expect(kinds(at(second, 1, full, bundler))).toEqual([]);
    const rate = (errorRate: number) => ({
      ...bundler,
      verdict: {
        ...bundler.verdict!,
        evidence: { ...bundler.verdict!.evidence, shadow: { ...bundler.verdict!.evidence.shadow, errorRate } },
      },
    });
    expect(kinds(at(second, 1, full, rate(0.02)))).toEqual([]);
    expect(kinds(at(second, 1, full, rate(0.001)))).toEqual(['third started']);
  });
});

describe('a check of the share', () => {
  const at = (stage: 'r2' | 'full_100', percent: number, sharePercentMin: number) => {
    const member = memberIn('planner', stage);
    const held = { ...member, state: { ...member.state, plan: withHoldBack(member.state.plan, percent) } };
    return evaluateCheck({ name: 'all', sharePercentMin }, INITIAL_SYSTEM.phases.first!, [held]);
  };

  it('waits for no key that is held back until completion', () => {
    expect(at('full_100', 0, 100)).toMatchObject({ ok: true, seen: 100, limit: 100 });
    expect(at('full_100', 1, 100)).toMatchObject({ ok: true, seen: 99, limit: 99 });
    expect(at('full_100', 0.0003, 100)).toMatchObject({ ok: true, seen: 99.9997 });
    expect(at('r2', 1, 100)).toMatchObject({ ok: false, seen: 50, limit: 99 });
    expect(at('r2', 1, 50)).toMatchObject({ ok: true, seen: 50, limit: 50 });
  });
});

describe('an emergency stop', () => {
  it('clears every timer: what soaked or was done soaks anew', () => {
    const done = moved(moved(system(), 'first', { kind: 'started' }), 'first', { kind: 'done' });
    const both = moved(moved(done, 'second', { kind: 'started' }), 'second', { kind: 'soaking', untilMs: NOW + 5 });
    const stop: Event = { type: 'system_changed', change: { emergencyStop: true }, reason: 'fire' };
    const stopped = recordSystem(both, [stop], { nowMs: NOW, actor: 'ada' }).state;
    expect(Object.values(stopped.phases).map(({ status, soakUntilMs }) => [status, soakUntilMs])).toEqual([
      ['running', null],
      ['running', null],
    ]);
  });
});

describe('a command on a phase', () => {
  const decided = (state: SystemState, command: PhaseCommand, ...list: Member[]) => {
    const decision = decidePhase(PHASES[0]!, command, {
      phases: PHASES,
      system: state,
      members: members(...list),
      nowMs: NOW,
    });
    return decision.kind === 'accepted' ? kinds([...decision.steps]) : decision.code;
  };
  const begun = moved(system(), 'first', { kind: 'started' });
  const soaking = moved(begun, 'first', { kind: 'soaking', untilMs: NOW + 60_000 });
  const full = memberIn('planner', 'full_100');

  it.each<[string, SystemState, PhaseCommand, string | string[]]>([
    ['confirms a check', system(), { type: 'check', check: 'runbook' }, ['first confirmed']],
    ['withdraws it', system(), { type: 'check', check: 'runbook', ok: false }, ['first withdrawn']],
    ['knows no such check', system(), { type: 'check', check: 'runbok' }, 'not_found'],
    ['evaluates others itself', begun, { type: 'check', check: 'calm' }, 'invalid_input'],
    ['go without preparation', system(), { type: 'go' }, 'held'],
    ['go by force without preparation', system(), { type: 'go', force: true, reason: 'known' }, ['first started']],
    ['force without a reason', system(), { type: 'go', force: true }, 'invalid_input'],
    ['go before the soak is over', soaking, { type: 'go' }, 'held'],
    ['go by force before it is', soaking, { type: 'go', force: true, reason: 'known' }, ['first done']],
    [
      'go while everything is stopped',
      { ...soaking, emergencyStop: true },
      { type: 'go', force: true, reason: 'r' },
      'stopped',
    ],
    ['extend', soaking, { type: 'extend', minutes: 5, reason: 'look' }, ['first extended']],
    ['extend what does not soak', begun, { type: 'extend', minutes: 5, reason: 'look' }, 'illegal_transition'],
    ['roll back', begun, { type: 'rollback', confirm: 'first', reason: 'no' }, ['first rolled_back']],
    ['roll back under another name', begun, { type: 'rollback', confirm: 'second', reason: 'no' }, 'confirm_required'],
    [
      'roll back what never began',
      system(),
      { type: 'rollback', confirm: 'first', reason: 'no' },
      'illegal_transition',
    ],
    ['reset what is not rolled back', begun, { type: 'reset', confirm: 'first' }, 'illegal_transition'],
  ])('%s', (_, state, command, expected) => {
    expect(decided(state, command, full)).toEqual(expected);
  });

  it('resets only when its cutovers are back', () => {
    const state = moved(begun, 'first', { kind: 'rolled_back' });
    expect(decided(state, { type: 'reset', confirm: 'first' }, full)).toBe('conflict');
    expect(decided(state, { type: 'reset', confirm: 'first' }, memberIn('planner', 'rolled_back'))).toEqual([
      'first reset',
    ]);
  });

  it('force does not change the order of phases', () => {
    const decision = decidePhase(
      PHASES[1]!,
      { type: 'go', force: true, reason: 'r' },
      { phases: PHASES, system: begun, members: members(), nowMs: NOW },
    );
    expect(decision).toMatchObject({ code: 'held' });
  });

  it.each([
    ['extend', { minutes: 0, reason: 'r' }, 'invalid_input'],
    ['extend', { minutes: 5 }, 'invalid_input'],
    ['go', { forced: true }, 'unknown_property'],
    ['rollback', { reason: 'r' }, 'confirm_required'],
    ['check', {}, 'invalid_input'],
  ] as const)('%s with %j is %s', (type, body, code) => {
    expect(codeOf(() => PHASE_COMMANDS[type].read(body))).toBe(code);
  });
});

describe('I19 the system', () => {
  const name = fc.constantFrom('first', 'second', 'third');
  const change: fc.Arbitrary<PhaseChange> = fc.oneof(
    fc.constantFrom<PhaseChange>(
      { kind: 'started' },
      { kind: 'soak_broken' },
      { kind: 'done' },
      { kind: 'rolled_back' },
      { kind: 'reset' },
    ),
    fc.constantFrom<PhaseChange>({ kind: 'confirmed', check: 'runbook' }, { kind: 'withdrawn', check: 'runbook' }),
    fc.nat().map((untilMs): PhaseChange => ({ kind: 'soaking', untilMs })),
    fc.nat().map((untilMs): PhaseChange => ({ kind: 'extended', untilMs })),
  );
  const event = fc.oneof(
    { weight: 5, arbitrary: fc.record({ phase: name, change }) },
    { weight: 1, arbitrary: fc.boolean().map((emergencyStop) => ({ emergencyStop })) },
    { weight: 1, arbitrary: fc.constant('denied' as const) },
  );

  it('is what a replay of its audit log gives, with every phase in it, and is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (made) => {
        let state = INITIAL_SYSTEM;
        const log = made.flatMap((one, i) => {
          const events: Event[] =
            one === 'denied'
              ? [{ type: 'denied', command: 'go', code: 'held', why: 'w' }]
              : 'phase' in one
                ? phaseEvents(PHASES, state, [{ ...one, reason: 'r' }])
                : [{ type: 'system_changed', change: one, reason: 'r' }];
          const step = recordSystem(state, events, { nowMs: NOW + i, actor: 'ada' });
          expect(step.state.version).toBe(state.version + (one === 'denied' ? 0 : 1));
          state = step.state;
          return step.entries;
        });
        expect(verifyChain(log, state)).toEqual({ intact: true, entries: log.length });
        expect(replaySystem(INITIAL_SYSTEM, JSON.parse(JSON.stringify(log)))).toEqual(state);
        expect(systemState.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
        // While everything is stopped the flag says what it said; the next step of a phase says it anew.
        const last = made.findLast((one) => one !== 'denied');
        if (last && 'phase' in last) expect(state.migrationPhase).toBe(migrationPhaseOf(PHASES, state));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a cohort', () => {
  const member = (id: string, stage: Parameters<typeof stateIn>[0], verdict: 'advance' | 'hold' = 'advance') => ({
    id,
    state: { ...stateIn(stage, {}, 'component'), id },
    verdict: verdictOf(
      verdict,
      verdict === 'hold' ? [condition('errors', { ok: false, seen: 1, limit: 0, says: 'bad' })] : [],
    ),
  });

  it('goes on when every member may, and says who may not', () => {
    const front = member('a', 'r1');
    expect(cohortHold('c', front, [])).toBeNull();
    expect(cohortHold('c', front, [member('b', 'r1')])!.ok).toBe(true);
    expect(cohortHold('c', front, [member('b', 'r1', 'hold')])!.says).toContain('b is held by errors');
    expect(cohortHold('c', front, [member('b', 'dual_write')])!.says).toContain('b is still in dual_write');
    expect(cohortHold('c', front, [{ id: 'b', state: null, verdict: null }])!.ok).toBe(false);
  });

  it('by force, too, a member that is ahead waits for its peers', () => {
    expect(cohortBar('c', member('a', 'r1').state, [member('b', 'r1', 'hold').state])).toEqual([]);
    expect(cohortBar('c', member('a', 'r1').state, [member('b', 'rolled_back').state])).toMatchObject([
      { code: 'cohort', ok: false, says: expect.stringContaining('b is still in rolled_back') },
    ]);
  });

  it('lets a member that fell behind catch up', () => {
    expect(cohortHold('c', member('a', 'r1'), [member('b', 'r2', 'hold')])!.ok).toBe(true);
  });

  it('goes back with a peer that went back in its own run, and never by an emergency', () => {
    const startedMs = NOW - 600_000;
    const under = { ...member('b', 'r1').state, started: { actor: 'ada', atMs: startedMs } };
    const fallen = (cause: RollbackCause, atMs: number): CutoverState => ({
      ...member('a', 'rolled_back').state,
      rollback: { fromStage: 'r1', reason: 'slow', cause, actor: 'tick', atMs, steps: [] },
    });
    for (const cause of ['operator', 'guard'] as const)
      expect([-1, 0, 1].map((ms) => takesBack(fallen(cause, startedMs + ms), under))).toEqual([false, true, true]);
    // Everything is stopped by itself; what is left where it is, as a promoted table, is left on purpose.
    expect([-1, 0, 1].some((ms) => takesBack(fallen('emergency', startedMs + ms), under))).toBe(false);
    expect(takesBack(member('a', 'r1').state, under)).toBe(false);
    expect(takesBack(fallen('guard', NOW), { ...under, started: null })).toBe(false);
  });

  it('a member catches up only where a peer is further', () => {
    const own = member('a', 'r1');
    expect(fellBehind(own.state, [member('b', 'r1'), member('c', 'dual_write')])).toBe(false);
    expect(fellBehind(own.state, [member('b', 'r1'), member('c', 'r2')])).toBe(true);
    expect(fellBehind(own.state, [{ id: 'b', state: null, verdict: null }])).toBe(false);
  });

  it('adds a hold to a verdict, and never softens a rollback', () => {
    const hold = cohortHold('c', member('a', 'r1'), [member('b', 'dual_write')]);
    expect(withHold(verdictOf('advance'), hold)).toMatchObject({ verdict: 'hold', reasons: [{ code: 'cohort' }] });
    expect(withHold(verdictOf('rollback'), hold).verdict).toBe('rollback');
  });

  it('groups declarations, one alone for itself', () => {
    const declared = defineCutovers([component('a', { cohort: 'c' }), component('x'), component('b', { cohort: 'c' })]);
    expect(groupsOf(declared).map((group) => group.map(({ id }) => id))).toEqual([['a', 'b'], ['x']]);
  });
});
