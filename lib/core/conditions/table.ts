/**
 * Every condition there is: what must hold to advance, and the guards that roll back. One row a code; the compiler refuses a
 * code without a row. Page, terminal, API, alerts and reports take name, unit and direction from here.
 */

import type { Unit } from './figures.ts';

/** How seen and limit compare when the condition holds. `inside`: on the right side of a limit that may lie on either. */
export type Want = 'at_most' | 'below' | 'at_least' | 'is' | 'inside';

/** What else a condition that does not hold means. */
export type Role =
  /** Nothing but the normal course: it is no reason to call a cutover held. */
  | 'normal_course'
  /** No force skips it: readers need a shadow that is there, is copied and follows. */
  | 'never_forced'
  /** Readers who were sent to the primary come back only when it holds. */
  | 'before_reads_return'
  /** It closes the way back of a promoted table, too. */
  | 'closes_way_back'
  /** It is still asked after promotion, and the old side is not dropped before it holds. */
  | 'holds_cleanup'
  /** A forecast: it counts the minutes until a limit is reached. */
  | 'forecast';

export type Row = {
  label: string;
  /** Of seen and limit. Several where the condition says which. */
  unit: Unit | readonly Unit[];
  want: Want;
  roles?: readonly Role[];
  /** There are many of this code, each with a name of its own. People call it by this prefix and its name. */
  named?: string;
};

const proof = (of: string) =>
  ({ label: `Proof: ${of}`, unit: 'evidence', want: 'at_least', roles: ['normal_course'] }) as const;
const warning = (of: string) =>
  ({ label: `Early warning: ${of}`, unit: 'minutes', want: 'at_least', roles: ['forecast'] }) as const;

/** The shadow is there, is copied and follows. */
const SHADOW_ITSELF = ['never_forced', 'before_reads_return'] as const;
const TABLES_AS_ARMED = [...SHADOW_ITSELF, 'closes_way_back'] as const;
/** It has everything that waited, and no row that is known to differ. */
const UP_TO_DATE = ['before_reads_return'] as const;

const CONDITIONS = {
  stage: { label: 'Stage', unit: 'word', want: 'is' },
  pending: { label: 'Under way', unit: 'minutes', want: 'at_most' },
  dwell: { label: 'Time in stage', unit: 'minutes', want: 'at_least', roles: ['normal_course'] },
  paused: { label: 'Not paused', unit: 'word', want: 'is' },
  flags: { label: 'Flags deployed', unit: 'word', want: 'is', roles: ['normal_course'] },
  approval: { label: 'Approval', unit: 'word', want: 'is' },
  frozen: { label: 'No freeze', unit: 'word', want: 'is' },
  phase: { label: 'Phase', unit: 'word', want: 'is' },
  shadow_reads: { label: 'Reads switched', unit: 'word', want: 'is' },
  shadow_writes: { label: 'Shadow writes', unit: 'word', want: 'is' },
  cohort: { label: 'Cohort', unit: 'count', want: 'at_most' },
  deadline: { label: 'Deadline', unit: 'minutes', want: 'below' },
  alert: { label: 'Alert', unit: ['rate', 'ms', 'minutes', 'count'], want: 'inside', named: 'alert_' },

  // Evidence of the user's own. Groups that differ, or rows that should not be there.
  alarm: { label: 'Alarm', unit: 'word', want: 'is', named: 'alarm_', roles: ['holds_cleanup'] },
  invariant: {
    label: 'Invariant',
    unit: 'count',
    want: 'at_most',
    named: 'invariant_',
    roles: ['holds_cleanup', ...UP_TO_DATE],
  },
  // The mean of a figure, or the share of operations that carry a flag.
  metric: { label: 'Metric', unit: ['word', 'rate'], want: 'inside', named: 'metric_' },
  http_check: { label: 'HTTP check', unit: 'word', want: 'is', named: 'check_', roles: ['holds_cleanup'] },

  // Guards in absolute figures.
  p95_limit: { label: 'p95 limit', unit: 'ms', want: 'at_most' },
  availability: { label: 'Availability', unit: 'rate', want: 'at_least' },
  connection_drops: { label: 'Lost connections', unit: 'rate', want: 'at_most' },
  memory: { label: 'Memory', unit: 'rate', want: 'at_most' },

  // The data plane of a table, and the forwarded writes of the other kinds.
  database: { label: 'Database', unit: 'word', want: 'is', roles: SHADOW_ITSELF },
  armed: { label: 'Capture armed', unit: 'word', want: 'is', roles: SHADOW_ITSELF },
  backfill: {
    label: 'Backfill',
    unit: 'count',
    want: 'at_least',
    roles: ['normal_course', ...SHADOW_ITSELF],
  },
  lag: { label: 'Lag', unit: 'ms', want: 'at_most', roles: UP_TO_DATE },
  quarantine: { label: 'Quarantine', unit: 'count', want: 'at_most', roles: UP_TO_DATE },
  verification: { label: 'Verification', unit: 'rate', want: 'at_least', roles: UP_TO_DATE },
  // How long the oldest waits; how many wait for a person.
  copies: { label: 'Forwarded writes', unit: ['ms', 'count'], want: 'at_most', roles: UP_TO_DATE },
  schema_changed: {
    label: 'Schema',
    unit: 'count',
    want: 'at_most',
    roles: TABLES_AS_ARMED,
  },
  sweep: {
    label: 'Every change captured',
    unit: 'word',
    want: 'is',
    roles: TABLES_AS_ARMED,
  },

  // Evidence of the reads. A guard that fired counts shares of operations, whatever the estimate is in.
  data_missing: { label: 'Fresh figures', unit: 'minutes', want: 'at_most' },
  late_reports: { label: 'Reports in time', unit: 'rate', want: 'at_most' },
  no_traffic: { label: 'Traffic', unit: 'count', want: 'at_least' },
  samples: { label: 'Samples', unit: 'count', want: 'at_least', roles: ['normal_course'] },
  errors: { label: 'Errors', unit: 'rate', want: 'below' },
  latency_p50: { label: 'Latency p50', unit: ['ms', 'rate'], want: 'below' },
  latency_p95: { label: 'Latency p95', unit: ['ms', 'rate'], want: 'below' },
  latency_p99: { label: 'Latency p99', unit: ['ms', 'rate'], want: 'below' },
  mismatches: { label: 'Consistency', unit: 'rate', want: 'below' },
  incomparable_answers: { label: 'Answers that can be compared', unit: 'rate', want: 'at_most' },
  not_validated: { label: 'Fresh comparisons', unit: 'minutes', want: 'at_most' },
  proof_errors: proof('errors'),
  proof_latency_p50: proof('latency p50'),
  proof_latency_p95: proof('latency p95'),
  proof_validation: proof('consistency'),
  keyless: { label: 'Reads with a key', unit: 'rate', want: 'at_most' },
  left_reads: { label: 'Open circuit breakers', unit: 'rate', want: 'below' },
  operation_errors: { label: 'Errors of an operation', unit: 'rate', want: 'below' },
  operation_latency: { label: 'Latency of an operation', unit: 'rate', want: 'below' },
  operation_samples: { label: 'Samples of every operation', unit: 'count', want: 'at_least' },
  regression: { label: 'No sign of harm', unit: 'evidence', want: 'at_most' },
  proven_regression: { label: 'Small regression', unit: 'evidence', want: 'below' },
  primary_failing: { label: 'Both sides fail', unit: 'rate', want: 'below' },
  shadow_failing: { label: 'Failures', unit: 'rate', want: 'below' },
  unavailable: { label: 'Availability', unit: 'rate', want: 'below' },
  black_hole: { label: 'Share of the reads', unit: 'rate', want: 'at_least' },
  // The share of the checked operations that differ, or the score of a verification.
  validation: { label: 'Validation', unit: 'rate', want: 'inside' },
  corruption: { label: 'Confirmed corruption', unit: 'count', want: 'at_most' },
  early_warning: { label: 'No early warning', unit: 'minutes', want: 'at_least', roles: ['forecast'] },
  early_warning_lag: warning('lag'),
  early_warning_connections: warning('connections'),
  early_warning_errors: warning('errors'),
  early_warning_latency_p95: warning('latency p95'),
  early_warning_validation: warning('consistency'),
  early_warning_connection_drops: warning('lost connections'),
  early_warning_memory: warning('memory'),

  // Phases: what one needs before it starts, and what its end is decided by.
  phase_before: { label: 'Phase before', unit: 'word', want: 'is', named: 'after ' },
  soak: { label: 'Soak', unit: 'minutes', want: 'at_least' },
  rolled_back: { label: 'Rolled back', unit: 'word', want: 'is' },
  check_manual: { label: 'Confirmed', unit: 'word', want: 'is', named: '' },
  check_reached: { label: 'Stage reached', unit: 'count', want: 'at_least', named: '' },
  check_rollbacks: { label: 'Rollbacks', unit: 'count', want: 'at_most', named: '' },
  check_share: { label: 'Share of the reads', unit: 'percent', want: 'at_least', named: '' },
  check_validation: { label: 'Validation score', unit: 'rate', want: 'at_least', named: '' },
  check_criterion: { label: 'Criterion', unit: 'count', want: 'at_least', named: '' },
  check_errors: { label: 'Errors of the shadow', unit: 'rate', want: 'at_most', named: '' },

  // Stored by another version of the program: it keeps the name it had, and what it says of itself.
  other: { label: '', unit: 'word', want: 'inside', named: '' },
} as const satisfies Readonly<Record<string, Row>>;

export type ConditionCode = keyof typeof CONDITIONS;
/** Codes of which there are many. */
export type NamedCode = {
  [Code in ConditionCode]: (typeof CONDITIONS)[Code] extends { named: string } ? Code : never;
}[ConditionCode];
/** The units a condition of this code may be in. */
export type UnitOf<Code extends ConditionCode> = (typeof CONDITIONS)[Code]['unit'] extends infer Units
  ? Units extends readonly (infer One extends Unit)[]
    ? One
    : Units & Unit
  : never;

export const CONDITION_CODES = Object.keys(CONDITIONS) as ConditionCode[];

export const isConditionCode = (code: string): code is ConditionCode => Object.hasOwn(CONDITIONS, code);

export const rowOf = (code: ConditionCode): Row => CONDITIONS[code];

/** The unit where a condition does not say another. */
export function unitOf(code: ConditionCode): Unit {
  const { unit } = rowOf(code);
  return typeof unit === 'string' ? unit : unit[0]!;
}

/** @example hasRole({ code: 'backfill' }, 'never_forced') // true */
export const hasRole = ({ code }: { code: ConditionCode }, role: Role): boolean =>
  rowOf(code).roles?.includes(role) ?? false;
