/**
 * Tables that are altered while a cutover runs are taken over in both modes and both directions: what the application writes into new
 * columns is on both sides afterwards, and what would be lost is refused by name.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const ID = 'bill';
const NEWEST = { epoch: 1_000_000, version: 1_000_000 };
const STEPS = {
  promote: { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 },
  revert: { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 30 },
} as const;
const cutoverOf = (mode: TableDeclaration['mode'] = 'streamed'): TableCutover => ({
  id: ID,
  validation: 'strict',
  table: { primary: 'public.bill', shadow: 'public.bill_v2', mode },
});

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db, { ...systemClock(), sleep: async () => {} });
  await sql(`CREATE TABLE bill (id integer PRIMARY KEY, total integer, note text);
    CREATE TABLE bill_v2 (id bigint PRIMARY KEY, total integer, note text);
    INSERT INTO bill SELECT i, i, 'n' || i FROM generate_series(1, 20) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/** Brought to where the direction begins; the names of the table in use and of the other one. */
async function reached(cutover: TableCutover, direction: 'forward' | 'reverse') {
  await plane.start(cutover);
  await swept(1);
  if (direction === 'forward') return { epoch: 1, inUse: 'bill', other: 'bill_v2', swap: 'promote' as const };
  expect(await plane.promote(cutover, STEPS.promote)).toMatchObject({ kind: 'swapped' });
  return { epoch: 2, inUse: 'bill', other: 'bill_old', swap: 'revert' as const };
}
async function swept(epoch: number): Promise<void> {
  await plane.copy(ID, epoch);
  await plane.settle(ID, epoch);
  expect(await plane.verify(ID, epoch, 5)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
}

const PLACES = [
  ['streamed', 'forward'],
  ['inline', 'forward'],
  ['streamed', 'reverse'],
  ['inline', 'reverse'],
] as const;

/** Done to both tables; what the application writes then; what it must find after the next swap. */
const ADDED = [
  "ADD COLUMN state text NOT NULL DEFAULT 'open'",
  'ADD COLUMN twice integer GENERATED ALWAYS AS (total * 2) STORED',
  'RENAME COLUMN note TO remark',
];
const WRITTEN = `UPDATE bill SET state = 'paid', remark = 'changed' WHERE id <= 3; UPDATE bill SET total = 100 WHERE id = 4;
  INSERT INTO bill (id, total) VALUES (30, 100)`;
const FOUND =
  "count(*) FILTER (WHERE state = 'paid')::int AS paid, count(*) FILTER (WHERE state = 'open')::int AS open";
const MORE =
  "count(*) FILTER (WHERE twice = 200)::int AS twice, count(*) FILTER (WHERE remark = 'changed')::int AS changed";

describe.each(PLACES)('in %s mode, %s', (mode, direction) => {
  it('a column with a default, a generated one and a renamed one are taken over with what is written into them', async () => {
    const cutover = cutoverOf(mode);
    const { epoch, inUse, other, swap } = await reached(cutover, direction);
    for (const ddl of ADDED) for (const table of [inUse, other]) await sql(`ALTER TABLE ${table} ${ddl}`);
    await sql(WRITTEN);
    expect(await plane[swap](cutover, STEPS[swap])).toMatchObject({
      kind: 'postponed',
      why: expect.stringContaining('not as they were armed'),
    });
    expect(await plane.adopt(cutover, NEWEST)).toEqual({ kind: 'adopted' });
    await sql('UPDATE bill SET total = 7 WHERE id = 12');
    await swept(epoch);
    expect(await differences(db, `SELECT * FROM ${inUse}`, `SELECT * FROM ${other}`)).toEqual([]);
    expect(await plane[swap](cutover, STEPS[swap])).toMatchObject({ kind: 'swapped' });
    expect(await sql(`SELECT ${FOUND}, ${MORE} FROM bill`)).toEqual([{ paid: 3, open: 18, twice: 2, changed: 3 }]);
  });

  it('a column of the table in use alone is refused by name, and a column of the other one alone is not', async () => {
    const cutover = cutoverOf(mode);
    const { epoch, inUse, other, swap } = await reached(cutover, direction);
    await sql(`ALTER TABLE ${inUse} ADD COLUMN extra text DEFAULT 'kept'`);
    expect(await plane.adopt(cutover, NEWEST)).toEqual({
      kind: 'refused',
      why: expect.stringContaining(
        "column 'extra' is only in the table in use: add it to the other one, or declare it",
      ),
    });
    expect((await plane.status(ID))!.shape!.differences).toHaveLength(1);
    await sql(`ALTER TABLE ${other} ADD COLUMN extra text`);
    expect(await plane.adopt(cutover, NEWEST)).toEqual({ kind: 'adopted' });
    await swept(epoch);
    expect(await plane[swap](cutover, STEPS[swap])).toMatchObject({ kind: 'swapped' });
    expect(await sql("SELECT FROM bill WHERE extra = 'kept'")).toHaveLength(20);
  });
});

describe('a column that comes while the copy runs', () => {
  it.each(['streamed', 'inline'] as const)('is copied from the first row on (%s)', async (mode) => {
    const cutover = cutoverOf(mode);
    await plane.start(cutover);
    await plane.backfill(ID, 1, 5);
    await sql("ALTER TABLE bill ADD COLUMN state text DEFAULT 'open'; ALTER TABLE bill_v2 ADD COLUMN state text");
    await plane.backfill(ID, 1, 5);
    await sql("UPDATE bill SET state = 'paid' WHERE id IN (1, 7, 19)");
    expect(await plane.adopt(cutover, NEWEST)).toEqual({ kind: 'adopted' });
    await swept(1);
    expect(await differences(db, 'SELECT id::bigint, state FROM bill', 'SELECT id, state FROM bill_v2')).toEqual([]);
    expect(await plane.promote(cutover, STEPS.promote)).toMatchObject({ kind: 'swapped' });
    expect(await sql("SELECT FROM bill WHERE state = 'paid'")).toHaveLength(3);
  });
});

describe('taking over without a sweep: negative control', () => {
  it('rows that were copied before the column came are found by verification, and nothing is promoted', async () => {
    const cutover = cutoverOf();
    await reached(cutover, 'forward');
    const asked = "SELECT pg_get_functiondef('crossfade.shape_adopted'::regproc) AS text";
    const [{ text }] = (await sql(asked)) as unknown as [{ text: string }];
    const broken = text.replace(/PERFORM crossfade\.begin_sweep\([^;]*;/, '');
    expect(broken).not.toBe(text);
    await sql(broken);
    await sql('ALTER TABLE bill ADD COLUMN state text; ALTER TABLE bill_v2 ADD COLUMN state text');
    // Before the generated functions know the column.
    await sql("UPDATE bill SET state = 'paid'");
    await plane.settle(ID, 1);
    expect(await plane.adopt(cutover, NEWEST)).toEqual({ kind: 'adopted' });
    await plane.copy(ID, 1);
    await plane.settle(ID, 1);
    expect(await plane.verify(ID, 1, 6)).toMatchObject({ kind: 'verified', result: { divergences: 20 } });
    expect(await plane.promote(cutover, STEPS.promote)).toMatchObject({
      kind: 'postponed',
      why: expect.stringContaining('taken over as they are'),
    });
  });
});
