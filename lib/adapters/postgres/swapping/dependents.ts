/** Reads everything that hangs on the two tables of a cutover, and the fingerprint that a swap compares under its lock. */

import type { Companion } from '../../../core/table/mapping.ts';
import type { Dependents, OfPartition, TableDependents } from '../../../core/table/promotion/dependents.ts';
import { quoteTable } from '../../../core/table/shape.ts';
import type { PgConnection } from '../connection/connection.ts';

export type ReadDependents = { dependents: Dependents; fingerprint: string };

/** The fingerprint is that of exactly what is returned, not of a later look. */
export async function readDependents(
  owner: PgConnection,
  [primaryOid, shadowOid]: readonly [number, number],
  companions: readonly Companion[] = [],
): Promise<ReadDependents> {
  const [row] = await owner.call<ReadDependents>(
    `SELECT seen.dependents, pg_catalog.md5(seen.dependents::text) AS fingerprint
     FROM (SELECT crossfade.dependents($1::text::oid, $2::text::oid) AS dependents OFFSET 0) seen`,
    [primaryOid, shadowOid],
  );
  const referring = await readReferring(owner, companions);
  const { primary, shadow } = row!.dependents;
  const ofPartitions = await readOfPartitions(owner, [primary, shadow]);
  return { ...row!, dependents: { ...row!.dependents, referring, ofPartitions } };
}

/** What goes when its table goes, such as a policy, depends on it in two ways. */
const GOES_ALONG = `EXISTS (SELECT FROM pg_catalog.pg_depend a WHERE a.classid = d.classid AND a.objid = d.objid AND a.deptype IN ('a', 'i')
  AND a.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.refobjid = d.refobjid)`;

const DESCRIBED = `CASE WHEN w.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, 0)
  ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class, 0) END`;

/** What a partition may have that its table has not. Indexes and constraints of the table have copies with a parent. */
const PARTS = `VALUES
  ('privileges', c.relacl IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)),
  ('a comment', pg_catalog.obj_description(c.oid, 'pg_class') IS NOT NULL),
  ('row security', c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)),
  ('rules', c.relhasrules),
  ('constraints', EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.conislocal AND k.coninhcount = 0 AND k.conparentid = 0 AND k.contype IN ('c', 'u', 'p', 'x'))),
  ('indexes', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid))),
  ('publications', EXISTS (SELECT FROM pg_catalog.pg_publication_rel p WHERE p.prrelid = c.oid)),
  ('extended statistics', EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = c.oid)),
  ('storage parameters', c.reloptions IS NOT NULL),
  ('a replica identity', c.relreplident <> t.relreplident),
  ('defaults', EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attrelid = t.oid AND b.attname = a.attname
    LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = b.attrelid AND f.adnum = b.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '' AND NOT a.attisdropped
      AND pg_catalog.pg_get_expr(e.adbin, e.adrelid) IS DISTINCT FROM pg_catalog.pg_get_expr(f.adbin, f.adrelid)))`;

/** Not part of the fingerprint either: of what comes after this look, a foreign key waits for the mirror, and the rest is not carried. */
async function readOfPartitions(owner: PgConnection, tables: readonly TableDependents[]): Promise<OfPartition[]> {
  const roots = tables.filter(({ partitions }) => partitions.length > 0).map(({ oid }) => oid);
  if (roots.length === 0) return [];
  return owner.call<OfPartition>(
    `WITH part AS MATERIALIZED (
       SELECT x.oid::pg_catalog.int4 AS root, p.relid AS oid, n.nspname || '.' || c.relname AS partition
       FROM pg_catalog.jsonb_array_elements_text($1::text::jsonb) x(oid), pg_catalog.pg_partition_tree(x.oid::oid) p
       JOIN pg_catalog.pg_class c ON c.oid = p.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.level > 0)
     SELECT 'foreign key' AS kind, part.root, part.partition, n.nspname || '.' || c.relname || '.' || k.conname AS object
     FROM part JOIN pg_catalog.pg_constraint k ON part.oid IN (k.conrelid, k.confrelid) AND k.contype = 'f' AND k.conparentid = 0
     JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.confrelid = part.oid OR k.coninhcount = 0
     UNION
     SELECT 'user', part.root, part.partition, ${DESCRIBED} FROM part
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = part.oid AND d.deptype = 'n'
     LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid
     WHERE d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_policy'::pg_catalog.regclass)
       AND COALESCE(w.ev_class, 0::oid) <> part.oid AND NOT ${GOES_ALONG}
     UNION
     SELECT 'part', part.root, part.partition, o.object FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid JOIN pg_catalog.pg_class t ON t.oid = part.root::pg_catalog.oid
     CROSS JOIN LATERAL (${PARTS}) o(object, there) WHERE o.there
     ORDER BY 1, 4, 3`,
    [JSON.stringify(roots)],
  );
}

/** Tables with companion columns. Not part of the fingerprint: what a swap needs of them fails by itself when it is gone. */
async function readReferring(owner: PgConnection, companions: readonly Companion[]): Promise<TableDependents[]> {
  const names = [...new Set(companions.map(({ table }) => quoteTable(table)))];
  if (names.length === 0) return [];
  const rows = await owner.call<{ facts: TableDependents }>(
    `SELECT crossfade.table_facts(c.oid) AS facts FROM pg_catalog.jsonb_array_elements_text($1::text::jsonb) t(name)
     JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(t.name)`,
    [JSON.stringify(names)],
  );
  return rows.map(({ facts }) => facts);
}

/** What would keep a table or view from being dropped without CASCADE, described for people. */
export async function readBlockers(owner: PgConnection, oids: readonly number[]): Promise<string[]> {
  const rows = await owner.call<{ object: string }>(
    `WITH dropped AS (
       SELECT o.oid FROM pg_catalog.jsonb_array_elements_text($1::text::jsonb) x(oid), LATERAL (SELECT x.oid::oid) o(oid)
       UNION
       SELECT d.objid FROM pg_catalog.jsonb_array_elements_text($1::text::jsonb) x(oid)
       JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = x.oid::oid
         AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
     )
     SELECT DISTINCT CASE WHEN r.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
       ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, r.ev_class, 0) END AS object
     FROM pg_catalog.pg_depend d
     LEFT JOIN pg_catalog.pg_attrdef e ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND e.oid = d.objid
     LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
     LEFT JOIN pg_catalog.pg_constraint c ON d.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = d.objid
     WHERE d.deptype = 'n' AND (
         (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT oid FROM dropped))
         OR (d.refclassid = 'pg_catalog.pg_type'::regclass
           AND d.refobjid IN (SELECT y.oid FROM pg_catalog.pg_type y WHERE y.typrelid IN (SELECT oid FROM dropped))))
       AND COALESCE(e.adrelid, r.ev_class, c.conrelid, 0::oid) NOT IN (SELECT oid FROM dropped) AND NOT ${GOES_ALONG}
     ORDER BY 1`,
    [JSON.stringify(oids)],
  );
  return rows.map(({ object }) => object);
}
