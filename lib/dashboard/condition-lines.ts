/** Conditions of the gates as lines of the page: their name, figures with units, and what would release them. Pure text. */

import { type Condition, number } from '../core/gates/verdict.ts';

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
  shadow_reads: { label: 'Reads switched', unit: 'word', release: 'Sending reads back to the shadow releases it.' },
  shadow_writes: { label: 'Shadow writes', unit: 'word', release: 'Switching writes on releases it.' },
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
  shadow_failing: {
    label: 'Failures',
    unit: 'percent',
    release: 'More operations that succeed release it.',
  },
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
  'shadow_reads',
  'shadow_writes',
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
