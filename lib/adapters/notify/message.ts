/** An alert message as it leaves the house: the same document on every channel. */

import type { AlertMessage } from '../../core/alerts/alert.ts';

export type SentMessage = Omit<AlertMessage, 'delivered' | 'atMs'> & { at: string };

export function documentOf({ delivered: _, atMs, ...message }: AlertMessage): SentMessage {
  return { ...message, at: new Date(atMs).toISOString() };
}

const WORDS = { fired: 'fires', escalated: 'escalated', acknowledged: 'acknowledged', resolved: 'resolved' } as const;

/** One line of plain ASCII, at most 100 characters: what SNS takes as a subject. */
export function subjectOf({ severity, alert, change }: AlertMessage): string {
  return `Crossfade ${severity}: ${alert} ${WORDS[change]}`.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100);
}
