/**
 * I1 I11 promotion in a database, or for a role, whose transactions read one snapshot throughout. A transaction of the
 * application commits while the swap waits for its lock: its row must be in the new table, and in the old one after the way back.
 * `CROSSFADE_ROUNDS=200 npx vitest run --project postgres isolation` for the long form.
 */

import type postgres from 'postgres';
import { afterEach, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { eventually, postgresCalls, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const ROUNDS = Number(process.env.CROSSFADE_ROUNDS ?? 2);
const WRITERS = 3;
const CUTOVER: TableCutover = {
  id: 'a',
  validation: 'strict',
  table: { primary: 'public.a', shadow: 'public.a_v2' },
};
const LEVELS = ['repeatable read', 'serializable'] as const;
const PLACES = ['database', 'role'] as const;

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function database(level: string, place: (typeof PLACES)[number]): Promise<OwnDatabase> {
  const db = await ownDatabase();
  open.push(() => db.drop());
  await db.sql.unsafe(`CREATE TABLE a (id integer PRIMARY KEY, v text); CREATE TABLE a_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO a SELECT i, 'x' FROM generate_series(1, 50) i; ANALYZE`);
  const role = place === 'role' ? `ROLE ${new URL(db.url).username} IN ` : '';
  await db.sql.unsafe(`ALTER ${role}DATABASE ${db.name} SET default_transaction_isolation = '${level}'`);
  return db;
}

function planeOf(db: OwnDatabase): TestPlane {
  const plane = testPlane(db);
  open.push(() => plane.close());
  return plane;
}

const WAITS = `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND NOT l.granted`;

/** What the application wrote before the swap, and commits while the swap waits. */
async function across<T>(
  db: OwnDatabase,
  clients: readonly postgres.Sql[],
  key: number,
  act: () => Promise<T>,
): Promise<T> {
  for (const [i, client] of clients.entries()) {
    await client
      .unsafe(`BEGIN ISOLATION LEVEL READ COMMITTED; INSERT INTO a VALUES (${key + i}, 'acknowledged');
      UPDATE a SET v = 'changed ${key}' WHERE id = ${i + 1}`)
      .simple();
  }
  let over = false;
  const acting = act().finally(() => {
    over = true;
  });
  await eventually(async () => over || (await db.sql.unsafe(WAITS)).length > 0, 'the swap waits for its lock');
  for (const client of clients) await client.unsafe('COMMIT');
  return acting;
}

async function swapped(
  db: OwnDatabase,
  clients: readonly postgres.Sql[],
  key: number,
  act: () => ReturnType<TableCalls['promote']>,
) {
  for (let tries = 0; tries < 10; tries += 1) {
    const result = await across(db, clients, key + tries * WRITERS, act);
    if (result.kind === 'swapped') return WRITERS * (tries + 1);
    expect(result.kind).toBe('postponed');
  }
  throw new Error('not swapped in ten tries');
}

describe.each(LEVELS.flatMap((level) => PLACES.map((place) => ({ level, place }))))(
  'I1 $level by default at the $place',
  ({ level, place }) => {
    it(`loses no row that was acknowledged, in ${ROUNDS} promotions and as many ways back`, {
      timeout: 20_000 + ROUNDS * 5_000,
    }, async () => {
      const db = await database(level, place);
      const plane = planeOf(db);
      const clients = Array.from({ length: WRITERS }, () => db.connect());
      let rows = 50;
      for (let round = 0; round < ROUNDS; round += 1) {
        const epoch = 1 + round * 3;
        await plane.start(CUTOVER, epoch);
        await plane.copy('a', epoch);
        const step = (from: number, stage: string) => ({
          fromEpoch: from,
          toEpoch: from + 1,
          stage,
          version: from + 1,
        });
        const key = 1_000 + round * 200;
        rows += await swapped(db, clients, key, () => plane.promote(CUTOVER, step(epoch, 'completed')));
        const written = (first: number) =>
          `SELECT count(*)::int AS rows, count(*) FILTER (WHERE v = 'changed ${first}')::int AS changed FROM a`;
        expect((await db.sql.unsafe(written(key)))[0]!.rows).toBe(rows);
        rows += await swapped(db, clients, key + 100, () => plane.revert(CUTOVER, step(epoch + 1, 'rolled_back')));
        expect((await db.sql.unsafe(written(key + 100)))[0]).toEqual({ rows, changed: WRITERS });
        await plane.forget('a');
      }
    });
  },
);

describe('negative controls', () => {
  /** The driver alone, as any other program would use it. */
  function bare(db: OwnDatabase): PgConnection {
    const sql = db.connect();
    const connection = postgresConnection({ url: db.url, clock: systemClock(), random });
    open.push(() => connection.close());
    return {
      ...connection,
      call: async (statement, parameters = []) =>
        [
          ...(await sql.unsafe(
            statement,
            parameters.map((value) => sql.typed(value === null ? null : String(value), 25)) as never[],
          )),
        ] as never,
    };
  }

  async function ready(db: OwnDatabase) {
    const plane = planeOf(db);
    await plane.start(CUTOVER, 1);
    await plane.copy('a', 1);
    const other = postgresCalls({ runtime: bare(db), owner: bare(db) });
    const promote = () => other.promote(CUTOVER, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 });
    return { other, promote };
  }

  it('a call that does not state its isolation is refused by the functions of the database', async () => {
    const db = await database('repeatable read', 'database');
    const { other, promote } = await ready(db);
    await expect(other.converge('a', 1, 10)).rejects.toThrow(
      'needs READ COMMITTED, this transaction is REPEATABLE READ',
    );
    await expect(promote()).rejects.toThrow('needs READ COMMITTED, this transaction is REPEATABLE READ');
    expect((await db.sql.unsafe('SELECT direction FROM crossfade.cutover'))[0]!.direction).toBe('forward');
  });

  it('without that refusal the rows of the transactions that the swap waited for are lost', async () => {
    const db = await database('repeatable read', 'database');
    const { promote } = await ready(db);
    const functions = await db.sql.unsafe<{ text: string }[]>(
      "SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p WHERE p.pronamespace = 'crossfade'::regnamespace AND p.prosrc LIKE '%needs READ COMMITTED%'",
    );
    expect(functions.length).toBeGreaterThan(3);
    for (const { text } of functions)
      await db.sql.unsafe(text.replace("current_setting('transaction_isolation') <> 'read committed'", 'false'));
    const clients = Array.from({ length: WRITERS }, () => db.connect());
    const written = await swapped(db, clients, 1_000, promote);
    expect((await db.sql.unsafe('SELECT count(*)::int AS rows FROM a'))[0]!.rows).toBeLessThan(50 + written);
  });
});
