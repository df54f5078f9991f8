/**
 * `_shadow_sync_status`: after a pass of verification with nothing left to apply, exactly the rows that differ from a twin of the
 * shadow, and those whose key is in quarantine, say `diverged`; once they are mended everything says `synced`.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type Breakpoints, breakpoints } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { type Edit, edited } from '../../helpers/sql-plants.ts';

const ROWS = 60;
const cutover = (id: string): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2` },
});
const [BOOK, NOTE] = ['book', 'note'].map(cutover) as [TableCutover, TableCutover];

let db: OwnDatabase;
let plane: TestPlane;
/** Another function, with a connection of its own. */
let verifier: TestPlane;
let points: Breakpoints;

beforeAll(async () => {
  db = await ownDatabase();
  const clock = { ...systemClock(), sleep: async () => {} };
  plane = testPlane(db, clock);
  verifier = testPlane(db, clock);
  points = await breakpoints(db);
  // Twin: what the shadow should hold, written by the application's own statements.
  await db.sql.unsafe(`CREATE TABLE book (id integer PRIMARY KEY, title text, pages integer);
    CREATE TABLE book_v2 (id bigint PRIMARY KEY, title text, pages integer CHECK (pages > 0), _shadow_version integer NOT NULL DEFAULT 1,
      _shadow_sync_status text NOT NULL DEFAULT 'pending' CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged')));
    INSERT INTO book SELECT i, 'b' || i, i FROM generate_series(1, ${ROWS}) i;
    CREATE TABLE twin AS SELECT id::bigint, title, pages FROM book;
    CREATE TABLE note (id text PRIMARY KEY, body text);
    CREATE TABLE note_v2 (id varchar PRIMARY KEY, body text, _shadow_sync_status varchar(6));
    INSERT INTO note SELECT 'n' || i, 'x' FROM generate_series(1, 10) i`);
  for (const one of [BOOK, NOTE]) {
    await plane.start(one);
    await plane.copy(one.id, 1);
  }
});
afterAll(async () => {
  await plane.close();
  await verifier.close();
  await db.drop();
});

const write = (sql: string) => db.sql.unsafe(sql).simple();
const verify = async (id = 'book', who = plane) => {
  const step = await who.verify(id, 1, 1);
  if (step.kind !== 'verified') throw new Error(JSON.stringify(step));
  return step.result;
};
const said = async (status: string, of = 'book_v2') =>
  (await db.sql.unsafe(`SELECT id FROM ${of} WHERE _shadow_sync_status = '${status}' ORDER BY id`)).map(({ id }) => id);
const counted = async () =>
  (await db.sql.unsafe("SELECT sync_status, rows FROM crossfade.sync_status('book')")).map((row) => [
    row.sync_status,
    Number(row.rows),
  ]);
/** Keys of the shadow whose row is not that of the twin, or whose key is in quarantine. */
const wrong = async () =>
  (
    await db.sql.unsafe(`SELECT t.id FROM book_v2 t LEFT JOIN twin w ON w.id = t.id
      WHERE (t.title, t.pages) IS DISTINCT FROM (w.title, w.pages)
        OR jsonb_build_object('id', t.id) IN (SELECT q.key::jsonb FROM crossfade.quarantine q WHERE q.cutover = 'book') ORDER BY 1`)
  ).map(({ id }) => id);
const impatient = async () => {
  await plane.converge('book', 1, 500);
  await write('UPDATE crossfade.outbox_book SET attempts = 4, not_before = NULL');
  await plane.settle('book', 1);
};

it('says diverged of exactly the rows that differ or are in quarantine, and synced of all others', async () => {
  expect(await counted()).toEqual([['synced', ROWS]]);
  await write(`
    UPDATE book_v2 SET title = 'foreign' WHERE id IN (3, 4, 5); INSERT INTO book_v2 (id, title, pages) VALUES (1000, 'ghost', 1);
    DELETE FROM book_v2 WHERE id = 6;
    UPDATE book SET pages = -1 WHERE id IN (7, 8); UPDATE twin SET pages = -1 WHERE id IN (7, 8);
    UPDATE book SET title = 'late' WHERE id = 9; UPDATE twin SET title = 'late' WHERE id = 9`);
  await impatient();
  expect(await said('diverged')).toEqual(['7', '8']);
  await write("UPDATE book SET title = 'later' WHERE id = 10; UPDATE twin SET title = 'later' WHERE id = 10");
  expect((await verify()).divergences).toBe(5);
  // What only waits for its hint does not differ.
  expect(await said('diverged')).toEqual((await wrong()).filter((id) => id !== '10'));
  expect(await counted()).toEqual([
    ['diverged', 6],
    ['synced', ROWS - 6],
  ]);
  await plane.settle('book', 1);
  // The marks are no writes of others.
  expect((await plane.status('book'))!.foreignWrites).toBe(5);
});

it('says synced again once a row is repaired, mended, or as it should be by itself', async () => {
  await write("UPDATE book_v2 SET title = 'b3' WHERE id = 3");
  expect(await plane.repair('book')).toEqual({ enqueued: 4 });
  await write('UPDATE book SET pages = 1 WHERE id IN (7, 8); UPDATE twin SET pages = 1 WHERE id IN (7, 8)');
  await plane.settle('book', 1);
  expect(await said('diverged')).toEqual(['3']);
  expect((await verify()).divergences).toBe(0);
  expect(await plane.settle('book', 1)).toMatchObject({ claimed: 1, written: 1, mismatched: 0 });
  expect(await wrong()).toEqual([]);
  expect(await counted()).toEqual([['synced', ROWS]]);
  expect(await differences(db, 'SELECT * FROM twin', 'SELECT id, title, pages FROM book_v2')).toEqual([]);
  await verify();
  expect((await plane.status('book'))!.outboxRows).toBe(0);
});

/** Verification has read the row, and before it says so the application writes it and converge carries it over. */
async function overtaken(rule: boolean): Promise<void> {
  const halting: Edit = [
    'verify',
    /markable AS MATERIALIZED \(\n {4}SELECT d\.k1 FROM diff d/g,
    "halt AS MATERIALIZED (SELECT test.breakpoint('diff') FROM (SELECT count(*) FROM diff) d),\n  markable AS MATERIALIZED (\n    SELECT d.k1 FROM halt, diff d",
  ];
  const careless: Edit = ['verify', /t\.xmin = d\.version AND/g, ''];
  await tamper(db, plane.connection(), BOOK, edited(rule ? [halting] : [halting, careless]));
  await write("UPDATE book_v2 SET title = 'foreign' WHERE id IN (11, 12)");
  const halted = await points.halt('diff', () => verify('book', verifier));
  await write("UPDATE book SET title = 'newer' WHERE id = 11; UPDATE twin SET title = 'newer' WHERE id = 11");
  await plane.settle('book', 1);
  expect((await halted.release()).divergences).toBe(2);
}

it('does not say diverged of a row that was written since it was compared', async () => {
  await overtaken(true);
  expect(await said('diverged')).toEqual(['12']);
  expect(await wrong()).toEqual(['12']);
});

it('would say so of a row that is right, if it did not ask for the version (negative control)', async () => {
  await overtaken(false);
  expect(await wrong()).toEqual(['12']);
  expect(await said('diverged')).toEqual(['11', '12']);
  await plane.repair('book');
  await plane.settle('book', 1);
});

it('waits for nobody who has a row locked', async () => {
  await write("UPDATE book_v2 SET title = 'foreign' WHERE id IN (21, 22)");
  const other = db.connect();
  await other.begin(async (tx) => {
    await tx.unsafe('SELECT FROM book_v2 WHERE id = 21 FOR UPDATE');
    expect((await verify()).divergences).toBe(2);
    expect(await said('diverged')).toContain('22');
    expect(await said('diverged')).not.toContain('21');
  });
});

it('counts all the same where the column does not take the word, and where ranges of keys mean nothing on the other side', async () => {
  await write(
    "UPDATE note_v2 SET body = 'foreign' WHERE id = 'n1'; INSERT INTO note_v2 (id, body) VALUES ('stray', 'x')",
  );
  expect((await verify('note')).divergences).toBe(2);
  expect(await said('synced', 'note_v2')).toHaveLength(10);
  await write('ALTER TABLE note_v2 ALTER COLUMN _shadow_sync_status TYPE varchar');
  expect((await verify('note')).divergences).toBe(2);
  expect(await said('diverged', 'note_v2')).toEqual(['n1', 'stray']);
  await write("UPDATE note_v2 SET body = 'x' WHERE id = 'n1'; DELETE FROM note_v2 WHERE id = 'stray'");
  expect((await verify('note')).divergences).toBe(0);
  await plane.settle('note', 1);
  expect(await said('synced', 'note_v2')).toHaveLength(10);
});

it('is said to be missing where the shadow has no such column', async () => {
  await db.sql.unsafe('CREATE TABLE plain (id integer PRIMARY KEY); CREATE TABLE plain_v2 (id integer PRIMARY KEY)');
  await plane.start(cutover('plain'));
  const asked = (id: string) => db.sql.unsafe(`SELECT * FROM crossfade.sync_status('${id}')`);
  await expect(asked('plain')).rejects.toMatchObject({ code: 'CF010', message: expect.stringContaining('plain_v2') });
  await expect(asked('nobody')).rejects.toMatchObject({ code: 'CF010' });
});
