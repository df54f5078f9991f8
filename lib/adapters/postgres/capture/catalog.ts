/**
 * Reads one table out of the catalog as a `TableShape`. Names are matched exactly, never through search_path; types and
 * defaults come back fully qualified, because search_path is empty while they are written out.
 */

import { quoteTable, type TableShape } from '../../../core/table/shape.ts';

import type { PgConnection } from '../connection/connection.ts';

/** Tables that were never analysed are counted, up to this many rows. */
const COUNTED_AT_MOST = 1_000_000;

/**
 * The type under a domain, or under domains of domains, with its length: what `getBaseTypeAndTypmod` of Postgres returns.
 * `OFFSET 0` has a type looked up by its oid. Without it the whole of pg_type is read for each column of a table.
 */
const underDomains = (oid: string, typmod: string) => `LATERAL (
      WITH RECURSIVE under AS (
        SELECT ${oid} AS oid, ${typmod} AS typmod, 0 AS depth
        UNION ALL
        SELECT d.typbasetype, d.typtypmod, u.depth + 1 FROM under u
        CROSS JOIN LATERAL (SELECT y.typtype, y.typbasetype, y.typtypmod FROM pg_catalog.pg_type y WHERE y.oid = u.oid OFFSET 0) d
        WHERE d.typtype = 'd'
      ) SELECT u.oid, u.typmod FROM under u ORDER BY u.depth DESC LIMIT 1)`;

/** Operator classes that a type takes by default: its own, or one of a type that has the same bytes. */
const ofType = (o: string, type: string) => `(${o}.opcintype = ${type}.oid
        OR ${o}.opcintype = CASE ${type}.typtype WHEN 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype::oid WHEN 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype::oid WHEN 'm' THEN 'pg_catalog.anymultirange'::pg_catalog.regtype::oid END
        OR EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castsource = ${type}.oid AND k.casttarget = ${o}.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))`;

/** Has the type a hash of 64 bits? */
const hashes = (type: string) => `EXISTS (
        SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
        JOIN pg_catalog.pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amproclefttype = o.opcintype AND f.amprocrighttype = o.opcintype AND f.amprocnum = 2
        WHERE m.amname = 'hash' AND o.opcdefault AND ${ofType('o', type)})`;

/** Why an index cannot tell rows apart the way statements do; NULL when it can. */
const UNUSABLE = `CASE
        WHEN m.amname <> 'btree' THEN 'its index ' || c.relname || ' is of the kind ' || m.amname
        ELSE (
          SELECT 'its index ' || c.relname || CASE WHEN NOT l.collisdeterministic THEN ' has a nondeterministic collation'
            WHEN e.oprname <> '=' OR NOT less.named THEN ' is of a type whose order is not the one of <, = and >'
            WHEN NOT e.oprcanmerge THEN ' is of operator class ' || o.opcname || ', whose equality no merge join can use'
            ELSE ' is of operator class ' || o.opcname || ', whose equality is not the one of the type' END
          FROM ROWS FROM (pg_catalog.unnest(i.indclass::oid[]), pg_catalog.unnest(i.indcollation::oid[])) WITH ORDINALITY k(class, collated, place)
          JOIN pg_catalog.pg_opclass o ON o.oid = k.class
          JOIN pg_catalog.pg_amop a ON a.amopfamily = o.opcfamily AND a.amoplefttype = o.opcintype AND a.amoprighttype = o.opcintype AND a.amopstrategy = 3
          JOIN pg_catalog.pg_operator e ON e.oid = a.amopopr
          LEFT JOIN pg_catalog.pg_collation l ON l.oid = k.collated
          CROSS JOIN LATERAL (
            SELECT count(*) = 2 AS named FROM pg_catalog.pg_opclass d
            JOIN pg_catalog.pg_amop x ON x.amopfamily = d.opcfamily AND x.amoplefttype = d.opcintype AND x.amoprighttype = d.opcintype
            JOIN pg_catalog.pg_operator n ON n.oid = x.amopopr
            WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype
              AND (x.amopstrategy, n.oprname) IN ((1, '<'), (5, '>'))) less
          WHERE k.place <= i.indnkeyatts AND (NOT l.collisdeterministic OR e.oprname <> '=' OR NOT less.named OR NOT e.oprcanmerge OR NOT EXISTS (
            SELECT FROM pg_catalog.pg_opclass d JOIN pg_catalog.pg_amop b ON b.amopfamily = d.opcfamily AND b.amoplefttype = d.opcintype AND b.amoprighttype = d.opcintype
            WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype AND b.amopstrategy = 3 AND b.amopopr = a.amopopr))
          ORDER BY k.place LIMIT 1)
        END`;

/**
 * Everything below depends on `target`, which depends on `bare`: search_path is empty before any name is written. To plan it
 * takes longer than to run it, so that several tables are read at once.
 */
const describe = (asked: string, condition: string) => `
WITH bare AS MATERIALIZED (SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)),
target AS MATERIALIZED (
  SELECT asked.column1 AS place, c.oid, n.nspname, c.relname, c.relkind, c.reltuples
  FROM bare, (VALUES ${asked}) asked, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${condition} AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
)
SELECT pg_catalog.jsonb_build_object(
  'oid', t.oid::bigint, 'schema', t.nspname, 'name', t.relname, 'relkind', t.relkind, 'estimatedRows', t.reltuples::float8,
  'columns', COALESCE((
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', a.attname,
      'number', a.attnum,
      'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'base', CASE WHEN under.oid <> a.atttypid OR item.oid <> e.oid THEN pg_catalog.format_type(COALESCE(item.array, under.oid), COALESCE(item.typmod, under.typmod)) END,
      'kind', b.typtype,
      'schemas', (SELECT pg_catalog.jsonb_agg(DISTINCT s.nspname) FROM pg_catalog.pg_type x JOIN pg_catalog.pg_namespace s ON s.oid = x.typnamespace
        WHERE x.oid IN (b.oid, item.oid, r.rngsubtype) AND s.nspname <> 'pg_catalog'),
      'hashes', ${hashes('b')} AND (r.rngsubtype IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_type g WHERE g.oid = r.rngsubtype AND ${hashes('g')})),
      'notNull', a.attnotnull,
      'defaultSql', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
      'generated', a.attgenerated <> '',
      'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END,
      'deterministic', COALESCE(l.collisdeterministic, true),
      'collation', CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::pg_catalog.regcollation::pg_catalog.text END
    ) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    CROSS JOIN ${underDomains('a.atttypid', 'a.atttypmod')} under
    JOIN pg_catalog.pg_type b ON b.oid = under.oid
    LEFT JOIN pg_catalog.pg_range r ON b.oid IN (r.rngtypid, r.rngmultitypid)
    LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem AND e.typarray = b.oid
    LEFT JOIN LATERAL (
      SELECT u.oid, u.typmod, w.typarray AS array FROM ${underDomains('e.oid', 'under.typmod')} u
      JOIN pg_catalog.pg_type w ON w.oid = u.oid) item ON true
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  ), '[]'),
  'uniques', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('names', u.names, 'unusable', u.unusable)
      ORDER BY u.indisprimary DESC, pg_catalog.jsonb_array_length(u.names), u.indexrelid), '[]') FROM (
      SELECT i.indexrelid, i.indisprimary, ${UNUSABLE} AS unusable,
        (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place)
         FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE k.place <= i.indnkeyatts) AS names
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = c.relam
      WHERE i.indrelid = t.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (
          SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
    ) u
  )
) AS shape, t.place, pg_catalog.has_table_privilege(t.oid, 'SELECT') AS readable
FROM target t`;

type Described = Omit<TableShape, 'key' | 'keys' | 'unusableKeys'> & {
  uniques: readonly { names: string[]; unusable: string | null }[];
};
/** One for each that was asked for; null where there is no such table. */
type Shapes<Asked extends readonly unknown[]> = { [Place in keyof Asked]: TableShape | null };
type Found = { shape: Described; place: number; readable: boolean };

/** @param name `schema.table`, as the catalog spells it; the schema ends at the first dot */
export async function readTable(connection: PgConnection, name: string): Promise<TableShape | null> {
  return (await readTables(connection, [name]))[0];
}

/** In one look, each in the place of its name. */
export function readTables<const Names extends readonly string[]>(
  connection: PgConnection,
  names: Names,
): Promise<Shapes<Names>> {
  const asked = names.map((name) => {
    const dot = Math.max(0, name.indexOf('.'));
    return [name.slice(0, dot), name.slice(dot + 1)];
  });
  return read(connection, asked, 'n.nspname = asked.column2 AND c.relname = asked.column3');
}

/** In one look, each in the place of its oid. */
export function readTablesByOid<const Oids extends readonly number[]>(
  connection: PgConnection,
  oids: Oids,
): Promise<Shapes<Oids>> {
  const asked = oids.map((oid) => [oid]);
  return read(connection, asked, 'c.oid = asked.column2::oid');
}

async function read<Asked extends readonly unknown[]>(
  connection: PgConnection,
  asked: readonly (readonly (string | number)[])[],
  condition: string,
): Promise<Shapes<Asked>> {
  const values = asked.flat();
  let place = 0;
  const rows = asked.map((one, index) => `(${[index, ...one.map(() => `$${++place}`)].join(', ')})`);
  const found = await connection.call<Found>(describe(rows.join(', '), condition), values);
  const shapes: (TableShape | null)[] = asked.map(() => null);
  for (const row of found) shapes[row.place] = await shapeOf(connection, row);
  return shapes as Shapes<Asked>;
}

async function shapeOf(connection: PgConnection, { shape: found, readable }: Found): Promise<TableShape> {
  const { uniques, ...described } = found;
  const keys = uniques.flatMap(({ names, unusable }) => (unusable === null ? [names] : []));
  const unusableKeys = uniques.flatMap(({ names, unusable }) => (unusable === null ? [] : [{ names, why: unusable }]));
  const shape: TableShape = { ...described, key: keys[0] ?? null, keys, unusableKeys };
  if (shape.estimatedRows >= 0) return shape;
  return { ...shape, estimatedRows: readable ? await countRows(connection, shape) : 0 };
}

/** `reltuples` is -1 until the first VACUUM or ANALYZE. */
async function countRows(connection: PgConnection, shape: TableShape): Promise<number> {
  if (shape.relkind !== 'r') return 0;
  const counted = `SELECT count(*)::float8 AS rows FROM (SELECT FROM ${quoteTable(shape)} LIMIT ${COUNTED_AT_MOST}) counted`;
  // An estimate: a policy may take rows from it, and the preview says what else such a policy does.
  const [row] = await connection.call<{ rows: number }>(counted, [], { settings: { row_security: 'on' } });
  return row?.rows ?? 0;
}
