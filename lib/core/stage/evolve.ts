/**
 * What events make of a cutover's state. Pure: replaying the audit log through `evolve` gives the state.
 */

import { type CutoverState, NO_OVERRIDES, NORMAL_SWITCHES } from '../cutover/cutover.ts';
import type { StageKind } from '../cutover/plan.ts';
import { changedOverrides, withDwells } from '../cutover/policy.ts';
import { type AuditEntry, nextEntry } from './audit.ts';
import { type Event, TICK } from './events.ts';

/** What an event makes of a state. `denied` leaves everything but the audit head as it was, `rollback_seen` the version. */
export function evolve(state: CutoverState, at: { event: Event; atMs: number; actor: string }): CutoverState {
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
      next.plan = withDwells(event.plan, state.overrides);
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
      return { ...next, overrides, plan: withDwells(next.plan, overrides), approved: false, askedBy: at.actor };
    }
    // What was approved is not what would happen now, and evidence of before says nothing of now.
    case 'reads_switched': {
      const switches = { ...state.switches, shadowReads: event.to === 'shadow', sinceMs: atMs };
      return { ...next, switches, approved: false, askedBy: at.actor };
    }
    case 'shadow_writes_switched': {
      const switches = { ...state.switches, shadowWrites: event.enabled, sinceMs: atMs };
      return { ...next, switches, approved: false, askedBy: at.actor };
    }
    case 'rolled_back':
    case 'reverted':
      return {
        ...enter('rolled_back', 'rolled_back'),
        epoch: state.epoch + 1,
        rollback: {
          fromStage: event.from,
          reason: event.reason,
          cause: event.cause ?? 'operator',
          actor: at.actor,
          atMs,
          steps: [],
        },
      };
    case 'intent_recorded':
      return {
        ...next,
        pending: {
          action: event.action,
          epoch: event.epoch,
          sinceMs: atMs,
          actor: at.actor,
          reason: event.reason,
          ...(event.cause ? { cause: event.cause } : {}),
          ...(event.dropTracking ? { dropTracking: true } : {}),
        },
      };
    case 'intent_abandoned': {
      const { epoch = state.epoch, actor = at.actor, reason = '' } = state.pending ?? {};
      return { ...next, pending: null, dropped: { action: event.action, epoch, actor, reason, why: event.why, atMs } };
    }
    case 'intent_withdrawn': {
      const withdrawn = { actor: at.actor, reason: event.reason, cause: event.cause, atMs };
      const pending = state.pending && { ...state.pending, withdrawn };
      // Readers leave at once: whether the database has promoted it is found out while nobody depends on the answer.
      const switches = { ...state.switches, shadowReads: false, sinceMs: atMs };
      return { ...next, pending, ...(event.action === 'promote' ? { switches } : {}) };
    }
    case 'completed': {
      const completed = { ...enterPlanned(state.plan.stages.at(-1)!.name), epoch: state.epoch + 1 };
      const wish = state.pending?.withdrawn;
      // It was promoted before it could be withdrawn. An emergency never swaps tables; every other rollback goes on from here.
      if (!wish || wish.cause === 'emergency') return completed;
      const { actor, reason, cause } = wish;
      const by = cause === 'operator' ? {} : { cause };
      return {
        ...completed,
        pending: { action: 'revert', epoch: completed.epoch + 1, sinceMs: atMs, actor, reason, ...by },
      };
    }
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
    case 'rollback_seen': {
      const { rollback } = state;
      return rollback ? { ...state, rollback: { ...rollback, steps: [...rollback.steps, ...event.steps] } } : state;
    }
    case 'denied':
    case 'rows_handled':
    case 'system_changed':
    case 'system_rolled_back':
    case 'phase_changed':
      return state;
  }
}

/** The state after the events, and the audit entries that say so, chained to the state's head. */
export function record(
  state: CutoverState,
  events: readonly Event[],
  by: { nowMs: number; actor: string },
): { state: CutoverState; entries: AuditEntry<Event>[] } {
  const entries: AuditEntry<Event>[] = [];
  let after = state;
  for (const event of events) {
    after = evolve(after, { event, atMs: by.nowMs, actor: by.actor });
    const entry = nextEntry<Event>(after, {
      subject: state.id,
      atMs: by.nowMs,
      actor: by.actor,
      event,
      version: after.version,
      epoch: after.epoch,
    });
    after = { ...after, auditSeq: entry.seq, auditHash: entry.hash };
    entries.push(entry);
  }
  return { state: after, entries };
}

/** The state that an audit log leads to, oldest entry first. */
export function replay(initial: CutoverState, entries: readonly AuditEntry<Event>[]): CutoverState {
  return entries.reduce<CutoverState>(
    (state, entry) => ({ ...evolve(state, entry), auditSeq: entry.seq, auditHash: entry.hash }),
    initial,
  );
}
