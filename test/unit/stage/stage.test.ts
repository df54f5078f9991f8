/** The stage machine: every command in every stage, intents, force, the stop, ticks, and what each event leaves. */

import { describe, expect, it } from 'vitest';
import { type Condition, condition } from '../../../lib/core/conditions/condition.ts';
import { hasRole } from '../../../lib/core/conditions/table.ts';
import type { CutoverKind, CutoverState, PendingAction } from '../../../lib/core/cutover/cutover.ts';
import { nextStage } from '../../../lib/core/cutover/plan.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { armedHold } from '../../../lib/core/holds/existence.ts';
import { writesHold } from '../../../lib/core/holds/switches.ts';
import { decide, LEGAL_COMMANDS } from '../../../lib/core/stage/decide.ts';
import type { Context, Decision } from '../../../lib/core/stage/decision.ts';
import type { Command, CommandType, Event } from '../../../lib/core/stage/events.ts';
import { evolve, record } from '../../../lib/core/stage/evolve.ts';
import { droppedText, isStopped } from '../../../lib/core/stage/intents.ts';
import { NOW, PLAN, STAGES, type StageName, stateIn, verdictOf } from '../../property/samples.ts';

const CONTEXT: Context = { nowMs: NOW, actor: 'ada', emergencyStop: false };
const STOPPED: Context = { ...CONTEXT, emergencyStop: true };
const ADVANCE = verdictOf('advance');
const NAMES = Object.keys(STAGES) as StageName[];

const COMMANDS: Record<CommandType, Command> = {
  start: { type: 'start', plan: PLAN },
  advance: { type: 'advance', force: false, verdict: ADVANCE },
  approve: { type: 'approve' },
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  policy: { type: 'policy', stage: null, set: { minSamples: 7 }, unset: [] },
  reads: { type: 'reads', to: 'primary', reason: 'slow', unready: [] },
  'shadow-writes': { type: 'shadow-writes', enabled: false, reason: 'load' },
  rollback: { type: 'rollback', reason: 'slow', cause: 'operator' },
  complete: { type: 'complete', confirm: 'customer', force: false, verdict: ADVANCE },
  cleanup: { type: 'cleanup', confirm: 'customer' },
  reset: { type: 'reset', confirm: 'customer' },
};
const COMMAND_TYPES = Object.keys(COMMANDS) as CommandType[];

const intent = (action: PendingAction['action'], epoch = 4): PendingAction => ({
  action,
  epoch,
  sinceMs: NOW,
  actor: 'ada',
  reason: 'because',
});

/** First event of an acceptance, `unchanged`, or the code of a refusal. */
function outcome(decision: Decision): string {
  if (decision.kind === 'accepted') return decision.events.map((event) => event.type).join('+');
  return decision.kind === 'unchanged' ? 'unchanged' : decision.code;
}

function accepted(decision: Decision): readonly Event[] {
  if (decision.kind !== 'accepted') throw new Error(`expected an acceptance, got ${outcome(decision)}`);
  return decision.events;
}

const RAMP = {
  advance: 'advanced',
  approve: 'approved',
  pause: 'paused',
  resume: 'unchanged',
  policy: 'policy_changed',
  reads: 'reads_switched',
  'shadow-writes': 'held',
  rollback: 'rolled_back',
};
/** What each stage answers; a command that is not named is an illegal transition. */
const ANSWERS: Record<StageName, Partial<Record<CommandType, string>>> = {
  disabled: { start: 'started', policy: 'policy_changed' },
  dual_write: {
    advance: 'advanced',
    approve: 'approved',
    pause: 'paused',
    resume: 'unchanged',
    policy: 'policy_changed',
    'shadow-writes': 'shadow_writes_switched',
    rollback: 'rolled_back',
  },
  r1: RAMP,
  r2: RAMP,
  full_100: {
    complete: 'intent_recorded',
    approve: 'approved',
    pause: 'paused',
    resume: 'unchanged',
    policy: 'policy_changed',
    reads: 'reads_switched',
    'shadow-writes': 'held',
    rollback: 'rolled_back',
  },
  completed: { cleanup: 'intent_recorded', rollback: 'intent_recorded' },
  cleaned: {},
  rolled_back: { reset: 'reset' },
};
/** A component or service needs nobody else to act, so its commands are done at once. */
const AT_ONCE: Partial<Record<StageName, Partial<Record<CommandType, string>>>> = {
  full_100: { complete: 'completed' },
  completed: { cleanup: 'cleaned', rollback: 'reverted' },
};

const everyCase = NAMES.flatMap((stage) =>
  COMMAND_TYPES.flatMap((command) =>
    (['table', 'component', 'service'] as CutoverKind[]).map((kind) => {
      const own = kind === 'table' ? undefined : AT_ONCE[stage]?.[command];
      return { stage, command, kind, expected: own ?? ANSWERS[stage][command] ?? 'illegal_transition' };
    }),
  ),
);

describe('every command in every stage', () => {
  it.each(everyCase)('$command of a $kind in $stage: $expected', ({ stage, command, kind, expected }) => {
    expect(outcome(decide(stateIn(stage, {}, kind), COMMANDS[command], CONTEXT))).toBe(expected);
  });

  it('the published table of legal commands says the same', () => {
    for (const stage of NAMES) {
      const possible = COMMAND_TYPES.filter((command) => ANSWERS[stage][command]);
      expect([...LEGAL_COMMANDS[STAGES[stage]]].sort()).toEqual([...possible].sort());
    }
  });

  it('row 56: force never makes an illegal transition legal', () => {
    for (const stage of NAMES) {
      for (const command of ['advance', 'complete'] as const) {
        const forced = { ...COMMANDS[command], force: true, reason: 'I know better', verdict: null } as Command;
        const expected = ANSWERS[stage][command] ?? 'illegal_transition';
        expect(outcome(decide(stateIn(stage), forced, CONTEXT))).toBe(expected);
      }
    }
  });

  it('row 56: a refusal names the stage, the command and what is possible instead', () => {
    const refused = decide(stateIn('r1'), COMMANDS.complete, CONTEXT);
    expect(refused).toMatchObject({ kind: 'refused', code: 'illegal_transition' });
    expect((refused as { message: string }).message).toMatch(/'r1'.*'complete'.*advance.*rollback/s);
  });

  it('what was said already changes nothing: approve, pause and resume twice', () => {
    expect(outcome(decide(stateIn('r1', { approved: true }), COMMANDS.approve, CONTEXT))).toBe('unchanged');
    expect(outcome(decide(stateIn('r1', { paused: true }), COMMANDS.pause, CONTEXT))).toBe('unchanged');
    expect(outcome(decide(stateIn('r1', { paused: true }), COMMANDS.resume, CONTEXT))).toBe('resumed');
  });
});

describe('confirm and evidence', () => {
  it.each(['complete', 'cleanup', 'reset'] as const)('%s with another name than the cutover is refused', (command) => {
    const stage = { complete: 'full_100', cleanup: 'completed', reset: 'rolled_back' } as const;
    for (const confirm of ['', 'customers', 'CUSTOMER', ' customer']) {
      const decision = decide(stateIn(stage[command]), { ...COMMANDS[command], confirm } as Command, CONTEXT);
      expect(outcome(decision)).toBe('confirm_required');
    }
  });

  it.each(['advance', 'complete'] as const)('%s without proof is held, with the reasons', (command) => {
    const state = stateIn(command === 'advance' ? 'r1' : 'full_100');
    const says = 'Three of a hundred.';
    const reason = condition('samples', { ok: false, seen: 3, limit: 100, says });
    for (const verdict of [null, verdictOf('hold', [reason]), verdictOf('rollback', [reason])]) {
      const decision = decide(state, { ...COMMANDS[command], verdict } as Command, CONTEXT);
      expect(outcome(decision)).toBe('held');
      if (verdict) {
        expect(decision).toMatchObject({ message: expect.stringContaining('Three of a hundred.') });
        expect(decision).toMatchObject({
          details: {
            reasons: [{ code: 'samples', ok: false, seen: 3, value: 3, limit: 100, unit: 'count', text: says }],
          },
        });
      }
    }
  });

  it.each(['advance', 'complete'] as const)('%s by force needs a reason, which the event carries', (command) => {
    const state = stateIn(command === 'advance' ? 'r1' : 'full_100');
    const forced = (reason?: string) => ({ ...COMMANDS[command], force: true, verdict: null, reason }) as Command;
    expect(outcome(decide(state, forced(), CONTEXT))).toBe('invalid_input');
    expect(outcome(decide(state, forced(''), CONTEXT))).toBe('invalid_input');
    const decision = decide(state, forced('the pager is quiet'), CONTEXT);
    expect(decision).toMatchObject({ kind: 'accepted', events: [{ reason: 'the pager is quiet' }] });
    if (command === 'advance') expect(decision).toMatchObject({ events: [{ forced: true }] });
  });
});

describe('what no force skips', () => {
  const forced: Command = { type: 'advance', force: true, reason: 'now', verdict: null };
  const FIVE_MINUTES = 5 * 60_000;
  const lag = (seen: number, limit: number) => condition('lag', { ok: false, seen, limit });
  const by = (...conditions: Condition[]) =>
    decide(stateIn('r1'), { ...forced, verdict: verdictOf('hold', conditions) }, CONTEXT);

  it.each(['database', 'armed', 'backfill', 'quarantine', 'samples', 'dwell'] as const)('%s alone', (code) => {
    const missing = hasRole({ code }, 'never_forced');
    expect(outcome(by(condition(code, { ok: false, seen: 1, limit: 0 })))).toBe(missing ? 'held' : 'advanced');
    expect(outcome(by(condition(code, { ok: true, seen: 0, limit: 0 })))).toBe('advanced');
  });

  it('a lag of more than five minutes, or than the policy allows where that is more', () => {
    const answers = (limit: number, ...seen: number[]) => seen.map((ms) => outcome(by(lag(ms, limit))));
    expect(answers(30_000, 60_000, FIVE_MINUTES, FIVE_MINUTES + 1)).toEqual(['advanced', 'advanced', 'held']);
    expect(answers(2 * FIVE_MINUTES, FIVE_MINUTES + 1, 2 * FIVE_MINUTES, 2 * FIVE_MINUTES + 1)).toEqual([
      'advanced',
      'advanced',
      'held',
    ]);
  });

  it.each<[Partial<TableStatus>, boolean]>([
    [{}, true],
    [{ mirror: null }, false],
    [{ mirror: { epoch: 2, stage: 'r1' } as TableStatus['mirror'] }, false],
    [{ mirror: { epoch: 4, stage: 'r1' } as TableStatus['mirror'] }, false],
    [{ armed: 'none' }, false],
    [{ armed: 'reverse' }, false],
  ])('a table is armed forward for the epoch of the state, not for another: %j', (over, isArmed) => {
    const table = { armed: 'forward', mirror: { epoch: 3 }, ...over } as TableStatus;
    const hold = armedHold(stateIn('r1'), table);
    expect(hold === null).toBe(isArmed);
    if (hold) {
      const [seen, limit] = table.armed === 'forward' ? [table.mirror?.epoch ?? null, 3] : [table.armed, 'forward'];
      expect(hold).toMatchObject({ seen, limit });
    }
    expect([armedHold(stateIn('completed'), table), armedHold(stateIn('r1', {}, 'component'), table)]).toEqual([
      null,
      null,
    ]);
  });
});

describe('a pending intent', () => {
  const cases = [
    ['full_100', 'promote'],
    ['completed', 'revert'],
    ['completed', 'cleanup'],
  ] as const;

  it.each(cases)(
    'in %s with %s pending answers every command but a rollback with conflict, and ticks with patience',
    (stage, action) => {
      const state = stateIn(stage, { pending: intent(action) });
      for (const command of COMMAND_TYPES.filter((type) => type !== 'rollback'))
        expect(outcome(decide(state, COMMANDS[command], CONTEXT))).toBe('conflict');
      for (const verdict of ['advance', 'hold', 'rollback'] as const) {
        const tick = { type: 'tick', verdict: verdictOf(verdict), autoAdvance: true, autoRollback: true } as const;
        const promotes = action === 'promote';
        expect(outcome(decide(state, tick, CONTEXT))).toBe(
          promotes && verdict === 'rollback' ? 'intent_withdrawn' : 'unchanged',
        );
        expect(outcome(decide(state, { ...tick, autoRollback: false }, CONTEXT))).toBe('unchanged');
        expect(outcome(decide(state, tick, STOPPED))).toBe(promotes ? 'intent_withdrawn' : 'unchanged');
      }
    },
  );

  it.each(cases)('in %s with %s pending refuses no rollback, and nobody withdraws it twice', (stage, action) => {
    const state = stateIn(stage, { pending: intent(action) });
    for (const context of [CONTEXT, STOPPED]) {
      const decision = decide(state, COMMANDS.rollback, context);
      if (action === 'revert') {
        expect(outcome(decision)).toBe('unchanged');
        continue;
      }
      const [event] = accepted(decision);
      expect(event).toEqual({ type: 'intent_withdrawn', action, reason: 'slow', cause: 'operator' });
      const after = evolve(state, { event: event!, atMs: NOW + 5, actor: 'eve' });
      const withdrawn = { actor: 'eve', reason: 'slow', cause: 'operator', atMs: NOW + 5 };
      expect(after.pending).toEqual({ ...intent(action), withdrawn });
      expect(after.switches.shadowReads).toBe(action !== 'promote');
      expect(outcome(decide(after, COMMANDS.rollback, context))).toBe('unchanged');
      expect(outcome(decide(after, COMMANDS.pause, context))).toBe('conflict');
    }
  });

  it.each([
    ['full_100', 'promote', 'given_up', 'rolled_back'],
    ['full_100', 'promote', 'carried_out', 'completed'],
    ['completed', 'cleanup', 'given_up', 'intent_recorded'],
    ['completed', 'cleanup', 'carried_out', 'cleaned'],
  ] as const)('in %s with %s withdrawn is settled by %s: %s', (stage, action, type, expected) => {
    for (const cause of ['operator', 'guard', 'emergency'] as const) {
      const withdrawn = { actor: 'eve', reason: 'slow', cause, atMs: NOW };
      const state = stateIn(stage, { pending: { ...intent(action), withdrawn } });
      const seen = type === 'given_up' ? { type, epoch: 4, why: 'slow' } : { type, epoch: 4 };
      const [event] = accepted(decide(state, seen, CONTEXT));
      expect(event!.type).toBe(expected);
      const after = evolve(state, { event: event!, atMs: NOW, actor: 'eve' });
      // What was promoted already goes back from there; an emergency swaps no tables.
      if (expected === 'completed') expect(after.pending?.action).toBe(cause === 'emergency' ? undefined : 'revert');
      if (expected === 'intent_recorded') expect(after.pending).toMatchObject({ action: 'revert', epoch: 4 });
      if (expected === 'rolled_back') expect(after.rollback).toMatchObject({ reason: 'slow', cause, actor: 'eve' });
    }
  });

  it('is settled by what the database really did, and only for its own epoch', () => {
    const done = { promote: 'completed', revert: 'reverted', cleanup: 'cleaned' } as const;
    for (const [stage, action] of cases) {
      const state = stateIn(stage, { pending: intent(action) });
      expect(outcome(decide(state, { type: 'carried_out', epoch: 4 }, CONTEXT))).toBe(done[action]);
      expect(outcome(decide(state, { type: 'carried_out', epoch: 5 }, CONTEXT))).toBe('unchanged');
      expect(outcome(decide(state, { type: 'given_up', epoch: 4, why: 'locked' }, CONTEXT))).toBe('intent_abandoned');
      expect(outcome(decide(state, { type: 'given_up', epoch: 3, why: 'locked' }, CONTEXT))).toBe('unchanged');
      const settled = { ...state, pending: null };
      expect(outcome(decide(settled, { type: 'carried_out', epoch: 4 }, CONTEXT))).toBe('unchanged');
    }
  });

  it('is made for the epoch that follows, by whom and why', () => {
    const [event] = accepted(decide(stateIn('completed'), COMMANDS.rollback, CONTEXT));
    const after = evolve(stateIn('completed'), { event: event!, atMs: NOW, actor: 'ada' });
    expect(after.pending).toEqual({ action: 'revert', epoch: 4, sinceMs: NOW, actor: 'ada', reason: 'slow' });
    expect(after).toMatchObject({ stage: 'completed', epoch: 3, version: 8 });
  });

  it('that is abandoned leaves the stage as it was and opens the way for commands', () => {
    const state = stateIn('full_100', { pending: intent('promote') });
    const event: Event = { type: 'intent_abandoned', action: 'promote', why: 'locked' };
    const after = evolve(state, { event, atMs: NOW, actor: 'tick' });
    const dropped = { action: 'promote', epoch: 4, actor: 'ada', reason: 'because', why: 'locked', atMs: NOW };
    expect(after).toEqual({ ...state, version: 8, changedAtMs: NOW, pending: null, dropped });
    expect(droppedText(after)).toMatch(
      /promotion of cutover 'customer' that ada asked for was given up.*locked.*complete/s,
    );
    expect(droppedText(evolve(after, { event: { type: 'paused' }, atMs: NOW, actor: 'ada' }))).toBeNull();
    expect(outcome(decide(after, COMMANDS.rollback, CONTEXT))).toBe('rolled_back');
  });
});

describe('I23 rollback', () => {
  it.each(['dual_write', 'r1', 'r2', 'full_100', 'completed'] as const)(
    'is legal in %s, also while everything is stopped',
    (stage) => {
      for (const context of [CONTEXT, STOPPED]) {
        expect(decide(stateIn(stage), COMMANDS.rollback, context).kind).toBe('accepted');
        expect(decide(stateIn(stage, { paused: true }), COMMANDS.rollback, context).kind).toBe('accepted');
      }
    },
  );

  it('a cleanup remembers what it has to drop, and only tables have it', () => {
    const state = stateIn('completed');
    const command = { type: 'cleanup', confirm: state.id, dropTracking: true } as const;
    const decision = decide(state, command, CONTEXT);
    expect(decision).toMatchObject({ kind: 'accepted', events: [{ type: 'intent_recorded', dropTracking: true }] });
    const component = decide({ ...state, kind: 'component' }, command, CONTEXT);
    expect(component).toMatchObject({ kind: 'refused', code: 'invalid_input' });
  });

  it('after cleanup is refused and says that the old side is gone', () => {
    const refused = decide(stateIn('cleaned'), COMMANDS.rollback, CONTEXT);
    expect(refused).toMatchObject({
      code: 'illegal_transition',
      message: expect.stringContaining('dropped by cleanup'),
    });
  });

  it('keeps where it came from, why and by whom until reset', () => {
    const before = stateIn('r2', { approved: true, paused: true });
    const event: Event = { type: 'rolled_back', from: 'r2', reason: 'slow', cause: 'guard' };
    const after = evolve(before, { event, atMs: NOW, actor: 'tick' });
    expect(after).toMatchObject({ stage: 'rolled_back', epoch: 4, approved: false, paused: false, enteredAtMs: NOW });
    expect(after.rollback).toEqual({
      fromStage: 'r2',
      reason: 'slow',
      cause: 'guard',
      steps: [],
      actor: 'tick',
      atMs: NOW,
    });
    expect(evolve(after, { event: { type: 'reset' }, atMs: NOW, actor: 'ada' }).rollback).toBeNull();
  });
});

describe('I25 a refusal', () => {
  it('leaves one denied entry and nothing else', () => {
    const before = stateIn('r1', { approved: true });
    const denied: Event = { type: 'denied', command: 'complete', code: 'illegal_transition', why: 'not from a ramp' };
    const { state, entries } = record(before, [denied], { nowMs: NOW, actor: 'eve' });
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ seq: 1, actor: 'eve', version: 7, epoch: 3, event: denied });
    expect({ ...state, auditSeq: before.auditSeq, auditHash: before.auditHash }).toEqual(before);
    expect(state.auditHash).not.toBe(before.auditHash);
  });
});

describe('the emergency stop', () => {
  it.each(['start', 'advance', 'complete'] as const)('refuses %s, also by force', (command) => {
    const stage = { start: 'disabled', advance: 'r1', complete: 'full_100' } as const;
    expect(outcome(decide(stateIn(stage[command]), COMMANDS[command], STOPPED))).toBe('stopped');
    const forced = { ...COMMANDS[command], force: true, reason: 'now' } as Command;
    expect(outcome(decide(stateIn(stage[command]), forced, STOPPED))).toBe('stopped');
  });

  it('rolls back whatever serves on the next tick, even paused and with manual rollback', () => {
    for (const stage of ['dual_write', 'r1', 'r2', 'full_100'] as const) {
      const tick = { type: 'tick', verdict: ADVANCE, autoAdvance: true, autoRollback: false } as const;
      const decision = decide(stateIn(stage, { paused: true }), tick, STOPPED);
      expect(decision).toMatchObject({ events: [{ type: 'rolled_back', from: stage, cause: 'emergency' }] });
    }
  });

  it('leaves promoted and idle cutovers where they are', () => {
    for (const stage of ['disabled', 'completed', 'cleaned', 'rolled_back'] as const) {
      const tick = { type: 'tick', verdict: ADVANCE, autoAdvance: true, autoRollback: true } as const;
      expect(decide(stateIn(stage), tick, STOPPED).kind).toBe('unchanged');
    }
  });

  it('is waited for by whatever is under way, but for what goes back already', () => {
    const stopped = (stage: StageName, pending: string | null, emergencyStop = true) =>
      isStopped({ emergencyStop }, { stageKind: STAGES[stage], pending });
    const under = NAMES.filter((stage) => stopped(stage, null));
    expect(under).toEqual(['dual_write', 'r1', 'r2', 'full_100']);
    for (const stage of under)
      expect(['promotion', 'rollback'].map((pending) => stopped(stage, pending))).toEqual([true, false]);
    expect(NAMES.some((stage) => stopped(stage, null, false))).toBe(false);
  });
});

describe('a tick', () => {
  const tick = (verdict: 'advance' | 'hold' | 'rollback', auto = { autoAdvance: true, autoRollback: true }) =>
    ({ type: 'tick', verdict: verdictOf(verdict), ...auto }) as const;

  it('advances to the very next stage when the gates say so', () => {
    for (const [from, to] of [
      ['dual_write', 'r1'],
      ['r1', 'r2'],
      ['r2', 'full_100'],
    ] as const) {
      expect(decide(stateIn(from), tick('advance'), CONTEXT)).toMatchObject({
        events: [{ type: 'advanced', from, to, forced: false }],
      });
    }
  });

  it('never completes by itself', () => {
    expect(decide(stateIn('full_100'), tick('advance'), CONTEXT)).toMatchObject({
      kind: 'unchanged',
      why: expect.stringContaining('person'),
    });
  });

  it('stays on hold, while paused, and when advancing is manual', () => {
    expect(decide(stateIn('r1'), tick('hold'), CONTEXT).kind).toBe('unchanged');
    expect(decide(stateIn('r1', { paused: true }), tick('advance'), CONTEXT).kind).toBe('unchanged');
    const manual = tick('advance', { autoAdvance: false, autoRollback: true });
    expect(decide(stateIn('r1'), manual, CONTEXT).kind).toBe('unchanged');
  });

  it('rolls back on a guard also while paused, unless rolling back is manual', () => {
    const paused: CutoverState = stateIn('r1', { paused: true });
    expect(decide(paused, tick('rollback'), CONTEXT)).toMatchObject({
      events: [{ type: 'rolled_back', cause: 'guard' }],
    });
    const manual = tick('rollback', { autoAdvance: true, autoRollback: false });
    expect(decide(paused, manual, CONTEXT).kind).toBe('unchanged');
  });
});

describe('what an event leaves', () => {
  it('start enters dual_write of the given plan in a new epoch', () => {
    const other = { ...PLAN, name: 'other' };
    const after = evolve(stateIn('disabled'), { event: { type: 'started', plan: other }, atMs: NOW, actor: 'ada' });
    expect(after).toMatchObject({ stage: 'dual_write', stageKind: 'dual_write', epoch: 4, version: 8, plan: other });
  });

  it('a new stage needs a new approval and a new dwell', () => {
    const event: Event = { type: 'advanced', from: 'r1', to: 'r2', forced: false };
    const after = evolve(stateIn('r1', { approved: true }), { event, atMs: NOW, actor: 'tick' });
    expect(after).toMatchObject({ stage: 'r2', approved: false, enteredAtMs: NOW, epoch: 3, version: 8 });
  });

  it('the stage after the last one does not exist', () => {
    expect(nextStage(stateIn('completed'))).toBeUndefined();
    expect(nextStage(stateIn('rolled_back'))).toBeUndefined();
    expect(nextStage(stateIn('full_100'))?.kind).toBe('completed');
  });
});

describe('switches of reads and writes', () => {
  const away = { shadowReads: false, shadowWrites: true, sinceMs: NOW - 1 };
  const dry = { ...away, shadowWrites: false };
  const back: Command = { type: 'reads', to: 'shadow', reason: 'mended', unready: [] };
  const on: Command = { type: 'shadow-writes', enabled: true, reason: 'calm' };
  const lag = condition('lag', { ok: false, seen: 90_000, limit: 30_000, says: 'The oldest change is 90 s old.' });

  it('readers come back only to what is written and lacks nothing, never while stopped, frozen or barred', () => {
    const answer = (state: Partial<CutoverState>, context: Context = CONTEXT, command: Command = back) =>
      outcome(decide(stateIn('r2', state), command, context));
    expect(answer({ switches: away })).toBe('reads_switched');
    expect(answer({ switches: away }, CONTEXT, { ...back, unready: [lag] } as Command)).toBe('held');
    expect(answer({ switches: dry })).toBe('held');
    expect(answer({ switches: away }, STOPPED)).toBe('stopped');
    expect(answer({ switches: away }, { ...CONTEXT, frozen: { name: 'night', untilMs: NOW + 1 } })).toBe('frozen');
    expect(answer({ switches: away }, { ...CONTEXT, barred: [lag] })).toBe('held');
    expect(answer({})).toBe('unchanged');
  });

  it('leaving the shadow is possible whatever else forbids to go on', () => {
    const bad: Context = { ...STOPPED, frozen: { name: 'night', untilMs: NOW + 1 }, barred: [lag] };
    for (const stage of ['r1', 'r2', 'full_100'] as const) {
      expect(outcome(decide(stateIn(stage), COMMANDS.reads, bad))).toBe('reads_switched');
      expect(outcome(decide(stateIn(stage, { switches: away }), COMMANDS['shadow-writes'], bad))).toBe(
        'shadow_writes_switched',
      );
      expect(outcome(decide(stateIn(stage, { switches: dry }), on, bad))).toBe('shadow_writes_switched');
    }
  });

  it('bar every step forward, by force and by a tick, and name the command that turns them back', () => {
    for (const switches of [away, dry]) {
      const forced = { ...COMMANDS.advance, force: true, reason: 'now' } as Command;
      const refused = decide(stateIn('r1', { switches }), forced, CONTEXT);
      expect(refused).toMatchObject({ kind: 'refused', code: 'held' });
      expect((refused as { message: string }).message).toContain('crossfade reads shadow customer');
      const tick = { type: 'tick', verdict: ADVANCE, autoAdvance: true, autoRollback: true } as const;
      expect(outcome(decide(stateIn('r1', { switches }), tick, CONTEXT))).toBe('unchanged');
      expect(outcome(decide(stateIn('full_100', { switches }), COMMANDS.complete, CONTEXT))).toBe('held');
      expect(outcome(decide(stateIn('full_100', { switches }), COMMANDS.rollback, CONTEXT))).toBe('rolled_back');
    }
  });

  it('of all tables at once bar tables, and whatever is no table goes on', () => {
    const held = (kind: CutoverKind, shadowWritesEnabled: boolean) => writesHold({ kind }, { shadowWritesEnabled });
    expect(held('table', false)).toMatchObject({ code: 'shadow_writes', ok: false });
    expect([held('table', true), held('component', false), held('service', false)]).toEqual([null, null, null]);
  });

  it('are refused after promotion with their reason, and need a new approval', () => {
    for (const command of [COMMANDS.reads, COMMANDS['shadow-writes']]) {
      const refused = decide(stateIn('completed'), command, CONTEXT);
      expect(refused).toMatchObject({ code: 'illegal_transition', message: expect.stringContaining('was promoted') });
    }
    const state = stateIn('r1', { approved: true });
    const at = { event: accepted(decide(state, COMMANDS.reads, CONTEXT))[0]!, atMs: NOW, actor: 'bo' };
    expect(evolve(state, at)).toMatchObject({
      stage: 'r1',
      epoch: state.epoch,
      approved: false,
      askedBy: 'bo',
      enteredAtMs: state.enteredAtMs,
      switches: { ...away, sinceMs: NOW },
    });
  });
});
