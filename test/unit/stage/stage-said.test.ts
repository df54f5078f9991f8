/** What the stage machine decides of everything that can be asked in every stage, what each event makes of a state, and how both read. */

import { expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import type { CutoverState, SystemState } from '../../../lib/core/cutover/cutover.ts';
import { type PhaseState, UNTOUCHED_PHASE } from '../../../lib/core/cutover/phase.ts';
import { deviation } from '../../../lib/core/stage/conform.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import type { Context } from '../../../lib/core/stage/decision.ts';
import { type Command, changeText, type Event, type Observation, stepsText } from '../../../lib/core/stage/events.ts';
import { evolve } from '../../../lib/core/stage/evolve.ts';
import { droppedText, isStopped, pendingWord } from '../../../lib/core/stage/intents.ts';
import { rulesFor } from '../../../lib/core/stage/rules.ts';
import { evolveSystem } from '../../../lib/core/stage/system.ts';
import { intent } from '../../helpers/judged.ts';
import { combinations, said } from '../../helpers/said.ts';
import {
  declarationOf,
  NOW,
  PLAN,
  STAGES,
  type StageName,
  stateIn,
  systemOf,
  verdictOf,
} from '../../property/samples.ts';

const STAGE_NAMES = Object.keys(STAGES) as StageName[];
const held = condition('lag', { ok: false, seen: 1, limit: 0 });
const by = { actor: 'ada', nowMs: NOW, emergencyStop: false };
const rollback = (steps: object[] = []) =>
  ({ atMs: NOW - 60_000, fromStage: 'r1', cause: 'gates', reason: 'x', actor: 'ada', steps }) as never;

const ASKED: Readonly<Record<string, Command | Observation>> = {
  start: { type: 'start', plan: PLAN },
  advance: { type: 'advance', force: false, verdict: verdictOf('advance') },
  'advance, held': { type: 'advance', force: false, verdict: verdictOf('hold', [held]) },
  'advance, unseen': { type: 'advance', force: false, verdict: null },
  'advance by force': { type: 'advance', force: true, reason: 'we know', verdict: verdictOf('hold', [held]) },
  'advance by force, no reason': { type: 'advance', force: true, verdict: null },
  approve: { type: 'approve' },
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  policy: { type: 'policy', stage: 'r1', set: { minSamples: 7 } as never, unset: ['dwellMinutes'] },
  'policy of no stage': { type: 'policy', stage: 'none', set: {}, unset: [] },
  'reads back': { type: 'reads', to: 'primary', reason: 'slow', unready: [] },
  'reads on': { type: 'reads', to: 'shadow', reason: 'fine', unready: [] },
  'reads on, unready': { type: 'reads', to: 'shadow', reason: 'fine', unready: [held] },
  'writes off': { type: 'shadow-writes', enabled: false, reason: 'slow' },
  'writes on': { type: 'shadow-writes', enabled: true, reason: 'fine' },
  rollback: { type: 'rollback', reason: 'bad', cause: 'operator' },
  emergency: { type: 'rollback', reason: 'bad', cause: 'emergency' },
  complete: { type: 'complete', confirm: 'customer', force: false, verdict: verdictOf('advance') },
  'complete by force': { type: 'complete', confirm: 'customer', force: true, reason: 'now', verdict: null },
  'complete another': { type: 'complete', confirm: 'other', force: false, verdict: verdictOf('advance') },
  cleanup: { type: 'cleanup', confirm: 'customer' },
  'cleanup with tracking': { type: 'cleanup', confirm: 'customer', dropTracking: true },
  reset: { type: 'reset', confirm: 'customer' },
  'reset another': { type: 'reset', confirm: 'other' },
  tick: { type: 'tick', verdict: verdictOf('advance'), autoAdvance: true, autoRollback: true },
  'tick, by hand': { type: 'tick', verdict: verdictOf('advance'), autoAdvance: false, autoRollback: true },
  'tick, held': { type: 'tick', verdict: verdictOf('hold', [held]), autoAdvance: true, autoRollback: true },
  'tick, bad': { type: 'tick', verdict: verdictOf('rollback', [held]), autoAdvance: true, autoRollback: true },
  'tick, bad, by hand': {
    type: 'tick',
    verdict: verdictOf('rollback', [held]),
    autoAdvance: true,
    autoRollback: false,
  },
  'carried out': { type: 'carried_out', epoch: 4, lockHeldMs: 9 },
  'carried out, late': { type: 'carried_out', epoch: 3 },
  'given up': { type: 'given_up', epoch: 4, why: 'a lock' },
  'given up, late': { type: 'given_up', epoch: 3, why: 'a lock' },
};
const NAMES = Object.keys(ASKED);
const decided = (state: CutoverState, name: string, context: Partial<Context> = {}) => {
  const { kind, ...rest } = decide(state, ASKED[name]!, { ...by, ...context });
  if (kind === 'accepted') return (rest as { events: Event[] }).events;
  const { code, why, message } = rest as { code?: string; why?: string; message?: string };
  return [kind, code, why ?? message];
};

it('of everything that can be asked', async () => {
  const states: Readonly<Record<string, Partial<CutoverState>>> = {
    paused: { paused: true },
    approved: { approved: { actor: 'bob', atMs: NOW } as never },
    'approved by oneself': { approved: { actor: 'ada', atMs: NOW } as never },
    'reads on the primary': { switches: { shadowReads: false, shadowWrites: true, sinceMs: 0 } },
    'writes off': { switches: { shadowReads: true, shadowWrites: false, sinceMs: 0 } },
    'a promotion': { pending: intent('promote') },
    'a promotion withdrawn': { pending: intent('promote', true) },
  };
  const contexts: Readonly<Record<string, Partial<Context>>> = {
    'in a stop': { emergencyStop: true },
    frozen: { frozen: { name: 'nights', untilMs: NOW } },
    barred: {
      barred: [condition('phase', { name: 'two', ok: false, seen: 'waiting', limit: 'running', says: 'No.' } as never)],
    },
    'with two persons': { twoPerson: true },
  };
  const [table, service] = [{}, { kind: 'service' as const }];
  await expect(
    [
      said('in every stage', combinations({ stage: STAGE_NAMES, asked: NAMES }), ({ stage, asked }) =>
        decided(stateIn(stage, table), asked),
      ),
      said(
        'of a service',
        combinations({
          stage: ['full_100', 'completed'] as const,
          asked: NAMES.filter((name) => /complete|cleanup|rollback|bad/.test(name)),
        }),
        ({ stage, asked }) => decided(stateIn(stage, service), asked),
      ),
      said('in another state', combinations({ state: Object.keys(states), asked: NAMES }), ({ state, asked }) =>
        decided(stateIn('full_100', states[state]), asked),
      ),
      said(
        'at another moment',
        combinations({
          context: Object.keys(contexts),
          asked: NAMES.filter((name) => !/policy|given|another/.test(name)),
        }),
        ({ context, asked }) => decided(stateIn('r2'), asked, contexts[context]),
      ),
      said(
        'with a revert',
        NAMES.filter((name) => /tick|carried|given|rollback|emergency/.test(name)),
        (asked) => decided(stateIn('completed', { pending: intent('revert') }), asked),
      ),
      said(
        'an approval',
        combinations({ askedBy: [undefined, 'ada', 'bob'], startedBy: [null, 'ada', 'bob'], twoPerson: [true, false] }),
        ({ askedBy, startedBy, twoPerson }) =>
          decided(stateIn('r1', { askedBy, started: startedBy && { actor: startedBy, atMs: 1 } } as never), 'approve', {
            twoPerson,
          }),
      ),
      said(
        'the rules',
        combinations({ phase: [false, true], writes: [true, false], twoPerson: [true, false] }),
        ({ phase, writes, twoPerson }) => {
          const declaration = {
            ...declarationOf('table', { policy: { twoPersonApproval: twoPerson } }),
            ...(phase ? { phase: { name: 'two', after: [] } as never } : {}),
            freeze: [{ name: 'now', fromMs: NOW, toMs: NOW + 1 }],
          };
          const { barred, ...rest } = rulesFor(
            declaration,
            stateIn('r1'),
            systemOf({ shadowWritesEnabled: writes }),
            NOW,
          );
          return [barred?.map(({ code }) => code), rest];
        },
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/decisions.txt');
});

it('of every event', async () => {
  const step = { name: 'flags_safe', tookMs: 1_949, text: '' } as const;
  const events: Event[] = [
    { type: 'started', plan: PLAN },
    { type: 'advanced', from: 'r1', to: 'r2', forced: false },
    { type: 'advanced', from: 'r1', to: 'r2', forced: true, reason: 'x' },
    { type: 'approved' },
    { type: 'paused' },
    { type: 'resumed' },
    { type: 'policy_changed', stage: null, set: { dwellMinutes: 9 }, unset: [] },
    { type: 'policy_changed', stage: 'r1', set: { dwellMinutes: 9 }, unset: ['minSamples'] },
    { type: 'reads_switched', to: 'primary', reason: 'x' },
    { type: 'shadow_writes_switched', enabled: false, reason: 'x' },
    { type: 'rolled_back', from: 'r1', reason: 'x', cause: 'operator' },
    { type: 'intent_recorded', action: 'promote', epoch: 4, reason: 'x' },
    { type: 'intent_recorded', action: 'cleanup', epoch: 4, reason: 'x', dropTracking: true },
    { type: 'intent_abandoned', action: 'promote', why: 'x' },
    { type: 'intent_withdrawn', action: 'promote', reason: 'x', cause: 'guard' },
    { type: 'completed', from: 'full_100', lockHeldMs: 3 },
    { type: 'reverted', from: 'completed', reason: 'x' },
    { type: 'rollback_seen', steps: [step] },
    { type: 'evidence_restarted', stage: 'r1' },
    { type: 'cleaned' },
    { type: 'reset' },
    { type: 'rows_handled', action: 'quarantine_retry', key: 'k' },
    { type: 'denied', command: 'start', code: 'conflict', why: 'x' },
    { type: 'system_rolled_back', reason: 'x' },
  ];
  const worlds = combinations({
    stage: ['disabled', 'r1', 'full_100', 'completed', 'rolled_back'] as const,
    event: events,
  });
  const changed = (before: object, after: object) =>
    Object.fromEntries(
      Object.entries(after).filter(
        ([name, value]) =>
          name !== 'plan' && JSON.stringify(value) !== JSON.stringify((before as Record<string, unknown>)[name]),
      ),
    );
  const states = (stage: StageName) =>
    stateIn(stage, {
      pending: stage === 'full_100' ? intent('promote') : null,
      rollback: stage === 'rolled_back' ? rollback() : null,
    });
  const seen = [rollback(), rollback([step]), null];
  const phases = ['waiting', 'running', 'soaking', 'done', 'rolled_back'] as const;
  const system = (status: PhaseState['status']): SystemState =>
    systemOf({ phases: { one: { ...UNTOUCHED_PHASE, status, sinceMs: 1, soakUntilMs: 9, startedAtMs: 1 } } });
  const ofSystem: Event[] = [
    { type: 'system_changed', change: { emergencyStop: true as never }, reason: 'x' },
    { type: 'system_changed', change: { readonly: true }, reason: 'x' },
    { type: 'system_rolled_back', reason: 'x' },
    { type: 'cleaned' },
    ...[
      { kind: 'confirmed', check: 'a' },
      { kind: 'withdrawn', check: 'a' },
      { kind: 'started' },
      { kind: 'soaking', untilMs: 7 },
      { kind: 'soak_broken' },
      { kind: 'extended', untilMs: 7 },
      { kind: 'done' },
      { kind: 'rolled_back' },
      { kind: 'reset' },
    ].map((change) => ({ type: 'phase_changed', phase: 'one', change, migrationPhase: 'm', reason: 'r' }) as Event),
  ];
  const dropped = { action: 'promote', epoch: 4, actor: 'ada', reason: 'x', why: 'a lock', atMs: NOW } as never;
  await expect(
    [
      said('what changes', worlds, ({ stage, event }) =>
        changed(states(stage), evolve(states(stage), { event, atMs: NOW, actor: 'bob' })),
      ),
      said('what does not follow', worlds, ({ stage, event }) => {
        const after = evolve(states(stage), { event, atMs: NOW, actor: 'bob' });
        return [0, 1].map((more) =>
          deviation(states(stage), {
            event,
            atMs: NOW,
            actor: 'bob',
            subject: 'customer',
            version: after.version + more,
            epoch: after.epoch,
          }),
        );
      }),
      said(
        'what was seen of a rollback',
        combinations({ rollback: seen, name: ['flags_safe', 'tables_swapped', 'reads_left'] as const }),
        ({ rollback: of, name }) => {
          const event: Event = { type: 'rollback_seen', steps: [{ ...step, name }] };
          const state = stateIn('rolled_back', { rollback: of });
          return deviation(state, {
            event,
            atMs: NOW,
            actor: 'tick',
            subject: 'customer',
            version: state.version,
            epoch: state.epoch,
          });
        },
      ),
      said('what changes of the system', combinations({ status: phases, event: ofSystem }), ({ status, event }) =>
        changed(system(status), evolveSystem(system(status), { event, atMs: NOW, actor: 'bob' })),
      ),
      said('in words', [events[6], events[7]], (event) => changeText(event as never)),
      said('steps in words', [0, 49, 50, 1_949, 1_950], (tookMs) => stepsText([{ ...step, tookMs }])),
      said('an intent in a word', [null, intent('promote'), intent('promote', true), intent('revert')], (pending) => [
        pendingWord({ pending }),
        droppedText({ id: 'a', dropped: pending && dropped }),
      ]),
      said(
        'stopped',
        combinations({
          stop: [false, true],
          stageKind: ['disabled', 'ramp', 'completed'] as const,
          pending: [null, 'promote', 'revert'],
        }),
        ({ stop, ...of }) => isStopped(systemOf({ emergencyStop: stop as never }), of),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/events.txt');
});
