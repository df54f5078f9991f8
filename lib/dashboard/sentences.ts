/** Words for what the page shows: audit events. Pure text; escaping is the page's business. */

import { phaseChangeText } from '../core/cutover/phase.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import { changeText, type Event, stepsText } from '../core/stage/events.ts';

/** How something is to be taken; the page adds a sign to each, so that colour is never alone. */
export type Tone = 'idle' | 'good' | 'wait' | 'bad' | 'done';
export type Badge = { text: string; tone: Tone };

// ------------------------------------------------------------------------------------------------------ audit events

const ACTIONS = { promote: 'Promotion', revert: 'Going back after promotion', cleanup: 'Cleanup' } as const;
const CAUSES = { operator: '', guard: ' by a guard', emergency: ' by the emergency stop' } as const;

const ROWS_ACTIONS = {
  quarantine_retry: 'Quarantine tried again',
  quarantine_discard: 'Given up from quarantine:',
  backfill_pause: 'Backfill paused',
  backfill_resume: 'Backfill resumed',
  backfill_cancel: 'Backfill cancelled',
  read_only_on: 'Primary read-only',
  read_only_off: 'Primary writable again',
  shadow_removed: 'Shadow dropped',
  shape_adopted: 'Tables taken over as they are',
} as const;

/** What happened, why if it was said, and how it is to be taken. */
function eventWords(event: Event): { what: string; why: string; tone: Tone } {
  switch (event.type) {
    case 'started':
      return words(`Started with plan ${event.plan.name}`, 'good');
    case 'advanced':
      return words(`${event.forced ? 'Forced' : 'Advanced'} from ${event.from} to ${event.to}`, 'good', event.reason);
    case 'approved':
      return words('Approved', 'good');
    case 'paused':
      return words('Paused', 'wait');
    case 'resumed':
      return words('Resumed', 'good');
    case 'policy_changed':
      return words(
        `Policy ${event.stage ? `of ${event.stage} ` : ''}changed: ${changeText(event)}`,
        'wait',
        event.reason,
      );
    case 'reads_switched':
      return event.to === 'primary'
        ? words('Reads sent to the primary', 'wait', event.reason)
        : words('Reads sent back to the shadow', 'good', event.reason);
    case 'shadow_writes_switched':
      return words(
        `Writes to the shadow switched ${event.enabled ? 'on' : 'off'}`,
        event.enabled ? 'good' : 'wait',
        event.reason,
      );
    case 'rolled_back':
      return words(`Rolled back from ${event.from}${CAUSES[event.cause]}`, 'bad', event.reason);
    case 'intent_recorded':
      return words(`${ACTIONS[event.action]} begun`, 'wait', event.reason);
    case 'intent_abandoned':
      return words(`${ACTIONS[event.action]} given up`, 'wait', event.why);
    case 'intent_withdrawn':
      return words(`${ACTIONS[event.action]} withdrawn, rollback follows${CAUSES[event.cause]}`, 'bad', event.reason);
    case 'completed':
      return words(`Completed from ${event.from}${locks(event.lockHeldMs)}`, 'done');
    case 'reverted':
      return words(`Rolled back from ${event.from}${locks(event.lockHeldMs)}`, 'bad', event.reason);
    case 'rollback_seen':
      return words(`Rollback seen: ${stepsText(event.steps)}`, 'idle');
    case 'evidence_restarted':
      return words(
        `Evidence of ${event.stage} starts again`,
        'wait',
        'An earlier version of the program had folded it.',
      );
    case 'cleaned':
      return words('Cleaned up: the old side is gone', 'done');
    case 'reset':
      return words('Reset', 'idle');
    case 'rows_handled':
      return words(`${ROWS_ACTIONS[event.action]}${event.key ? ` ${event.key}` : ''}`, 'wait', event.reason);
    case 'denied':
      return words(`Refused '${event.command}' (${event.code})`, 'wait', event.why);
    case 'system_changed':
      return systemWords(event);
    case 'system_rolled_back':
      return words('Rollback of everything', 'bad', event.reason);
    case 'phase_changed':
      return phaseWords(event);
  }
}

function systemWords({ change, reason }: Extract<Event, { type: 'system_changed' }>) {
  if (change.emergencyStop === true) return words('Emergency stop', 'bad', reason);
  if (change.emergencyStop === false) return words('Emergency stop lifted', 'good');
  const switched = Object.entries(change).map(([name, on]) => `${name} ${on ? 'on' : 'off'}`);
  return words(`Switched: ${switched.join(', ')}`, 'wait', reason);
}

const PHASE_TONES: Readonly<Record<string, Tone>> = {
  started: 'good',
  done: 'done',
  rolled_back: 'bad',
  soak_broken: 'bad',
  reset: 'idle',
};

function phaseWords({ phase, change, reason }: Extract<Event, { type: 'phase_changed' }>) {
  return words(`Phase ${phase} ${phaseChangeText(change)}`, PHASE_TONES[change.kind] ?? 'wait', reason);
}

const words = (what: string, tone: Tone, why = '') => ({ what, why, tone });
const locks = (ms: number | undefined) => (ms === undefined ? '' : `, locks held for ${Math.round(ms)} ms`);

export type AuditLine = {
  subject: string;
  seq: number;
  atMs: number;
  actor: string;
  what: string;
  why: string;
  /** What was seen of the stage that it ended, and the flags that it was deployed with; empty where neither is at hand. */
  evidence: string;
  tone: Tone;
  /** Enough of the entry's hash to find it with `crossfade history`. */
  hash: string;
};

export function auditLine(entry: AuditEntry<Event>, evidence = ''): AuditLine {
  const { subject, seq, atMs, actor } = entry;
  return { subject, seq, atMs, actor, ...eventWords(entry.event), evidence, hash: entry.hash.slice(0, 12) };
}
