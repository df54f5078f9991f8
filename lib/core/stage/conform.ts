/**
 * Whether an audit log is a run of the stage machine: each entry must be what `decide` answers to some command or observation in
 * the state before it, and what `evolve` makes of it must have the version and the epoch that the entry says. Pure.
 *
 * A log says what was decided and not on what: of evidence, freeze windows, phases and the second person the best is assumed.
 * So a step that differs is one that no evidence allows.
 */

import { canonicalJson } from '../base/canonical-json.ts';
import type { SideFigures, Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import type { AuditEntry } from './audit.ts';
import { decide } from './decide.ts';
import { type Command, type Event, type Observation, TICK } from './events.ts';
import { evolve } from './evolve.ts';
import { procedureOf } from './rollback-procedure.ts';

/** `seq`: the first entry that differs. */
export type Conformity = { conforms: true; entries: number } | { conforms: false; seq: number; why: string };

type Entry = Omit<AuditEntry<Event>, 'seq' | 'previousHash' | 'hash'>;

/** @param initial the state before the first entry @param entries the whole log, oldest first */
export function conform(initial: CutoverState, entries: readonly AuditEntry<Event>[]): Conformity {
  let state = initial;
  for (const entry of entries) {
    const why = deviation(state, entry);
    if (why !== null) return { conforms: false, seq: entry.seq, why };
    state = evolve(state, entry);
  }
  return { conforms: true, entries: entries.length };
}

/** Why the stage machine would not have recorded this entry in this state; null when it would. */
export function deviation(state: CutoverState, entry: Entry): string | null {
  const { event } = entry;
  const why = unexplained(state, entry);
  if (why !== null) return `'${event.type}' does not follow from stage '${state.stage}'. ${why}`;
  const { version, epoch } = evolve(state, entry);
  if (entry.version === version && entry.epoch === epoch) return null;
  return `'${event.type}' leads to version ${version} and epoch ${epoch}, the log says ${entry.version} and ${entry.epoch}.`;
}

function unexplained(state: CutoverState, { event, actor, atMs }: Entry): string | null {
  const inputs = inputsFor(state, event, actor);
  if (inputs === null) return notSeen(state, event);
  const wanted = canonicalJson(event);
  let refusal = 'No command and no observation is recorded as this.';
  for (const input of inputs) {
    const decision = decide(state, input, { nowMs: atMs, actor, emergencyStop: false });
    if (decision.kind === 'accepted' && decision.events.length === 1 && canonicalJson(decision.events[0]) === wanted)
      return null;
    if (decision.kind === 'refused') refusal = decision.message;
    if (decision.kind === 'unchanged') refusal = `Nothing would be recorded: ${decision.why}.`;
    if (decision.kind === 'accepted')
      refusal = `The stage machine would have recorded ${decision.events.map(canonicalJson).join(', ')}.`;
  }
  return refusal;
}

const NO_FIGURES: SideFigures = { count: 0, errors: 0, errorRate: null, p50Ms: null, p95Ms: null };
const ADVANCE: Verdict = {
  verdict: 'advance',
  reasons: [],
  conditions: [],
  evidence: {
    primary: NO_FIGURES,
    shadow: NO_FIGURES,
    checks: 0,
    mismatches: 0,
    badMinutes: 0,
    minutesInStage: 0,
    minutesToEligibility: 0,
  },
};
const BY_ITSELF = { type: 'tick', verdict: ADVANCE, autoAdvance: true, autoRollback: true } as const;

/** What can have led to an event; null for one that moves nothing and that `decide` is not asked about. */
function inputsFor(state: CutoverState, event: Event, actor: string): (Command | Observation)[] | null {
  const { id, pending } = state;
  const epoch = pending?.epoch ?? state.epoch + 1;
  const carriedOut = (lockHeldMs?: number): Observation => ({
    type: 'carried_out',
    epoch,
    ...(lockHeldMs === undefined ? {} : { lockHeldMs }),
  });
  const givenUp: Observation = { type: 'given_up', epoch, why: '' };
  const confirmed = { confirm: id };
  const forward = { force: false, verdict: ADVANCE };
  switch (event.type) {
    case 'started':
      return [{ type: 'start', plan: event.plan }];
    case 'advanced': {
      const { forced: force, reason } = event;
      if (actor === TICK) return [BY_ITSELF];
      return [{ type: 'advance', force, verdict: ADVANCE, ...(reason ? { reason } : {}) }];
    }
    case 'approved':
      return [{ type: 'approve' }];
    case 'paused':
      return [{ type: 'pause' }];
    case 'resumed':
      return [{ type: 'resume' }];
    case 'policy_changed':
      return [{ ...event, type: 'policy' }];
    case 'reads_switched':
      return [{ type: 'reads', to: event.to, reason: event.reason, unready: [] }];
    case 'shadow_writes_switched':
      return [{ type: 'shadow-writes', enabled: event.enabled, reason: event.reason }];
    case 'rolled_back':
      return [
        { type: 'rollback', reason: event.reason, cause: event.cause },
        { type: 'given_up', epoch, why: '' },
      ];
    case 'intent_recorded': {
      const { action, reason, cause = 'operator', dropTracking = false } = event;
      if (action === 'revert') return [{ type: 'rollback', reason, cause }, givenUp];
      if (action === 'cleanup') return [{ type: 'cleanup', ...confirmed, dropTracking }];
      return [{ type: 'complete', ...confirmed, ...forward, reason }];
    }
    case 'intent_withdrawn':
      return [{ type: 'rollback', reason: event.reason, cause: event.cause }];
    case 'intent_abandoned':
      return [{ type: 'given_up', epoch, why: event.why }];
    case 'completed':
      return [carriedOut(event.lockHeldMs), { type: 'complete', ...confirmed, ...forward }];
    case 'reverted':
      return [
        carriedOut(event.lockHeldMs),
        { type: 'rollback', reason: event.reason, cause: event.cause ?? 'operator' },
      ];
    case 'cleaned':
      return [carriedOut(), { type: 'cleanup', ...confirmed }];
    case 'reset':
      return [{ type: 'reset', ...confirmed }];
    default:
      return null;
  }
}

/** Of what is only noted: whether it can have been seen in this state. */
function notSeen(state: CutoverState, event: Event): string | null {
  switch (event.type) {
    case 'rollback_seen': {
      const open = state.rollback === null ? [] : procedureOf(state).map(({ name }) => name);
      const before = state.rollback?.steps.map(({ name }) => name) ?? [];
      const wrong = event.steps.find(({ name }) => !open.includes(name) || before.includes(name));
      return wrong ? `There is no rollback whose step '${wrong.name}' was still to be seen.` : null;
    }
    case 'evidence_restarted':
      return isUnderWay(state) && event.stage === state.stage ? null : 'No evidence is gathered there.';
    case 'denied':
    case 'rows_handled':
      return null;
    default:
      return 'It belongs into the log of the system.';
  }
}
