/** Alerts: where they are kept, and the ways to people. */

import type { Alert, AlertMessage } from '../core/alerts/alert.ts';

export type AlertStore = {
  /** Every alert ever raised, in one consistent query, by id. @throws CrossfadeError `state_invalid`, `store_unavailable`. */
  readAll(): Promise<readonly Alert[]>;
  read(id: string): Promise<Alert | null>;
  /** One conditional write: `stale` when the stored version is not `basedOn` (0: never written) any more. */
  write(alert: Alert, basedOn: number): Promise<'applied' | 'stale'>;
};

/** One way to people: a topic, a bus, a webhook. */
export type AlertChannel = {
  name: string;
  /** At least once: a message may come again under the same id. @throws when it was not taken within the time given. */
  send(message: AlertMessage, timeoutMs: number): Promise<void>;
};
