/**
 * HTTP checks: a signed POST, as alerts to a webhook are. Only the status of the answer counts, so its body is left unread, and
 * redirects are not followed. The address is looked at for every call, like every other that a configuration names.
 */

import type { CriteriaSources } from '../../ports/criteria.ts';
import type { Clock } from '../../ports/machine.ts';
import { type NetworkOptions, network } from '../net/call.ts';
import { signedHeaders } from './sign.ts';

export type HttpCheckOptions = Omit<NetworkOptions, 'clock'> & {
  clock: Pick<Clock, 'now' | 'monotonicMs'>;
  /** The shared key, read when the first check is asked. */
  key: () => Promise<string>;
};

export function httpChecks(options: HttpCheckOptions): CriteriaSources['httpCheck'] {
  const { call } = network(options);
  return async ({ url, privateHosts, timeoutMs }, { id, atMs, ...question }) => {
    const body = JSON.stringify({ id, at: new Date(atMs).toISOString(), ...question });
    const { status } = await call(
      {
        called: 'check',
        url: new URL(url),
        method: 'POST',
        headers: signedHeaders({ id, body }, await options.key(), options.clock.now()),
        body: Buffer.from(body),
        timeoutMs,
        maxBytes: null,
      },
      privateHosts,
    );
    return status;
  };
}
