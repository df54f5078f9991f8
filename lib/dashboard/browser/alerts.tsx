/** What fires, the worst first, with the command to take it on. Nothing at all when nothing fires. */

import type { AlertGroup, AlertLine } from '../alerts.ts';
import { Command, Pill } from './badges.tsx';
import { dayAndTime, duration } from './format.ts';
import { hashOf } from './location.ts';

type AlertsProps = { alerts: readonly AlertLine[]; atMs: number };

export function Alerts({ alerts, atMs }: AlertsProps) {
  if (alerts.length === 0) return null;
  return (
    <section class="card alerts" aria-label="Alerts">
      <h2>{alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`}</h2>
      <AlertList alerts={alerts} atMs={atMs} />
    </section>
  );
}

const AlertList = ({ alerts, atMs }: AlertsProps) => (
  <ul>
    {alerts.map((alert) => (
      <Alert key={alert.id} alert={alert} atMs={atMs} />
    ))}
  </ul>
);

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

// --------------------------------------------------------------------------------------------------------- overview

/** Of all cutovers: a line for each rule, and what it says of each cutover on demand. */
export function AlertGroups({ groups, atMs }: { groups: readonly AlertGroup[]; atMs: number }) {
  if (groups.length === 0) return null;
  return (
    <section class="card alerts groups" aria-label="Alerts">
      {groups.map((group) => (
        <Group key={`${group.rule} ${group.badge.text}`} group={group} atMs={atMs} />
      ))}
    </section>
  );
}

function Group({ group: { rule, badge, alerts }, atMs }: { group: AlertGroup; atMs: number }) {
  const sinceMs = Math.min(...alerts.map((alert) => alert.sinceMs));
  return (
    <details>
      <summary>
        <Pill badge={badge} />
        <b>{rule.replaceAll('_', ' ')}</b>
        <span>
          {alerts.length > 1 && <b>{alerts.length} cutovers: </b>}
          {alerts.map(({ id }, index) => (
            <span key={id}>
              {index > 0 && ', '}
              <a href={hashOf({ cutover: cutoverOf(id) })}>{cutoverOf(id)}</a>
            </span>
          ))}
        </span>
        <time class="quiet" dateTime={new Date(sinceMs).toISOString()} title={dayAndTime(sinceMs)}>
          for {duration(atMs - sinceMs)}
        </time>
      </summary>
      <AlertList alerts={alerts} atMs={atMs} />
    </details>
  );
}

/** @example cutoverOf('customer.errors') // 'customer' */
const cutoverOf = (id: string): string => id.slice(0, id.indexOf('.'));
