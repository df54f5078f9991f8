/** Names of what a cutover has beside the usual objects when its shadow is in another database. */

import { quoteName } from '../../shape.ts';

export function remoteNames(id: string) {
  const named = (what: string) => `crossfade.${quoteName(`${what}_${id}`)}`;
  return {
    /** Where the primary is. */
    claim: named('claim'),
    settle: named('settle'),
    chunk: named('chunk'),
    /** Where the shadow is. */
    receive: named('receive'),
  };
}

/** Of a batch: the next one does not begin before, unless this one is over. A mover that dies delays the others by this. */
export const CONVERGE_LEASE_MS = 5_000;
export const COPY_LEASE_MS = 30_000;
