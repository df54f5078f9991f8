/**
 * I17, I18 and I19 over random sequences of commands, ticks and answers of the database: the real machine against a model
 * that knows only the drawing of the stages. A failing run prints its seed and path; `fc.assert(…, { seed, path })` replays it.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { condition } from '../../lib/core/conditions/condition.ts';
import { type CutoverKind, type CutoverState, initialState, NORMAL_SWITCHES } from '../../lib/core/cutover/cutover.ts';
import type { PolicyKey } from '../../lib/core/cutover/policy.ts';
import { isPromoted, syncsShadow } from '../../lib/core/cutover/stage-kinds.ts';
import { isNormal } from '../../lib/core/cutover/switches.ts';
import { sharePpmOf } from '../../lib/core/routing/flags.ts';
import { type AuditEntry, verifyChain } from '../../lib/core/stage/audit.ts';
import { decide } from '../../lib/core/stage/decide.ts';
import type { Command, Event, Observation } from '../../lib/core/stage/events.ts';
import { evolve, record, replay } from '../../lib/core/stage/evolve.ts';
import { declarationOf, NOW, PLAN, verdictOf } from './samples.ts';

/** The drawing: from each stage, where one accepted event may lead. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  disabled: ['dual_write'],
  dual_write: ['r1', 'rolled_back'],
  r1: ['r2', 'rolled_back'],
  r2: ['full_100', 'rolled_back'],
  full_100: ['completed', 'rolled_back'],
  completed: ['cleaned', 'rolled_back'],
  cleaned: [],
  rolled_back: ['disabled'],
};
/** Who writes where, and which way changes flow: the epoch must grow exactly when this changes. */
const DIRECTION: Readonly<Record<string, string>> = {
  disabled: 'none',
  rolled_back: 'none',
  dual_write: 'forward',
  r1: 'forward',
  r2: 'forward',
  full_100: 'forward',
  completed: 'reverse',
  cleaned: 'finished',
};

type Real = { initial: CutoverState; state: CutoverState; entries: AuditEntry<Event>[]; atMs: number };
type Input = Command | Observation;
/** In a `carried_out` or `given_up`: the epoch of the intent that is pending at that moment, so that intents are settled often. */
const PENDING = -1;

const verdicts = fc.constantFrom(null, verdictOf('advance'), verdictOf('hold'), verdictOf('rollback'));
const confirm = fc.constantFrom('customer', 'customer', 'custmer');
const maybeReason = fc.option(fc.constantFrom('why not', ''), { nil: undefined });

const LAGGING = condition('lag', { ok: false, seen: 90_000, limit: 30_000, says: 'The oldest change is 90 s old.' });
const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const always = (...values: Input[]) => fc.constantFrom(...values);
/** Weighted towards going on, so that the far stages are reached often. */
const inputs: fc.Arbitrary<Input> = fc.oneof(
  weighted(3, always({ type: 'start', plan: PLAN })),
  weighted(
    4,
    fc
      .record({ force: fc.boolean(), verdict: verdicts, reason: maybeReason })
      .map((fields): Input => ({ type: 'advance', ...fields })),
  ),
  weighted(2, always({ type: 'approve' }, { type: 'pause' }, { type: 'resume' }, { type: 'resume' })),
  weighted(
    1,
    fc
      .record({
        stage: fc.constantFrom(null, 'r1', 'full_100'),
        set: fc.record(
          { dwellMinutes: fc.integer({ min: 1, max: 90 }), minSamples: fc.constantFrom(1, 500) },
          { requiredKeys: [] },
        ),
        unset: fc.subarray<PolicyKey>(['minSamples', 'autoAdvance']),
      })
      .map((fields): Input => ({ type: 'policy', ...fields })),
  ),
  weighted(
    2,
    fc
      .record({
        to: fc.constantFrom('primary' as const, 'shadow' as const),
        unready: fc.constantFrom([], [], [LAGGING]),
      })
      .map((fields): Input => ({ type: 'reads', reason: 'r', ...fields })),
  ),
  weighted(
    2,
    fc.boolean().map((enabled): Input => ({ type: 'shadow-writes', enabled, reason: 'r' })),
  ),
  weighted(
    1,
    fc.constantFrom('operator', 'guard', 'emergency').map((cause): Input => ({ type: 'rollback', reason: 'r', cause })),
  ),
  weighted(
    4,
    fc
      .record({ force: fc.boolean(), verdict: verdicts, reason: maybeReason, confirm })
      .map((fields): Input => ({ type: 'complete', ...fields })),
  ),
  weighted(
    2,
    confirm.map((typed): Input => ({ type: 'cleanup', confirm: typed })),
  ),
  weighted(
    2,
    confirm.map((typed): Input => ({ type: 'reset', confirm: typed })),
  ),
  weighted(
    4,
    fc
      .record({
        verdict: fc.constantFrom(
          ...(['advance', 'advance', 'advance', 'hold', 'rollback'] as const).map((verdict) => verdictOf(verdict)),
        ),
        autoAdvance: fc.boolean(),
        autoRollback: fc.boolean(),
      })
      .map((fields): Input => ({ type: 'tick', ...fields })),
  ),
  weighted(
    1,
    fc.integer({ min: 0, max: 6 }).map((epoch): Input => ({ type: 'carried_out', epoch })),
  ),
  weighted(3, always({ type: 'carried_out', epoch: PENDING, lockHeldMs: 3 })),
  weighted(2, always({ type: 'given_up', epoch: PENDING, why: 'locked' })),
  weighted(
    1,
    fc.integer({ min: 0, max: 6 }).map((epoch): Input => ({ type: 'given_up', epoch, why: 'locked' })),
  ),
);

/** What is checked of one accepted step, whoever made it. `machine` is replaced by broken ones below. */
function step(real: Real, input: Input, emergencyStop: boolean, machine = { decide, evolve }): void {
  const before = real.state;
  real.atMs += 1_000;
  const settles = (input.type === 'carried_out' || input.type === 'given_up') && input.epoch === PENDING;
  const asked = settles ? { ...input, epoch: before.pending?.epoch ?? PENDING } : input;
  const decision = machine.decide(before, asked, { nowMs: real.atMs, actor: 'ada', emergencyStop });
  if (decision.kind === 'refused') expect(decision.message.length).toBeGreaterThan(20);
  if (input.type === 'rollback' && syncsShadow(before)) expect(decision.kind).not.toBe('refused');
  if (decision.kind !== 'accepted') return;

  expect(decision.events).toHaveLength(1);
  const { entries } = record(before, decision.events, { nowMs: real.atMs, actor: 'ada' });
  const after = machine.evolve(before, { event: decision.events[0]!, atMs: real.atMs, actor: 'ada' });
  if (after.stage !== before.stage) expect(EDGES[before.stage]).toContain(after.stage);
  expect(after.version).toBe(before.version + 1);
  const turned = DIRECTION[after.stage] !== DIRECTION[before.stage];
  // A rolled-back cutover and a disabled one are the same to the writers: nothing is synced.
  expect(after.epoch).toBe(before.epoch + (turned ? 1 : 0));
  if (after.pending) expect(after.pending.epoch).toBe(after.epoch + 1);
  checkSwitches(before, after, asked);
  checkRollback(before, after, asked);
  if (before.pending && after.stage !== before.stage) expect(after.epoch).toBe(before.pending.epoch);

  real.state = { ...after, auditSeq: entries.at(-1)!.seq, auditHash: entries.at(-1)!.hash };
  real.entries.push(...entries);
}

/** A rollback is never refused where there is something to undo, and takes the readers of a promotion with it at once. */
function checkRollback(before: CutoverState, after: CutoverState, input: Input): void {
  if (after.pending?.withdrawn) {
    expect(['promote', 'cleanup']).toContain(after.pending.action);
    if (after.pending.action === 'promote') expect(sharePpmOf(after)).toBe(0);
  }
  if (before.pending?.withdrawn && after.stage === before.stage && after.pending !== null)
    expect(after.pending.action).toBe('revert');
  if (input.type === 'rollback') expect(after.stage === 'rolled_back' || after.pending !== null).toBe(true);
}

/** Nobody reads what is not written; a stage begins with normal switches, and is left forward with normal ones only. */
function checkSwitches(before: CutoverState, after: CutoverState, input: Input): void {
  // Neither in the state, nor by readers who still follow the one before.
  for (const seen of [before, after])
    if (sharePpmOf(seen) > 0 && !isPromoted(seen)) expect(after.switches.shadowWrites).toBe(true);
  if (after.stage === before.stage) {
    // A share only comes back by a person's word, and to a shadow that lacks nothing.
    if (sharePpmOf(after) > sharePpmOf(before))
      expect(input).toMatchObject({ type: 'reads', to: 'shadow', unready: [] });
    return;
  }
  expect(after.switches).toEqual(NORMAL_SWITCHES);
  // The database had gone forward before it could be withdrawn: the state only follows it.
  const tooLate = before.pending?.withdrawn && after.stageKind === 'completed';
  if (after.stageKind !== 'rolled_back' && !tooLate) expect(isNormal(before)).toBe(true);
}

const fresh = (kind: CutoverKind): Real => {
  const initial = initialState(declarationOf(kind));
  return { initial, state: initial, entries: [], atMs: NOW };
};

/** fast-check's model commands; the model is the edges that were taken. */
type Model = { edges: Set<string> };
const commands = fc.commands(
  [
    fc.tuple(inputs, fc.integer({ min: 0, max: 24 })).map(([input, stop]) => ({
      check: () => true,
      run: (model: Model, real: Real) => {
        const from = real.state.stage;
        step(real, input, stop === 0);
        if (from !== real.state.stage) model.edges.add(`${from} → ${real.state.stage}`);
      },
      toString: () => JSON.stringify({ ...input, verdict: 'verdict' in input ? input.verdict?.verdict : undefined }),
    })),
  ],
  { maxCommands: 80, size: 'max' },
);
const kinds = fc.constantFrom<CutoverKind>('table', 'component', 'service');

describe('I17, I19 the stage machine under random commands', () => {
  it('moves by one legal step, counts versions by one, and turns the epoch with the direction', () => {
    fc.assert(
      fc.property(kinds, commands, (kind, run) => {
        const real = fresh(kind);
        fc.modelRun(() => ({ model: { edges: new Set<string>() }, real }), run);
        expect(verifyChain(real.entries, real.state)).toEqual({ intact: true, entries: real.entries.length });
        expect(replay(real.initial, real.entries)).toEqual(real.state);
        const stored = JSON.parse(JSON.stringify(real.entries)) as AuditEntry<Event>[];
        expect(replay(real.initial, stored)).toEqual(real.state);
      }),
      { numRuns: 400 },
    );
  });

  it('and runs like these take every edge of the drawing', () => {
    const edges = new Set<string>();
    const run = fc.property(kinds, commands, (kind, steps) =>
      fc.modelRun(() => ({ model: { edges }, real: fresh(kind) }), steps),
    );
    fc.assert(run, { numRuns: 300, seed: 20_260_115 });
    const drawn = Object.entries(EDGES).flatMap(([from, tos]) => tos.map((to) => `${from} → ${to}`));
    expect([...edges].sort()).toEqual(drawn.sort());
  });

  it('a replay continues anywhere in the log', () => {
    fc.assert(
      fc.property(kinds, commands, fc.nat(), (kind, run, cut) => {
        const real = fresh(kind);
        fc.modelRun(() => ({ model: { edges: new Set<string>() }, real }), run);
        const at = real.entries.length === 0 ? 0 : cut % real.entries.length;
        const half = replay(real.initial, real.entries.slice(0, at));
        expect(replay(half, real.entries.slice(at))).toEqual(real.state);
      }),
      { numRuns: 50 },
    );
  });
});

/** What a broken machine takes the state or the command for. */
const unread = (state: CutoverState, { type }: Input): CutoverState =>
  type === 'shadow-writes' ? { ...state, switches: { ...state.switches, shadowReads: false } } : state;
const normal = (state: CutoverState, { type }: Input): CutoverState =>
  type === 'advance' ? { ...state, switches: NORMAL_SWITCHES } : state;
const outliving: typeof evolve = (state, at) => {
  const after = evolve(state, at);
  return after.stage === state.stage ? after : { ...after, switches: state.switches };
};
const ready = <T extends Input>(input: T): T => (input.type === 'reads' ? { ...input, unready: [] } : input);

describe('negative controls of the machine', () => {
  /** Drives a broken machine towards completion by force until a check fails. */
  const drive = (machine: { decide: typeof decide; evolve: typeof evolve }) => {
    const real = fresh('component');
    step(real, { type: 'start', plan: PLAN }, false, machine);
    const force = { force: true, reason: 'now', verdict: null } as const;
    for (let i = 0; i < 3; i += 1) step(real, { type: 'advance', ...force }, false, machine);
    step(real, { type: 'complete', confirm: 'customer', ...force }, false, machine);
    step(real, { type: 'rollback', reason: 'back', cause: 'operator' }, false, machine);
  };

  it('the whole machine passes the drive', () => expect(() => drive({ decide, evolve })).not.toThrow());

  it('skipping a stage is caught', () => {
    const skipping: typeof decide = (state, input, context) => {
      const decision = decide(state, input, context);
      if (decision.kind !== 'accepted' || decision.events[0]?.type !== 'advanced') return decision;
      const at = state.plan.stages.findIndex((stage) => stage.name === state.stage);
      const to = (state.plan.stages[at + 2] ?? state.plan.stages[at + 1])!.name;
      return { ...decision, events: [{ ...decision.events[0], to }] };
    };
    expect(() => drive({ decide: skipping, evolve })).toThrow();
  });

  it.each([
    ['an epoch that stays on completion', 'completed', 0],
    ['an epoch that grows on advance', 'advanced', 1],
    ['an epoch that falls on rollback', 'reverted', -1],
  ])('%s is caught', (_name, type, change) => {
    const broken: typeof evolve = (state, at) => {
      const after = evolve(state, at);
      return at.event.type === type ? { ...after, epoch: state.epoch + change } : after;
    };
    expect(() => drive({ decide, evolve: broken })).toThrow();
  });

  it.each<[string, Partial<{ decide: typeof decide; evolve: typeof evolve }>]>([
    [
      'writes that go off under readers',
      { decide: (state, input, context) => decide(unread(state, input), input, context) },
    ],
    [
      'readers that come back to a shadow that lags',
      { decide: (state, input, context) => decide(state, ready(input), context) },
    ],
    [
      'a stage that is left with writes off',
      { decide: (state, input, context) => decide(normal(state, input), input, context) },
    ],
    ['a switch that outlives its stage', { evolve: outliving }],
  ])('%s: caught', (_name, broken) => {
    const machine = { decide, evolve, ...broken };
    const run = () => {
      const real = fresh('table');
      const force = { force: true, reason: 'now', verdict: null } as const;
      const steps: Input[] = [
        { type: 'start', plan: PLAN },
        { type: 'shadow-writes', enabled: false, reason: 'load' },
        { type: 'advance', ...force },
        { type: 'shadow-writes', enabled: true, reason: 'calm' },
        { type: 'advance', ...force },
        { type: 'shadow-writes', enabled: false, reason: 'load' },
        { type: 'reads', to: 'primary', reason: 'load', unready: [] },
        { type: 'reads', to: 'shadow', reason: 'calm', unready: [LAGGING] },
        { type: 'rollback', reason: 'back', cause: 'operator' },
      ];
      for (const input of steps) step(real, input, false, machine);
      return real.state;
    };
    expect(run).toThrow();
  });

  it('a version that is not counted is caught', () => {
    const broken: typeof evolve = (state, at) => ({ ...evolve(state, at), version: state.version });
    expect(() => drive({ decide, evolve: broken })).toThrow();
  });
});
