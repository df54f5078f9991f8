/** What hangs on a table is read from the table on: how long that takes must not depend on what else the database holds. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

const OTHERS = 60;
/** Views of others that are there from the beginning: where there are few the server reads all of them, since that costs it less. */
const MANY = 300;
const FIRST = readFileSync(new URL('../../../migrations/0002_swap.sql', import.meta.url), 'utf8');
/** As it was before: looks for views among all of the database. */
const BEFORE = /CREATE FUNCTION crossfade\.views[\s\S]*?^\); END \$\$;/m
  .exec(FIRST)![0]
  .replace('CREATE', 'CREATE OR REPLACE');

let db: OwnDatabase;
beforeAll(async () => {
  db = await ownDatabase();
  await db.sql.unsafe('CREATE TABLE own (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY, v text)');
  await addViews('other', 0, MANY);
  // What autovacuum may do at any time.
  await db.sql.unsafe('ANALYZE');
});
afterAll(() => db.drop());

/**
 * Rows of pg_depend and pg_rewrite that one look reads, with the plans made before: the fewest of three, since what others do in the
 * catalog of the server empties the caches of this session, too.
 */
async function rowsRead(): Promise<number> {
  const looked = await db.sql.begin(async (sql) => {
    const read = async () => {
      const [row] =
        await sql.unsafe(`SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
        + coalesce((SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid), 0))::int AS rows
        FROM pg_class c WHERE c.oid IN ('pg_depend'::regclass, 'pg_rewrite'::regclass)`);
      return row!.rows as number;
    };
    const look = "SELECT crossfade.dependents('own'::regclass, 'own'::regclass)";
    await sql.unsafe(look);
    const reads = [await read()];
    for (let n = 0; n < 3; n += 1) {
      await sql.unsafe(look);
      reads.push(await read());
    }
    return Math.min(...reads.slice(1).map((after, n) => after - reads[n]!));
  });
  return looked;
}

const addViews = async (of: string, from: number, count = OTHERS) => {
  for (let n = from; n < from + count; n += 1) await db.sql.unsafe(`CREATE VIEW ${of}_${n} AS SELECT id, v FROM ${of}`);
};

describe('a look at what hangs on a table', () => {
  it('reads no more of the catalog because other tables have views', async () => {
    await db.sql.unsafe('CREATE VIEW own_view AS SELECT id, v FROM own');
    const alone = await rowsRead();
    await addViews('other', MANY);
    expect(await rowsRead()).toBeLessThanOrEqual(alone);
    expect(alone).toBeGreaterThan(0);
  });

  it('read more of them when it looked among all views (negative control)', async () => {
    const now = await rowsRead();
    await db.sql.unsafe(BEFORE);
    const before = await rowsRead();
    await addViews('other', MANY + OTHERS);
    expect(before).toBeGreaterThan(now);
    expect(await rowsRead()).toBeGreaterThan(before + OTHERS);
  });
});
