/**
 * I16 a chunk of the copy that converge overtakes: its INSERT has looked which keys are there, and before it comes to one of them
 * converge writes it. The chunk begins anew with ON CONFLICT DO NOTHING, and loses and overwrites nothing:
 *
 *   copy      snapshot ── row 1 ┆                                row 10: taken ─▶ anew: snapshot ── row 1 ┆            row 10: there
 *   converge                    ┆ writes row 10                                                          ┆ writes 10, 11
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { overOrWaiting } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { asGenerated, type Rewrite } from '../../helpers/sql-plants.ts';

const ROWS = 20;
const CHUNK = 15;
/** First number of the advisory locks that hold the chunk at its first row; the second one counts its tries. */
const TRY = 4712;

let db: OwnDatabase;
let plane: TestPlane;
let copier: TestPlane;
let count = 0;

beforeAll(async () => {
  db = await ownDatabase();
  const clock = { ...systemClock(), sleep: async () => {} };
  plane = testPlane(db, clock);
  copier = testPlane(db, clock);
});
afterAll(async () => {
  await plane.close();
  await copier.close();
  await db.drop();
});

type Overtaken = { cutover: TableCutover; tries(): Promise<number>; converge(): Promise<unknown> };

async function armed(backfill: Rewrite = asGenerated): Promise<Overtaken> {
  count += 1;
  const id = `lot${count}`;
  await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, name text); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, name text);
    INSERT INTO ${id} SELECT i, 'n' || i FROM generate_series(1, ${ROWS}) i;
    CREATE SEQUENCE ${id}_tries;
    CREATE FUNCTION ${id}_halt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(${TRY}, nextval('public.${id}_tries')::integer); RETURN NEW; END $$;
    CREATE TRIGGER halt BEFORE INSERT ON ${id}_v2 FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION ${id}_halt()`);
  const cutover: TableCutover = {
    id,
    validation: 'strict',
    table: { primary: `public.${id}`, shadow: `public.${id}_v2` },
  };
  await plane.start(cutover);
  await tamper(db, plane.connection(), cutover, { backfill });
  return {
    cutover,
    tries: async () => Number((await db.sql.unsafe(`SELECT last_value FROM ${id}_tries`))[0]!.last_value),
    converge: () => plane.converge(id, 1, 100),
  };
}

/** The chunk, held at its first row in each of so many tries, while converge writes further rows of it. */
async function overtake({ cutover: { id }, converge }: Overtaken, tries: number) {
  const held = Array.from({ length: tries }, (_, i) => i + 1);
  for (const n of held) await db.sql.unsafe(`SELECT pg_advisory_lock(${TRY}, ${n})`);
  const chunk = copier.backfill(id, 1, CHUNK);
  chunk.catch(() => {});
  for (const n of held) {
    await eventually(async () => {
      const waiting = await db.sql.unsafe(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND (classid, objid) = (${TRY}, ${n}) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
      return waiting.length > 0;
    }, `try ${n} has read its rows`);
    await db.sql.unsafe(`UPDATE ${id} SET name = 'written in try ${n}' WHERE id IN (10, ${9 + n})`);
    expect(await converge()).toMatchObject({ written: n, mismatched: 0 });
    await db.sql.unsafe(`SELECT pg_advisory_unlock(${TRY}, ${n})`);
  }
  return chunk;
}

const copied = { kind: 'copied', rows: CHUNK, rowsDone: CHUNK };
const hints = async (id: string) => (await plane.status(id))!.outboxRows;

/** What is wrong when the rest is copied and everything is applied. */
async function wrong({ cutover: { id } }: Overtaken): Promise<unknown[]> {
  expect(await copier.copy(id, 1, CHUNK)).toBe(ROWS);
  await plane.settle(id, 1);
  return differences(db, `SELECT id::bigint, name FROM ${id}`, `SELECT id, name FROM ${id}_v2`);
}

it('begins anew once, counts its rows once, and needs no hint for any of them', async () => {
  const lot = await armed();
  expect(await overtake(lot, 2)).toMatchObject(copied);
  expect(await lot.tries()).toBe(2);
  expect(await hints(lot.cutover.id)).toBe(0);
  expect(await wrong(lot)).toEqual([]);
});

it('waits for the converge that has the key, whose commit makes it begin anew and whose end does not', async () => {
  for (const end of ['COMMIT', 'ROLLBACK']) {
    const lot = await armed();
    const { id } = lot.cutover;
    await db.sql.unsafe(`UPDATE ${id} SET name = 'changed' WHERE id = 10`);
    const writer = db.connect();
    await writer.unsafe(`BEGIN; SELECT crossfade.converge_${id}(1, 100)`);
    const [chunk] = await overOrWaiting(db, `backfill_${id}`, () => copier.backfill(id, 1, CHUNK));
    await writer.unsafe(end);
    expect(await chunk).toMatchObject(copied);
    expect(await lot.tries()).toBe(end === 'COMMIT' ? 2 : 1);
    expect(await wrong(lot)).toEqual([]);
  }
});

const CAREFUL = /EXCEPTION WHEN unique_violation THEN\s+INSERT[^;]*;/;
const place = (text: string) => expect(text.match(CAREFUL)).not.toBeNull();

it('would lose the chunk if it took the key for copied (negative control)', async () => {
  const lot = await armed((text) => {
    place(text);
    return text.replace(CAREFUL, 'EXCEPTION WHEN unique_violation THEN NULL;');
  });
  expect(await overtake(lot, 1)).toMatchObject(copied);
  expect(await wrong(lot)).not.toEqual([]);
});

it('would overwrite what converge wrote if it updated in place of doing nothing (negative control)', async () => {
  const lot = await armed((text) => {
    place(text);
    return text.replace(CAREFUL, (careful) => careful.replace('DO NOTHING', 'DO UPDATE SET name = EXCLUDED.name'));
  });
  expect(await overtake(lot, 2)).toMatchObject(copied);
  expect(new Set(await wrong(lot))).toEqual(
    new Set([
      { side: 'left', row: '(10,"written in try 2")' },
      { side: 'left', row: '(11,"written in try 2")' },
      { side: 'right', row: '(10,"written in try 1")' },
      { side: 'right', row: '(11,n11)' },
    ]),
  );
});

it('would hand all of its rows to converge if it did not begin anew (negative control)', async () => {
  const lot = await armed((text) => {
    place(text);
    return text.replace(CAREFUL, 'EXCEPTION WHEN unique_violation THEN RAISE;');
  });
  expect(await overtake(lot, 1)).toMatchObject(copied);
  expect(await lot.tries()).toBe(1);
  expect(await hints(lot.cutover.id)).toBe(CHUNK);
  expect(await wrong(lot)).toEqual([]);
});
