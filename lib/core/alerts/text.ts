/** Figures of alerts in words and units. */

import { figureText } from '../conditions/figures.ts';
import { type AlertRule, metricOf, OPERATORS } from '../cutover/alert-rule.ts';

/** @example valueText(rule, 0.032) // 'errors of the shadow 3.2 % over 5 min' */
export function valueText(rule: AlertRule, value: number): string {
  const { kind, says } = metricOf(rule.metric);
  if (kind === 'event') return value > 0 ? says : `not ${says}`;
  return `${says} ${figure(rule, value)}${kind === 'pooled' ? ` over ${rule.windowMinutes} min` : ''}`;
}

/** @example limitText(rule) // 'warning at or above 1 %' */
export function limitText(rule: AlertRule): string {
  if (metricOf(rule.metric).kind === 'event') return rule.severity;
  return `${rule.severity} ${OPERATORS[rule.operator].says} ${figure(rule, rule.value)}`;
}

const figure = (rule: AlertRule, value: number): string => figureText(value, metricOf(rule.metric).unit);
