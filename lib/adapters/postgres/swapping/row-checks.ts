/** What rows must satisfy before a swap and nothing else makes sure of. Each reads a whole table, before any lock. */

import type { UnprovenForeignKey } from '../../../core/table/promotion/foreign-keys-aside.ts';
import { companionsOf, countUnfilled } from '../../../core/table/sql/companions.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import type { PgConnection } from '../connection/connection.ts';

/** The query counts the rows against it. */
export type RowCheck = { query: string; why: (rows: number) => string };

const LONG_MS = 120_000;

/** Rows that a foreign key of the new shape would not allow: under it, the application could not even correct them. */
export const orphanChecks = (keys: readonly UnprovenForeignKey[]): RowCheck[] =>
  keys.map(({ name, object, query }) => ({
    query,
    why: (rows) =>
      `${rows} rows reference nothing in ${object}, as foreign key ${name} of the new shape demands. Nothing was changed. Correct them in the primary, or give the foreign key up.`,
  }));

/** Rows whose companion is not what their foreign key says. */
export const companionChecks = (flow: Flow): RowCheck[] =>
  companionsOf(flow).map((one) => {
    const table = `${one.table.schema}.${one.table.name}`;
    return {
      query: countUnfilled(flow, one),
      why: (rows) =>
        `${rows} rows of ${table} have another value in ${one.following} than follows from ${one.leading}. Nothing was changed. Touch them (UPDATE ${table} SET ${one.leading} = ${one.leading} …), and look at the server's log for what stands against it.`,
    };
  });

export async function firstFailing(owner: PgConnection, checks: readonly RowCheck[]): Promise<string | null> {
  for (const { query, why } of checks) {
    const [row] = await owner.longCall<{ rows: number }>(query, LONG_MS);
    if (row!.rows > 0) return `Not swapped yet: ${why(row!.rows)}`;
  }
  return null;
}
