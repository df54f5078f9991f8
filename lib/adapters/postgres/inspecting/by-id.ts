/** What is asked of many cutovers, in a few statements. */

import { inBatches } from '../../../core/base/in-batches.ts';
import type { PgConnection } from '../connection/connection.ts';

/**
 * @param statement gets the ids as `$1`, a JSON array as text; gives rows of `id` and `found`, none for an id that it does not know
 * @param most ids in one statement
 */
export async function foundById<Found>(
  connection: PgConnection,
  statement: string,
  ids: readonly string[],
  most: number,
): Promise<ReadonlyMap<string, Found>> {
  const all = new Map<string, Found>();
  for (const some of inBatches(ids, most)) {
    const rows = await connection.call<{ id: string; found: Found }>(statement, [JSON.stringify(some)]);
    for (const { id, found } of rows) all.set(id, found);
  }
  return all;
}
