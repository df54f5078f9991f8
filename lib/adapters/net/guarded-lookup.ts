/**
 * Resolves a host and looks at what came out, in one step: the address that is checked is the address that is used, so
 * a name that means something else a moment later (DNS rebinding) changes nothing.
 */

import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { CrossfadeError } from '../../core/base/errors.ts';
import { addressKind } from '../../core/net/address.ts';
import { mayReach, type Reach } from '../../core/net/upstream.ts';

export type Resolve = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const systemResolve: Resolve = (host, options, done) => lookup(host, options, done);

/** A `lookup` for a socket. One address that may not be reached refuses the host, whatever else it has. */
export function guardedLookup(
  reach: Reach,
  resolve: Resolve,
  refusal: (host: string) => CrossfadeError,
): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '', 4);
      const refused = addresses.find(({ address }) => !mayReach(addressKind(address), host, reach));
      if (refused || addresses.length === 0) return done(refusal(host), '', 4);
      if (options.all) return done(null, addresses);
      done(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
