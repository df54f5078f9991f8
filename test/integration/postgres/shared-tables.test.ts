/** One table is kept equal with one other at a time: a second cutover of it is refused before it touches the triggers of the first. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const pair = (id: string, primary: string, shadow: string): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${primary}`, shadow: `public.${shadow}` },
});
const FIRST = pair('first', 'a', 'b');
const OTHERS: readonly [string, TableCutover, string][] = [
  ['the same primary', pair('second', 'a', 'c'), 'a (primary of cutover first, which is armed forward)'],
  ['its shadow as primary', pair('second', 'b', 'c'), 'b (shadow of cutover first, which is armed forward)'],
  ['the same shadow', pair('second', 'c', 'b'), 'b (shadow of cutover first, which is armed forward)'],
  ['both tables the other way round', pair('second', 'b', 'a'), 'a (primary of cutover first'],
];

let db: OwnDatabase;
let plane: TestPlane;

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(['a', 'b', 'c'].map((name) => `CREATE TABLE ${name} (id bigint PRIMARY KEY, v text)`).join(';'));
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

const capture = () =>
  db.sql.unsafe('SELECT tgrelid, tgname, xmin FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2');

describe('a second cutover with', () => {
  it.each(OTHERS)('%s is refused by preview and start, and changes nothing', async (_, second, named) => {
    await plane.start(FIRST);
    const before = await capture();
    const { ok, items } = await plane.preview(second);
    expect(ok).toBe(false);
    expect(items.find(({ kind }) => kind === 'cutover')?.text).toContain(named);
    await expect(plane.arm(second)).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringContaining(named),
    });
    expect(await capture()).toEqual(before);
    expect((await plane.status('first'))!.shape).toMatchObject({ differences: [], gap: null });
  });

  it('a table whose promotion is not cleaned up waits for that', async () => {
    await plane.start(FIRST);
    await plane.copy('first', 1);
    const promote = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(FIRST, promote)).toMatchObject({ kind: 'swapped' });
    const next = pair('next', 'a', 'c');
    await expect(plane.arm(next)).rejects.toThrow('of cutover first, which is armed reverse');
    expect(await plane.cleanup(FIRST, 2)).toEqual({ kind: 'cleaned' });
    expect(await plane.arm(next)).toEqual({ kind: 'armed' });
  });

  it('the same table, both begun at once: one is armed, whole', async () => {
    const second = pair('second', 'a', 'c');
    const both = await Promise.allSettled([plane.arm(FIRST), plane.arm(second)]);
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const armed = await db.sql.unsafe("SELECT id FROM crossfade.cutover WHERE direction = 'forward'");
    expect(armed).toHaveLength(1);
    expect((await plane.status(armed[0]!.id))!.shape).toMatchObject({ differences: [], gap: null });
  });

  it('the rule taken out, a second cutover takes the triggers of the first', async () => {
    await plane.start(FIRST);
    await db.sql.unsafe(
      `CREATE OR REPLACE FUNCTION crossfade.other_cutovers(p_id text, p_tables oid[]) RETURNS text LANGUAGE sql AS 'SELECT NULL'`,
    );
    await plane.arm(pair('second', 'a', 'c'));
    expect((await plane.status('first'))!.shape!.gap).toContain('was altered, or made again');
  });
});
