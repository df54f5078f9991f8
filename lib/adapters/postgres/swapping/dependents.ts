/** Reads everything that hangs on the two tables of a cutover, and the fingerprint that a swap compares under its lock. */

import type { Companion } from '../../../core/table/mapping.ts';
import type { Dependents, TableDependents } from '../../../core/table/promotion/dependents.ts';
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
  return { ...row!, dependents: { ...row!.dependents, referring } };
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
       AND COALESCE(e.adrelid, r.ev_class, c.conrelid, 0::oid) NOT IN (SELECT oid FROM dropped)
     ORDER BY 1`,
    [JSON.stringify(oids)],
  );
  return rows.map(({ object }) => object);
}
