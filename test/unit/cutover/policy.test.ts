/** Limits in force: declared, of a stage, changed at run time; and what must not be changed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionText } from '../../../lib/core/conditions/show.ts';
import {
  type CutoverState,
  DEFAULT_POLICY,
  INITIAL_SYSTEM,
  initialState,
  type Policy,
} from '../../../lib/core/cutover/cutover.ts';
import { type Plan, withHoldBack } from '../../../lib/core/cutover/plan.ts';
import { policyOf, policyProblems } from '../../../lib/core/cutover/policy.ts';
import { switchesText } from '../../../lib/core/cutover/switches.ts';
import { absoluteGuards, guardHolds } from '../../../lib/core/gates/absolute-guards.ts';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { deadlineCondition } from '../../../lib/core/holds/deadline.ts';
import { demandsOf } from '../../../lib/core/holds/demands.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import type { Context, Decision } from '../../../lib/core/stage/decision.ts';
import { type Command, type Event, type Observation, TICK } from '../../../lib/core/stage/events.ts';
import { evolve } from '../../../lib/core/stage/evolve.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { checkedChange } from '../../../lib/flows/control/change-policy.ts';
import { COMMANDS } from '../../../lib/schemas/http.ts';
import { codeOf, declarationOf, NOW, PLAN, stateIn, verdictOf } from '../../property/samples.ts';

const CONTEXT: Context = { nowMs: NOW, actor: 'ada', emergencyStop: false };
const change = (fields: Partial<Extract<Command, { type: 'policy' }>>): Command => ({
  type: 'policy',
  stage: null,
  set: {},
  unset: [],
  ...fields,
});
const taken = (state: ReturnType<typeof stateIn>, command: Command, actor = 'ada') => {
  const decision = decide(state, command, { ...CONTEXT, actor });
  if (decision.kind !== 'accepted') throw new Error(JSON.stringify(decision));
  return decision.events.reduce((now, event) => evolve(now, { event, atMs: NOW, actor }), state);
};
const codeOfDecision = (decision: Decision) => (decision.kind === 'refused' ? decision.code : decision.kind);

describe('the policy in force', () => {
  const declaration = {
    ...declarationOf('component', { policy: { minSamples: 50, errorRateRollback: 0.02 } }),
    stages: { r1: { minSamples: 500 } },
  };

  it('is the declared one, then that of the stage, then what was changed, for all stages and for one', () => {
    const state = stateIn('r1', {}, 'component');
    expect(policyOf(declaration, state)).toMatchObject({ minSamples: 500, errorRateRollback: 0.02 });
    const everywhere = taken(state, change({ set: { minSamples: 7 } }));
    expect(policyOf(declaration, everywhere).minSamples).toBe(7);
    const inStage = taken(everywhere, change({ stage: 'r1', set: { minSamples: 9 } }));
    expect(policyOf(declaration, inStage).minSamples).toBe(9);
    expect(policyOf(declaration, { ...inStage, stage: 'r2' }).minSamples).toBe(7);
    const back = taken(
      taken(inStage, change({ stage: 'r1', unset: ['minSamples'] })),
      change({ unset: ['minSamples'] }),
    );
    expect(policyOf(declaration, back)).toEqual(policyOf(declaration, state));
  });

  it('a shortest stay is changed in the plan, survives a start, and ends with a reset', () => {
    const early = taken(stateIn('disabled', { version: 0 }), change({ set: { dwellMinutes: 99 } }));
    const started = taken(early, { type: 'start', plan: PLAN });
    expect(started.plan.stages.map(({ dwellMinutes }) => dwellMinutes)).toEqual([0, 99, 99, 99, 99, 0]);
    const other = taken(started, change({ stage: 'r2', set: { dwellMinutes: 5 } }));
    expect(other.plan.stages.map(({ dwellMinutes }) => dwellMinutes)).toEqual([0, 99, 99, 5, 99, 0]);
    const back = taken(taken(other, { type: 'rollback', reason: 'r', cause: 'operator' }), {
      type: 'reset',
      confirm: 'customer',
    });
    expect(back.overrides).toEqual({ everywhere: {}, stages: {} });
    expect(taken(back, { type: 'start', plan: PLAN }).plan).toEqual(PLAN);
  });

  it('declared limits of a stage reach its plan and its policy', () => {
    const [planner] = defineCutovers([
      {
        id: 'planner',
        kind: 'component',
        plan: 'majority',
        stages: { test_10: { dwellMinutes: 3, deadlineMinutes: 30 } },
      },
    ]);
    expect(planner!.plan.stages.find(({ name }) => name === 'test_10')!.dwellMinutes).toBe(3);
    expect(policyOf(planner!, { ...initialState(planner!), stage: 'test_10' }).deadlineMinutes).toBe(30);
  });

  it.each([
    [
      'a stage that is none',
      { stages: { test_11: { minSamples: 5 } } },
      /planner\.stages\.test_11 is no stage.*Did you mean 'test_10'/,
    ],
    [
      'a deadline within the shortest stay',
      { stages: { test_10: { deadlineMinutes: 60 } } },
      /planner\.stages\.test_10: deadlineMinutes 60 is not above/,
    ],
    [
      'limits that contradict each other in a stage',
      { stages: { test_10: { errorRateAdvance: 0.5 } } },
      /stages\.test_10: errorRateAdvance 0\.5 is above/,
    ],
  ])('%s is refused at load', (_, fields, text) => {
    expect(() => defineCutovers([{ id: 'planner', kind: 'component', plan: 'majority', ...fields }])).toThrow(text);
  });
});

/** Where nothing is declared: a change here is one for everybody. */
const USUAL: Policy = {
  errorRateRollback: 0.01,
  errorRateAdvance: 0.001,
  latencyIncreaseRollback: 0.2,
  latencyIncreaseAdvance: 0.1,
  latencyFloorMs: 2,
  validationScoreRollback: 0.99,
  validationScoreAdvance: 0.995,
  consecutiveFailures: 3,
  warmUpMinutes: 5,
  minSamples: 100,
  lagAdvanceMs: 30_000,
  keylessAdvance: 0.01,
  holdBackPercent: 1,
  autoAdvance: true,
  autoRollback: true,
  approvalRequired: false,
  twoPersonApproval: false,
  deadlineMinutes: null,
  onDeadline: 'hold',
  p95LimitMs: null,
  availabilityMin: null,
  connectionDropsMax: null,
  memoryMax: null,
};

it('what is switched is said in few words, and nothing of what is as usual', () => {
  const said = (shadowReads: boolean, shadowWrites: boolean) =>
    switchesText({ switches: { shadowReads, shadowWrites, sinceMs: NOW } });
  expect([said(true, true), said(false, true), said(true, false), said(false, false)]).toEqual([
    [],
    ['Reads on the primary'],
    ['Writes off'],
    ['Writes off', 'Reads on the primary'],
  ]);
});

describe('limits', () => {
  it('are these where nothing is declared', () => {
    expect(DEFAULT_POLICY).toEqual(USUAL);
  });

  it.each([
    ['errorRateAdvance', 'errorRateRollback', 0.02],
    ['latencyIncreaseAdvance', 'latencyIncreaseRollback', 0.02],
    ['validationScoreAdvance', 'validationScoreRollback', -0.02],
  ] as const)('of %s may be those of %s, and not beyond', (advance, rollback, beyond) => {
    const problems = (by: number) =>
      policyProblems({ ...USUAL, [rollback]: 0.5, [advance]: 0.5 + by }, 'component').map((text) => text.split(' ')[0]);
    expect([problems(0), problems(-beyond), problems(beyond)]).toEqual([[], [], [advance]]);
  });

  it('of the time in a stage are longer than its shortest stay', () => {
    const problems = (deadlineMinutes: number) => policyProblems({ ...USUAL, deadlineMinutes }, 'component', 30).length;
    expect([problems(30), problems(31)]).toEqual([1, 0]);
    expect(policyProblems({ ...USUAL, deadlineMinutes: 1 }, 'component')).toEqual([]);
  });
});

describe('row 19: a change at run time', () => {
  it.each([
    ['a threshold of 0', { errorRateRollback: 0 }],
    ['an error limit of 100 %', { errorRateRollback: 1 }],
    ['a dwell of 0', { dwellMinutes: 0 }],
    ['no samples', { minSamples: 0 }],
    ['a text', { minSamples: '50' }],
    ['a share of samples', { minSamples: 50.5 }],
    ['Infinity', { latencyIncreaseRollback: Number.POSITIVE_INFINITY }],
    ['a deadline of 0', { deadlineMinutes: 0 }],
    ['an exit that is none', { onDeadline: 'advance' }],
    ['availability of 100 %', { availabilityMin: 1 }],
  ])('with %s is invalid_input', (_, set) => {
    expect(codeOf(() => COMMANDS.policy.read({ set }))).toBe('invalid_input');
  });

  it.each([['autoAdvanc'], ['twoPersonApproval'], ['sql'], ['__proto__x']])('of %s is unknown_property', (key) => {
    expect(codeOf(() => COMMANDS.policy.read({ set: { [key]: true } }))).toBe('unknown_property');
  });

  const declaration = declarationOf('component');
  const checked = (fields: object, policy: Partial<Policy> = {}) =>
    checkedChange(
      { ...declaration, policy: { ...DEFAULT_POLICY, ...policy } },
      stateIn('r1', {}, 'component'),
      change(fields) as Extract<Command, { type: 'policy' }>,
    );

  it.each([
    ['a stage that is none', { stage: 'r3', set: { minSamples: 5 } }, 'invalid_input'],
    ['what is held back in one stage', { stage: 'r1', set: { holdBackPercent: 2 } }, 'invalid_input'],
    ['nothing', {}, 'invalid_input'],
    ['an advance limit above that of rolling back', { set: { errorRateAdvance: 0.5 } }, 'invalid_input'],
    ['a deadline within the shortest stay', { stage: 'r1', set: { deadlineMinutes: 10 } }, 'invalid_input'],
  ])('of %s is refused', (_, fields, code) => {
    expect(codeOf(() => checked(fields))).toBe(code);
  });

  it('does not switch approvals off under the two-person rule', () => {
    expect(codeOf(() => checked({ set: { approvalRequired: false } }, { twoPersonApproval: true }))).toBe('forbidden');
    expect(codeOf(() => checked({ set: { approvalRequired: false } }))).toBe('nothing');
  });
});

describe('what is held back', () => {
  const change = (set: object) =>
    ({ event: { type: 'policy_changed', stage: null, set, unset: [] }, atMs: NOW, actor: 'ada' }) as const;
  const begun = (plan: Plan, over: Partial<CutoverState> = {}) =>
    evolve(stateIn('disabled', over), { event: { type: 'started', plan }, atMs: NOW, actor: 'ada' });

  it('is what the cutover was started with; no other change moves a key', () => {
    const before = begun(PLAN);
    expect(evolve(before, change({ minSamples: 5 })).plan).not.toHaveProperty('holdBackPpm');
    const held = begun(withHoldBack(PLAN, 2));
    expect(evolve(held, change({ minSamples: 5 })).plan.holdBackPpm).toBe(20_000);
  });

  it('is changed at run time for the whole plan, also before the start, and by 0 to nothing', () => {
    const changed = evolve(begun(withHoldBack(PLAN, 2)), change({ holdBackPercent: 5 }));
    expect(changed.plan.holdBackPpm).toBe(50_000);
    expect(evolve(changed, change({ holdBackPercent: 0 })).plan).not.toHaveProperty('holdBackPpm');
    const { overrides } = evolve(stateIn('disabled'), change({ holdBackPercent: 5 }));
    expect(begun(withHoldBack(PLAN, 2), { overrides }).plan.holdBackPpm).toBe(50_000);
  });

  it('cannot be unset: the plan has no other', () => {
    expect(codeOf(() => COMMANDS.policy.read({ set: {}, unset: ['holdBackPercent'] }))).not.toBe('nothing');
  });
});

describe('row 6: the two-person rule', () => {
  const asked = (actor: string, over: Partial<Context> = {}) =>
    codeOfDecision(decide({ ...started }, { type: 'approve' }, { ...CONTEXT, twoPerson: true, actor, ...over }));
  const started = taken(stateIn('disabled', {}, 'component'), { type: 'start', plan: PLAN }, 'ada');

  it('whoever started it cannot approve, somebody else can', () => {
    expect(asked('ada')).toBe('self_approval');
    expect(asked('bob')).toBe('accepted');
    expect(asked('ada', { twoPerson: false })).toBe('accepted');
  });

  it('nor whoever asked for its last change, and a change takes the approval back', () => {
    const approved = evolve(started, { event: { type: 'approved' }, atMs: NOW, actor: 'bob' });
    const changed = taken(approved, change({ set: { minSamples: 1 } }), 'bob');
    expect(changed.approved).toBe(false);
    const decision = decide(changed, { type: 'approve' }, { ...CONTEXT, twoPerson: true, actor: 'bob' });
    expect(codeOfDecision(decision)).toBe('self_approval');
  });

  it('nor whoever started it, once somebody else has asked for its last change', () => {
    const changed = taken(started, change({ set: { minSamples: 1 } }), 'bob');
    const by = (actor: string) =>
      codeOfDecision(decide(changed, { type: 'approve' }, { ...CONTEXT, twoPerson: true, actor }));
    expect(['ada', 'bob', 'eve'].map(by)).toEqual(['self_approval', 'self_approval', 'accepted']);
  });

  it('a step that is taken by itself changes nothing about who asked', () => {
    const changed = taken(started, change({ set: { minSamples: 1 } }), 'bob');
    const advanced: Event = { type: 'advanced', from: 'dual_write', to: 'r1', forced: false };
    const stepped = evolve({ ...changed, approved: true }, { event: advanced, atMs: NOW, actor: TICK });
    const by = (actor: string) =>
      codeOfDecision(decide(stepped, { type: 'approve' }, { ...CONTEXT, twoPerson: true, actor }));
    expect(['ada', 'bob', 'eve'].map(by)).toEqual(['self_approval', 'self_approval', 'accepted']);
  });

  it('force does not replace the second person', () => {
    const force: Command = { type: 'advance', force: true, reason: 'now', verdict: null };
    const context = { ...CONTEXT, twoPerson: true };
    expect(codeOfDecision(decide(started, force, context))).toBe('held');
    expect(codeOfDecision(decide({ ...started, approved: true }, force, context))).toBe('accepted');
  });

  it('an approval is given by one who neither started it nor asked last, and is good for nothing that came after', () => {
    const command = fc.constantFrom<Command | Observation>(
      change({ set: { minSamples: 1 } }),
      { type: 'reads', to: 'primary', reason: 'r', unready: [] },
      { type: 'reads', to: 'shadow', reason: 'r', unready: [] },
      { type: 'shadow-writes', enabled: false, reason: 'r' },
      { type: 'shadow-writes', enabled: true, reason: 'r' },
      { type: 'pause' },
      { type: 'resume' },
      { type: 'approve' },
      { type: 'approve' },
      { type: 'advance', force: true, reason: 'now', verdict: null },
      { type: 'tick', verdict: verdictOf('advance'), autoAdvance: true, autoRollback: true },
    );
    const step = fc.record({ command, person: fc.constantFrom('ada', 'bob', 'eve') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let state: CutoverState = started;
        const model = { approved: false, asker: 'ada' };
        for (const { command, person } of steps) {
          const actor = command.type === 'tick' ? TICK : person;
          const decision = decide(state, command, { ...CONTEXT, twoPerson: true, actor });
          if (command.type === 'approve' && !model.approved)
            expect(decision.kind === 'accepted').toBe(actor !== 'ada' && actor !== model.asker);
          if (decision.kind !== 'accepted') continue;
          if (command.type === 'advance') expect(model.approved).toBe(true);
          state = decision.events.reduce((now, event) => evolve(now, { event, atMs: NOW, actor }), state);
          if (command.type === 'approve') model.approved = true;
          else if (command.type !== 'pause' && command.type !== 'resume') {
            model.approved = false;
            if (actor !== TICK) model.asker = actor;
          }
          expect(state.approved).toBe(model.approved);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('includes that an approval is needed', () => {
    const declaration = declarationOf('component', { policy: { twoPersonApproval: true } });
    expect(policyOf(declaration, started).approvalRequired).toBe(true);
  });
});

describe('row 58: a freeze window', () => {
  const frozen = { ...CONTEXT, frozen: { name: 'weekend', untilMs: NOW + 3_600_000 } };
  const force = { force: true, reason: 'now', verdict: verdictOf('advance') } as const;

  it.each<[string, ReturnType<typeof stateIn>, Command]>([
    ['start', stateIn('disabled'), { type: 'start', plan: PLAN }],
    ['advance', stateIn('r1'), { type: 'advance', ...force }],
    ['complete', stateIn('full_100'), { type: 'complete', confirm: 'customer', ...force }],
    ['cleanup', stateIn('completed'), { type: 'cleanup', confirm: 'customer' }],
  ])('refuses %s, also by force, with its end', (_, state, command) => {
    const decision = decide(state, command, frozen);
    expect(codeOfDecision(decision)).toBe('frozen');
    expect(decision).toMatchObject({ details: { window: 'weekend', untilMs: NOW + 3_600_000 } });
    expect(codeOfDecision(decide(state, command, CONTEXT))).toBe('accepted');
  });

  it('lets a rollback pass in every stage that has something to undo, and a tick roll back', () => {
    for (const stage of ['dual_write', 'r1', 'full_100', 'completed'] as const)
      expect(codeOfDecision(decide(stateIn(stage), { type: 'rollback', reason: 'r', cause: 'operator' }, frozen))).toBe(
        'accepted',
      );
    const tick = { type: 'tick', autoAdvance: true, autoRollback: true } as const;
    expect(codeOfDecision(decide(stateIn('r1'), { ...tick, verdict: verdictOf('rollback') }, frozen))).toBe('accepted');
    expect(codeOfDecision(decide(stateIn('r1'), { ...tick, verdict: verdictOf('advance') }, frozen))).toBe('unchanged');
  });
});

describe('a deadline', () => {
  const state = stateIn('r1', { enteredAtMs: NOW - 30 * 60_000 });

  it('holds from its minute on and says what a person can do', () => {
    expect(deadlineCondition({ deadlineMinutes: null, onDeadline: 'hold' }, state, NOW)).toBeNull();
    expect(deadlineCondition({ deadlineMinutes: 31, onDeadline: 'hold' }, state, NOW)).toMatchObject({
      ok: true,
      seen: 30,
    });
    const passed = deadlineCondition({ deadlineMinutes: 30, onDeadline: 'hold' }, state, NOW)!;
    expect(passed).toMatchObject({ code: 'deadline', ok: false, seen: 30, limit: 30 });
    expect(conditionText(passed)).toContain("'crossfade policy customer --stage r1 --set deadlineMinutes=60'");
  });
});

it('at 100 % no deadline counts: a cutover waits for a person there, or soaks', () => {
  const policy = { ...DEFAULT_POLICY, deadlineMinutes: 30, onDeadline: 'rollback' as const };
  const demanded = (stage: 'r1' | 'full_100', over: Partial<CutoverState> = {}) => {
    const state = stateIn(stage, { enteredAtMs: NOW - 99 * 60_000, ...over }, 'component');
    const situation = {
      declaration: declarationOf('component'),
      policy,
      state,
      system: INITIAL_SYSTEM,
      windows: [],
      nowMs: NOW,
    };
    return demandsOf(situation).guards.map(({ code }) => code);
  };
  expect([demanded('r1'), demanded('full_100')]).toEqual([['deadline'], []]);
  // Nor while a person has switched reads or writes.
  const switched = { shadowReads: false, shadowWrites: true, sinceMs: NOW - 99 * 60_000 };
  expect(demanded('r1', { switches: switched })).toEqual([]);
});

it('a limit on what senders may leave out is demanded with the others, and holds until they tell it', () => {
  const situation = {
    declaration: declarationOf('component'),
    policy: { ...DEFAULT_POLICY, memoryMax: 0.9 },
    state: stateIn('r1', { enteredAtMs: NOW - 30 * 60_000 }, 'component'),
    system: INITIAL_SYSTEM,
    windows: [],
    nowMs: NOW,
  };
  const memoryOf = (over: object) => demandsOf({ ...situation, ...over }).holds.find(({ code }) => code === 'memory');
  expect(memoryOf({})).toMatchObject({ ok: false, seen: null, limit: 0.9 });
  expect(memoryOf({ policy: DEFAULT_POLICY })).toBeUndefined();
  expect(memoryOf({ state: stateIn('dual_write', {}, 'component') })).toBeUndefined();
});

describe('absolute guards', () => {
  const entered = NOW - 30 * 60_000;
  const state = stateIn('r1', { enteredAtMs: entered }, 'component');
  const minutes = (primary: Partial<MinuteWindow>, shadow: Partial<MinuteWindow>): MinuteWindow[] =>
    Array.from({ length: 30 }, (_, i) => Math.floor(entered / 60_000) + i).flatMap((minute) => [
      { ...emptyWindow(minute, 'primary'), ...primary },
      { ...emptyWindow(minute, 'shadow'), ...shadow },
    ]);
  const side = (count: number, errors: number, latencyMs = 20) => ({
    count,
    errors,
    latency: { [bucketIndex(latencyMs)]: count },
  });
  const fired = (policy: Partial<Policy>, windows: MinuteWindow[]) =>
    absoluteGuards({ policy: { ...DEFAULT_POLICY, ...policy }, state, windows, nowMs: NOW }).map(({ code }) => code);

  it('fire on an availability below the limit, unless the primary is as bad, and never without a limit', () => {
    const bad = minutes(side(100, 0), side(100, 3));
    expect(fired({ availabilityMin: 0.99 }, bad)).toEqual(['availability']);
    expect(fired({}, bad)).toEqual([]);
    expect(fired({ availabilityMin: 0.99 }, minutes(side(100, 3), side(100, 3)))).toEqual([]);
    expect(fired({ availabilityMin: 0.99 }, minutes(side(100, 0), side(100, 1)))).toEqual([]);
  });

  it('fire on what chance brings once in ten thousand looks, of the last ten minutes, three minutes long', () => {
    const last = Math.floor(NOW / 60_000);
    const failing = (errors: number, minutesAgo: number, primary: ReturnType<typeof side> = side(0, 0)) =>
      fired(
        { availabilityMin: 0.99 },
        minutes(side(primary.count, 0), side(10, 0)).map((window) =>
          window.minute === last - minutesAgo
            ? { ...window, errors: window.side === 'shadow' ? errors : primary.errors }
            : window,
        ),
      );
    // Of 100 operations 6 fail by chance once in 1,900 looks, 7 once in 15,000.
    expect([6, 7].map((errors) => failing(errors, 5))).toEqual([[], ['availability']]);
    expect([2, 3, 10, 11].map((ago) => failing(9, ago).length)).toEqual([0, 1, 1, 0]);
    // Of the primary 50 operations are enough to say that it is as bad.
    expect([4, 5].map((count) => failing(8, 5, side(count, 4)))).toEqual([['availability'], []]);
  });

  it('fire on a p95 above the limit', () => {
    expect(fired({ p95LimitMs: 100 }, minutes(side(100, 0), side(100, 0, 130)))).toEqual(['p95_limit']);
    expect(fired({ p95LimitMs: 100 }, minutes(side(100, 0), side(100, 0, 90)))).toEqual([]);
    expect(fired({ p95LimitMs: 100 }, minutes(side(100, 0, 130), side(100, 0, 130)))).toEqual([]);
  });

  const told = (of: ReturnType<typeof side>, drops: number) => ({ ...of, told: of.count, drops });
  it('fire on more lost connections than the limit, unless the primary loses as many, and never on other errors', () => {
    const limit = { connectionDropsMax: 0.01 };
    expect(fired(limit, minutes(told(side(100, 0), 0), told(side(100, 4), 4)))).toEqual(['connection_drops']);
    expect(fired({}, minutes(told(side(100, 0), 0), told(side(100, 4), 4)))).toEqual([]);
    expect(fired(limit, minutes(told(side(100, 4), 4), told(side(100, 4), 4)))).toEqual([]);
    expect(fired(limit, minutes(told(side(100, 0), 0), told(side(100, 4), 0)))).toEqual([]);
    expect(fired(limit, minutes(told(side(100, 0), 0), told(side(100, 4), 1)))).toEqual([]);
  });

  it('fire on memory beyond the limit in every one of the last minutes, whatever the primary has', () => {
    const limit = { memoryMax: 0.9 };
    const uses = (percent: number) => ({ ...side(100, 0), memory: { 40: 99, [percent]: 1 } });
    expect(fired(limit, minutes(uses(99), uses(91)))).toEqual(['memory']);
    expect(fired(limit, minutes(side(100, 0), uses(90)))).toEqual([]);
    const last = minutes(side(100, 0), uses(95)).map((window, i, all) =>
      i === all.length - 1 ? { ...window, memory: { 40: 100 } } : window,
    );
    expect(fired(limit, last)).toEqual([]);
  });

  it('hold where a sender leaves out what they limit, and where it is beyond the limit', () => {
    const held = (policy: Partial<Policy>, windows: MinuteWindow[]) =>
      guardHolds({ policy: { ...DEFAULT_POLICY, ...policy }, state, windows, nowMs: NOW });
    const both = { memoryMax: 0.9, connectionDropsMax: 0.02 };
    const full = { ...told(side(100, 1), 1), memory: { 60: 100 } };
    expect(held(both, minutes(side(100, 0), full)).map(({ code, ok, seen }) => [code, ok, seen])).toEqual([
      ['connection_drops', true, 0.01],
      ['memory', true, 0.6],
    ]);
    for (const part of [side(100, 1), { ...full, told: 99, memory: { 60: 99 } }, side(0, 0)]) {
      const holds = held(both, minutes(side(100, 0), part));
      expect(holds.map(({ ok }) => ok)).toEqual([false, false]);
      expect(holds[1]!.says).toMatch(/every sender must tell/);
    }
    const beyond = { ...told(side(100, 3), 3), memory: { 91: 100 } };
    expect(held(both, minutes(side(100, 0), beyond)).map(({ ok }) => ok)).toEqual([false, false]);
    expect(held({ availabilityMin: 0.99, p95LimitMs: 5 }, minutes(side(100, 0), side(100, 0)))).toEqual([]);
  });

  it('on memory are refused for a service, whose upstreams tell nothing of it', () => {
    const policy = { ...DEFAULT_POLICY, memoryMax: 0.9 };
    expect(policyProblems(policy, 'service')).toEqual([expect.stringMatching(/memoryMax is set/)]);
    expect(policyProblems(policy, 'component')).toEqual([]);
  });

  it('do not fire without operations', () => {
    expect(fired({ p95LimitMs: 100, availabilityMin: 0.99 }, minutes(side(100, 0), side(0, 0)))).toEqual([]);
  });
});
