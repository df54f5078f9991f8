/** Alerts in memory, and a channel that takes messages, refuses them or never answers. */

import type { Alert, AlertMessage } from '../../../lib/core/alerts/alert.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { AlertChannel, AlertStore } from '../../../lib/ports/alerts.ts';
import { frozen } from './frozen.ts';

export type InMemoryAlerts = AlertStore & {
  /** While true every call throws `store_unavailable`. */
  unavailable(yes: boolean): void;
  /** Number of writes that were applied. */
  applied(): number;
};

export function inMemoryAlerts(): InMemoryAlerts {
  const items = new Map<string, Alert>();
  let down = false;
  let applied = 0;
  const reachable = () => {
    if (down) throw new CrossfadeError('store_unavailable', 'The alerts were switched off.', { retryable: true });
  };
  return {
    async readAll() {
      reachable();
      return [...items.keys()].sort().map((id) => items.get(id)!);
    },
    async read(id) {
      reachable();
      return items.get(id) ?? null;
    },
    async write(alert, basedOn) {
      reachable();
      if ((items.get(alert.id)?.version ?? 0) !== basedOn) return 'stale';
      items.set(alert.id, frozen(JSON.parse(JSON.stringify(alert)) as Alert));
      applied += 1;
      return 'applied';
    },
    unavailable: (yes) => {
      down = yes;
    },
    applied: () => applied,
  };
}

export type InMemoryChannel = AlertChannel & {
  readonly sent: readonly AlertMessage[];
  /** While true nothing is taken. */
  failing(yes: boolean): void;
};

export function inMemoryChannel(name = 'memory'): InMemoryChannel {
  const sent: AlertMessage[] = [];
  let down = false;
  return {
    name,
    sent,
    async send(message) {
      if (down) throw new CrossfadeError('upstream_unavailable', `Channel ${name} was switched off.`);
      sent.push(message);
    },
    failing: (yes) => {
      down = yes;
    },
  };
}
