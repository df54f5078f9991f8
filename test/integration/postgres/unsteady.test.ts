/** A declared expression whose value the row does not decide is refused before anything is armed: no two looks at it would agree. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE bill (id integer PRIMARY KEY, cents integer, at timestamptz DEFAULT now()); CREATE TABLE bill_v2 (id bigint PRIMARY KEY, cents bigint, at timestamptz, word text);
    CREATE FUNCTION rate() RETURNS integer LANGUAGE sql AS 'SELECT 7'; CREATE FUNCTION steady(n integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT n + 1'`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const billOf = (sql: string, reverse?: TableCutover['table']['reverse']): TableCutover => ({
  id: 'bill',
  validation: 'strict',
  table: { primary: 'public.bill', shadow: 'public.bill_v2', columns: { word: { sql } }, reverse },
});

describe('an expression', () => {
  it.each([
    ['random()::text', 'random\\(\\)'],
    ['now()::text', 'now\\(\\)'],
    ["(at > CURRENT_TIMESTAMP - interval '1 day')::text", 'the time or the user of the moment'],
    ['clock_timestamp()::text', 'clock_timestamp\\(\\)'],
    ['gen_random_uuid()::text', 'gen_random_uuid\\(\\)'],
    ['(cents * nextval(pg_get_serial_sequence(null, null)::regclass))::text', 'nextval\\(\\)'],
    ['(SELECT count(*) FROM bill)::text', 'a sub-select'],
    ['CURRENT_USER::text', '(the time or the user of the moment|current_user)'],
    ["upper(coalesce(nullif(cents::text, ''), current_setting('app.x', true)))", 'current_setting\\(\\)'],
  ])('%s is refused by preview and start', async (sql, what) => {
    const refused = {
      code: 'refused_table',
      message: expect.stringMatching(
        new RegExp(`column 'word' of public.bill_v2: its expression has .*${what}.*not decided by the row`),
      ),
    };
    await expect(plane.preview(billOf(sql))).rejects.toMatchObject(refused);
    await expect(plane.arm(billOf(sql))).rejects.toMatchObject(refused);
  });

  it.each([
    'cents::text',
    "to_char(at AT TIME ZONE 'UTC', 'YYYY')",
    'steady(cents)::text',
    // Volatile only since nothing was said when it was made.
    '(cents * rate())::text',
    "left('random() now() SELECT', cents)",
    'upper(cents::text)',
  ])('%s is taken, and nothing is left of the look', async (sql) => {
    expect((await plane.preview(billOf(sql))).ok).toBe(true);
    expect([...(await db.sql.unsafe("SELECT relname FROM pg_class WHERE relname LIKE 'look%'"))]).toEqual([]);
  });

  it('on the way back, too, but for a value that is written once', async () => {
    await expect(plane.preview(billOf('cents::text', { at: { sql: 'now()' } }))).rejects.toMatchObject({
      message: expect.stringContaining("column 'at' of public.bill: its expression has now()"),
    });
  });
});
