/**
 * Reads one table out of the catalog as a `TableShape`. Names are matched exactly, never through search_path; types and
 * defaults come back fully qualified, because search_path is empty while they are written out.
 */

import { quoteTable, type TableShape } from '../../core/table-shape.ts';

import type { PgGateway } from './gateway.ts';

/** Tables that were never analysed are counted, up to this many rows. */
const COUNTED_AT_MOST = 1_000_000;

/** Everything below depends on `target`, which depends on `bare`: search_path is empty before any name is written. */
const describe = (condition: string) => `
WITH bare AS MATERIALIZED (SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)),
target AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples
  FROM bare, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${condition} AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
)
SELECT pg_catalog.jsonb_build_object(
  'oid', t.oid::bigint, 'schema', t.nspname, 'name', t.relname, 'relkind', t.relkind, 'estimatedRows', t.reltuples::float8,
  'columns', COALESCE((
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', a.attname,
      'number', a.attnum,
      'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'notNull', a.attnotnull,
      'defaultSql', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
      'generated', a.attgenerated <> '',
      'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END,
      'deterministic', COALESCE(l.collisdeterministic, true),
      'collation', CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::pg_catalog.regcollation::pg_catalog.text END
    ) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  ), '[]'),
  'keys', (
    SELECT COALESCE(pg_catalog.jsonb_agg(keys.names ORDER BY keys.indisprimary DESC, pg_catalog.jsonb_array_length(keys.names), keys.indexrelid), '[]') FROM (
      SELECT i.indexrelid, i.indisprimary,
        (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place)
         FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE k.place <= i.indnkeyatts) AS names
      FROM pg_catalog.pg_index i
      WHERE i.indrelid = t.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (
          SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
    ) keys
  )
) AS shape, pg_catalog.has_table_privilege(t.oid, 'SELECT') AS readable
FROM target t`;

/** @param name `schema.table`, as the catalog spells it; the schema ends at the first dot */
export async function readTable(gateway: PgGateway, name: string): Promise<TableShape | null> {
  const dot = name.indexOf('.');
  if (dot < 1) return null;
  const condition = 'n.nspname = $1::text AND c.relname = $2::text';
  return read(gateway, condition, [name.slice(0, dot), name.slice(dot + 1)]);
}

export async function readTableByOid(gateway: PgGateway, oid: number): Promise<TableShape | null> {
  return read(gateway, 'c.oid = $1::text::oid', [oid]);
}

async function read(
  gateway: PgGateway,
  condition: string,
  parameters: (string | number)[],
): Promise<TableShape | null> {
  const [row] = await gateway.call<{ shape: TableShape; readable: boolean }>(describe(condition), parameters);
  if (!row) return null;
  const { readable } = row;
  const shape = { ...row.shape, key: row.shape.keys?.[0] ?? null };
  if (shape.estimatedRows >= 0) return shape;
  return { ...shape, estimatedRows: readable ? await countRows(gateway, shape) : 0 };
}

/** `reltuples` is -1 until the first VACUUM or ANALYZE. */
async function countRows(gateway: PgGateway, shape: TableShape): Promise<number> {
  if (shape.relkind !== 'r') return 0;
  const counted = `SELECT count(*)::float8 AS rows FROM (SELECT FROM ${quoteTable(shape)} LIMIT ${COUNTED_AT_MOST}) counted`;
  const [row] = await gateway.call<{ rows: number }>(counted);
  return row?.rows ?? 0;
}
