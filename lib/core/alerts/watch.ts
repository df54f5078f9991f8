/** Alert rules over what one tick has seen of one cutover: which alerts change, and what the gates must respect. Pure. */

import { MINUTE_MS } from '../base/units.ts';
import type { Condition } from '../conditions/condition.ts';
import { textOf } from '../conditions/show.ts';
import { hasRole } from '../conditions/table.ts';
import { type AlertMetric, type AlertRule, metricOf } from '../cutover/alert-rule.ts';
import { effectiveKind, isNormal } from '../cutover/switches.ts';
import { shapeConditions } from '../holds/shape.ts';
import { droppedText } from '../stage/intents.ts';
import { type Alert, alertId, demandOf, step } from './alert.ts';
import { type AlertSample, measure } from './measure.ts';

/** What an event says besides its figure. */
const WHY: Readonly<Partial<Record<AlertMetric, (sample: AlertSample) => string | undefined>>> = {
  rolled_back: ({ rolledBack, state }) => rolledBack ?? state.rollback?.reason,
  intent_dropped: ({ state }) => droppedText(state) ?? undefined,
  hold_minutes: ({ verdict }) => (verdict?.verdict === 'hold' ? heldText(verdict.reasons) : undefined),
  shape_changes: ({ state, table }) => textOf(shapeConditions(state.id, table)),
};

/** More than these make no message that is read. */
const MOST_REASONS = 2;

/** What a person can do something about comes before what only takes its course. */
function heldText(reasons: readonly Condition[]): string {
  const first = [...reasons].sort((a, b) => Number(hasRole(a, 'normal_course')) - Number(hasRole(b, 'normal_course')));
  const rest = reasons.length - MOST_REASONS;
  return `${textOf(first.slice(0, MOST_REASONS))}${rest > 0 ? ` And ${rest} more.` : ''}`;
}

/** One alert per rule, changed or the very same object as stored. */
export function evaluateRules(rules: readonly AlertRule[], stored: readonly Alert[], sample: AlertSample): Alert[] {
  const { state, nowMs } = sample;
  return rules.map((rule) => {
    const { stages } = metricOf(rule.metric);
    const known = stored.find(({ id }) => id === alertId(state.id, rule.id)) ?? null;
    const value = measure(rule.metric, sample, rule.windowMinutes, rule.minSamples);
    const why = WHY[rule.metric]?.(sample);
    return step(known, { rule, state, applies: stages.includes(effectiveKind(state)), value, why }, nowMs);
  });
}

/**
 * What firing rules with an action demand. Rules that need a verdict have none, so this can feed the gates. What a person's
 * switch brought about, while it is turned or until it is over, holds and does not roll back.
 */
export function demands(
  rules: readonly AlertRule[],
  stored: readonly Alert[],
  sample: AlertSample,
): { holds: Condition[]; guards: Condition[] } {
  const { state } = sample;
  const demanded: { holds: Condition[]; guards: Condition[] } = { holds: [], guards: [] };
  for (const rule of rules.filter(({ action }) => action !== 'alert')) {
    const [alert] = evaluateRules([rule], stored, sample);
    if (alert?.status !== 'firing') continue;
    const beganMs = alert.firedAtMs! - rule.windowMinutes * MINUTE_MS;
    const rollsBack = alert.action === 'rollback' && isNormal(state) && beganMs >= state.switches.sinceMs;
    (rollsBack ? demanded.guards : demanded.holds).push(demandOf(alert, rule.metric, rollsBack));
  }
  return demanded;
}
