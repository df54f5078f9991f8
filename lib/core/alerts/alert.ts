/**
 * The life of one alert: quiet → pending → firing → quiet. Each change of state that people should hear of puts exactly one
 * message into the alert's own outbox, in the same write; it stays there until every channel has taken it.
 *
 *   value beyond the limit   ──┐ level: held for the window ┌── back inside for 3 min
 *   quiet ──────────── pending ┴──────────── firing ────────┴──── quiet
 *                                 fired ✉      │ unacknowledged too long: escalated ✉      resolved ✉
 *
 * A missing value changes nothing: no data neither raises an alert nor ends one.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { type AlertMetric, type AlertRule, metricOf, OPERATORS, type Severity } from '../cutover/alert-rule.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { limitText, valueText } from './text.ts';

type AlertChange = 'fired' | 'escalated' | 'acknowledged' | 'resolved';

export type AlertMessage = {
  /** Stable over every attempt to deliver it: receivers that got it before may drop it. */
  id: string;
  alert: string;
  cutover: string;
  change: AlertChange;
  severity: Severity;
  action: AlertRule['action'];
  atMs: number;
  value: number | null;
  limit: number;
  text: string;
  /** Names of the channels that have taken it. */
  delivered: readonly string[];
};

export type Alert = {
  /** `<cutover>.<rule>`. */
  id: string;
  cutover: string;
  rule: string;
  severity: Severity;
  action: AlertRule['action'];
  /** Grows by one with every write. */
  version: number;
  status: 'quiet' | 'pending' | 'firing';
  sinceMs: number;
  /** Firing, and the value is back inside its limit since then. */
  clearSinceMs: number | null;
  value: number | null;
  limit: number;
  text: string;
  firedAtMs: number | null;
  resolvedAtMs: number | null;
  acknowledged: { actor: string; reason: string; atMs: number } | null;
  escalatedAtMs: number | null;
  messages: readonly AlertMessage[];
  /** Messages that were dropped since no channel took them. */
  dropped: number;
  /** Who delivers its messages until when, so that two ticks at once send once. */
  claim: { by: string; untilMs: number } | null;
};

/** What one rule looks at. `applies`: the cutover is in a stage in which the metric means something. */
export type Measurement = {
  rule: AlertRule;
  state: CutoverState;
  applies: boolean;
  value: number | null;
  /** What explains the value, where something does. */
  why?: string | undefined;
};

/** How long a value must be back inside its limit: one good minute among bad ones ends no alert. */
const CLEAR_MINUTES = 3;
/** Ticks are a minute apart, more or less. */
const JITTER_MS = 5_000;
/** No more messages than this wait; the oldest are dropped and counted. */
export const MAX_MESSAGES = 20;

export const alertId = (cutover: string, rule: string) => `${cutover}.${rule}`;

export function newAlert(cutover: string, rule: AlertRule): Alert {
  return {
    id: alertId(cutover, rule.id),
    cutover,
    rule: rule.id,
    severity: rule.severity,
    action: rule.action,
    version: 0,
    status: 'quiet',
    sinceMs: 0,
    clearSinceMs: null,
    value: null,
    limit: rule.value,
    text: '',
    firedAtMs: null,
    resolvedAtMs: null,
    acknowledged: null,
    escalatedAtMs: null,
    messages: [],
    dropped: 0,
    claim: null,
  };
}

/** The alert after one look, or the very same object when nothing changed. */
export function step(stored: Alert | null, measured: Measurement, nowMs: number): Alert {
  const before = stored ?? newAlert(measured.state.id, measured.rule);
  const { rule, value } = measured;
  if (!measured.applies) return leave(before, nowMs, `it is not watched in stage ${measured.state.stage}`);
  // A new run of the cutover begins without the old one's alerts.
  if (
    before.firedAtMs !== null &&
    measured.state.stageKind === 'dual_write' &&
    before.firedAtMs < measured.state.enteredAtMs
  )
    return leave(before, nowMs, 'the cutover was started again');
  if (value === null) return escalate(before, rule, nowMs);
  const beyond = OPERATORS[rule.operator].fires(value, rule.value);
  if (beyond) return raise(before, measured, value, nowMs);
  return clear(before, measured, value, nowMs);
}

function raise(before: Alert, { rule, state, why }: Measurement, value: number, nowMs: number): Alert {
  if (before.status === 'firing') {
    const still = before.clearSinceMs === null ? before : { ...before, clearSinceMs: null };
    return escalate(still, rule, nowMs);
  }
  const waits = metricOf(rule.metric).kind === 'level';
  const sinceMs = before.status === 'pending' ? before.sinceMs : nowMs;
  const text = `${state.id}: ${valueText(rule, value)}, ${limitText(rule)}. Stage ${state.stage}.${why ? ` ${why}` : ''}`;
  const figures = { value, limit: rule.value, text, severity: rule.severity, action: rule.action };
  if (waits && nowMs - sinceMs < rule.windowMinutes * MINUTE_MS - JITTER_MS)
    return before.status === 'pending' ? before : { ...before, ...figures, status: 'pending', sinceMs };
  const fired: Alert = {
    ...before,
    ...figures,
    status: 'firing',
    sinceMs: nowMs,
    clearSinceMs: null,
    firedAtMs: nowMs,
    resolvedAtMs: null,
    acknowledged: null,
    escalatedAtMs: null,
  };
  return withMessage(fired, 'fired', nowMs, text);
}

function clear(before: Alert, { rule, state }: Measurement, value: number, nowMs: number): Alert {
  if (before.status === 'quiet') return before;
  if (before.status === 'pending') return { ...before, status: 'quiet', sinceMs: nowMs, value };
  const clearSinceMs = before.clearSinceMs ?? nowMs;
  if (nowMs - clearSinceMs < CLEAR_MINUTES * MINUTE_MS - JITTER_MS)
    return before.clearSinceMs === null ? { ...before, clearSinceMs } : before;
  return resolve({ ...before, value }, nowMs, `${state.id}: ${valueText(rule, value)} again, ${limitText(rule)}.`);
}

/** The reason to watch has gone. */
function leave(before: Alert, nowMs: number, why: string): Alert {
  if (before.status === 'quiet') return before;
  if (before.status === 'pending') return { ...before, status: 'quiet', sinceMs: nowMs };
  return resolve(before, nowMs, `${before.cutover}: alert ${before.rule} ends, ${why}.`);
}

function resolve(before: Alert, nowMs: number, text: string): Alert {
  const resolved: Alert = { ...before, status: 'quiet', sinceMs: nowMs, clearSinceMs: null, resolvedAtMs: nowMs };
  return withMessage(resolved, 'resolved', nowMs, text);
}

/** The alert of a rule, or of a cutover, that is not declared any more. */
export const orphaned = (alert: Alert, nowMs: number): Alert =>
  leave(alert, nowMs, 'its rule is not declared any more');

function escalate(alert: Alert, rule: AlertRule, nowMs: number): Alert {
  const { status, firedAtMs, acknowledged, escalatedAtMs, clearSinceMs } = alert;
  if (status !== 'firing' || acknowledged || escalatedAtMs !== null || clearSinceMs !== null) return alert;
  const afterMinutes = rule.escalateAfterMinutes;
  if (afterMinutes === null || nowMs - firedAtMs! < afterMinutes * MINUTE_MS) return alert;
  const text = `This has not been acknowledged for ${afterMinutes} minutes. ${alert.text} crossfade ack ${alert.id} --reason '…'`;
  return withMessage({ ...alert, escalatedAtMs: nowMs }, 'escalated', nowMs, text);
}

export type Acknowledged =
  | { kind: 'acknowledged'; alert: Alert }
  /** By the same person before: nothing to write. */
  | { kind: 'already'; alert: Alert }
  | { kind: 'refused'; why: string };

export function acknowledge(alert: Alert, actor: string, reason: string, nowMs: number): Acknowledged {
  if (alert.status !== 'firing')
    return { kind: 'refused', why: 'it is not firing, so there is nothing to acknowledge' };
  if (alert.acknowledged?.actor === actor) return { kind: 'already', alert };
  if (alert.acknowledged) return { kind: 'refused', why: `${alert.acknowledged.actor} has acknowledged it already` };
  const acknowledged = { ...alert, acknowledged: { actor, reason, atMs: nowMs } };
  const text = `${actor} has acknowledged ${alert.id}: ${reason}`;
  return { kind: 'acknowledged', alert: withMessage(acknowledged, 'acknowledged', nowMs, text) };
}

function withMessage(alert: Alert, change: AlertChange, atMs: number, text: string): Alert {
  const message: AlertMessage = {
    id: `${alert.id}#${alert.version + 1}`,
    alert: alert.id,
    cutover: alert.cutover,
    change,
    severity: alert.severity,
    action: alert.action,
    atMs,
    value: alert.value,
    limit: alert.limit,
    text,
    delivered: [],
  };
  const messages = [...alert.messages, message];
  const excess = Math.max(0, messages.length - MAX_MESSAGES);
  return { ...alert, messages: messages.slice(excess), dropped: alert.dropped + excess };
}

/** A firing rule with an action, as the gates take it. @param rollsBack it is a guard, and no hold */
export function demandOf({ rule, value, limit, text }: Alert, metric: AlertMetric, rollsBack: boolean): Condition {
  return condition('alert', {
    name: rule,
    ok: false,
    seen: value,
    limit,
    unit: metricOf(metric).unit,
    says: `Alert: ${text}`,
    release: rollsBack ? [] : { wait: 'alert_ends' },
  });
}
