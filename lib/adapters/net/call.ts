/**
 * The one way out to an address that a configuration names: upstreams, forwarded writes, webhooks and checks. The host is looked
 * at before anything is sent, whether it is an address or a name.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { kindOfHost } from '../../core/net/address.ts';
import { mayReach, type NetworkProfile, type Reach } from '../../core/net/upstream.ts';
import type { Clock } from '../../ports/machine.ts';
import { connections, type Exchange, exchange, type RawAnswer } from './exchange.ts';
import { guardedLookup, type Resolve, systemResolve } from './guarded-lookup.ts';

export type NetworkOptions = { clock: Pick<Clock, 'monotonicMs'>; profile: NetworkProfile; resolve?: Resolve };

export type Network = {
  /** False for a host that is an address and may not be reached; a name is looked at when it is resolved. */
  reaches(host: string, privateHosts: readonly string[]): boolean;
  /** @throws CrossfadeError `upstream_refused` when the host may not be reached, and what `exchange` throws */
  call(wanted: Omit<Exchange, 'lookup'>, privateHosts: readonly string[]): Promise<RawAnswer>;
};

export function network({ clock, profile, resolve = systemResolve }: NetworkOptions): Network {
  // A kept connection is not looked at again: one to a host that may be private is for those alone who name it.
  const kept = { named: connections(clock), unnamed: connections(clock) };
  const reaches = (host: string, reach: Reach) => {
    const kind = kindOfHost(host);
    return kind === null || mayReach(kind, host, reach);
  };
  return {
    reaches: (host, privateHosts) => reaches(host, { privateHosts, profile }),
    async call(wanted, privateHosts) {
      const reach = { privateHosts, profile };
      const refusal = (host: string) => addressRefused(wanted.called, host);
      // A socket asks no resolver about a host that is an address.
      if (!reaches(wanted.url.hostname, reach)) throw refusal(wanted.url.hostname);
      const own = privateHosts.includes(wanted.url.hostname) ? kept.named : kept.unnamed;
      return exchange(own, { ...wanted, lookup: guardedLookup(reach, resolve, refusal) });
    },
  };
}

/** Without the address: it says how a network looks from inside. */
function addressRefused(called: Exchange['called'], host: string): CrossfadeError {
  return new CrossfadeError(
    'upstream_refused',
    `The ${called} ${host} leads to an address that its configuration does not allow. Nothing was sent.`,
    { details: { sent: false } },
  );
}
