/** What fires, the worst first, with the command to take it on. Nothing at all when nothing fires. */

import type { AlertGroup, AlertLine } from '../alerts.ts';
import { Actions } from './actions.tsx';
import { Command, Pill } from './badges.tsx';
import { dayAndTime, duration } from './format.ts';
import { hashOf } from './location.ts';

type Shown = { atMs: number; onChanged(): void };
type AlertsProps = Shown & { alerts: readonly AlertLine[] };

export function Alerts({ alerts, atMs, onChanged }: AlertsProps) {
  if (alerts.length === 0) return null;
  return (
    <section class="card alerts" aria-label="Alerts">
      <h2>{alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`}</h2>
      <AlertList alerts={alerts} atMs={atMs} onChanged={onChanged} />
    </section>
  );
}

const AlertList = ({ alerts, atMs, onChanged }: AlertsProps) => (
  <ul>
    {alerts.map((alert) => (
      <Alert key={alert.id} alert={alert} atMs={atMs} onChanged={onChanged} />
    ))}
  </ul>
);

function Alert({ alert, atMs, onChanged }: Shown & { alert: AlertLine }) {
  const { id, badge, text, sinceMs, notes, command, acknowledge } = alert;
  return (
    <li>
      <p class="alert-head">
        <Pill badge={badge} />
        <b>
          <a href={hashOf({ cutover: cutoverOf(id) })}>{id}</a>
        </b>
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
      {acknowledge && <Actions actions={[acknowledge]} version={null} onChanged={onChanged} />}
      {command && <Command line={command} />}
    </li>
  );
}

// --------------------------------------------------------------------------------------------------------- overview

/** Of all cutovers: a line for each rule, and what it says of each cutover on demand. */
export function AlertGroups({ groups, atMs, onChanged }: Shown & { groups: readonly AlertGroup[] }) {
  if (groups.length === 0) return null;
  return (
    <section class="card alerts groups" aria-label="Alerts">
      {groups.map((group) => (
        <Group key={`${group.rule} ${group.badge.text}`} group={group} atMs={atMs} onChanged={onChanged} />
      ))}
    </section>
  );
}

function Group({ group: { rule, badge, alerts }, atMs, onChanged }: Shown & { group: AlertGroup }) {
  const sinceMs = Math.min(...alerts.map((alert) => alert.sinceMs));
  return (
    <details>
      <summary>
        <Pill badge={badge} />
        <b>{rule.replaceAll('_', ' ')}</b>
        <span>
          {alerts.length > 1 && <b>{alerts.length} cutovers: </b>}
          {alerts.map(({ id }) => cutoverOf(id)).join(', ')}
        </span>
        <time class="quiet" dateTime={new Date(sinceMs).toISOString()} title={dayAndTime(sinceMs)}>
          for {duration(atMs - sinceMs)}
        </time>
      </summary>
      <AlertList alerts={alerts} atMs={atMs} onChanged={onChanged} />
    </details>
  );
}

/** @example cutoverOf('customer.errors') // 'customer' */
const cutoverOf = (id: string): string => id.slice(0, id.indexOf('.'));
