/**
 * A column that is computed from others until promotion stays true after it: a trigger computes it until cleanup, for an
 * application that does not know it. Where none can, the start demands that somebody is named who does.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import type { ColumnSource, TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;
let owner: PgConnection;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  owner = plane.connection();
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const run = (text: string) => db.sql.unsafe(text);
const at = (fromEpoch: number, stage: string) => ({ fromEpoch, toEpoch: fromEpoch + 1, stage, version: fromEpoch + 1 });

type More = Omit<Partial<TableDeclaration>, 'primary' | 'shadow' | 'columns'>;

function cutoverOf(id: string, columns: Record<string, ColumnSource>, more: More = {}): TableCutover {
  return {
    id,
    validation: 'strict',
    table: { primary: `public.${id}`, shadow: `public.${id}_v2`, columns, ...more },
  };
}

const NAMES = { full_name: { sql: "first_name || ' ' || last_name" } };
const PEOPLE = (id: string, column = 'full_name text') =>
  `CREATE TABLE ${id} (id integer PRIMARY KEY, first_name text, last_name text, note text);
   CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, first_name text, last_name text, note text, ${column});
   INSERT INTO ${id} VALUES (1, 'Ada', 'Lovelace'), (2, 'Alan', 'Turing')`;

async function promoted(cutover: TableCutover): Promise<void> {
  await plane.start(cutover);
  await plane.copy(cutover.id, 1);
  await plane.settle(cutover.id, 1);
  expect(await plane.verify(cutover.id, 1, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
  expect(await plane.promote(cutover, at(1, 'completed'))).toMatchObject({ kind: 'swapped' });
}

const itemsOf = async (cutover: TableCutover) =>
  (await plane.preview(cutover)).items.filter(({ kind }) => kind === 'computed column');
const valuesOf = async (id: string, column: string) =>
  (await run(`SELECT ${column}::text AS v FROM ${id} ORDER BY id`)).map((row) => row.v as string | null);
const ours = (id: string) =>
  run(`SELECT tgname AS name FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.proname = 'computed_${id}'
    UNION ALL SELECT proname FROM pg_proc WHERE proname = 'computed_${id}'`);

describe.each([['streamed'], ['inline']] as const)('a column whose inputs are in the new shape (%s)', (mode) => {
  it('stays true in the words of the old application, there and back and there again', async () => {
    const id = `people_${mode}`;
    const cutover = cutoverOf(id, NAMES, mode === 'inline' ? { mode } : {});
    await run(PEOPLE(id, 'full_name text NOT NULL'));
    await promoted(cutover);
    await run(`INSERT INTO ${id} (id, first_name, last_name) VALUES (3, 'Grace', 'Hopper');
      UPDATE ${id} SET last_name = 'King' WHERE id = 1; UPDATE ${id} SET note = 'kept' WHERE id = 2;
      INSERT INTO ${id} (id, first_name, last_name) VALUES (2, 'Alan', 'M. Turing') ON CONFLICT (id) DO UPDATE SET last_name = excluded.last_name`);
    expect(await valuesOf(id, 'full_name')).toEqual(['Ada King', 'Alan M. Turing', 'Grace Hopper']);
    await plane.settle(id, 2);
    expect(await plane.verify(id, 2, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect((await plane.status(id))!.quarantined).toBe(0);
    expect(await itemsOf(cutover)).toMatchObject([{ action: 'notice', text: expect.stringMatching(/until cleanup/) }]);

    expect(await plane.revert(cutover, at(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await ours(id)).toEqual([]);
    await plane.start(cutover, 3);
    await plane.copy(id, 3);
    await plane.settle(id, 3);
    await run(`UPDATE ${id} SET first_name = 'Augusta' WHERE id = 1`);
    await plane.settle(id, 3);
    expect(await plane.verify(id, 3, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.promote(cutover, at(3, 'completed'))).toMatchObject({ kind: 'swapped' });
    await run(`UPDATE ${id} SET last_name = 'Byron' WHERE id = 1`);
    expect((await valuesOf(id, 'full_name'))[0]).toBe('Augusta Byron');

    expect(await plane.cleanup(cutover, 4)).toMatchObject({ kind: 'cleaned' });
    expect(await ours(id)).toEqual([]);
  });
});

describe('what the application writes itself', () => {
  it('stands, on INSERT and UPDATE, until what it would be computed from changes', async () => {
    await run(PEOPLE('own', "full_name text DEFAULT 'unknown'"));
    await promoted(cutoverOf('own', NAMES));
    await run(`INSERT INTO own (id, first_name, last_name, full_name) VALUES (3, 'Grace', 'Hopper', 'Amazing Grace');
      INSERT INTO own (id, first_name, last_name) VALUES (4, 'Edsger', 'Dijkstra');
      UPDATE own SET full_name = 'Countess', last_name = 'King' WHERE id = 1;
      UPDATE own SET full_name = NULL WHERE id = 2`);
    const written = ['Countess', null, 'Amazing Grace', 'Edsger Dijkstra'];
    expect(await valuesOf('own', 'full_name')).toEqual(written);
    await run("UPDATE own SET note = 'another column'");
    expect(await valuesOf('own', 'full_name')).toEqual(written);
    await run("UPDATE own SET last_name = upper(last_name), note = 'inputs'");
    expect(await valuesOf('own', 'full_name')).toEqual(['Ada KING', 'Alan TURING', 'Grace HOPPER', 'Edsger DIJKSTRA']);
  });

  it('is read after the triggers of the application have changed it', async () => {
    await run(`${PEOPLE('trimmed')};
      CREATE FUNCTION trim_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last_name := btrim(NEW.last_name); RETURN NEW; END $$;
      CREATE TRIGGER zz_trim BEFORE INSERT OR UPDATE ON trimmed FOR EACH ROW EXECUTE FUNCTION trim_name()`);
    await promoted(cutoverOf('trimmed', NAMES));
    await run("INSERT INTO trimmed VALUES (3, 'Grace', '  Hopper ')");
    expect((await valuesOf('trimmed', 'full_name'))[2]).toBe('Grace Hopper');
  });
});

/** Old column, new column, the expression, a value in the words of the new shape, and what is computed from it. */
const KINDS: readonly [string, string, string, string, string, string | null][] = [
  ['renamed', 'company text', 'organisation text', 'upper(company)', "'acme'", 'ACME'],
  ['widened', 'price integer', 'price bigint', "'E' || price", '30000000000', 'E30000000000'],
  ['signed', 'sign integer', 'sign bigint', 'to_hex(sign)', '-1', 'ffffffff'],
  ['finer', 'rate numeric(10,2)', 'rate numeric(12,4)', 'rate::text', '1.5000', '1.50'],
  ['finer_than_before', 'share numeric(10,2)', 'share numeric(12,4)', 'share::text', '1.2345', '1.2345'],
  ['qualified', 'a text', 'a text', `p.a || '!' || coalesce(p."a", '')`, "'x'", 'x!x'],
  ['constant', 'b text', 'b text', "'fixed'", 'NULL', 'fixed'],
  ['of_null', 'c text', 'c text', 'upper(c)', 'NULL', null],
  ['quoted', '"Mixed ""Name" text', '"Mixed ""Name" text', 'lower("Mixed ""Name")', "'X'", 'x'],
  ['short', 'd text', 'd text', 'd', "'longer than the column'", null],
  ['of_key', 'e text', 'e text', "lpad(id::text, 5, '0')", 'NULL', '00007'],
];

describe('what is computed', () => {
  it('is what the old row would have given, and of values that the old row could not have, what they give themselves', async () => {
    const list = (make: (one: (typeof KINDS)[number]) => string) => KINDS.map(make).join(', ');
    await run(`CREATE TABLE kinds (id integer PRIMARY KEY, ${list((one) => one[1])});
      CREATE TABLE kinds_v2 (id bigint PRIMARY KEY, ${list((one) => one[2])}, ${list(([name]) => `${name} ${name === 'short' ? 'varchar(5)' : 'text'}`)})`);
    const computed = Object.fromEntries(KINDS.map(([name, , , sql]) => [name, { sql }]));
    await promoted(cutoverOf('kinds', { organisation: { from: 'company' }, ...computed }));
    await run(`INSERT INTO kinds VALUES (7, ${list((one) => one[4])})`);
    const [row] = await run(`SELECT ${list(([name]) => name)} FROM kinds`);
    expect(row).toEqual(Object.fromEntries(KINDS.map(([name, , , , , wanted]) => [name, wanted])));
  });

  it('is computed with the settings of the owner, whatever the caller has', async () => {
    await run(
      `CREATE TABLE zoned (id integer PRIMARY KEY, at timestamptz); CREATE TABLE zoned_v2 (id bigint PRIMARY KEY, at timestamptz, day text)`,
    );
    await promoted(cutoverOf('zoned', { day: { sql: 'at::text' } }));
    await run(`BEGIN; SET LOCAL timezone = 'Asia/Tokyo'; SET LOCAL datestyle = 'German';
      INSERT INTO zoned VALUES (1, '2026-01-01 00:00+00'); COMMIT; INSERT INTO zoned VALUES (2, '2026-01-01 00:00+00')`);
    const [one, two] = await valuesOf('zoned', 'day');
    expect(one).toBe(two);
  });
});

describe('what cannot be computed', () => {
  const HALF = { half: { sql: '60 / parts' } };
  const TABLES = `CREATE TABLE shares (id integer PRIMARY KEY, parts integer); CREATE TABLE shares_v2 (id bigint PRIMARY KEY, parts integer, half integer); INSERT INTO shares VALUES (1, 2)`;

  it('fails no statement, leaves the column as it was written, and is recorded by key', async () => {
    await run(TABLES);
    const cutover = cutoverOf('shares', HALF);
    await promoted(cutover);
    await run('UPDATE shares SET parts = 0 WHERE id = 1; INSERT INTO shares VALUES (2, 0), (3, 5)');
    expect(await valuesOf('shares', 'half')).toEqual(['30', null, '12']);
    expect((await plane.status('shares'))!.inlineFailures).toBe(2);
    expect(
      await run("SELECT key, sqlstate, reason FROM crossfade.inline_failure WHERE cutover = 'shares' ORDER BY key"),
    ).toEqual([
      { key: '{"id": 1}', sqlstate: '22012', reason: 'column "half" was not computed: division by zero' },
      { key: '{"id": 2}', sqlstate: '22012', reason: 'column "half" was not computed: division by zero' },
    ]);
    await run('UPDATE shares SET parts = 3 WHERE id = 1');
    expect((await valuesOf('shares', 'half'))[0]).toBe('20');
    await plane.settle('shares', 2);
    expect(await plane.revert(cutover, at(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
  });

  it('a column that is dropped after promotion fails no statement either', async () => {
    await run(PEOPLE('gone'));
    await promoted(cutoverOf('gone', NAMES));
    await run("ALTER TABLE gone DROP COLUMN last_name CASCADE; INSERT INTO gone (id, first_name) VALUES (3, 'Grace')");
    expect(await valuesOf('gone', 'full_name')).toEqual(['Ada Lovelace', 'Alan Turing', null]);
  });

  it('a trigger that was switched off, or whose function was dropped, is seen, and made again', async () => {
    await run(PEOPLE('off'));
    await promoted(cutoverOf('off', NAMES));
    const acts = ['ALTER TABLE off DISABLE TRIGGER USER', 'DROP FUNCTION crossfade.computed_off CASCADE'];
    for (const [index, act] of acts.entries()) {
      await run(act);
      expect((await plane.status('off'))!.shape?.gap).toMatch(/~crossfade_computed/);
      await owner.call("SELECT crossfade.watch_shape('off')");
      await run(`INSERT INTO off VALUES (${3 + index}, 'Grace', 'Hopper')`);
      expect((await valuesOf('off', 'full_name'))[2 + index]).toBe('Grace Hopper');
    }
  });
});

describe('a choice that is demanded before the start', () => {
  const REFUSED: readonly [string, string, string, Record<string, ColumnSource>, RegExp][] = [
    ['dropped', 'name text', 'sort_name text', { sort_name: { sql: 'lower(name)' } }, /"name" does not exist/],
    [
      'remade',
      'tag_text text',
      'tags text[]',
      { tags: { sql: "string_to_array(tag_text, ',')" } },
      /"tag_text" does not exist/,
    ],
    ['whole', 'a text', 'a text, doc jsonb', { doc: { sql: 'to_jsonb(p)' } }, /the row as a whole/],
    ['whole_again', 'a text', 'a text, doc jsonb', { doc: { sql: 'to_jsonb(p.*)' } }, /the row as a whole/],
    [
      'moving',
      'a text',
      'a text, c text DEFAULT gen_random_uuid()::text',
      { c: { sql: 'upper(a)' } },
      /another value each time/,
    ],
  ];

  it.each(REFUSED)(
    '%s: the preview refuses it, and so does the start, in the same words',
    async (id, old, now, columns, why) => {
      await run(
        `CREATE TABLE ${id} (id integer PRIMARY KEY, ${old}); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, ${now})`,
      );
      const [name] = Object.keys(columns);
      const cutover = cutoverOf(id, columns);
      const [item] = await itemsOf(cutover);
      expect(item).toMatchObject({
        action: 'refuse',
        object: `public.${id}_v2.${name}`,
        text: expect.stringMatching(why),
      });
      expect(item!.text).toMatch(/after: 'application'/);
      await expect(plane.arm(cutover)).rejects.toMatchObject({
        code: 'refused_table',
        message: expect.stringContaining(item!.text),
      });
      const chosen = Object.fromEntries(
        Object.entries(columns).map(([c, source]) => [c, { ...source, after: 'application' }]),
      );
      await plane.start(cutoverOf(id, chosen as Record<string, ColumnSource>));
      await plane.forget(id);
    },
  );

  it('a column of the same name in both shapes is written by the application already, and the preview says so', async () => {
    await run(
      `CREATE TABLE same (id integer PRIMARY KEY, code text); CREATE TABLE same_v2 (id bigint PRIMARY KEY, code text)`,
    );
    const cutover = cutoverOf('same', { code: { sql: 'upper(code)' } });
    expect(await itemsOf(cutover)).toMatchObject([
      { action: 'notice', text: expect.stringMatching(/not applied any more/) },
    ]);
    await promoted(cutover);
    await run("INSERT INTO same VALUES (1, 'ab')");
    expect(await valuesOf('same', 'code')).toEqual(['ab']);
  });

  it('a column from which the way back is made is the application’s, without a word', async () => {
    await run(
      `CREATE TABLE split (id integer PRIMARY KEY, name text); CREATE TABLE split_v2 (id bigint PRIMARY KEY, first text, last text)`,
    );
    const cutover = cutoverOf(
      'split',
      { first: { sql: "split_part(name, ' ', 1)" }, last: { sql: "split_part(name, ' ', 2)" } },
      { reverse: { name: { sql: "first || ' ' || last" } } },
    );
    expect(await itemsOf(cutover)).toMatchObject([
      {
        action: 'notice',
        object: 'public.split_v2.first',
        text: expect.stringMatching(/the application must write it/),
      },
      { action: 'notice', object: 'public.split_v2.last' },
    ]);
    await promoted(cutover);
    expect(await ours('split')).toEqual([]);
  });
});

describe('planted faults', () => {
  /** The trigger function with one rule taken out of it. */
  async function broken(id: string, plant: (body: string) => string): Promise<void> {
    const [row] = await run(`SELECT pg_get_functiondef('crossfade.computed_${id}'::regproc) AS body`);
    const body = row!.body as string;
    expect(plant(body)).not.toBe(body);
    await run(plant(body));
  }

  it('without the look at what was written the application’s own value is lost', async () => {
    await run(PEOPLE('plant_own'));
    await promoted(cutoverOf('plant_own', NAMES));
    await broken('plant_own', (body) => body.replace(/ELSIF .* THEN/, 'ELSE'));
    await run("UPDATE plant_own SET full_name = 'Countess', last_name = 'King' WHERE id = 1");
    expect((await valuesOf('plant_own', 'full_name'))[0]).toBe('Ada King');
  });

  it('without the block a statement of the application fails', async () => {
    await run(
      `CREATE TABLE plant_fail (id integer PRIMARY KEY, parts integer); CREATE TABLE plant_fail_v2 (id bigint PRIMARY KEY, parts integer, half integer)`,
    );
    await promoted(cutoverOf('plant_fail', { half: { sql: '60 / parts' } }));
    await broken('plant_fail', (body) =>
      body
        .replace('PERFORM crossfade.record_inline_failure', 'RAISE; PERFORM crossfade.record_inline_failure')
        .replace(/RAISE LOG '[^']*', SQLERRM/, 'RAISE'),
    );
    await expect(run('INSERT INTO plant_fail VALUES (1, 0)')).rejects.toThrow(/division by zero/);
  });
});
