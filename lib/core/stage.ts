/**
 * The stage machine. `decide` says what a command or a tick leads to, `evolve` says what an event makes of the state;
 * both are pure, and replaying the audit log through `evolve` gives the state.
 *
 *   disabled ─start→ dual_write ─→ ramp 1 … ramp n ─→ full ─complete→ completed ─cleanup→ cleaned
 *                        └──────────────── rollback (from any of these) ────────┘→ rolled_back ─reset→ disabled
 *
 * For tables, `complete`, rollback after it and `cleanup` need work in Postgres first. They become a pending intent that
 * carries the epoch of the work; the intent is confirmed or abandoned by whoever sees what the database really did.
 */

import { type AuditEntry, nextEntry } from './audit.ts';
import {
  type CutoverState,
  NO_OVERRIDES,
  NORMAL_SWITCHES,
  type PendingAction,
  type RollbackCause,
  type RollbackStep,
  type Side,
  type StagePolicy,
} from './cutover.ts';
import type { ErrorCode } from './errors.ts';
import { type Frozen, frozenText } from './freeze.ts';
import type { Condition, Verdict } from './gates/verdict.ts';
import type { PhaseChange } from './phase.ts';
import type { Plan, Stage, StageKind } from './plan.ts';
import { changedOverrides, type PolicyKey, withDwells } from './policy.ts';
import { isPromoted, isUnderWay } from './stage-kinds.ts';
import { switchHolds } from './switch-holds.ts';
import { readsShadow } from './switches.ts';

export type Command =
  | { type: 'start'; plan: Plan }
  | { type: 'advance'; force: boolean; reason?: string; verdict: Verdict | null }
  | { type: 'approve' }
  | { type: 'pause' }
  | { type: 'resume' }
  /** `stage` null: for all stages. The values were checked when they came in. */
  | { type: 'policy'; stage: string | null; set: StagePolicy; unset: readonly PolicyKey[]; reason?: string }
  /** `unready`: what the shadow still lacks for readers to come back. */
  | { type: 'reads'; to: Side; reason: string; unready: readonly Condition[] }
  | { type: 'shadow-writes'; enabled: boolean; reason: string }
  | { type: 'rollback'; reason: string; cause: RollbackCause }
  | { type: 'complete'; confirm: string; force: boolean; reason?: string; verdict: Verdict | null }
  | { type: 'cleanup'; confirm: string; dropTracking?: boolean }
  | { type: 'reset'; confirm: string };

export type CommandType = Command['type'];

/** The actor of everything that happens by itself. */
export const TICK = 'tick';

/** What a tick knows, and what became of the pending intent. */
export type Observation =
  | { type: 'tick'; verdict: Verdict; autoAdvance: boolean; autoRollback: boolean }
  | { type: 'carried_out'; epoch: number; lockHeldMs?: number }
  | { type: 'given_up'; epoch: number; why: string };

export type Event =
  | { type: 'started'; plan: Plan }
  | { type: 'advanced'; from: string; to: string; forced: boolean; reason?: string }
  | { type: 'approved' }
  | { type: 'paused' }
  | { type: 'resumed' }
  | { type: 'policy_changed'; stage: string | null; set: StagePolicy; unset: readonly PolicyKey[]; reason?: string }
  | { type: 'reads_switched'; to: Side; reason: string }
  | { type: 'shadow_writes_switched'; enabled: boolean; reason: string }
  | { type: 'rolled_back'; from: string; reason: string; cause: RollbackCause }
  | {
      type: 'intent_recorded';
      action: PendingAction['action'];
      epoch: number;
      reason: string;
      cause?: RollbackCause;
      dropTracking?: true;
    }
  | { type: 'intent_abandoned'; action: PendingAction['action']; why: string }
  | { type: 'completed'; from: string; lockHeldMs?: number }
  | { type: 'reverted'; from: string; reason: string; cause?: RollbackCause; lockHeldMs?: number }
  /** Steps of the last rollback that were seen done: something found out, not a change. */
  | { type: 'rollback_seen'; steps: readonly RollbackStep[] }
  | { type: 'cleaned' }
  | { type: 'reset' }
  /** Something about rows that moves no stage: keys in quarantine, the copy of existing rows. */
  | { type: 'rows_handled'; action: RowsAction; key?: string; reason?: string }
  | { type: 'denied'; command: string; code: string; why: string }
  | { type: 'system_changed'; change: SystemChange; reason: string }
  | { type: 'system_rolled_back'; reason: string }
  | { type: 'phase_changed'; phase: string; change: PhaseChange; migrationPhase: string; reason?: string };

export type RowsAction =
  | 'quarantine_retry'
  | 'quarantine_discard'
  | 'backfill_pause'
  | 'backfill_resume'
  | 'backfill_cancel'
  | 'read_only_on'
  | 'read_only_off'
  | 'shadow_removed';

export type SystemChange = { emergencyStop?: boolean; readonly?: boolean; shadowWritesEnabled?: boolean };

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
  if (state.pending) {
    const waiting = `The ${state.pending.action} that ${state.pending.actor} asked for is still being carried out; the next tick settles it. Try again in a minute.`;
    return input.type === 'tick' ? { kind: 'unchanged', why: waiting } : refuse('conflict', waiting);
  }
  if (input.type === 'tick') return decideTick(state, input, context);
  return decideCommand(state, input, context);
}

function decideTick(state: CutoverState, tick: Extract<Observation, { type: 'tick' }>, context: Context): Decision {
  if (!isUnderWay(state)) return { kind: 'unchanged', why: `nothing moves by itself in stage ${state.stage}` };
  if (context.emergencyStop) return rollBack(state, 'emergency stop', 'emergency');
  if (tick.verdict.verdict === 'rollback' && tick.autoRollback) {
    return rollBack(state, tick.verdict.reasons.map((reason) => reason.text).join(' '), 'guard');
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
  return refuse('held', `'${command.type}' must wait. ${reasons.map(({ text }) => text).join(' ')}`, { reasons });
}

/** Readers leave at once. They come back to a shadow that is written, and that has everything which waited. */
function switchReads(state: CutoverState, { to, reason, unready }: Extract<Command, { type: 'reads' }>): Decision {
  if (state.switches.shadowReads === (to === 'shadow'))
    return { kind: 'unchanged', why: `reads are switched to the ${to} already` };
  if (to === 'primary') return accept({ type: 'reads_switched', to, reason });
  const reasons = [...switchHolds(state).filter(({ code }) => code === 'shadow_writes'), ...unready];
  if (reasons.length === 0) return accept({ type: 'reads_switched', to, reason });
  return refuse('held', `Reads must wait on the primary. ${reasons.map(({ text }) => text).join(' ')}`, { reasons });
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

/** A refusal unless there is proof or force. Force skips evidence, never legality, and not the second person. */
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
  if (command.force) {
    return command.reason
      ? null
      : refuse('invalid_input', `'${command.type}' with force needs a reason: it is audited with your name.`);
  }
  if (command.verdict?.verdict === 'advance') return null;
  const reasons = command.verdict?.reasons ?? [];
  const why = reasons.length > 0 ? reasons.map((reason) => reason.text).join(' ') : 'There is no evidence yet.';
  return refuse('held', `Cutover '${state.id}' is held in stage '${state.stage}'. ${why}`, { reasons });
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
  return accept({ type: 'intent_abandoned', action: pending.action, why });
}

const accept = (...events: Event[]): Decision => ({ kind: 'accepted', events });
const refuse = (code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): Decision => ({
  kind: 'refused',
  code,
  message,
  ...(details ? { details } : {}),
});

/** The stage after the current one in the plan, if any. */
export function nextStage(state: Pick<CutoverState, 'plan' | 'stage'>): Stage | undefined {
  const index = state.plan.stages.findIndex((stage) => stage.name === state.stage);
  return index < 0 ? undefined : state.plan.stages[index + 1];
}

/** What an event makes of a state. `denied` leaves everything but the audit head as it was, `rollback_seen` the version. */
export function evolve(state: CutoverState, at: { event: Event; atMs: number; actor: string }): CutoverState {
  const { event, atMs } = at;
  const next: CutoverState = { ...state, version: state.version + 1, changedAtMs: atMs };
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
    case 'intent_abandoned':
      return { ...next, pending: null };
    case 'completed':
      return { ...enterPlanned(state.plan.stages.at(-1)!.name), epoch: state.epoch + 1 };
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

/** What a change of policy says: `dwellMinutes=30 errorRateAdvance=0.002, p95LimitMs as declared`. */
export function changeText({ set, unset }: { set: StagePolicy; unset: readonly PolicyKey[] }): string {
  const values = Object.entries(set).map(([key, value]) => `${key}=${value}`);
  return [...values, ...unset.map((key) => `${key} as declared`)].join(' ');
}

/** `flags safe after 2 s, reads left after 41 s`. */
export const stepsText = (steps: readonly RollbackStep[]): string =>
  steps.map(({ name, tookMs }) => `${name.replace('_', ' ')} after ${Math.round(tookMs / 100) / 10} s`).join(', ');

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
