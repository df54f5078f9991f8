/**
 * A transaction that began before the tables were exchanged does not write the one that is used from then on: it is asked to begin
 * again. After a way back nothing of ours is to stay, so that is taken off when those transactions are over.
 */

import type { PgConnection } from '../connection/connection.ts';

/** Some 50 ms apart. */
const LOOKS_FOR_ELDERS = 10;

/** @param table the one that the application uses from now on */
export const demandNewerSnapshots = (table: number) =>
  `SELECT crossfade.demand_newer_snapshots(${table}::pg_catalog.oid)`;

/** Transactions that are open now mostly end within moments. What stays goes when the cutover is reset. */
export async function endNewerSnapshots(owner: PgConnection, table: number): Promise<void> {
  const [seen] = await owner.call<{ open: string }>(
    'SELECT pg_catalog.to_jsonb(crossfade.open_transactions())::text AS open',
  );
  for (let look = 1; look <= LOOKS_FOR_ELDERS; look += 1) {
    const [row] = await owner.call<{ ended: boolean }>(
      'SELECT crossfade.end_newer_snapshots($1::text::oid, ARRAY(SELECT pg_catalog.jsonb_array_elements_text($2::text::jsonb))) AS ended',
      [table, seen!.open],
    );
    if (row!.ended) return;
    await owner.call('SELECT pg_catalog.pg_sleep(0.05)');
  }
}
