/** Constraints of the new table that are checked when a transaction ends: a row that breaks one waits alone, the others arrive. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';
import { edited } from '../../helpers/sql-plants.ts';

const TAG: TableCutover = {
  id: 'tag',
  validation: 'strict',
  table: { primary: 'public.tag', shadow: 'public.tag_v2' },
};

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await sql(`CREATE TABLE tag (id integer PRIMARY KEY, label text, low integer, span int4range); CREATE TABLE tag_v2 (id bigint PRIMARY KEY, label text, low integer, span int4range);
    INSERT INTO tag SELECT i, 'l' || i, i, int4range(i, i + 1) FROM generate_series(1, 20) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/** What the new table demands at the end of a transaction, and a row of the old one that breaks it. */
const DEMANDS: readonly [string, string, string][] = [
  [
    'a unique constraint',
    'ALTER TABLE tag_v2 ADD UNIQUE (label) DEFERRABLE INITIALLY DEFERRED',
    "(100, 'l1', 100, '[500,501)')",
  ],
  [
    'an exclusion constraint',
    'ALTER TABLE tag_v2 ADD EXCLUDE USING gist (span WITH &&) DEFERRABLE INITIALLY DEFERRED',
    "(100, 'x', 100, '[1,9)')",
  ],
  [
    'a constraint trigger',
    `CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.low < 0 THEN RAISE check_violation USING MESSAGE = 'too low'; END IF; RETURN NULL; END $$;
     CREATE CONSTRAINT TRIGGER low AFTER INSERT OR UPDATE ON tag_v2 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION low()`,
    "(100, 'x', -1, '[500,501)')",
  ],
];

const set = async () => {
  const { keys } = await plane.quarantined('tag', { limit: 10 });
  return keys.map(({ key }) => JSON.parse(key).id);
};
const others = 'SELECT id::bigint, label, low, span FROM tag WHERE id <> 100';

describe('a constraint that is checked at the end of a transaction', () => {
  it.each(DEMANDS)('%s: a change that breaks it waits by itself', async (_, demand, row) => {
    await sql(demand);
    await plane.start(TAG);
    await plane.copy('tag', 1);
    await sql(
      `INSERT INTO tag VALUES ${row}, (101, 'y', 101, '[600,601)'); UPDATE tag SET low = low + 1 WHERE id <= 20`,
    );
    await plane.settle('tag', 1);
    expect(await set()).toEqual([100]);
    expect(await differences(db, others, 'TABLE tag_v2')).toEqual([]);
  });

  it.each(DEMANDS)('%s: a row of the copy that breaks it waits by itself', async (_, demand, row) => {
    await sql(demand);
    await sql(`INSERT INTO tag VALUES ${row}, (101, 'y', 101, '[600,601)')`);
    await plane.start(TAG);
    await plane.copy('tag', 1, 7);
    await plane.settle('tag', 1);
    const [key] = await set();
    // Of two rows that exclude each other either may be the one that waits.
    expect([1, 100]).toContain(key);
    expect(
      await differences(db, `SELECT id::bigint, label, low, span FROM tag WHERE id <> ${key}`, 'TABLE tag_v2'),
    ).toEqual([]);
  });

  it('that is left for the end stops every change beside the one that breaks it', async () => {
    await sql(DEMANDS[0]![1]);
    await plane.start(TAG);
    await plane.copy('tag', 1);
    await tamper(db, plane.connection(), TAG, edited([['converge', 'SET CONSTRAINTS ALL IMMEDIATE;', '']]));
    await sql(`INSERT INTO tag VALUES ${DEMANDS[0]![2]}, (101, 'y', 101, '[600,601)')`);
    await expect(plane.converge('tag', 1, 100)).rejects.toThrow('23505');
    expect(await differences(db, others, 'TABLE tag_v2')).not.toEqual([]);
  });

  it('leaves the order free in which rows come that exchange their values', async () => {
    await sql(DEMANDS[0]![1]);
    await plane.start(TAG);
    await plane.copy('tag', 1);
    await sql("UPDATE tag SET label = 'l' || (id % 20 + 1)");
    await plane.settle('tag', 1);
    expect(await set()).toEqual([]);
    expect(await differences(db, 'SELECT id::bigint, label, low, span FROM tag', 'TABLE tag_v2')).toEqual([]);
  });
});
