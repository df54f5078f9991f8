/** What fires, the worst first, with the command to take it on. Nothing at all when nothing fires. */

import type { AlertLine } from '../alerts.ts';
import { Command, Pill } from './badges.tsx';
import { dayAndTime, duration } from './format.ts';

export function Alerts({ alerts, atMs }: { alerts: readonly AlertLine[]; atMs: number }) {
  if (alerts.length === 0) return null;
  return (
    <section class="card alerts" aria-label="Alerts">
      <h2>{alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`}</h2>
      <ul>
        {alerts.map((alert) => (
          <Alert key={alert.id} alert={alert} atMs={atMs} />
        ))}
      </ul>
    </section>
  );
}

function Alert({ alert: { id, badge, text, sinceMs, notes, command }, atMs }: { alert: AlertLine; atMs: number }) {
  return (
    <li>
      <p class="alert-head">
        <Pill badge={badge} />
        <b>{id}</b>
        <time class="quiet" dateTime={new Date(sinceMs).toISOString()} title={dayAndTime(sinceMs)}>
          for {duration(atMs - sinceMs)}
        </time>
      </p>
      <p>{text}</p>
      {notes.map((note) => (
        <p key={note} class="quiet">
          {note}
        </p>
      ))}
      {command && <Command line={command} />}
    </li>
  );
}
