/** What each of the two databases says of itself: the rows of crossfade.cutover, from which it follows what was begun and is not done. */

import type { PgConnection } from '../connection/connection.ts';
import type { Remote } from './remote.ts';

/**
 * `direction` where the primary is: forward before the promotion, reverse from the moment at which it handed over. Where the shadow is:
 * reverse while it takes the application's writes, and before and afterwards none.
 */
export type Side = { direction: 'none' | 'forward' | 'reverse'; epoch: number; version: number; stage: string };

export async function readSide(connection: PgConnection, id: string): Promise<Side | null> {
  const [row] = await connection.call<{ side: Side }>(
    `SELECT pg_catalog.jsonb_build_object('direction', c.direction, 'epoch', c.epoch, 'version', c.version, 'stage', c.stage) AS side
     FROM crossfade.cutover c WHERE c.id = $1::text`,
    [id],
  );
  return row?.side ?? null;
}

export const readSides = ({ cutover, primary, shadow }: Remote): Promise<[Side | null, Side | null]> =>
  Promise.all([readSide(primary.owner, cutover.id), readSide(shadow.connection, cutover.id)]);

/** True from the moment at which the shadow has taken over until the primary has: what is asked of the rows is asked there. */
export async function shadowLeads({ cutover, primary, shadow }: Remote): Promise<boolean> {
  const here = await readSide(primary.runtime, cutover.id);
  if (here?.direction !== 'reverse') return false;
  const there = await readSide(shadow.connection, cutover.id);
  return there !== null && there.epoch >= here.epoch;
}

/** The same two databases after completion: the shadow leads, and the primary follows. */
export function turned({ cutover, clock, primary, streams, shadow }: Remote): Remote {
  return {
    cutover,
    clock,
    primary: { owner: shadow.connection, runtime: shadow.connection },
    streams: shadow.streams,
    shadow: { connection: primary.owner, streams },
  };
}
