/** Roles and databases whose statements give up sooner than a swap may hold its lock: named before anything is armed. */

import type { PreviewItem } from '../../../ports/swapping.ts';
import type { PgConnection } from '../connection/connection.ts';

/** What a swap holds its lock for at most where nothing is wrong, with the time for which it may queue before. */
const SWAP_MS = 250;

export async function shortLimitItems(owner: PgConnection): Promise<PreviewItem[]> {
  const rows = await owner.call<{ object: string; setting: string }>(
    `SELECT pg_catalog.concat_ws(' in ', CASE WHEN s.setrole <> 0 THEN 'role ' || s.setrole::pg_catalog.regrole END, CASE WHEN s.setdatabase <> 0 THEN 'database ' || pg_catalog.current_database() END) AS object,
       c.setting FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c(setting)
     CROSS JOIN LATERAL (SELECT pg_catalog.split_part(c.setting, '=', 2) AS text) v
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
       AND pg_catalog.split_part(c.setting, '=', 1) IN ('lock_timeout', 'statement_timeout', 'transaction_timeout')
       AND v.text ~ '^[0-9.]+ *(us|ms|s|min|h|d)?$'
       AND (v.text || CASE WHEN v.text ~ '[a-z]$' THEN '' ELSE 'ms' END)::pg_catalog.interval BETWEEN interval '1 microsecond' AND interval '${SWAP_MS} milliseconds'
     ORDER BY 1, 2`,
  );
  return rows.map(({ object, setting }) => ({
    action: 'notice',
    kind: 'time limit',
    object,
    text: `It has ${setting}. A swap holds its lock for some 30 to 150 ms, and may queue for 100 ms before: a statement on the table that comes then would fail (55P03, 57014). Raise the limit above ${SWAP_MS} ms for the time of the swap, or let the application try again.`,
  }));
}
