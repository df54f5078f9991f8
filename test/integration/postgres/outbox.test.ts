/** The outbox: its speed and size while a snapshot is held, what commits late, and truncation that loses and delays nothing. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type Breakpoints, breakpoints } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { replaceOnce } from '../../helpers/replace-once.ts';
import { asGenerated, type Rewrite } from '../../helpers/sql-plants.ts';

const ITEM: TableCutover = {
  id: 'item',
  validation: 'disabled',
  table: { primary: 'public.item', shadow: 'public.item_v2' },
};
const ROWS = 2_000;

let db: OwnDatabase;
let plane: TestPlane;
let points: Breakpoints;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  points = await breakpoints(db);
  await db.sql.unsafe(`CREATE TABLE item (id integer PRIMARY KEY, v integer); CREATE TABLE item_v2 (id bigint PRIMARY KEY, v integer);
    INSERT INTO item SELECT i, 0 FROM generate_series(1, ${ROWS}) i`);
  await plane.start(ITEM);
  await plane.copy('item', 1, 10_000);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const write = (sql: string) => db.sql.unsafe(sql).simple();
const same = async () => differences(db, 'SELECT id::bigint, v FROM item', 'SELECT id, v FROM item_v2');
const size = async () =>
  Number(
    (
      await db.sql.unsafe(
        "SELECT pg_relation_size('crossfade.outbox_item') + pg_relation_size('crossfade.outbox1_item') AS bytes",
      )
    )[0]!.bytes,
  );
const put = (which: readonly string[], plant: Rewrite = asGenerated) =>
  tamper(db, plane.connection(), ITEM, Object.fromEntries(which.map((name) => [name, plant])));
const turn = (who = db.sql) =>
  who.unsafe('SELECT crossfade.turn_item() AS turned').then(([row]) => row!.turned as boolean);
/** Until a call finds nothing. */
async function convergeAll(who = plane, limit = 2_000): Promise<void> {
  for (;;) {
    const step = await who.converge('item', 1, limit);
    if (step.kind !== 'converged') throw new Error(step.kind);
    if (step.claimed === 0) return;
  }
}
const instead =
  (from: string, to: string): Rewrite =>
  (text) =>
    replaceOnce(text, [from, to], 'The function converge');

describe('while a snapshot is held', () => {
  /** How large the outbox became in rounds of writes that are applied at once. */
  async function rounds(count: number): Promise<number> {
    let largest = 0;
    for (let round = 0; round < count; round += 1) {
      await write('UPDATE item SET v = v + 1');
      await convergeAll();
      largest = Math.max(largest, await size());
    }
    return largest;
  }

  it('the outbox is truncated in turns, and nothing is lost; under the lock of a dump it would grow', async () => {
    await put(['turn', 'converge'], (text) => text.replaceAll('> 1048576', '> 65536'));
    const holder = db.connect();
    await holder.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM item LIMIT 1').simple();
    const bounded = await rounds(6);
    // Of what one round writes.
    expect(bounded).toBeLessThan(3 * ROWS * 100);
    await holder
      .unsafe('COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM crossfade.outbox_item LIMIT 1')
      .simple();
    expect(await rounds(6)).toBeGreaterThan(1.5 * bounded);
    await holder.unsafe('COMMIT');
    expect(await same()).toEqual([]);
    expect(await plane.verify('item', 1, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    await rounds(1);
    expect(await size()).toBeLessThan(3 * ROWS * 100);
  });
});

describe('truncation', () => {
  const eager = (text: string) => text.replaceAll('> 1048576', '> 0');

  it('passes over a table in which somebody has an uncommitted hint, and fails nobody', async () => {
    await put(['turn'], eager);
    await write('UPDATE item SET v = v + 1 WHERE id < 10');
    const writer = db.connect();
    await writer.unsafe('BEGIN; UPDATE item SET v = -1 WHERE id = 20').simple();
    await convergeAll();
    const [held] = await db.sql.unsafe(
      "SELECT relation::regclass::text AS name FROM pg_locks WHERE relation::regclass::text LIKE 'crossfade.outbox%' AND mode = 'RowExclusiveLock'",
    );
    for (let i = 0; i < 3; i += 1) await turn();
    await writer.unsafe('UPDATE item SET v = -2 WHERE id = 21; COMMIT').simple();
    expect(held).toBeDefined();
    await convergeAll();
    const turned = [await turn(), await turn(), await turn()];
    expect([turned[0], turned[2]]).toEqual([true, false]);
    expect(await same()).toEqual([]);
  });

  const race = async (plant: (text: string) => string) => {
    await put(['turn'], (text) =>
      plant(eager(text)).replaceAll('LOCK TABLE ONLY', "PERFORM test.breakpoint('turn: lock'); LOCK TABLE ONLY"),
    );
    await write('UPDATE item SET v = v + 1 WHERE id < 10');
    await convergeAll();
    const halted = await points.halt('turn: lock', () => turn(db.connect()));
    await write(
      'ALTER TABLE item DISABLE TRIGGER ALL; UPDATE item SET v = v + 1 WHERE id = 30; ALTER TABLE item ENABLE ALWAYS TRIGGER crossfade_capture; ALTER TABLE item ENABLE ALWAYS TRIGGER crossfade_truncated',
    );
    await write(
      "INSERT INTO crossfade.outbox_item (op, k1) VALUES ('K', 30); INSERT INTO crossfade.outbox1_item (seq, op, k1) VALUES (1, 'K', 30)",
    );
    await halted.release();
    for (let i = 0; i < 2; i += 1) await turn();
    await convergeAll();
    return same();
  };

  it('looks again under its lock; without that a hint that was written meanwhile would be lost', async () => {
    expect(await race((text) => text)).toEqual([]);
    const blind = await race((text) =>
      text
        .replaceAll(/IF NOT EXISTS \(SELECT FROM ONLY [^)]*\) THEN\s+TRUNCATE/g, 'IF true THEN TRUNCATE')
        .replaceAll(/ AND NOT EXISTS \(SELECT FROM ONLY [^)]*\)/g, ''),
    );
    expect(blind).not.toEqual([]);
    await put(['turn']);
    await write('UPDATE item SET v = v + 1 WHERE id = 30');
    await convergeAll();
  });

  it('is waited for by what compares, which then sees what was applied; a STABLE function would not', async () => {
    const late = async () => {
      await write('UPDATE item SET v = v + 1 WHERE id = 40');
      const holder = db.connect();
      await holder
        .unsafe('BEGIN; LOCK TABLE ONLY crossfade.outbox_item, ONLY crossfade.outbox1_item IN ACCESS EXCLUSIVE MODE')
        .simple();
      const asked = db.connect().unsafe('SELECT crossfade.consistency_item() AS found');
      asked.catch(() => {});
      const waits = "SELECT FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE 'crossfade.outbox%'";
      await eventually(async () => (await db.sql.unsafe(waits)).length > 0, 'it waits');
      await holder
        .unsafe(`SET crossfade.writing = 'on'; UPDATE item_v2 SET v = (SELECT v FROM item WHERE id = 40) WHERE id = 40;
        TRUNCATE ONLY crossfade.outbox_item; TRUNCATE ONLY crossfade.outbox1_item; COMMIT`)
        .simple();
      return (await asked)[0]!.found.diverged as number;
    };
    expect(await late()).toBe(0);
    await write('ALTER FUNCTION crossfade.consistency_item() STABLE');
    expect(await late()).toBe(1);
    await write('ALTER FUNCTION crossfade.consistency_item() VOLATILE');
  });
});

describe('a hint that commits late, with a number that others have passed', () => {
  /** @returns rows that differ when an applier that has gone far beyond has found nothing more */
  async function late(plant: Rewrite): Promise<number> {
    const applier = testPlane(db);
    await put(['converge'], plant);
    const writer = db.connect();
    await writer.unsafe('BEGIN; UPDATE item SET v = v + 100 WHERE id = 50').simple();
    for (let i = 0; i < 4; i += 1) {
      await write('UPDATE item SET v = v + 1 WHERE id BETWEEN 100 AND 160');
      await convergeAll(applier, 20);
    }
    await writer.unsafe('COMMIT');
    await convergeAll(applier, 20);
    const wrong = (await same()).length;
    await applier.close();
    await put(['converge']);
    await convergeAll();
    expect(await same()).toEqual([]);
    return wrong;
  }
  const near = instead('+ 5000', '+ 0');

  it('is found, since the floor waits for every transaction that may have a lower number; a hasty one would pass it over', async () => {
    expect(await late(near)).toBe(0);
    const hasty = (text: string) =>
      instead('pg_snapshot_xmin(pg_current_snapshot())::text::bigint > v_mark[4]', 'true')(near(text));
    expect(await late(hasty)).toBe(2);
  });

  it('is found although calls begin where the last one stopped; without a second look it would not be', async () => {
    expect(await late(asGenerated)).toBe(0);
    const once = (text: string) =>
      instead('EXIT WHEN v_from <= v_mark[1]', 'EXIT WHEN true')(instead('random() < 0.0625', 'false')(text));
    expect(await late(once)).toBe(2);
  });
});
