/** The built-in alert rules, and the figures that rules can watch. */

import { builtInRules, ESCALATE_AFTER_MINUTES } from '../../lib/core/alerts/rule.ts';
import { limitText } from '../../lib/core/alerts/text.ts';
import { METRICS, metricOf } from '../../lib/core/cutover/alert-rule.ts';
import { DEFAULT_POLICY } from '../../lib/core/cutover/cutover.ts';
import { code, table } from './markdown.ts';

const KINDS = {
  pooled: 'taken over the window',
  level: 'must last for the window',
  event: 'fires at once',
} as const;

export function alertRuleTable(): string {
  const rows = builtInRules(DEFAULT_POLICY).map((rule) => [
    code(rule.id),
    metricOf(rule.metric).says,
    limitText(rule),
    metricOf(rule.metric).kind === 'event' ? 'at once' : `${rule.windowMinutes} min`,
    escalation(ESCALATE_AFTER_MINUTES[rule.severity]),
  ]);
  return table(['rule', 'watches', 'fires', 'after', 'escalates'], rows);
}

const escalation = (minutes: number | null) => (minutes === null ? 'never' : `after ${minutes} min`);

export function alertMetricTable(): string {
  const rows = Object.entries(METRICS).map(([name, { kind, unit, says }]) => [code(name), says, unit, KINDS[kind]]);
  return table(['metric', 'what it is', 'unit', 'a rule on it'], rows);
}
