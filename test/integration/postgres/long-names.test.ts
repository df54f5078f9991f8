/**
 * I12 any legal name crosses over and comes back: 63 bytes long, with capitals, quotes, spaces and letters of every script, and names that
 * differ only where a suffix would cut them.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const run = (text: string) => db.sql.unsafe(text);
const at = (fromEpoch: number, stage: string) => ({ fromEpoch, toEpoch: fromEpoch + 1, stage, version: fromEpoch + 1 });
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Exactly 63 bytes, of which the last character may have several. */
function full(beginning: string, fill = 'x', ending = ''): string {
  let name = beginning;
  while (bytesOf(name + fill + ending) <= 63) name += fill;
  return (name + ending).padEnd(63 - bytesOf(name + ending) + (name + ending).length, '_');
}

type Mode = 'streamed' | 'inline';
type Named = { schema: string; primary: string; shadow: string; column: string; id: string };

const CASES: readonly [string, Mode, Named][] = [
  [
    'constraints and indexes of 63 bytes',
    'inline',
    { schema: 'public', primary: 'customer_account', shadow: 'customer_account_v2', column: 'note', id: 'plain' },
  ],
  [
    'a shadow whose names are shorter',
    'streamed',
    { schema: 'public', primary: 'customer_account_of_the_year', shadow: 's2', column: 'note', id: 'short_shadow' },
  ],
  [
    'tables, schema and column of 63 bytes, an id of 40',
    'streamed',
    {
      schema: full('Schéma d’été '),
      primary: full('Ünïcode Table ', 'ß'),
      shadow: full('Ünïcode Table ', 'ß', '表'),
      column: full('A "Column", of 63; bytes ', '表'),
      id: 'a'.repeat(40),
    },
  ],
  [
    'names that are equal in their first 55 bytes',
    'inline',
    { schema: 'public', primary: 'y'.repeat(59), shadow: `${'y'.repeat(59)}_v2`, column: 'y'.repeat(63), id: 'alike' },
  ],
];

/** Of 63 bytes each, with the table's name in front, so that they move with it; and some that do not. */
function objects(table: string, { schema, column }: Named): string {
  const on = `${quoted(schema)}.${quoted(table)}`;
  const c = quoted(column);
  const named = (rest: string, fill?: string, ending?: string) =>
    quoted(full(`${table}_${rest}`.slice(0, 60), fill, ending));
  if (bytesOf(table) > 45)
    return `CREATE INDEX ON ${on} (${c}); CREATE INDEX ON ${on} (lower(${c})); ALTER TABLE ${on} ADD CHECK (length(${c}) < 99), ADD UNIQUE (id, ${c})`;
  return `ALTER TABLE ${on} ADD CONSTRAINT ${named('C "quoted" ')} CHECK (length(${c}) < 99),
      ADD CONSTRAINT ${named('same', 'x', '1')} UNIQUE (id, ${c}), ADD CONSTRAINT ${named('same', 'x', '2')} CHECK (id > 0);
    CREATE INDEX ${named('same', 'x', '3')} ON ${on} (${c}); CREATE INDEX ${named('größe ', 'ß', '表')} ON ${on} (lower(${c}));
    CREATE UNIQUE INDEX ${named('größe ', 'ß', '表s')} ON ${on} (${c}, id); CREATE INDEX ${quoted(full(`Other ${table} 🙂`, '🙂'))} ON ${on} (${c})`;
}

const namesOf = (oids: readonly number[]) =>
  run(`SELECT t.place::int, x.kind, x.name FROM unnest(ARRAY[${oids.join()}]) WITH ORDINALITY t(oid, place) CROSS JOIN LATERAL (
      SELECT 'table' AS kind, c.relname::text AS name FROM pg_class c WHERE c.oid = t.oid
      UNION ALL SELECT 'constraint', k.conname FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype <> 'n'
      UNION ALL SELECT 'index', c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid
      UNION ALL SELECT 'sequence', c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' WHERE d.refobjid = t.oid AND d.deptype IN ('a', 'i')) x
    ORDER BY 1, 2, 3`);
const leftBehind = (id: string) =>
  run(
    `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'crossfade'::regnamespace AND c.relname LIKE '%${id}%'`,
  );

describe.each(CASES)('%s (%s)', (_, mode, named) => {
  it('crosses over, comes back with every name, and leaves nothing behind', async () => {
    const { schema, primary, shadow, column, id } = named;
    const [p, s] = [primary, shadow].map((table) => `${quoted(schema)}.${quoted(table)}`);
    const c = quoted(column);
    if (schema !== 'public') await run(`CREATE SCHEMA ${quoted(schema)}`);
    await run(`      CREATE TABLE ${p} (id serial PRIMARY KEY, ${c} text); CREATE TABLE ${s} (id bigserial PRIMARY KEY, ${c} text);
      ${objects(primary, named)}; ${objects(shadow, named)};
      INSERT INTO ${p} (${c}) SELECT 'v' || i FROM generate_series(1, 20) i`);
    const table = {
      primary: `${schema}.${primary}`,
      shadow: `${schema}.${shadow}`,
      ...(mode === 'inline' ? { mode } : {}),
    };
    const cutover: TableCutover = { id, validation: 'strict', table };
    const [found] = await run(
      `SELECT '${p!.replaceAll("'", "''")}'::regclass::oid::int AS p, '${s!.replaceAll("'", "''")}'::regclass::oid::int AS s`,
    );
    const oids = [found!.p as number, found!.s as number];
    const before = await namesOf(oids);

    const preview = await plane.preview(cutover);
    expect(preview.items.filter(({ action }) => action === 'refuse')).toEqual([]);
    await plane.start(cutover);
    await plane.copy(id, 1);
    await run(`UPDATE ${p} SET ${c} = 'changed' WHERE id = 3; DELETE FROM ${p} WHERE id = 4`);
    await plane.settle(id, 1);
    expect(await plane.verify(id, 1, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.promote(cutover, at(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    const promoted = (await namesOf(oids)) as unknown as { name: string; place: number }[];
    expect(promoted.find(({ place, name }) => place === 2 && name === primary)).toBeDefined();
    await run(`INSERT INTO ${p} (${c}) VALUES ('after'); UPDATE ${p} SET ${c} = 'again' WHERE id = 3`);
    await plane.settle(id, 2);
    expect(await plane.verify(id, 2, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.revert(cutover, at(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await namesOf(oids)).toEqual(before);
    expect((await run(`SELECT count(*)::int AS n FROM ${p} WHERE ${c} IN ('after', 'again')`))[0]).toEqual({ n: 2 });

    await plane.start(cutover, 3);
    await plane.copy(id, 3);
    await plane.settle(id, 3);
    expect(await differences(db, `SELECT id::bigint, ${c} FROM ${p}`, `SELECT id, ${c} FROM ${s}`)).toEqual([]);
    expect(await plane.promote(cutover, at(3, 'completed'))).toMatchObject({ kind: 'swapped' });
    // The same names as the first time: they are decided by the names that were there.
    expect(await namesOf(oids)).toEqual(promoted);
    await plane.settle(id, 4);
    expect(await plane.cleanup(cutover, 4)).toMatchObject({ kind: 'cleaned' });
    expect(await leftBehind(id)).toEqual([]);
    await run(`DROP TABLE ${p}`);
  });
});

describe('a name that the cut one would meet', () => {
  it('is avoided, also where it is another table’s', async () => {
    const primary = full('Beginning of twelve and more ', 'z');
    await run(
      `CREATE TABLE ${quoted(primary)} (id integer PRIMARY KEY, v text); CREATE TABLE met_v2 (id bigint PRIMARY KEY, v text)`,
    );
    const cutover: TableCutover = {
      id: 'met',
      validation: 'strict',
      table: { primary: `public.${primary}`, shadow: 'public.met_v2' },
    };
    const becomes = async () =>
      (await plane.preview(cutover)).items
        .find(({ kind, object }) => kind === 'table' && object === `public.${primary}`)!
        .text.slice('becomes '.length);
    const first = await becomes();
    expect(first).toMatch(/^Beginning .*_[0-9a-f]{8}_old$/);
    await run(`CREATE TABLE ${quoted(first)} ()`);
    expect(await becomes()).not.toBe(first);
    await plane.start(cutover);
    await plane.copy('met', 1);
    expect(await plane.promote(cutover, at(1, 'completed'))).toMatchObject({ kind: 'swapped' });
  });
});
