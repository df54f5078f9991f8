/**
 * Work that the database must do before the state may move. It is a pending intent with an epoch: it is carried out, given
 * up, or withdrawn by a rollback, which waits for no intent.
 */

import { textOf } from '../conditions/show.ts';
import type { CutoverState, PendingAction, RollbackCause, SystemState } from '../cutover/cutover.ts';
import type { StageKind } from '../cutover/plan.ts';
import { isPromoted, isUnderWay } from '../cutover/stage-kinds.ts';
import { accept, type Context, type Decision, refuse } from './decision.ts';
import type { Command, Event, Observation } from './events.ts';

/** While an intent is pending only a rollback is heard: by command, by the stop, by a guard. */
export function decidePending(
  state: CutoverState,
  pending: PendingAction,
  input: Command | Extract<Observation, { type: 'tick' }>,
  { emergencyStop }: Context,
): Decision {
  if (input.type === 'rollback') return withdraw(pending, input.reason, input.cause);
  const { actor, action, withdrawn } = pending;
  const waiting = withdrawn
    ? `The rollback that ${withdrawn.actor} asked for is still being carried out; the next tick settles it. Try again in a minute.`
    : `The ${action} that ${actor} asked for is still being carried out; the next tick settles it. Try again in a minute. 'crossfade rollback ${state.id} --reason …' withdraws it.`;
  if (input.type !== 'tick') return refuse('conflict', waiting);
  if (!isUnderWay(state)) return { kind: 'unchanged', why: waiting };
  if (emergencyStop) return withdraw(pending, 'emergency stop', 'emergency');
  if (input.verdict.verdict === 'rollback' && input.autoRollback)
    return withdraw(pending, textOf(input.verdict.reasons), 'guard');
  return { kind: 'unchanged', why: waiting };
}

/** The database may be away, or at work on it: what is withdrawn becomes a rollback once it can never happen any more. */
function withdraw({ action, withdrawn }: PendingAction, reason: string, cause: RollbackCause): Decision {
  if (action === 'revert' || withdrawn) return { kind: 'unchanged', why: 'it is on its way back already' };
  return accept({ type: 'intent_withdrawn', action, reason, cause });
}

/** Tables need the database to act first; the other kinds are done at once. */
export function withIntent(
  state: CutoverState,
  action: PendingAction['action'],
  reason: string,
  done: Event,
): Decision {
  if (state.kind !== 'table') return accept(done);
  return accept({ type: 'intent_recorded', action, epoch: state.epoch + 1, reason });
}

export function rollBack(state: CutoverState, reason: string, cause: RollbackCause): Decision {
  if (isPromoted(state)) {
    // Who asked for it is said where it is no person, so that older logs read the same.
    const by = cause === 'operator' ? {} : { cause };
    const intent = withIntent(state, 'revert', reason, { type: 'reverted', from: state.stage, reason, ...by });
    return intent.kind === 'accepted'
      ? { ...intent, events: intent.events.map((event) => ({ ...event, ...by })) }
      : intent;
  }
  return accept({ type: 'rolled_back', from: state.stage, reason, cause });
}

export function carriedOut(state: CutoverState, seen: Extract<Observation, { type: 'carried_out' }>): Decision {
  const pending = state.pending;
  if (!pending || pending.epoch !== seen.epoch) return { kind: 'unchanged', why: 'no such intent' };
  const figures = seen.lockHeldMs === undefined ? {} : { lockHeldMs: seen.lockHeldMs };
  if (pending.action === 'promote') return accept({ type: 'completed', from: state.stage, ...figures });
  if (pending.action === 'revert') {
    const by = pending.cause ? { cause: pending.cause } : {};
    return accept({ type: 'reverted', from: state.stage, reason: pending.reason, ...by, ...figures });
  }
  return accept({ type: 'cleaned' });
}

export function givenUp(state: CutoverState, epoch: number, why: string): Decision {
  const pending = state.pending;
  if (!pending || pending.epoch !== epoch) return { kind: 'unchanged', why: 'no such intent' };
  if (pending.withdrawn) return rollBack(state, pending.withdrawn.reason, pending.withdrawn.cause);
  return accept({ type: 'intent_abandoned', action: pending.action, why });
}

/** What a pending intent is called: one that was withdrawn is a rollback by now. */
export const pendingWord = ({ pending }: Pick<CutoverState, 'pending'>): string | null =>
  pending && (pending.withdrawn ? 'rollback' : pending.action);

const INTENTS = { promote: 'promotion', revert: 'rollback', cleanup: 'cleanup' } as const;

/** True while the emergency stop has still to roll it back: the next tick does. Going back already, it is not stopped. */
export const isStopped = (
  { emergencyStop }: Pick<SystemState, 'emergencyStop'>,
  { stageKind, pending }: { stageKind: StageKind; pending: string | null },
): boolean => emergencyStop && isUnderWay({ stageKind }) && pending !== 'rollback';

/** What a stopped cutover waits for. */
export const STOPPED_TEXT = 'the emergency stop is on, and the next tick rolls it back';

/** What was asked for, why it did not happen, and what to do: for people, until the next command. */
export function droppedText({ id, dropped }: Pick<CutoverState, 'id' | 'dropped'>): string | null {
  if (!dropped) return null;
  const { action, actor, why } = dropped;
  const again = { promote: 'complete', revert: 'rollback', cleanup: 'cleanup' }[action];
  return `The ${INTENTS[action]} of cutover '${id}' that ${actor} asked for was given up, and nothing was changed by it. ${why} Remove the cause, then repeat 'crossfade ${again} ${id}'.`;
}
