/** Alert rules over what one tick has seen of one cutover: which alerts change, and what the gates must respect. Pure. */

import { type Alert, alertId, demandOf, step } from './alerts/alert.ts';
import { type AlertSample, measure } from './alerts/measure.ts';
import { type AlertRule, metricOf } from './alerts/rule.ts';
import type { Condition } from './gates/verdict.ts';

/** One alert per rule, changed or the very same object as stored. */
export function judgeAlerts(rules: readonly AlertRule[], stored: readonly Alert[], sample: AlertSample): Alert[] {
  const { state, nowMs } = sample;
  return rules.map((rule) => {
    const { stages } = metricOf(rule.metric);
    const known = stored.find(({ id }) => id === alertId(state.id, rule.id)) ?? null;
    const value = measure(rule.metric, sample, rule.windowMinutes, rule.minSamples);
    const why = rule.metric === 'rolled_back' ? (sample.rolledBack ?? state.rollback?.reason) : undefined;
    return step(known, { rule, state, applies: stages.includes(state.stageKind), value, why }, nowMs);
  });
}

/** What firing rules with an action demand. Rules that need a verdict have none, so this can feed the gates. */
export function demands(
  rules: readonly AlertRule[],
  stored: readonly Alert[],
  sample: AlertSample,
): { holds: Condition[]; guards: Condition[] } {
  const acting = rules.filter(({ action }) => action !== 'alert');
  const firing = judgeAlerts(acting, stored, sample).filter(({ status }) => status === 'firing');
  const of = (action: AlertRule['action']) => firing.filter((alert) => alert.action === action).map(demandOf);
  return { holds: of('hold'), guards: of('rollback') };
}
