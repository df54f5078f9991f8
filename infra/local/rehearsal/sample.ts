/**
 * Cuts a table of a copy to a sample. What a kept row refers to is kept, and whatever refers to a row that goes, goes too, through
 * any number of foreign keys. So what is left is whole: the foreign keys are made again afterwards, which proves it. Tables from
 * which no foreign key leads to this one stay as they are.
 */

import postgres from 'postgres';
import { quoteTable } from '../../../lib/core/table/shape.ts';

export type Cut = { table: string; kept: number; of: number };

type ForeignKey = {
  child: number;
  parent: number;
  table: string;
  /** What it refers to. */
  target: string;
  name: string;
  definition: string;
  /** With `c` of the table and `p` of the other one. */
  joins: string;
};

/** @returns each table that lost rows; empty where there are no more than were asked for */
export async function cutToSample(
  url: string,
  table: { schema: string; name: string },
  rows: number,
): Promise<readonly Cut[]> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    const cuts = await sql.begin((transaction) => cut(transaction, quoteTable(table), rows));
    // The space of what is gone would be measured, too.
    for (const one of cuts) await sql.unsafe(`VACUUM (FULL, ANALYZE) ${one.table}`);
    return cuts;
  } finally {
    await sql.end({ timeout: 2 });
  }
}

async function cut(sql: postgres.TransactionSql, table: string, rows: number): Promise<Cut[]> {
  const [seen] = await sql.unsafe<{ oid: number; rows: number }[]>(
    `SELECT '${table.replaceAll("'", "''")}'::regclass::oid::int8::float8 AS oid, (SELECT count(*)::float8 FROM ${table}) AS rows`,
  );
  if (seen!.rows <= rows) return [];
  const keys = await sql.unsafe<ForeignKey[]>(FOREIGN_KEYS);
  const start = { oid: seen!.oid, table };
  await keepSample(sql, keys, { ...start, rows });
  const gone = await spread(sql, keys, start);
  const hanging = keys.filter(({ parent }) => gone.has(parent));
  for (const { table: of, name } of hanging) await sql.unsafe(`ALTER TABLE ${of} DROP CONSTRAINT ${name}`);
  const cuts: Cut[] = [];
  for (const [oid, name] of gone) cuts.push(await remove(sql, oid, name));
  for (const { table: of, name, definition } of hanging)
    await sql.unsafe(`ALTER TABLE ${of} ADD CONSTRAINT ${name} ${definition}`);
  return cuts;
}

const FOREIGN_KEYS = `SELECT k.conrelid::int8::float8 AS child, k.confrelid::int8::float8 AS parent, k.conrelid::regclass::text AS table,
    k.confrelid::regclass::text AS target, quote_ident(k.conname) AS name, pg_get_constraintdef(k.oid) AS definition,
    (SELECT string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ')
     FROM unnest(k.conkey, k.confkey) n(own, other)
     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.own
     JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = n.other) AS joins
  FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conrelid, k.conname`;

type Start = { oid: number; table: string };

/** The same rows each time, by a hash of what they hold, and all that they refer to in tables that may lose rows. */
async function keepSample(
  sql: postgres.TransactionSql,
  keys: readonly ForeignKey[],
  { oid, table, rows }: Start & { rows: number },
): Promise<void> {
  await sql.unsafe(
    `CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT t.tableoid AS of, t.ctid AS place FROM ${table} t
     ORDER BY hashtextextended(t::text, 0) LIMIT ${rows}`,
  );
  const losing = leadingTo(oid, keys);
  const changed = [oid];
  for (let child = changed.shift(); child !== undefined; child = changed.shift()) {
    for (const key of keys.filter((one) => one.child === child && losing.has(one.parent))) {
      const { count } = await sql.unsafe(
        `INSERT INTO kept SELECT DISTINCT p.tableoid, p.ctid FROM ${key.target} p JOIN ${key.table} c ON ${key.joins}
         JOIN kept k ON k.of = c.tableoid AND k.place = c.ctid
         WHERE NOT EXISTS (SELECT FROM kept o WHERE o.of = p.tableoid AND o.place = p.ctid)`,
      );
      if (count > 0) changed.push(key.parent);
    }
  }
}

/** The table itself, and those whose foreign keys lead to it. */
function leadingTo(oid: number, keys: readonly ForeignKey[]): ReadonlySet<number> {
  const leading = new Set([oid]);
  for (const one of leading) for (const { child, parent } of keys) if (parent === one) leading.add(child);
  return leading;
}

/** @returns the names of the tables that lose rows, by their oid */
async function spread(
  sql: postgres.TransactionSql,
  keys: readonly ForeignKey[],
  { oid, table }: Start,
): Promise<ReadonlyMap<number, string>> {
  await sql.unsafe(
    `CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT t.tableoid AS of, t.ctid AS place FROM ${table} t
     WHERE NOT EXISTS (SELECT FROM kept k WHERE k.of = t.tableoid AND k.place = t.ctid)`,
  );
  const gone = new Map([[oid, table]]);
  const changed = [oid];
  for (let parent = changed.shift(); parent !== undefined; parent = changed.shift()) {
    for (const key of keys.filter((one) => one.parent === parent)) {
      const { count } = await sql.unsafe(
        `INSERT INTO gone SELECT DISTINCT c.tableoid, c.ctid FROM ${key.table} c JOIN ${key.target} p ON ${key.joins}
         JOIN gone g ON g.of = p.tableoid AND g.place = p.ctid
         WHERE NOT EXISTS (SELECT FROM gone o WHERE o.of = c.tableoid AND o.place = c.ctid)`,
      );
      if (count === 0) continue;
      gone.set(key.child, key.table);
      changed.push(key.child);
    }
  }
  return gone;
}

/** Triggers of the application are for its own deletes. */
async function remove(sql: postgres.TransactionSql, oid: number, table: string): Promise<Cut> {
  const triggers = await sql.unsafe<{ name: string; enabled: string }[]>(
    `SELECT quote_ident(tgname) AS name, CASE tgenabled WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END AS enabled
     FROM pg_trigger WHERE tgrelid = ${oid} AND NOT tgisinternal AND tgenabled <> 'D'`,
  );
  const switched = async (how: (enabled: string) => string) => {
    for (const { name, enabled } of triggers) await sql.unsafe(`ALTER TABLE ${table} ${how(enabled)} TRIGGER ${name}`);
  };
  await switched(() => 'DISABLE');
  const { count } = await sql.unsafe(
    `DELETE FROM ${table} d USING gone g WHERE g.of = d.tableoid AND g.place = d.ctid`,
  );
  await switched((enabled) => enabled);
  const [left] = await sql.unsafe<{ rows: number }[]>(`SELECT count(*)::float8 AS rows FROM ${table}`);
  return { table, kept: left!.rows, of: left!.rows + count };
}
