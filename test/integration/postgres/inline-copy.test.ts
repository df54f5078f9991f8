/** The copy of a table that is written inline: it does not wait for a transaction of the application that stays open. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { type Edit, edited } from '../../helpers/sql-plants.ts';

const ITEM: TableCutover = {
  id: 'item',
  validation: 'strict',
  table: { primary: 'public.item', shadow: 'public.item_v2', mode: 'inline' },
};
/** Of one call of the copy, which waits for no row longer than 100 ms. */
const LONG = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%backfill_item%'
  AND state = 'active' AND wait_event_type = 'Lock' AND clock_timestamp() - xact_start > interval '1 s'`;

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE item (id integer PRIMARY KEY, v text); CREATE TABLE item_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO item SELECT i, 'seed' FROM generate_series(1, 200) i`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Four chunks, the second of which holds a row that an open transaction has written on both sides. */
async function copyBesideOpen(): Promise<'over' | 'waits'> {
  let over = false;
  const copying = async () => {
    for (let chunk = 0; chunk < 4; chunk += 1)
      expect(await plane.backfill('item', 1, 50)).toMatchObject({ kind: 'copied' });
    over = true;
  };
  return db
    .connect()
    .begin(async (tx) => {
      await tx.unsafe("UPDATE item SET v = 'open' WHERE id = 75");
      const running = copying();
      await eventually(async () => over || (await db.sql.unsafe(LONG)).length > 0, 'the copy is over, or waits');
      const seen = over ? 'over' : 'waits';
      return [seen, running] as const;
    })
    .then(async ([seen, running]) => {
      await running;
      return seen;
    });
}

it('leaves no setting behind in its session, nor for the rest of its transaction', async () => {
  const session = db.connect();
  const settings = async () =>
    (await session.unsafe("SELECT name || ' = ' || setting AS says FROM pg_settings WHERE name NOT LIKE '%.%'")).map(
      ({ says }) => says as string,
    );
  await plane.start(ITEM);
  await session.unsafe("SET lock_timeout = '9s'");
  const before = await settings();
  await session.unsafe("BEGIN; SET LOCAL lock_timeout = '7s'; SELECT crossfade.backfill_item(1, 50)").simple();
  const [within] = await session.unsafe("SELECT current_setting('lock_timeout') AS patience");
  await session.unsafe('SELECT crossfade.converge_item(1, 50); COMMIT').simple();
  expect(within).toEqual({ patience: '7s' });
  expect((await settings()).filter((one) => !before.includes(one))).toEqual([]);
  await plane.forget('item');
  await db.sql.unsafe('TRUNCATE item_v2');
});

it('goes on beside a transaction that has written a row of its chunk, and what it could not copy arrives', async () => {
  await plane.start(ITEM);
  expect(await copyBesideOpen()).toBe('over');
  await plane.copy('item', 1);
  await plane.settle('item', 1);
  expect(await differences(db, 'SELECT id::bigint, v FROM item', 'SELECT id, v FROM item_v2')).toEqual([]);
});

it('negative control: a copy without its limit waits for that transaction', async () => {
  await plane.forget('item');
  await db.sql.unsafe('TRUNCATE item_v2');
  await plane.start(ITEM);
  const patient = edited([['backfill', "PERFORM set_config('lock_timeout', '100ms', true);", '']]);
  await tamper(db, plane.connection(), ITEM, patient);
  expect(await copyBesideOpen()).toBe('waits');
});

/** What an open transaction does to row 75 while the copy reads it, and finds nothing to take away on the other side. */
const GONE: readonly [string, string][] = [
  ['deleted', 'DELETE FROM item WHERE id = 75'],
  ['given another key', 'UPDATE item SET id = 1075 WHERE id = 75'],
  ['deleted within a savepoint', 'SAVEPOINT one; DELETE FROM item WHERE id = 75; RELEASE one'],
  ['deleted by MERGE', 'MERGE INTO item i USING (VALUES (75)) v (id) ON i.id = v.id WHEN MATCHED THEN DELETE'],
];
async function copiedBeside(act: string, plant: readonly Edit[] = []): Promise<unknown[]> {
  await plane.forget('item');
  await db.sql.unsafe("TRUNCATE item, item_v2; INSERT INTO item SELECT i, 'seed' FROM generate_series(1, 200) i");
  await plane.start(ITEM);
  await tamper(db, plane.connection(), ITEM, edited(plant));
  await db.connect().begin(async (tx) => {
    await tx.unsafe(act).simple();
    await plane.copy('item', 1, 50);
  });
  await plane.settle('item', 1);
  return differences(db, 'SELECT id::bigint, v FROM item', 'SELECT id, v FROM item_v2');
}

it.each(GONE)('leaves no row that was %s by a transaction which is open all the time', async (_, act) => {
  expect(await copiedBeside(act)).toEqual([]);
});

it('negative control: a row that goes inline before the copy is done comes back with the copy', async () => {
  const inline: Edit[] = [['inline', /OR \(true = ANY \(p_reset\) AND NOT EXISTS .*\n/, '\n']];
  expect(await copiedBeside(GONE[0]![1], inline)).toMatchObject([{ side: 'right', row: '(75,seed)' }]);
});
