/**
 * Code of others raises whatever it likes: a check, an index or an expression that fails for one row with a class of its own holds
 * that row, and neither the copy, nor converge, nor verification stops for the others.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const NOTE = (columns: Partial<TableDeclaration> = {}): TableCutover => ({
  id: 'note',
  validation: 'strict',
  table: { primary: 'public.note', shadow: 'public.note_v2', ...columns },
});

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await sql(`CREATE TABLE note (id integer PRIMARY KEY, text text); CREATE TABLE note_v2 (id bigint PRIMARY KEY, text text);
    INSERT INTO note SELECT i, 'n' || i FROM generate_series(1, 20) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/** A function that passes a text on, but for 'bad'. */
const picky = (raise: string) =>
  `CREATE FUNCTION picky(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF t = 'bad' THEN ${raise}; END IF; RETURN t; END $$;`;
const coded = (state: string) => picky(`RAISE EXCEPTION 'no' USING ERRCODE = '${state}'`);
const EXPRESSION: Partial<TableDeclaration> = {
  columns: { text: { sql: 'picky(text)', after: 'application' } },
  reverse: { text: { sql: 'text' } },
};

const CASES: readonly [string, string, Partial<TableDeclaration>][] = [
  ['an expression with a class of its own', coded('ZZ001'), EXPRESSION],
  ['an expression that calls it an internal error', coded('XX000'), EXPRESSION],
  ['an expression that asserts', picky("ASSERT false, 'no'"), EXPRESSION],
  ['an expression that is nested too deep', coded('54001'), EXPRESSION],
  ['a check of the new table', `${coded('UE123')} ALTER TABLE note_v2 ADD CHECK (picky(text) IS NOT NULL)`, {}],
  ['an index of the new table', `${coded('38000')} CREATE INDEX ON note_v2 (picky(text))`, {}],
];

describe('for one row raises', () => {
  it.each(CASES)('%s: the row waits by itself, others are changed, copied and compared', async (_, made, columns) => {
    await sql(made);
    await sql("UPDATE note SET text = 'bad' WHERE id = 3");
    await plane.start(NOTE(columns));
    await plane.copy('note', 1, 7);
    await sql("UPDATE note SET text = 'bad' WHERE id = 8; UPDATE note SET text = 'good' WHERE id = 9");
    // As after all tries but the last.
    for (const outbox of ['outbox', 'outbox1'])
      await sql(`UPDATE crossfade.${outbox}_note SET attempts = 4, not_before = NULL`);
    await plane.settle('note', 1);
    const { keys } = await plane.quarantined('note', { limit: 10 });
    expect(keys.map(({ key }) => JSON.parse(key).id)).toEqual([3, 8]);
    const rest = 'SELECT id::bigint, text FROM note WHERE id NOT IN (3, 8)';
    expect(await differences(db, rest, 'SELECT id, text FROM note_v2 WHERE id NOT IN (3, 8)')).toEqual([]);
    expect(await plane.verify('note', 1, 1)).toMatchObject({
      kind: 'verified',
      result: { rowsCompared: expect.any(Number) },
    });
    await sql("UPDATE note SET text = 'well' WHERE id IN (3, 8)");
    await plane.settle('note', 1);
    expect((await plane.status('note'))!.quarantined).toBe(0);
    expect(await plane.verify('note', 1, 2)).toMatchObject({ kind: 'verified', result: { divergences: 0, score: 1 } });
  });
});
