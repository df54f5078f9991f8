/** Alerts as text: what fires, since when, who has taken it on. Pure. */

import { duration } from '../core/conditions/figures.ts';
import type { AlertList, AlertView } from '../flows/alerts/alerts.ts';
import { MAX_WIDTH, moment, type Paint, plain, printable, wrap } from './text.ts';

export function renderAlerts({ alerts, atMs }: AlertList, width = MAX_WIDTH, paint: Paint = plain): string {
  if (alerts.length === 0) return 'No alert fires, and none did in the last day.';
  return alerts.map((alert) => alertBlock(alert, atMs, width, paint)).join('\n\n');
}

function alertBlock(alert: AlertView, atMs: number, width: number, paint: Paint): string {
  const { status, severity, acknowledged, escalatedAtMs, undelivered, sinceMs } = alert;
  const kind = status === 'quiet' ? 'good' : severity === 'critical' ? 'bad' : 'warn';
  const word = status === 'quiet' ? 'resolved' : status;
  const since = `since ${moment(sinceMs)}, ${duration(Math.max(0, atMs - sinceMs))}`;
  const notes = [
    alert.action === 'alert' ? null : `${alert.action === 'hold' ? 'holds' : 'rolls back'} the cutover`,
    escalatedAtMs === null ? null : `escalated ${moment(escalatedAtMs)}`,
    acknowledged && `acknowledged by ${acknowledged.actor}: ${acknowledged.reason}`,
    undelivered > 0 ? `${undelivered} ${undelivered === 1 ? 'message is' : 'messages are'} not delivered yet` : null,
    status === 'firing' && !acknowledged ? `crossfade ack ${alert.id} --reason '…'` : null,
  ].filter((note) => note !== null);
  const body = [alert.text, ...notes].filter((text) => text !== '');
  return [
    `${paint(kind, `${severity} ${word}`)}  ${printable(alert.id)}  ${paint('dim', since)}`,
    ...body.flatMap((text) => wrap(printable(text), width - 2).map((line) => `  ${line}`)),
  ].join('\n');
}
