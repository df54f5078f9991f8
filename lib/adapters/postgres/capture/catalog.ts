/**
 * Reads tables out of the catalog as a `TableShape` each. Names are matched exactly, never through search_path. What there is to
 * see is decided by `crossfade.table_looks`, which a session plans once.
 */

import { otherThanTable } from '../../../core/table/relation-kind.ts';
import { quoteTable, type TableShape } from '../../../core/table/shape.ts';

import type { PgConnection } from '../connection/connection.ts';

/** Tables that were never analysed are counted, up to this many rows. */
const COUNTED_AT_MOST = 1_000_000;

type Described = Omit<TableShape, 'key' | 'keys' | 'unusableKeys'> & {
  uniques: readonly { names: string[]; unusable: string | null }[];
};
/** One for each that was asked for; null where there is no such table. */
type Shapes<Asked extends readonly unknown[]> = { [Place in keyof Asked]: TableShape | null };
type Found = { shape: Described; place: number; readable: boolean; operators: Readonly<Record<string, string>> };

/** @param name `schema.table`, as the catalog spells it; the schema ends at the first dot */
export async function readTable(connection: PgConnection, name: string): Promise<TableShape | null> {
  return (await readTables(connection, [name]))[0];
}

/** In one look, each in the place of its name. */
export function readTables<const Names extends readonly string[]>(
  connection: PgConnection,
  names: Names,
): Promise<Shapes<Names>> {
  const parts = names.map((name) => {
    const dot = Math.max(0, name.indexOf('.'));
    return { schema: name.slice(0, dot), name: name.slice(dot + 1) };
  });
  const oids = `ARRAY(
    SELECT (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = a.schema AND c.relname = a.name)
    FROM pg_catalog.jsonb_to_recordset($1::text::jsonb) a(schema name, name name))`;
  return read(connection, { oids, asked: names, value: JSON.stringify(parts) });
}

/** In one look, each in the place of its oid. */
export function readTablesByOid<const Oids extends readonly number[]>(
  connection: PgConnection,
  oids: Oids,
): Promise<Shapes<Oids>> {
  return read(connection, { oids: '$1::text::oid[]', asked: oids, value: `{${oids.join(',')}}` });
}

async function read<Asked extends readonly unknown[]>(
  connection: PgConnection,
  { oids, asked, value }: { oids: string; asked: Asked; value: string },
): Promise<Shapes<Asked>> {
  const looks = `SELECT l.*, crossfade.operator_schemas((l.shape ->> 'oid')::pg_catalog.oid) AS operators FROM crossfade.table_looks(${oids}) l`;
  const found = await connection.call<Found>(looks, [value]);
  const shapes: (TableShape | null)[] = asked.map(() => null);
  for (const row of found) shapes[row.place] = await shapeOf(connection, row);
  return shapes as Shapes<Asked>;
}

async function shapeOf(connection: PgConnection, { shape: found, readable, operators }: Found): Promise<TableShape> {
  const { uniques, ...described } = found;
  const columns = found.columns.map((column) =>
    operators[column.name] === undefined ? column : { ...column, operators: operators[column.name]! },
  );
  const keys = uniques.flatMap(({ names, unusable }) => (unusable === null ? [names] : []));
  const unusableKeys = uniques.flatMap(({ names, unusable }) => (unusable === null ? [] : [{ names, why: unusable }]));
  const shape: TableShape = { ...described, columns, key: keys[0] ?? null, keys, unusableKeys };
  if (shape.estimatedRows >= 0) return shape;
  return { ...shape, estimatedRows: readable ? await countRows(connection, shape) : 0 };
}

/** `reltuples` is -1 until the first VACUUM or ANALYZE. */
async function countRows(connection: PgConnection, shape: TableShape): Promise<number> {
  if (otherThanTable(shape)) return 0;
  const counted = `SELECT count(*)::float8 AS rows FROM (SELECT FROM ${quoteTable(shape)} LIMIT ${COUNTED_AT_MOST}) counted`;
  // An estimate: a policy may take rows from it, and the preview says what else such a policy does.
  const [row] = await connection.call<{ rows: number }>(counted, [], { settings: { row_security: 'on' } });
  return row?.rows ?? 0;
}
