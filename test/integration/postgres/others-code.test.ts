/**
 * Functions and enums of others decide what a value means. Replaced while a cutover runs, they make other values of rows that
 * nothing writes: that is seen, holds the swap, and is taken over by `adopt` with a copy and a comparison of every row.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ColumnSource } from '../../../lib/core/cutover/table-declaration.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 };
const NEWEST = { epoch: 1_000_000, version: 1_000_000 };
const cutover = (columns: Record<string, ColumnSource> = {}): TableCutover => ({
  id: 'word',
  validation: 'strict',
  table: { primary: 'public.word', shadow: 'public.word_v2', columns, reverse: { text: { sql: 'text' } } },
});

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
});
afterEach(async () => {
  await plane.forget('word');
  await plane.close();
  await db.drop();
});

const TABLES = `CREATE TABLE word (id integer PRIMARY KEY, text text); CREATE TABLE word_v2 (id bigint PRIMARY KEY, text text);
  INSERT INTO word SELECT i, 'Word ' || i FROM generate_series(1, 20) i;`;
const FUNCTION = (name: string, body: string, also = '') =>
  `CREATE OR REPLACE FUNCTION ${name}(t text) RETURNS text IMMUTABLE LANGUAGE sql ${also} AS $$ ${body} $$;`;

async function running(of: TableCutover): Promise<void> {
  await plane.start(of);
  await plane.copy('word', 1);
  await plane.settle('word', 1);
  expect(await plane.verify('word', 1, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
}
const seen = async () => {
  expect(await plane.watch('word', NEWEST)).toEqual({ kind: 'watched' });
  return (await plane.status('word'))!.shape!.differences.map(({ object }) => object);
};

/** What is declared, what is there, the act, and the object that is named. */
const ACTS: readonly [title: string, expression: string, before: string, act: string, named: string][] = [
  [
    'a function that is replaced',
    'plain(text)',
    FUNCTION('plain', 'SELECT upper(t)'),
    FUNCTION('plain', 'SELECT lower(t)'),
    'function public.plain(text)',
  ],
  [
    'a function that another one calls',
    'outer_one(text)',
    FUNCTION('inner_one', 'SELECT upper(t)') + FUNCTION('outer_one', 'SELECT public.inner_one(t)'),
    FUNCTION('inner_one', 'SELECT lower(t)'),
    'function public.inner_one(text)',
  ],
  [
    'a function that is dropped and made again',
    'plain(text)',
    FUNCTION('plain', 'SELECT upper(t)'),
    `DROP FUNCTION plain; ${FUNCTION('plain', 'SELECT lower(t)')}`,
    'function public.plain(text)',
  ],
  [
    'a setting of a function',
    'plain(text)',
    FUNCTION('plain', 'SELECT upper(t)'),
    "ALTER FUNCTION plain SET lc_time = 'C'",
    'function public.plain(text)',
  ],
  [
    'the function behind an operator',
    'text OPERATOR(public.@@!) id',
    `CREATE FUNCTION often(t text, n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT repeat(t, 2) $$;
      CREATE OPERATOR public.@@! (LEFTARG = text, RIGHTARG = integer, FUNCTION = often);`,
    'CREATE OR REPLACE FUNCTION often(t text, n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT repeat(t, 3) $$',
    'function public.often(text,integer)',
  ],
  [
    'the function behind a cast',
    '(ROW(text)::boxed)::text',
    `CREATE TYPE boxed AS (t text); CREATE FUNCTION unboxed(b boxed) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT upper(b.t) $$;
      CREATE CAST (boxed AS text) WITH FUNCTION unboxed(boxed);`,
    'CREATE OR REPLACE FUNCTION unboxed(b boxed) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lower(b.t) $$',
    'function public.unboxed(public.boxed)',
  ],
];

describe('code of others that an expression calls', () => {
  it.each(ACTS)('%s is named and holds the swap until it is taken over', async (_, expression, before, act, named) => {
    const of = cutover({ text: { sql: expression } });
    await sql(TABLES + before);
    await running(of);
    await sql(act);
    expect(await seen()).toContain(named);
    const swap = await plane.promote(of, PROMOTE);
    expect(swap).toMatchObject({ kind: 'postponed' });
    expect('why' in swap && swap.why).toContain(named);

    expect(await plane.adopt(of, NEWEST)).toEqual({ kind: 'adopted' });
    expect(await seen()).toEqual([]);
    await plane.copy('word', 1);
    await plane.settle('word', 1);
    expect(await plane.verify('word', 1, 2)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(
      await differences(db, `SELECT id::bigint, ${expression} AS text FROM word`, 'SELECT id, text FROM word_v2'),
    ).toEqual([]);
    expect(await plane.promote(of, PROMOTE)).toMatchObject({ kind: 'swapped' });
  });

  it('that no expression calls is nobody’s matter, nor is a function of the same body made again', async () => {
    const of = cutover({ text: { sql: 'plain(text)' } });
    await sql(`${TABLES} ${FUNCTION('plain', 'SELECT upper(t)')} ${FUNCTION('other', 'SELECT upper(t)')}`);
    await running(of);
    await sql(FUNCTION('plain', 'SELECT upper(t)') + FUNCTION('other', 'SELECT lower(t)'));
    expect(await seen()).toEqual([]);
    expect(await plane.promote(of, PROMOTE)).toMatchObject({ kind: 'swapped' });
  });

  it('that is not written down when the cutover is armed goes by unseen, and other values are promoted', async () => {
    const of = cutover({ text: { sql: 'plain(text)' } });
    await sql(TABLES + FUNCTION('plain', 'SELECT upper(t)'));
    await running(of);
    await sql("DELETE FROM crossfade.used; SELECT crossfade.record_shape('word')");
    await sql(FUNCTION('plain', 'SELECT lower(t)'));
    expect(await seen()).toEqual([]);
    expect(await plane.promote(of, PROMOTE)).toMatchObject({ kind: 'swapped' });
    expect(await differences(db, 'SELECT text FROM word', 'SELECT lower(text) FROM word')).not.toEqual([]);
  });
});

describe('labels of an enum', () => {
  const ENUMS = `CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE mood_v2 AS ENUM ('sad', 'glad');
    CREATE DOMAIN felt AS mood; CREATE TABLE word (id integer PRIMARY KEY, text text, mood felt, moods mood[]);
    CREATE TABLE word_v2 (id bigint PRIMARY KEY, text text, mood mood_v2, moods mood_v2[]);
    INSERT INTO word SELECT i, 'Word ' || i, 'sad', '{glad}' FROM generate_series(1, 20) i;`;
  const of: TableCutover = {
    ...cutover(),
    table: {
      ...cutover().table,
      columns: { mood: { sql: 'mood::text::mood_v2' }, moods: { sql: 'moods::text::mood_v2[]' } },
      reverse: { mood: { sql: 'mood::text::mood' }, moods: { sql: 'moods::text::mood[]' } },
    },
  };

  it.each([
    ['renamed on the old side', "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", 'type public.mood'],
    ['renamed on the new side', "ALTER TYPE mood_v2 RENAME VALUE 'sad' TO 'blue'", 'type public.mood_v2'],
    ['added on the old side', "ALTER TYPE mood ADD VALUE 'calm'", 'type public.mood'],
  ])('that one side has alone, %s, hold the swap', async (_, act, named) => {
    await sql(ENUMS);
    await running(of);
    await sql(act);
    expect(await seen()).toEqual([named]);
    expect(await plane.promote(of, PROMOTE)).toMatchObject({ kind: 'postponed' });
  });

  it('that both sides have mean the same on both, whatever becomes of them', async () => {
    await sql(`CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE word (id integer PRIMARY KEY, text text, mood mood);
      CREATE TABLE word_v2 (id bigint PRIMARY KEY, text text, mood mood); INSERT INTO word SELECT i, 'Word ' || i, 'sad' FROM generate_series(1, 20) i;`);
    await running(cutover());
    await sql("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'");
    await sql("ALTER TYPE mood ADD VALUE 'calm'");
    expect(await seen()).toEqual([]);
    expect(await plane.verify('word', 1, 2)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.promote(cutover(), PROMOTE)).toMatchObject({ kind: 'swapped' });
  });
});
