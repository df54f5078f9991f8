/**
 * What an alert rule can be: which figure is watched, in which unit, in which stages, and where its limit lies. Types and
 * tables; `alerts/rule.ts` makes of them the rules in force.
 */

import type { StageKind } from './plan.ts';
import { isReadingStage, isUnderWay, kindsThat, syncsShadow } from './stage-kinds.ts';

export const SEVERITIES = ['critical', 'warning', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What follows while a rule fires, besides its messages: nothing, a reason not to advance, a reason to roll back. */
export const ACTIONS = ['alert', 'hold', 'rollback'] as const;
type AlertAction = (typeof ACTIONS)[number];

export const OPERATORS = {
  '>': { fires: (value: number, limit: number) => value > limit, says: 'above' },
  '>=': { fires: (value: number, limit: number) => value >= limit, says: 'at or above' },
  '<': { fires: (value: number, limit: number) => value < limit, says: 'below' },
  '<=': { fires: (value: number, limit: number) => value <= limit, says: 'at or below' },
} as const;
export type Operator = keyof typeof OPERATORS;

const SERVING = kindsThat(isUnderWay);
const READING = kindsThat(isReadingStage);
/** Stages that go on by themselves, and so have a deadline. */
const MOVING: readonly StageKind[] = ['dual_write', 'ramp'];
const SYNCED = kindsThat(syncsShadow);
const STARTED: readonly StageKind[] = [...SYNCED, 'rolled_back'];

type MetricKind = {
  /** `pooled` over the window's minutes; a `level` must hold that long; an `event` fires at once. */
  kind: 'pooled' | 'level' | 'event';
  unit: 'rate' | 'ms' | 'minutes' | 'count';
  /** Stages in which it means something. */
  stages: readonly StageKind[];
  /** Known only after the gates have judged: it can alert, and neither hold nor roll back. */
  judged?: true;
  says: string;
};

export const METRICS = {
  error_rate: { kind: 'pooled', unit: 'rate', stages: READING, says: 'errors of the shadow' },
  error_increase: {
    kind: 'pooled',
    unit: 'rate',
    stages: READING,
    says: 'errors of the shadow beyond the primary',
  },
  primary_error_rate: { kind: 'pooled', unit: 'rate', stages: SERVING, says: 'errors of the primary' },
  availability: { kind: 'pooled', unit: 'rate', stages: READING, says: 'successful operations of the shadow' },
  p50_ms: { kind: 'pooled', unit: 'ms', stages: READING, says: 'p50 of the shadow' },
  p95_ms: { kind: 'pooled', unit: 'ms', stages: READING, says: 'p95 of the shadow' },
  p50_increase: {
    kind: 'pooled',
    unit: 'rate',
    stages: READING,
    says: 'p50 of the shadow beyond the primary',
  },
  p95_increase: {
    kind: 'pooled',
    unit: 'rate',
    stages: READING,
    says: 'p95 of the shadow beyond the primary',
  },
  mismatch_rate: { kind: 'pooled', unit: 'rate', stages: SERVING, says: 'compared operations that differ' },
  keyless_rate: { kind: 'pooled', unit: 'rate', stages: READING, says: 'reads without a routing key' },
  operations: { kind: 'pooled', unit: 'count', stages: READING, says: 'operations of the shadow' },
  lag_ms: { kind: 'level', unit: 'ms', stages: SYNCED, says: 'age of the oldest un-applied change' },
  outbox_rows: { kind: 'level', unit: 'count', stages: SYNCED, says: 'changes that wait' },
  quarantined: { kind: 'level', unit: 'count', stages: SYNCED, says: 'keys in quarantine' },
  divergences: { kind: 'level', unit: 'count', stages: SYNCED, says: 'rows that differ' },
  divergence_rate: { kind: 'level', unit: 'rate', stages: SYNCED, says: 'share of rows that differ' },
  validation_score: { kind: 'level', unit: 'rate', stages: SYNCED, says: 'rows that agree' },
  sync_rate: { kind: 'level', unit: 'rate', stages: SYNCED, says: 'rows in sync' },
  shape_changes: { kind: 'event', unit: 'count', stages: SYNCED, says: 'changes of the tables that were armed' },
  flag_drift_minutes: { kind: 'level', unit: 'minutes', stages: STARTED, says: 'minutes with old flags deployed' },
  data_age_minutes: { kind: 'level', unit: 'minutes', stages: SERVING, says: 'minutes without a recorded operation' },
  database_away_minutes: {
    kind: 'level',
    unit: 'minutes',
    stages: SERVING,
    judged: true,
    says: 'minutes without an answer of the database',
  },
  deadline_passed: { kind: 'level', unit: 'count', stages: MOVING, says: 'past the deadline of its stage' },
  hold_minutes: {
    kind: 'level',
    unit: 'minutes',
    stages: SERVING,
    judged: true,
    says: 'minutes held beyond the dwell',
  },
  early_warning_minutes: {
    kind: 'level',
    unit: 'minutes',
    stages: READING,
    judged: true,
    says: 'minutes until a limit is reached, by trend',
  },
  intent_dropped: { kind: 'event', unit: 'count', stages: SYNCED, says: 'asked for and given up' },
  rolled_back: { kind: 'event', unit: 'count', stages: STARTED, judged: true, says: 'rolled back' },
} as const satisfies Record<string, MetricKind>;
export type AlertMetric = keyof typeof METRICS;
export const metricOf = (metric: AlertMetric): MetricKind => METRICS[metric];

export type AlertRule = {
  /** `^[a-z][a-z0-9_]{0,39}$`, one of its kind within a cutover. */
  id: string;
  metric: AlertMetric;
  operator: Operator;
  /** The limit: a rate as 0–1, otherwise in the unit of the metric. */
  value: number;
  windowMinutes: number;
  severity: Severity;
  action: AlertAction;
  /** Fewest operations (or comparisons) in the window before a rate or a latency means something. */
  minSamples: number;
  /** An alert that was not acknowledged is sent again, as an escalation, after this long. `null`: never. */
  escalateAfterMinutes: number | null;
};

/** A rule as declared: of a built-in one only what differs; `off` removes it. */
export type DeclaredRule = { id: string; off?: boolean } & Partial<Omit<AlertRule, 'id'>>;
