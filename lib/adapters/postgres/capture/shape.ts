/** What a cutover was armed on: written down when it is armed, compared on every tick and inside the swap. The work is done in SQL. */

import { quoteText } from '../../../core/table/shape.ts';
import { OWN_PATH } from '../../../core/table/sql/session.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import { readTables } from './catalog.ts';
import { type Direction, expressionLists } from './check-transform.ts';

/** The last statement of the transaction that arms. */
export const recordShape = (id: string) => `SELECT crossfade.record_shape(${quoteText(id)})`;

/** Before `recordShape`: what the declared expressions of both directions call. */
export function recordUsed(id: string, directions: readonly Direction[]): string {
  const functions = directions.map(({ mapping, source }) => {
    const rows = expressionLists(mapping).map((sql) => `${quoteText(sql)}::pg_catalog.text`);
    return `crossfade.functions_of(${source.oid}::pg_catalog.oid, ARRAY[${rows.join(', ')}]::pg_catalog.text[], ${quoteText(OWN_PATH)})`;
  });
  return `SELECT crossfade.note_used(${quoteText(id)}, ${functions.join(' || ')})`;
}

/** The first statement of a swap under its lock. */
export const refuseChangedShape = (id: string) => `SELECT crossfade.refuse_changed_shape(${quoteText(id)})`;

export async function shapeObstacle(owner: PgConnection, id: string): Promise<string | null> {
  const [row] = await owner.call<{ why: string | null }>('SELECT crossfade.shape_obstacle($1::text) AS why', [id]);
  return row?.why ?? null;
}

/** Of a table that is not there nothing is hashed: its absence is refused elsewhere. */
export async function shapeHash(owner: PgConnection, { table }: Pick<TableCutover, 'table'>): Promise<string> {
  const [primary, shadow] = await readTables(owner, [table.primary, table.shadow]);
  const [row] = await owner.call<{ hash: string }>(
    `SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(coalesce(pg_catalog.string_agg(
      pg_catalog.concat_ws(' ', t.side, s.object, s.definition), E'\\n' ORDER BY t.side, s.object COLLATE "C", s.definition COLLATE "C"), ''), 'UTF8')), 'hex') AS hash
     FROM (VALUES ('primary', $1::oid), ('shadow', $2::oid)) t(side, oid), crossfade.table_shape(t.oid) s`,
    [primary?.oid ?? null, shadow?.oid ?? null],
  );
  return row!.hash;
}

/** Writes down what is seen, makes capture again where it was interrupted, and has every row copied and compared again then. */
export const watchShape = (id: string) => `SELECT crossfade.watch_shape(${quoteText(id)})`;
