/**
 * Reads a table as DDL says it. Everything is quoted and named with its schema by Postgres itself,
 * since nothing but the catalog is in the path of our transactions.
 */

import type { DraftedTable, TableAccess } from '../../../core/table/draft/drafted-table.ts';
import type { PgConnection } from '../connection/connection.ts';

/** @param table `schema.name`, quoted as SQL needs it */
export async function describeTable(connection: PgConnection, table: string): Promise<DraftedTable> {
  const [row] = await connection.call<{ drafted: DraftedTable }>(DESCRIBE, [table]);
  return row!.drafted;
}

const COLUMNS = `SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', a.attname, 'ident', quote_ident(a.attname), 'number', a.attnum, 'type', format_type(a.atttypid, a.atttypmod),
    'collation', CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation::text END,
    'notNull', a.attnotnull,
    'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'generated', CASE WHEN a.attgenerated <> '' THEN jsonb_build_object('sql', pg_get_expr(d.adbin, d.adrelid),
      'kind', CASE a.attgenerated WHEN 'v' THEN 'VIRTUAL' ELSE 'STORED' END) END,
    'identity', CASE WHEN a.attidentity <> '' THEN jsonb_build_object(
      'how', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
      'sequence', (SELECT jsonb_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart::text,
          'increment', s.seqincrement::text, 'min', s.seqmin::text, 'max', s.seqmax::text, 'cache', s.seqcache::text, 'cycle', s.seqcycle)
        FROM pg_depend i JOIN pg_sequence s ON s.seqrelid = i.objid
        WHERE i.refclassid = 'pg_class'::regclass AND i.refobjid = a.attrelid AND i.refobjsubid = a.attnum
          AND i.classid = 'pg_class'::regclass AND i.deptype = 'i')) END,
    'storage', CASE WHEN a.attstorage <> y.typstorage THEN
      CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' WHEN 'm' THEN 'MAIN' END END,
    'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
    'statistics', nullif(a.attstattarget, -1),
    'options', array_to_string(a.attoptions, ', '),
    'comment', col_description(a.attrelid, a.attnum)) ORDER BY a.attnum), '[]')
  FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const CONSTRAINTS = `SELECT coalesce(jsonb_agg(jsonb_build_object('ident', quote_ident(k.conname), 'type', k.contype,
    'columns', CASE WHEN k.contype IN ('p', 'u') THEN (SELECT jsonb_agg(quote_ident(a.attname) ORDER BY n.place)
      FROM unnest(k.conkey) WITH ORDINALITY n(number, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = n.number)
      ELSE '[]' END,
    'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint'))
    ORDER BY k.contype <> 'p', k.conname), '[]')
  FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'c', 'f')`;

const INDEXES = `SELECT coalesce(jsonb_agg(jsonb_build_object('ident', quote_ident(i.relname), 'definition',
      replace(pg_get_indexdef(i.oid), quote_ident(i.relname) || ' ON ONLY ', quote_ident(i.relname) || ' ON '),
    'unique', x.indisunique,
    'columns', (SELECT jsonb_agg(pg_get_indexdef(i.oid, n, true) ORDER BY n) FROM generate_series(1, x.indnkeyatts) n),
    'constraint', EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')),
    'options', array_to_string(i.reloptions, ', '), 'clustered', x.indisclustered, 'identifies', x.indisreplident,
    'comment', obj_description(i.oid, 'pg_class')) ORDER BY i.relname), '[]')
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid`;

const STATISTICS = `SELECT coalesce(jsonb_agg(jsonb_build_object(
    'ident', quote_ident(t.nspname) || '.' || quote_ident(e.stxname),
    'definition', pg_get_statisticsobjdef(e.oid), 'comment', obj_description(e.oid, 'pg_statistic_ext')) ORDER BY e.stxname), '[]')
  FROM pg_statistic_ext e JOIN pg_namespace t ON t.oid = e.stxnamespace WHERE e.stxrelid = c.oid`;

/** Storage parameters, those of its TOAST table with `toast.` before them. */
const optionsOf = (table: string) => `(SELECT string_agg(o, ', ') FROM (
      SELECT unnest(${table}.reloptions) AS o UNION ALL
      SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = ${table}.reltoastrelid) o)`;

const PARTITIONS = `SELECT coalesce(jsonb_agg(jsonb_build_object(
    'ident', quote_ident(m.nspname) || '.' || quote_ident(p.relname), 'bound', pg_get_expr(p.relpartbound, p.oid),
    'options', ${optionsOf('p')}) ORDER BY p.relname), '[]')
  FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhrelid JOIN pg_namespace m ON m.oid = p.relnamespace
  WHERE h.inhparent = c.oid AND p.relispartition`;

const DESCRIBE = `SELECT jsonb_build_object(
    'schema', quote_ident(n.nspname), 'ident', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    'options', ${optionsOf('c')},
    'partitionedBy', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, 'partitions', (${PARTITIONS}),
    'replicaIdentity', c.relreplident, 'comment', obj_description(c.oid, 'pg_class'),
    'columns', (${COLUMNS}), 'constraints', (${CONSTRAINTS}), 'indexes', (${INDEXES}), 'statistics', (${STATISTICS})) AS drafted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::regclass`;

export async function readAccess(connection: PgConnection, table: string): Promise<TableAccess> {
  const [row] = await connection.call<TableAccess>(ACCESS, [table]);
  return row!;
}

const ACCESS = `SELECT quote_ident(pg_get_userbyid(c.relowner)) AS owner, (
    SELECT coalesce(jsonb_agg(r ORDER BY r.grantee, r."column"), '[]') FROM (
      SELECT DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS grantee, l.name AS "column"
      FROM (SELECT NULL AS name, c.relacl AS acl
        UNION ALL SELECT quote_ident(a.attname), a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped) l
      CROSS JOIN LATERAL aclexplode(l.acl) g WHERE g.privilege_type = 'SELECT' AND g.grantee <> c.relowner) r) AS readers
  FROM pg_class c WHERE c.oid = $1::regclass`;
