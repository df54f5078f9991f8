/**
 * What events make of a cutover's state. Pure: replaying the audit log through `evolve` gives the state.
 */

import {
  type CutoverState,
  NO_OVERRIDES,
  NORMAL_SWITCHES,
  type Rollback,
  type Withdrawal,
} from '../cutover/cutover.ts';
import type { StageKind } from '../cutover/plan.ts';
import { changedOverrides, withOverrides } from '../cutover/policy.ts';
import type { AuditEntry } from './audit.ts';
import { type Event, TICK } from './events.ts';
import { type At, type Log, recordIn, replayIn } from './log.ts';

/** What an event makes of a state. `denied` leaves everything but the audit head as it was, `rollback_seen` the version. */
export function evolve(state: CutoverState, at: At): CutoverState {
  const { event, atMs } = at;
  const next: CutoverState = { ...state, version: state.version + 1, changedAtMs: atMs, dropped: null };
  const enter = (stage: string, stageKind: StageKind): CutoverState => ({
    ...next,
    stage,
    stageKind,
    enteredAtMs: atMs,
    approved: false,
    paused: false,
    switches: NORMAL_SWITCHES,
    pending: null,
  });
  const enterPlanned = (name: string): CutoverState => enter(name, next.plan.stages.find((s) => s.name === name)!.kind);
  switch (event.type) {
    case 'started':
      next.plan = withOverrides(event.plan, state.overrides);
      next.started = { actor: at.actor, atMs };
      next.askedBy = at.actor;
      return { ...enterPlanned(event.plan.stages[1]!.name), epoch: state.epoch + 1, rollback: null };
    case 'advanced':
      return { ...enterPlanned(event.to), ...(at.actor === TICK ? {} : { askedBy: at.actor }) };
    case 'approved':
      return { ...next, approved: true };
    case 'paused':
      return { ...next, paused: true };
    case 'resumed':
      return { ...next, paused: false };
    case 'policy_changed': {
      const overrides = changedOverrides(state.overrides, event);
      // What was approved is not what would happen now.
      return { ...next, overrides, plan: withOverrides(next.plan, overrides), approved: false, askedBy: at.actor };
    }
    // What was approved is not what would happen now, and earlier evidence says nothing of now.
    case 'reads_switched': {
      const switches = { ...state.switches, shadowReads: event.to === 'shadow', sinceMs: atMs };
      return { ...next, switches, approved: false, askedBy: at.actor };
    }
    case 'shadow_writes_switched': {
      const switches = { ...state.switches, shadowWrites: event.enabled, sinceMs: atMs };
      return { ...next, switches, approved: false, askedBy: at.actor };
    }
    case 'rolled_back':
    case 'reverted': {
      const { from: fromStage, reason, cause = 'operator' } = event;
      const rollback: Rollback = { fromStage, reason, cause, actor: at.actor, atMs, steps: [] };
      return { ...enter('rolled_back', 'rolled_back'), epoch: state.epoch + 1, rollback };
    }
    case 'intent_recorded':
    case 'intent_abandoned':
    case 'intent_withdrawn':
      return withIntent(next, event, at);
    case 'completed':
      return afterPromotion(
        { ...enterPlanned(state.plan.stages.at(-1)!.name), epoch: state.epoch + 1 },
        state.pending?.withdrawn,
        atMs,
      );
    case 'cleaned':
      return { ...enter('cleaned', 'cleaned'), epoch: state.epoch + 1 };
    case 'reset':
      return {
        ...enter('disabled', 'disabled'),
        rollback: null,
        started: null,
        askedBy: null,
        overrides: NO_OVERRIDES,
      };
    case 'rollback_seen':
      return withSteps(state, event.steps);
    case 'denied':
    case 'rows_handled':
    case 'evidence_restarted':
    case 'system_changed':
    case 'system_rolled_back':
    case 'phase_changed':
      return state;
  }
}

function withSteps(state: CutoverState, steps: Rollback['steps']): CutoverState {
  const { rollback } = state;
  return rollback ? { ...state, rollback: { ...rollback, steps: [...rollback.steps, ...steps] } } : state;
}

type IntentEvent = Extract<Event, { type: 'intent_recorded' | 'intent_abandoned' | 'intent_withdrawn' }>;

/** An intent that begins, is given up, or is withdrawn by a rollback. */
function withIntent(next: CutoverState, event: IntentEvent, { atMs, actor }: At): CutoverState {
  switch (event.type) {
    case 'intent_recorded': {
      const { action, epoch, reason, cause, dropTracking } = event;
      const optional = { ...(cause ? { cause } : {}), ...(dropTracking ? { dropTracking } : {}) };
      return { ...next, pending: { action, epoch, sinceMs: atMs, actor, reason, ...optional } };
    }
    case 'intent_abandoned': {
      const asked = { epoch: next.epoch, actor, reason: '', ...next.pending };
      const dropped = { action: event.action, epoch: asked.epoch, actor: asked.actor, reason: asked.reason };
      return { ...next, pending: null, dropped: { ...dropped, why: event.why, atMs } };
    }
    case 'intent_withdrawn': {
      const withdrawn = { actor, reason: event.reason, cause: event.cause, atMs };
      const pending = next.pending && { ...next.pending, withdrawn };
      // Readers leave at once: whether the database has promoted it is found out while no reader depends on the answer.
      const switches = { ...next.switches, shadowReads: false, sinceMs: atMs };
      return { ...next, pending, ...(event.action === 'promote' ? { switches } : {}) };
    }
  }
}

/**
 * Promoted before the promotion could be withdrawn: the rollback that was asked for goes on from here, as a revert. An
 * emergency never swaps tables.
 */
function afterPromotion(completed: CutoverState, wish: Withdrawal | undefined, atMs: number): CutoverState {
  if (!wish || wish.cause === 'emergency') return completed;
  const { actor, reason, cause } = wish;
  const by = cause === 'operator' ? {} : { cause };
  return {
    ...completed,
    pending: { action: 'revert', epoch: completed.epoch + 1, sinceMs: atMs, actor, reason, ...by },
  };
}

const LOG: Log<CutoverState> = {
  evolve,
  headOf: ({ id, version, epoch }) => ({ subject: id, version, epoch }),
};

export const record = (state: CutoverState, events: readonly Event[], by: { nowMs: number; actor: string }) =>
  recordIn(LOG, state, events, by);

export const replay = (initial: CutoverState, entries: readonly AuditEntry<Event>[]): CutoverState =>
  replayIn(LOG, initial, entries);
