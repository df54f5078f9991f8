/**
 * What a swap needs and an older server has not: named before anything is armed. Under the shadow's name a view stays after a
 * promotion. Where the table has row security, the view must bind the one who reads it (security_invoker, PostgreSQL 15): with its owner's rights it would
 * show every row.
 */

import type { PreviewItem } from '../../../ports/swapping.ts';
import type { PgConnection } from '../connection/connection.ts';

const SECURITY_INVOKER_SINCE = 150_000;

export async function olderServerItems(owner: PgConnection, tables: readonly number[]): Promise<PreviewItem[]> {
  const rows = await owner.call<{ object: string; version: string }>(
    `SELECT c.oid::pg_catalog.regclass::text AS object, pg_catalog.current_setting('server_version') AS version
     FROM pg_catalog.pg_class c WHERE c.relrowsecurity
       AND c.oid::text IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
       AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < ${SECURITY_INVOKER_SINCE}
     ORDER BY 1`,
    [JSON.stringify(tables)],
  );
  return rows.map(({ object, version }) => ({
    action: 'refuse',
    kind: 'row security',
    object,
    text: `This server is PostgreSQL ${version}, and the view that keeps the shadow's name after a promotion needs security_invoker of PostgreSQL 15: without it, it would show rows that a policy hides. Upgrade the server first`,
  }));
}
