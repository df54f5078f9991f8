/** What fires, the worst first, with the command to take it on. Nothing at all when nothing fires. */

import { badge, command } from './badges.js';
import { el } from './dom.js';
import { dayAndTime, duration } from './format.js';

export function alertsCard(alerts, nowMs) {
  if (!alerts || alerts.length === 0) return null;
  return el(
    'section',
    { class: 'card alerts', 'data-key': 'alerts of all', 'aria-label': 'Alerts' },
    el('h2', {}, alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`),
    el(
      'ul',
      {},
      alerts.map((alert) => alertItem(alert, nowMs)),
    ),
  );
}

function alertItem(alert, nowMs) {
  const since = el(
    'time',
    { class: 'quiet', datetime: new Date(alert.sinceMs).toISOString(), title: dayAndTime(alert.sinceMs) },
    `for ${duration(nowMs - alert.sinceMs)}`,
  );
  return el(
    'li',
    { 'data-key': alert.id },
    el('p', { class: 'alert-head' }, badge(alert.badge), el('b', {}, alert.id), since),
    el('p', {}, alert.text),
    alert.notes.map((note) => el('p', { class: 'quiet' }, note)),
    alert.command ? command(alert.command) : null,
  );
}
