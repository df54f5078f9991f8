/**
 * The stage machine. `decide` says which events a command or a tick leads to; pure. What they make of the state is in `evolve`.
 *
 *   disabled ─start→ dual_write ─→ ramp 1 … ramp n ─→ full ─complete→ completed ─cleanup→ cleaned
 *                        └──────────────── rollback (from any of these) ────────┘→ rolled_back ─reset→ disabled
 *
 * For tables, `complete`, rollback after it and `cleanup` need work in Postgres first. They become a pending intent that
 * carries the epoch of the work; the intent is confirmed or abandoned by whoever sees what the database really did.
 * A rollback waits for no intent: it withdraws the one that is pending, and its readers leave the shadow with that.
 */

import type { ErrorCode } from '../base/errors.ts';
import type { Condition } from '../conditions/condition.ts';
import { show, textOf } from '../conditions/show.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverState, PendingAction, RollbackCause } from '../cutover/cutover.ts';
import { nextStage, type StageKind } from '../cutover/plan.ts';
import { isPromoted, isUnderWay } from '../cutover/stage-kinds.ts';
import { readsShadow } from '../cutover/switches.ts';
import { missingOf, missingText } from '../holds/existence.ts';
import { type Frozen, frozenText } from '../holds/freeze.ts';
import { switchHolds } from '../holds/switches.ts';
import type { Command, CommandType, Event, Observation } from './events.ts';

export type Decision =
  | { kind: 'accepted'; events: readonly Event[] }
  | { kind: 'unchanged'; why: string }
  | { kind: 'refused'; code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> };

export type Context = {
  nowMs: number;
  actor: string;
  emergencyStop: boolean;
  /** The freeze window that is open now. */
  frozen?: Frozen | null;
  /** What forbids going forward and is no matter of evidence, so that force does not help: the order of phases. */
  barred?: readonly Condition[];
  /** The approval must come from somebody else. */
  twoPerson?: boolean;
};

/** Commands that lead forward: refused while everything is stopped, or frozen. */
const FORWARD: readonly CommandType[] = ['start', 'advance', 'complete'];

/** Which commands each kind of stage answers with something else than `illegal_transition`. */
export const LEGAL_COMMANDS = {
  disabled: ['start', 'policy'],
  dual_write: ['advance', 'approve', 'pause', 'resume', 'policy', 'shadow-writes', 'rollback'],
  ramp: ['advance', 'approve', 'pause', 'resume', 'policy', 'reads', 'shadow-writes', 'rollback'],
  full: ['complete', 'approve', 'pause', 'resume', 'policy', 'reads', 'shadow-writes', 'rollback'],
  completed: ['cleanup', 'rollback'],
  cleaned: [],
  rolled_back: ['reset'],
} as const satisfies Record<StageKind, readonly CommandType[]>;

/** Why a promoted cutover has no switches. */
const NO_SWITCH = {
  reads: (id: string) =>
    `Cutover '${id}' was promoted: the shadow is what serves, and the old side is no other choice for reads alone. 'crossfade rollback ${id} --reason …' goes back with reads and writes.`,
  'shadow-writes': (id: string) =>
    `Cutover '${id}' was promoted: what is written to the old side now is the way back, and without it a rollback would lose writes. 'crossfade cleanup ${id}' ends it for good.`,
} as const;

const NO_WAY_BACK =
  'The old side was dropped by cleanup, so there is nothing left to roll back to. Restore from a backup, or declare a new cutover in the other direction.';

/**
 * What follows from a command or an observation; nothing is changed here.
 * Refusals: `conflict` (an intent is pending), `illegal_transition`, `confirm_required`, `held` (no proof), `stopped`.
 */
export function decide(state: CutoverState, input: Command | Observation, context: Context): Decision {
  if (input.type === 'carried_out') return carriedOut(state, input);
  if (input.type === 'given_up') return givenUp(state, input.epoch, input.why);
  if (state.pending) return decidePending(state, state.pending, input, context);
  if (input.type === 'tick') return decideTick(state, input, context);
  return decideCommand(state, input, context);
}

/** While an intent is pending only a rollback is heard: by command, by the stop, by a guard. */
function decidePending(
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

function decideTick(state: CutoverState, tick: Extract<Observation, { type: 'tick' }>, context: Context): Decision {
  if (!isUnderWay(state)) return { kind: 'unchanged', why: `nothing moves by itself in stage ${state.stage}` };
  if (context.emergencyStop) return rollBack(state, 'emergency stop', 'emergency');
  if (tick.verdict.verdict === 'rollback' && tick.autoRollback) {
    return rollBack(state, textOf(tick.verdict.reasons), 'guard');
  }
  if (tick.verdict.verdict !== 'advance') return { kind: 'unchanged', why: 'held by the gates' };
  if (context.frozen) return { kind: 'unchanged', why: 'frozen' };
  if (barsOf(state, context).length > 0) return { kind: 'unchanged', why: 'barred' };
  if (state.paused) return { kind: 'unchanged', why: 'paused' };
  if (!tick.autoAdvance) return { kind: 'unchanged', why: 'ready; advancing is manual' };
  const next = nextStage(state);
  if (!next || next.kind === 'completed') return { kind: 'unchanged', why: 'ready; completing needs a person' };
  return accept({ type: 'advanced', from: state.stage, to: next.name, forced: false });
}

function decideCommand(state: CutoverState, command: Command, context: Context): Decision {
  if (command.type === 'rollback' && state.stageKind === 'cleaned') return refuse('illegal_transition', NO_WAY_BACK);
  if ((command.type === 'reads' || command.type === 'shadow-writes') && state.stageKind === 'completed')
    return refuse('illegal_transition', NO_SWITCH[command.type](state.id));
  const legal: readonly CommandType[] = LEGAL_COMMANDS[state.stageKind];
  if (!legal.includes(command.type)) {
    const possible = legal.length > 0 ? `Possible from here: ${legal.join(', ')}.` : 'Nothing is possible from here.';
    return refuse(
      'illegal_transition',
      `Cutover '${state.id}' is in stage '${state.stage}', where '${command.type}' is not possible. ${possible}`,
    );
  }
  if ('confirm' in command && command.confirm !== state.id) {
    return refuse(
      'confirm_required',
      `'${command.type}' needs confirm to be the cutover's id '${state.id}', got ${JSON.stringify(command.confirm)}.`,
    );
  }
  const obstacle = obstacleTo(state, command, context);
  if (obstacle) return obstacle;
  switch (command.type) {
    case 'start':
      return accept({ type: 'started', plan: command.plan });
    case 'advance':
      return proven(state, command, context) ?? accept(advanced(state, command.force, command.reason));
    case 'complete':
      return (
        proven(state, command, context) ??
        withIntent(state, 'promote', command.reason ?? '', { type: 'completed', from: state.stage })
      );
    case 'approve':
      return approval(state, context);
    case 'pause':
      return state.paused ? { kind: 'unchanged', why: 'paused already' } : accept({ type: 'paused' });
    case 'resume':
      return state.paused ? accept({ type: 'resumed' }) : { kind: 'unchanged', why: 'not paused' };
    case 'policy': {
      const { stage, set, unset, reason } = command;
      return accept({ type: 'policy_changed', stage, set, unset, ...(reason ? { reason } : {}) });
    }
    case 'reads':
      return switchReads(state, command);
    case 'shadow-writes':
      return switchWrites(state, command);
    case 'rollback':
      return rollBack(state, command.reason, command.cause);
    case 'cleanup':
      return cleanUp(state, command.dropTracking === true);
    case 'reset':
      return accept({ type: 'reset' });
  }
}

/** What forbids a stage to be left forward and is no matter of evidence: others' rules, and the cutover's own switches. */
const barsOf = (state: CutoverState, { barred = [] }: Context): Condition[] => [
  ...barred.filter((condition) => !condition.ok),
  ...switchHolds(state),
];

/** What stands in the way of a command that is legal in this stage. Rolling back is always possible. */
function obstacleTo(state: CutoverState, command: Command, context: Context): Decision | null {
  const { emergencyStop, frozen, barred = [] } = context;
  const returns = command.type === 'reads' && command.to === 'shadow';
  const forward = FORWARD.includes(command.type) || returns;
  if (emergencyStop && forward) {
    return refuse(
      'stopped',
      `Everything is stopped. '${command.type}' is possible again after 'crossfade reset system --confirm system'.`,
    );
  }
  if (frozen && (forward || command.type === 'cleanup')) {
    return refuse('frozen', `'${command.type}' must wait. ${frozenText(frozen)} Rolling back is possible.`, {
      window: frozen.name,
      untilMs: frozen.untilMs,
    });
  }
  // Where readers are is what this command changes, so it is no bar to it.
  const reasons = returns ? barred.filter((condition) => !condition.ok) : barsOf(state, context);
  if (!forward || reasons.length === 0) return null;
  return refuseFor(`'${command.type}' must wait.`, reasons);
}

/** Readers leave at once. They come back to a shadow that is written, and that has everything which waited. */
function switchReads(state: CutoverState, { to, reason, unready }: Extract<Command, { type: 'reads' }>): Decision {
  if (state.switches.shadowReads === (to === 'shadow'))
    return { kind: 'unchanged', why: `reads are switched to the ${to} already` };
  if (to === 'primary') return accept({ type: 'reads_switched', to, reason });
  const reasons = [...switchHolds(state).filter(({ code }) => code === 'shadow_writes'), ...unready];
  if (reasons.length === 0) return accept({ type: 'reads_switched', to, reason });
  return refuseFor('Reads must wait on the primary.', reasons);
}

/** Nobody reads a shadow that is not written. */
function switchWrites(state: CutoverState, { enabled, reason }: Extract<Command, { type: 'shadow-writes' }>): Decision {
  if (state.switches.shadowWrites === enabled)
    return { kind: 'unchanged', why: `writes to the shadow are ${enabled ? 'on' : 'off'} already` };
  if (enabled || !readsShadow(state)) return accept({ type: 'shadow_writes_switched', enabled, reason });
  return refuse(
    'held',
    `Writes cannot be switched off while reads of cutover '${state.id}' go to the shadow, which would fall behind. First 'crossfade reads primary ${state.id} --reason …'.`,
  );
}

function approval(state: CutoverState, { actor, twoPerson }: Context): Decision {
  if (state.approved) return { kind: 'unchanged', why: 'approved already' };
  if (!twoPerson || (actor !== state.askedBy && actor !== state.started?.actor)) return accept({ type: 'approved' });
  return refuse(
    'self_approval',
    `Cutover '${state.id}' needs the approval of a second person: '${actor}' has ${actor === state.started?.actor ? 'started it' : 'asked for its last change'}.`,
  );
}

/** A refusal unless there is proof or force. Force skips evidence: never legality, the second person, or a shadow that is there. */
function proven(
  state: CutoverState,
  command: Extract<Command, { verdict: Verdict | null }>,
  context: Context,
): Decision | null {
  if (command.force && context.twoPerson && !state.approved) {
    return refuse(
      'held',
      `Cutover '${state.id}' needs the approval of a second person, by force too: 'crossfade approve ${state.id}' by somebody else.`,
    );
  }
  if (command.force && !command.reason)
    return refuse('invalid_input', `'${command.type}' with force needs a reason: it is audited with your name.`);
  if (command.force) {
    const missing = missingOf(command.verdict);
    if (missing.length === 0) return null;
    const text = `Cutover '${state.id}' is held in stage '${state.stage}'. ${missingText(missing)}`;
    return refuse('held', text, { reasons: missing.map((one) => show(one)) });
  }
  if (command.verdict?.verdict === 'advance') return null;
  const held = `Cutover '${state.id}' is held in stage '${state.stage}'.`;
  const { verdict, reasons = [] } = command.verdict ?? {};
  if (reasons.length === 0) return refuse('held', `${held} There is no evidence yet.`, { reasons });
  return refuseFor(held, reasons, verdict === 'rollback');
}

function advanced(state: CutoverState, forced: boolean, reason?: string): Event {
  return { type: 'advanced', from: state.stage, to: nextStage(state)!.name, forced, ...(reason ? { reason } : {}) };
}

/** Tables need the database to act first; the other kinds are done at once. */
function withIntent(state: CutoverState, action: PendingAction['action'], reason: string, done: Event): Decision {
  if (state.kind !== 'table') return accept(done);
  return accept({ type: 'intent_recorded', action, epoch: state.epoch + 1, reason });
}

function cleanUp(state: CutoverState, dropTracking: boolean): Decision {
  const intent = withIntent(state, 'cleanup', '', { type: 'cleaned' });
  if (!dropTracking) return intent;
  if (state.kind !== 'table' || intent.kind !== 'accepted')
    return refuse('invalid_input', `Cutover '${state.id}' moves a ${state.kind}: it has no tracking columns to drop.`);
  return { ...intent, events: intent.events.map((event) => ({ ...event, dropTracking })) };
}

function rollBack(state: CutoverState, reason: string, cause: RollbackCause): Decision {
  if (isPromoted(state)) {
    // Who asked for it is said where it is no person, so that logs of before read the same.
    const by = cause === 'operator' ? {} : { cause };
    const intent = withIntent(state, 'revert', reason, { type: 'reverted', from: state.stage, reason, ...by });
    return intent.kind === 'accepted'
      ? { ...intent, events: intent.events.map((event) => ({ ...event, ...by })) }
      : intent;
  }
  return accept({ type: 'rolled_back', from: state.stage, reason, cause });
}

function carriedOut(state: CutoverState, seen: Extract<Observation, { type: 'carried_out' }>): Decision {
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

function givenUp(state: CutoverState, epoch: number, why: string): Decision {
  const pending = state.pending;
  if (!pending || pending.epoch !== epoch) return { kind: 'unchanged', why: 'no such intent' };
  if (pending.withdrawn) return rollBack(state, pending.withdrawn.reason, pending.withdrawn.cause);
  return accept({ type: 'intent_abandoned', action: pending.action, why });
}

/** What a pending intent is called: one that was withdrawn is a rollback by now. */
export const pendingWord = ({ pending }: Pick<CutoverState, 'pending'>): string | null =>
  pending && (pending.withdrawn ? 'rollback' : pending.action);

const INTENTS = { promote: 'promotion', revert: 'rollback', cleanup: 'cleanup' } as const;

/** What was asked for, why it did not happen, and what to do: for people, until the next command. */
export function droppedText({ id, dropped }: Pick<CutoverState, 'id' | 'dropped'>): string | null {
  if (!dropped) return null;
  const { action, actor, why } = dropped;
  const again = { promote: 'complete', revert: 'rollback', cleanup: 'cleanup' }[action];
  return `The ${INTENTS[action]} of cutover '${id}' that ${actor} asked for was given up, and nothing was changed by it. ${why} Remove the cause, then repeat 'crossfade ${again} ${id}'.`;
}

/** Held by conditions, which programs get as data. @param guards they are guards that fired */
const refuseFor = (what: string, reasons: readonly Condition[], guards = false): Decision =>
  refuse('held', `${what} ${textOf(reasons)}`, { reasons: reasons.map((reason) => show(reason, guards)) });

const accept = (...events: Event[]): Decision => ({ kind: 'accepted', events });
const refuse = (code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): Decision => ({
  kind: 'refused',
  code,
  message,
  ...(details ? { details } : {}),
});
