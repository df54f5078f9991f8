/**
 * Alert rules: which figure is watched, where its limit lies, and what follows. Every cutover has the built-in rules; its
 * declaration changes them by their id, switches them off, or adds its own.
 */

import {
  type AlertMetric,
  type AlertRule,
  type DeclaredRule,
  metricOf,
  type Operator,
  type Severity,
} from '../cutover/alert-rule.ts';

/** The limits of a policy that built-in rules follow. */
export type RuleLimits = {
  errorRateRollback: number;
  latencyIncreaseRollback: number;
  validationScoreRollback: number;
};

const DEFAULT_MIN_SAMPLES = 30;
export const ESCALATE_AFTER_MINUTES: Readonly<Record<Severity, number | null>> = {
  critical: 15,
  warning: 240,
  info: null,
};

type Row = [AlertMetric, Operator, number, number, Severity];

/** The rules every cutover begins with; limits follow its policy where that has them. */
export function builtInRules(policy: RuleLimits): AlertRule[] {
  const rows: Readonly<Record<string, Row>> = {
    errors: ['error_increase', '>=', policy.errorRateRollback, 5, 'critical'],
    latency: ['p95_increase', '>=', policy.latencyIncreaseRollback, 10, 'warning'],
    mismatches: ['mismatch_rate', '>', 1 - policy.validationScoreRollback, 10, 'critical'],
    lag: ['lag_ms', '>', 300_000, 1, 'critical'],
    quarantine: ['quarantined', '>', 0, 1, 'warning'],
    divergence: ['divergence_rate', '>', 0.05, 1, 'critical'],
    validation: ['validation_score', '<', policy.validationScoreRollback, 1, 'critical'],
    sync: ['sync_rate', '<', 0.9, 5, 'warning'],
    schema_changed: ['shape_changes', '>', 0, 1, 'critical'],
    flag_drift: ['flag_drift_minutes', '>', 5, 1, 'critical'],
    data_missing: ['data_age_minutes', '>', 5, 1, 'warning'],
    database: ['database_away_minutes', '>', 5, 1, 'critical'],
    deadline: ['deadline_passed', '>', 0, 1, 'warning'],
    long_hold: ['hold_minutes', '>', 60, 1, 'warning'],
    early_warning: ['early_warning_minutes', '<', 15, 1, 'warning'],
    intent_dropped: ['intent_dropped', '>', 0, 1, 'critical'],
    rolled_back: ['rolled_back', '>', 0, 1, 'critical'],
  };
  return Object.entries(rows).map(([id, [metric, operator, value, windowMinutes, severity]]) => ({
    id,
    metric,
    operator,
    value,
    windowMinutes,
    severity,
    action: 'alert',
    minSamples: DEFAULT_MIN_SAMPLES,
    escalateAfterMinutes: ESCALATE_AFTER_MINUTES[severity],
  }));
}

export const BUILT_IN_RULE_IDS: readonly string[] = [
  'errors',
  'latency',
  'mismatches',
  'lag',
  'quarantine',
  'divergence',
  'validation',
  'sync',
  'schema_changed',
  'flag_drift',
  'data_missing',
  'database',
  'deadline',
  'long_hold',
  'early_warning',
  'intent_dropped',
  'rolled_back',
];

/**
 * The rules in force: built-in ones as the declaration changes them, then those it adds.
 * @example rulesOf(policy, [{ id: 'lag', value: 60_000, action: 'hold' }, { id: 'sync', off: true }])
 */
export function rulesOf(policy: RuleLimits, declared: readonly DeclaredRule[] = []): AlertRule[] {
  const rules = new Map(builtInRules(policy).map((rule) => [rule.id, rule]));
  for (const { off, ...changes } of declared) {
    const before = rules.get(changes.id);
    if (off) rules.delete(changes.id);
    else rules.set(changes.id, before ? changed(before, changes) : added(changes));
  }
  return [...rules.values()];
}

function changed(before: AlertRule, changes: Partial<AlertRule>): AlertRule {
  const severity = changes.severity ?? before.severity;
  const escalateAfterMinutes =
    severity === before.severity ? before.escalateAfterMinutes : ESCALATE_AFTER_MINUTES[severity];
  return { ...before, escalateAfterMinutes, ...defined(changes) };
}

function added(rule: Partial<AlertRule>): AlertRule {
  const severity = rule.severity ?? 'warning';
  return {
    severity,
    windowMinutes: 5,
    action: 'alert',
    minSamples: DEFAULT_MIN_SAMPLES,
    escalateAfterMinutes: ESCALATE_AFTER_MINUTES[severity],
    ...(defined(rule) as Pick<AlertRule, 'id' | 'metric' | 'operator' | 'value'>),
  };
}

const defined = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

/** How many minutes back the rules pool windows; the other figures need none. */
export const lookMinutes = (rules: readonly AlertRule[]): number =>
  Math.max(0, ...rules.filter(({ metric }) => metricOf(metric).kind === 'pooled').map((rule) => rule.windowMinutes));

/** What is wrong with the declared rules, each with its path; nothing when all can be used. */
export function ruleProblems(policy: RuleLimits, declared: readonly DeclaredRule[]): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const [index, rule] of declared.entries()) {
    const at = `alerts.${index}`;
    if (seen.has(rule.id)) problems.push(`${at}: rule '${rule.id}' is declared twice`);
    seen.add(rule.id);
    const builtIn = BUILT_IN_RULE_IDS.includes(rule.id);
    if (rule.off && !builtIn) problems.push(`${at}: '${rule.id}' is no built-in rule that could be switched off`);
    const lacking = (['metric', 'operator', 'value'] as const).filter((key) => rule[key] === undefined);
    if (!rule.off && !builtIn && lacking.length > 0)
      problems.push(`${at}: rule '${rule.id}' is no built-in one and needs ${lacking.join(', ')}`);
    else if (!rule.off) problems.push(...impossible(rulesOf(policy, [rule]).find(({ id }) => id === rule.id)!, at));
  }
  return problems;
}

function impossible(rule: AlertRule, at: string): string[] {
  const { unit, judged } = metricOf(rule.metric);
  const signed = rule.metric.endsWith('_increase');
  const problems: string[] = [];
  if (!signed && rule.value < 0) problems.push(`${at}.value: ${rule.value} is below 0, and ${rule.metric} never is`);
  if (unit === 'rate' && !signed && rule.value > 1)
    problems.push(`${at}.value: ${rule.value} is above 1; ${rule.metric} is a share of 0–1`);
  if (judged && rule.action !== 'alert')
    problems.push(
      `${at}.action: ${rule.metric} is known only after the gates have judged, so it can alert and not ${rule.action}`,
    );
  return problems;
}
