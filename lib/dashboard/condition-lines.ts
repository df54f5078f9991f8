/** Conditions of the gates as lines of the page: their name, and figures with units. Pure text. */

import { type Condition, number } from '../core/conditions/verdict.ts';

type Unit = 'percent' | 'ms' | 'minutes' | 'count' | 'evidence' | 'word';

/** By code of `Condition`: its name on the page, and the unit of its figures. */
const CONDITIONS: Readonly<Record<string, { label: string; unit: Unit }>> = {
  stage: { label: 'Stage', unit: 'word' },
  pending: { label: 'Under way', unit: 'minutes' },
  dwell: { label: 'Time in stage', unit: 'minutes' },
  paused: { label: 'Not paused', unit: 'word' },
  flags: { label: 'Flags deployed', unit: 'word' },
  approval: { label: 'Approval', unit: 'word' },
  frozen: { label: 'No freeze', unit: 'word' },
  phase: { label: 'Phase', unit: 'word' },
  shadow_reads: { label: 'Reads switched', unit: 'word' },
  shadow_writes: { label: 'Shadow writes', unit: 'word' },
  cohort: { label: 'Cohort', unit: 'count' },
  deadline: { label: 'Deadline', unit: 'minutes' },
  p95_limit: { label: 'p95 limit', unit: 'ms' },
  availability: { label: 'Availability', unit: 'percent' },
  connection_drops: { label: 'Lost connections', unit: 'percent' },
  memory: { label: 'Memory', unit: 'percent' },
  database: { label: 'Database', unit: 'word' },
  backfill: { label: 'Backfill', unit: 'count' },
  lag: { label: 'Lag', unit: 'ms' },
  quarantine: { label: 'Quarantine', unit: 'count' },
  verification: { label: 'Verification', unit: 'percent' },
  schema_changed: { label: 'Schema', unit: 'count' },
  sweep: { label: 'Every change captured', unit: 'word' },
  data_missing: { label: 'Fresh figures', unit: 'minutes' },
  samples: { label: 'Samples', unit: 'count' },
  errors: { label: 'Errors', unit: 'percent' },
  latency_p50: { label: 'Latency p50', unit: 'ms' },
  latency_p95: { label: 'Latency p95', unit: 'ms' },
  mismatches: { label: 'Consistency', unit: 'percent' },
  proof_errors: proof('Proof: errors'),
  proof_latency_p50: proof('Proof: latency p50'),
  proof_latency_p95: proof('Proof: latency p95'),
  proof_validation: proof('Proof: consistency'),
  regression: { label: 'No sign of harm', unit: 'evidence' },
  proven_regression: { label: 'Small regression', unit: 'evidence' },
  early_warning: { label: 'No early warning', unit: 'minutes' },
  early_warning_lag: warning('lag'),
  early_warning_connections: warning('connections'),
  early_warning_errors: warning('errors'),
  early_warning_latency_p95: warning('latency p95'),
  early_warning_validation: warning('consistency'),
  early_warning_connection_drops: warning('lost connections'),
  early_warning_memory: warning('memory'),
  primary_failing: { label: 'Both sides fail', unit: 'percent' },
  shadow_failing: { label: 'Failures', unit: 'percent' },
  not_validated: { label: 'Fresh comparisons', unit: 'minutes' },
  no_traffic: { label: 'Traffic', unit: 'count' },
  unavailable: { label: 'Availability', unit: 'percent' },
  black_hole: { label: 'Share of the reads', unit: 'percent' },
  left_reads: { label: 'Open circuit breakers', unit: 'percent' },
  keyless: { label: 'Reads with a key', unit: 'percent' },
  validation: { label: 'Validation', unit: 'percent' },
};

function warning(of: string) {
  return { label: `Early warning: ${of}`, unit: 'minutes' } as const;
}

function proof(label: string) {
  return { label, unit: 'evidence' } as const;
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
  'early_warning_connections',
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
};

/** `fired`: a guard, whose figures are always rates and which only a rollback answers. */
export function conditionLine(condition: Condition, fired: boolean): ConditionLine {
  const known = CONDITIONS[condition.code] ?? { label: condition.code, unit: 'word' };
  const unit = fired ? 'percent' : known.unit;
  return {
    code: condition.code,
    label: known.label,
    ok: condition.ok,
    text: condition.text,
    seen: figure(condition.value, unit),
    limit: figure(condition.limit, unit),
    limitIs: !fired && AT_LEAST.has(condition.code) ? 'needed' : 'limit',
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
