/**
 * The stage machine. `decide` says which events a command or a tick leads to; pure. What they make of the state is in `evolve`.
 *
 *   disabled ─start→ dual_write ─→ ramp 1 … ramp n ─→ full ─complete→ completed ─cleanup→ cleaned
 *                        └──────────────── rollback (from any of these) ────────┘→ rolled_back ─reset→ disabled
 *
 * For tables, `complete`, rollback after it and `cleanup` need work in Postgres first. They become a pending intent that
 * carries the epoch of the work; the intent is confirmed or abandoned by the call that sees what the database really did.
 * A rollback waits for no intent: it withdraws the one that is pending, and its readers leave the shadow with that.
 */
import { textOf } from '../conditions/show.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { nextStage, type StageKind } from '../cutover/plan.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { readsShadow } from '../cutover/switches.ts';
import { switchHolds } from '../holds/switches.ts';
import { accept, type Context, type Decision, refuse, refuseFor } from './decision.ts';
import type { Command, CommandType, Event, Observation } from './events.ts';
import { carriedOut, decidePending, givenUp, rollBack, withIntent } from './intents.ts';
import { approval, barsOf, obstacleTo, proven } from './obstacles.ts';

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

/** Readers leave at once. They come back to a shadow that is written, and that has everything which waited. */
function switchReads(state: CutoverState, { to, reason, unready }: Extract<Command, { type: 'reads' }>): Decision {
  if (state.switches.shadowReads === (to === 'shadow'))
    return { kind: 'unchanged', why: `reads are switched to the ${to} already` };
  if (to === 'primary') return accept({ type: 'reads_switched', to, reason });
  const reasons = [...switchHolds(state).filter(({ code }) => code === 'shadow_writes'), ...unready];
  if (reasons.length === 0) return accept({ type: 'reads_switched', to, reason });
  return refuseFor('Reads must wait on the primary.', reasons);
}

/** A shadow that is not written is not read. */
function switchWrites(state: CutoverState, { enabled, reason }: Extract<Command, { type: 'shadow-writes' }>): Decision {
  if (state.switches.shadowWrites === enabled)
    return { kind: 'unchanged', why: `writes to the shadow are ${enabled ? 'on' : 'off'} already` };
  if (enabled || !readsShadow(state)) return accept({ type: 'shadow_writes_switched', enabled, reason });
  return refuse(
    'held',
    `Writes cannot be switched off while reads of cutover '${state.id}' go to the shadow, which would fall behind. First 'crossfade reads primary ${state.id} --reason …'.`,
  );
}

function advanced(state: CutoverState, forced: boolean, reason?: string): Event {
  return { type: 'advanced', from: state.stage, to: nextStage(state)!.name, forced, ...(reason ? { reason } : {}) };
}

function cleanUp(state: CutoverState, dropTracking: boolean): Decision {
  const intent = withIntent(state, 'cleanup', '', { type: 'cleaned' });
  if (!dropTracking) return intent;
  if (state.kind !== 'table' || intent.kind !== 'accepted')
    return refuse('invalid_input', `Cutover '${state.id}' moves a ${state.kind}: it has no tracking columns to drop.`);
  return { ...intent, events: intent.events.map((event) => ({ ...event, dropTracking })) };
}
