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

/** Who is to go on where one side has handed over and the other one did not take over. Until then no side takes writes. */
export type Successor = 'shadow' | 'primary' | 'cleanup';

export function successorOf(here: Side | null, there: Side | null): Successor | null {
  if (here?.direction !== 'reverse') return null;
  if (!there || there.epoch < here.epoch) return 'shadow';
  if (there.epoch === here.epoch || there.direction !== 'none') return null;
  return there.stage === 'rolled_back' ? 'primary' : 'cleanup';
}

export const readSides = ({ cutover, primary, shadow }: Remote): Promise<[Side | null, Side | null]> =>
  Promise.all([readSide(primary.owner, cutover.id), readSide(shadow.connection, cutover.id)]);

/**
 * `shadowLeads` from the moment at which the shadow has taken over until the primary has: what is asked of the rows is asked there. The
 * other database is not asked before the primary has handed over: it may be away.
 */
export type Standing = { shadowLeads: boolean; successor: Successor | null };

export async function standingOf({ cutover, primary, shadow }: Remote): Promise<Standing> {
  const here = await readSide(primary.runtime, cutover.id);
  if (here?.direction !== 'reverse') return { shadowLeads: false, successor: null };
  const there = await readSide(shadow.connection, cutover.id);
  return { shadowLeads: there !== null && there.epoch >= here.epoch, successor: successorOf(here, there) };
}

/** The same two databases after completion: the shadow leads, and the primary follows. */
export function turned({ cutover, clock, ids, primary, streams, shadow }: Remote): Remote {
  return {
    cutover,
    clock,
    ids,
    primary: { owner: shadow.connection, runtime: shadow.connection },
    streams: shadow.streams,
    shadow: { connection: primary.owner, streams },
  };
}
