/** Alerts as the page shows them. */

import type { AlertList, AlertView } from '../flows/alerts/alerts.ts';
import { type Action, acknowledgeAction } from './actions.ts';
import type { Tone } from './sentences.ts';

export type AlertLine = {
  id: string;
  badge: { text: string; tone: Tone };
  text: string;
  sinceMs: number;
  /** What follows from it, and who has taken it on. */
  notes: readonly string[];
  command: string | null;
  acknowledge: Action | null;
};

const TONES = { critical: 'bad', warning: 'wait', info: 'idle' } as const;

/** Alerts of one rule that are to be taken alike. */
export type AlertGroup = {
  rule: string;
  badge: AlertLine['badge'];
  /** The worst first, at least one. */
  alerts: readonly AlertLine[];
};

/** The same alert of many cutovers is one. */
export function alertGroups(list: AlertList): AlertGroup[] {
  const groups = new Map<string, AlertLine[]>();
  for (const line of alertLines(list)) {
    const key = `${ruleOf(line)} ${line.badge.text} ${line.badge.tone}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()].map((alerts) => ({ rule: ruleOf(alerts[0]!), badge: alerts[0]!.badge, alerts }));
}

/** @example ruleOf({ id: 'customer.errors' }) // 'errors' */
const ruleOf = ({ id }: { id: string }): string => id.slice(id.indexOf('.') + 1);

/** Firing and waiting ones; what is over is in `crossfade alerts`. */
export function alertLines({ alerts }: AlertList): AlertLine[] {
  return alerts.filter(({ status }) => status !== 'quiet').map(lineOf);
}

function lineOf({ id, status, severity, action, text, sinceMs, acknowledged, escalatedAtMs }: AlertView): AlertLine {
  const open = status === 'firing' && !acknowledged;
  const word = severity[0]!.toUpperCase() + severity.slice(1);
  const notes = [
    action === 'hold' && status === 'firing' ? 'Holds the cutover' : null,
    action === 'rollback' && status === 'firing' ? 'Rolls the cutover back' : null,
    escalatedAtMs === null ? null : 'Escalated',
    acknowledged && `Acknowledged by ${acknowledged.actor}: ${acknowledged.reason}`,
  ];
  return {
    id,
    badge: {
      text: status === 'pending' ? `${word}, not long yet` : word,
      tone: acknowledged ? 'idle' : TONES[severity],
    },
    text,
    sinceMs,
    notes: notes.filter((note) => note !== null),
    command: open ? `crossfade ack ${id} --reason '…'` : null,
    acknowledge: open ? acknowledgeAction(id) : null,
  };
}
