/** Words for what the page shows: audit events, gate conditions, health. Pure text; escaping is the page's business. */

import type { AuditEntry } from '../core/audit.ts';
import { type Condition, number } from '../core/gates/verdict.ts';
import { phaseChangeText } from '../core/phase.ts';
import { changeText, type Event, stepsText } from '../core/stage.ts';
import type { Health } from '../flows/report.ts';

/** How something is to be taken; the page adds a sign to each, so that colour is never alone. */
export type Tone = 'idle' | 'good' | 'wait' | 'bad' | 'done';

export const HEALTH_WORDS = {
  idle: { text: 'Not started', tone: 'idle' },
  healthy: { text: 'Healthy', tone: 'good' },
  held: { text: 'Held', tone: 'wait' },
  rolling_back: { text: 'Guard fired', tone: 'bad' },
  rolled_back: { text: 'Rolled back', tone: 'bad' },
  ready: { text: 'Ready to complete', tone: 'good' },
  done: { text: 'Completed', tone: 'done' },
  invalid: { text: 'Unreadable', tone: 'bad' },
} as const satisfies Record<Health, { text: string; tone: Tone }>;

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
} as const;

/** What happened, why if it was said, and how it is to be taken. */
export function eventWords(event: Event): { what: string; why: string; tone: Tone } {
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
    case 'rolled_back':
      return words(`Rolled back from ${event.from}${CAUSES[event.cause]}`, 'bad', event.reason);
    case 'intent_recorded':
      return words(`${ACTIONS[event.action]} begun`, 'wait', event.reason);
    case 'intent_abandoned':
      return words(`${ACTIONS[event.action]} given up`, 'wait', event.why);
    case 'completed':
      return words(`Completed from ${event.from}${locks(event.lockHeldMs)}`, 'done');
    case 'reverted':
      return words(`Rolled back from ${event.from}${locks(event.lockHeldMs)}`, 'bad', event.reason);
    case 'rollback_seen':
      return words(`Rollback seen: ${stepsText(event.steps)}`, 'idle');
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
  tone: Tone;
  /** Enough of the entry's hash to find it with `crossfade history`. */
  hash: string;
};

export function auditLine(entry: AuditEntry<Event>): AuditLine {
  const { subject, seq, atMs, actor } = entry;
  return { subject, seq, atMs, actor, ...eventWords(entry.event), hash: entry.hash.slice(0, 12) };
}

// -------------------------------------------------------------------------------------------------------- conditions

type Unit = 'percent' | 'ms' | 'minutes' | 'count' | 'evidence' | 'word';

const TOLD = 'Ten minutes inside the limit, told by every sender, release it.';

/** By code of `Condition`: its name on the page, the unit of its figures, what would release it. */
const CONDITIONS: Readonly<Record<string, { label: string; unit: Unit; release: string }>> = {
  stage: { label: 'Stage', unit: 'word', release: 'A command moves it on.' },
  dwell: { label: 'Time in stage', unit: 'minutes', release: 'Time releases it.' },
  paused: { label: 'Not paused', unit: 'word', release: 'Resuming releases it.' },
  flags: { label: 'Flags deployed', unit: 'word', release: 'The next successful deployment of the flags releases it.' },
  approval: { label: 'Approval', unit: 'word', release: 'An approval releases it.' },
  frozen: { label: 'No freeze', unit: 'word', release: 'The end of the freeze window releases it.' },
  phase: { label: 'Phase', unit: 'word', release: 'The phase it belongs to releases it.' },
  cohort: { label: 'Cohort', unit: 'count', release: 'Its mates release it.' },
  deadline: { label: 'Deadline', unit: 'minutes', release: 'Only a person goes on from here.' },
  p95_limit: { label: 'p95 limit', unit: 'ms', release: '' },
  availability: { label: 'Availability', unit: 'percent', release: '' },
  connection_drops: { label: 'Lost connections', unit: 'percent', release: TOLD },
  memory: { label: 'Memory', unit: 'percent', release: TOLD },
  database: { label: 'Database', unit: 'word', release: 'The first tick that reaches Postgres releases it.' },
  backfill: { label: 'Backfill', unit: 'count', release: 'The end of the copy releases it.' },
  lag: { label: 'Lag', unit: 'ms', release: 'It is released when the writer has caught up to within the limit.' },
  quarantine: { label: 'Quarantine', unit: 'count', release: 'It is released when no key is left in quarantine.' },
  verification: {
    label: 'Verification',
    unit: 'percent',
    release: 'A new, complete pass without a difference releases it.',
  },
  data_missing: {
    label: 'Fresh figures',
    unit: 'minutes',
    release: 'Operations recorded in the last minutes release it.',
  },
  samples: { label: 'Samples', unit: 'count', release: 'More operations of the shadow release it.' },
  errors: {
    label: 'Errors',
    unit: 'percent',
    release: 'It is released when the shadow fails no more often than the limit allows.',
  },
  latency_p50: {
    label: 'Latency p50',
    unit: 'ms',
    release: 'It is released when the shadow is faster than the limit.',
  },
  latency_p95: {
    label: 'Latency p95',
    unit: 'ms',
    release: 'It is released when the shadow is faster than the limit.',
  },
  mismatches: {
    label: 'Consistency',
    unit: 'percent',
    release: 'Checks count per stage: mend the cause, then more of them release it, or start again.',
  },
  proof_errors: proof('Proof: errors'),
  proof_latency_p50: proof('Proof: latency p50'),
  proof_latency_p95: proof('Proof: latency p95'),
  proof_validation: proof('Proof: consistency'),
  regression: {
    label: 'No sign of harm',
    unit: 'evidence',
    release: 'It is released when healthy operations have lowered the evidence.',
  },
  proven_regression: {
    label: 'Small regression',
    unit: 'evidence',
    release: 'A person decides: mend the cause and start again, or loosen the limit.',
  },
  early_warning: { label: 'No early warning', unit: 'minutes', release: 'It is released when the rise ends.' },
  early_warning_lag: warning('lag'),
  early_warning_errors: warning('errors'),
  early_warning_latency_p95: warning('latency p95'),
  early_warning_validation: warning('consistency'),
  early_warning_connection_drops: warning('lost connections'),
  early_warning_memory: warning('memory'),
  primary_failing: { label: 'Both sides fail', unit: 'percent', release: 'A primary that works again releases it.' },
  not_validated: { label: 'Fresh comparisons', unit: 'minutes', release: 'Comparisons of both sides release it.' },
  no_traffic: { label: 'Traffic', unit: 'count', release: 'Traffic releases it.' },
  unavailable: { label: 'Availability', unit: 'percent', release: '' },
  black_hole: { label: 'Share of the reads', unit: 'percent', release: '' },
  left_reads: {
    label: 'Open circuit breakers',
    unit: 'percent',
    release: 'It is released when processes stay with the shadow.',
  },
  keyless: {
    label: 'Reads with a key',
    unit: 'percent',
    release: 'It is released when enough reads carry a routing key.',
  },
  validation: { label: 'Validation', unit: 'percent', release: 'A complete pass above the limit releases it.' },
};

function warning(of: string) {
  return { label: `Early warning: ${of}`, unit: 'minutes', release: 'It is released when the rise ends.' } as const;
}

function proof(label: string) {
  return { label, unit: 'evidence', release: 'More healthy operations release it.' } as const;
}

/** Conditions that ask for at least so much. */
const AT_LEAST: ReadonlySet<string> = new Set([
  'dwell',
  'paused',
  'flags',
  'approval',
  'frozen',
  'phase',
  'database',
  'backfill',
  'verification',
  'samples',
  'validation',
  'proof_errors',
  'proof_latency_p50',
  'proof_latency_p95',
  'proof_validation',
  'no_traffic',
  'early_warning',
  'early_warning_lag',
  'early_warning_errors',
  'early_warning_latency_p95',
  'early_warning_validation',
  'early_warning_connection_drops',
  'early_warning_memory',
]);

export type ConditionLine = {
  code: string;
  label: string;
  ok: boolean;
  text: string;
  seen: string;
  limit: string;
  /** What the limit is: the most that may be, or the least that must be. */
  limitIs: 'limit' | 'needed';
  /** What would release it; empty when it holds. */
  release: string;
};

/** `fired`: a guard, whose figures are always rates and which only a rollback answers. */
export function conditionLine(condition: Condition, fired: boolean): ConditionLine {
  const known = CONDITIONS[condition.code] ?? { label: condition.code, unit: 'word', release: '' };
  const unit = fired ? 'percent' : known.unit;
  const release = condition.ok || fired ? '' : known.release;
  return {
    code: condition.code,
    label: known.label,
    ok: condition.ok,
    text: condition.text,
    seen: figure(condition.value, unit),
    limit: figure(condition.limit, unit),
    limitIs: !fired && AT_LEAST.has(condition.code) ? 'needed' : 'limit',
    release,
  };
}

/** A figure with its unit; an en dash when there is none. */
export function figure(value: number | string | null, unit: Unit): string {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  switch (unit) {
    case 'percent':
      return `${Number((value * 100).toPrecision(4))} %`;
    case 'ms':
      return Math.abs(value) >= 1000
        ? `${Number((value / 1000).toPrecision(3))} s`
        : `${Number(value.toPrecision(3))} ms`;
    case 'evidence':
      return number(value);
    case 'minutes':
      return `${Math.round(value * 10) / 10} min`;
    default:
      return String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  }
}
