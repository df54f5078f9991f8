/** I7 a table may have as many columns as Postgres takes, on both sides: each verdict is made, and names the column and the key. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

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

const list = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i));
const columns = (count: number, type: string) => list(count, (i) => `c${i} ${type}`);
const cutoverOf = (id: string, table: Partial<TableCutover['table']> = {}): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, ...table },
});
const create = (name: string, defined: readonly string[]) =>
  db.sql.unsafe(`CREATE TABLE ${name} (${defined.join(', ')})`);
const spoil = (statement: string) =>
  db.sql.unsafe(`BEGIN; SET LOCAL crossfade.writing = 'on'; ${statement}; COMMIT`).simple();
const step = (fromEpoch: number) =>
  ({ fromEpoch, toEpoch: fromEpoch + 1, stage: 'completed', version: fromEpoch * 10 }) as const;

/** As many calls as it takes. */
async function verify(id: string, epoch = 1, tier: 'fast' | 'proof' = 'fast') {
  for (;;) {
    const verified = await plane.verify(id, epoch, 0, { tier, scope: 'full' });
    if (verified.kind === 'verified') return verified.result;
    expect(verified.kind).toBe('running');
  }
}

/** From now on a verification that asks row by row whether rows fit, as it does where comparing fails, throws. */
const forbidFits = (id: string) =>
  db.sql.unsafe(`CREATE OR REPLACE FUNCTION crossfade.fits_${id}(p_k1 integer) RETURNS boolean LANGUAGE plpgsql STABLE
    AS $$ BEGIN RAISE EXCEPTION 'rows were asked one by one' USING ERRCODE = 'CF999'; END $$`);

describe.each([
  { count: 900, type: 'integer', values: ['1', '77'], mode: 'streamed' },
  { count: 1_590, type: 'boolean', values: ['true', 'false'], mode: 'inline' },
] as const)('a table of $count columns of type $type, $mode', ({ count, type, values: [before, after], mode }) => {
  it('is copied, followed, verified, promoted and taken back', async () => {
    const id = `all_${count}`;
    const cutover = cutoverOf(id, { mode });
    await create(id, ['id integer PRIMARY KEY', ...columns(count, type)]);
    await create(`${id}_v2`, ['id bigint PRIMARY KEY', ...columns(count, type)]);
    await db.sql.unsafe(
      `INSERT INTO ${id} (id, c0, c${count - 1}) SELECT i, ${before}, ${after} FROM generate_series(1, 20) i`,
    );
    await plane.start(cutover);
    expect(await plane.copy(id, 1)).toBe(20);
    await db.sql.unsafe(`UPDATE ${id} SET c5 = ${before}; DELETE FROM ${id} WHERE id = 20`);
    const { claimed, mismatched } = await plane.settle(id, 1);
    expect({ claimed, mismatched }).toEqual({ claimed: mode === 'inline' ? 0 : 21, mismatched: 0 });
    await forbidFits(id);
    expect(await verify(id)).toMatchObject({ rowsCompared: 19, divergences: 0 });

    await spoil(`UPDATE ${id}_v2 SET c7 = ${after}, c${count - 1} = NULL WHERE id = 2`);
    const named = { key: '{"id": 2}', columns: ['c7', `c${count - 1}`] };
    expect(await verify(id)).toMatchObject({ rowsCompared: 19, divergences: 1, samples: [named] });
    expect(await verify(id, 1, 'proof')).toMatchObject({ divergences: 1, samples: [named] });
    expect(await plane.consistency(id)).toMatchObject({
      primaryRows: 19,
      shadowRows: 19,
      consistent: 18,
      diverged: 1,
    });
    expect(await plane.compareRow(id, '2')).toMatchObject({ equal: false, differingColumns: named.columns });
    expect(await plane.repair(id)).toEqual({ enqueued: 1 });
    await plane.settle(id, 1);
    expect(await verify(id, 1, 'proof')).toMatchObject({ divergences: 0 });

    const { ok, wayBack } = await plane.preview(cutover, { scanMs: 50_000 });
    expect({ ok, wayBack }).toMatchObject({
      ok: true,
      wayBack: { rows: 19, cannotCross: 0, cannotReturn: 0, changed: 0 },
    });
    expect(await plane.promote(cutover, step(1))).toMatchObject({ kind: 'swapped' });
    await db.sql.unsafe(`UPDATE ${id} SET c5 = ${after}`);
    expect(await plane.settle(id, 2)).toMatchObject({ written: 19, mismatched: 0 });
    expect(await verify(id, 2)).toMatchObject({ rowsCompared: 19, divergences: 0 });
    expect(await plane.revert(cutover, step(2))).toMatchObject({ kind: 'swapped' });
    expect(await db.sql.unsafe(`SELECT count(*)::int AS n FROM ${id} WHERE c5 = ${after}`)).toEqual([{ n: 19 }]);
  });
});

describe('a verdict whose rows go on into an aggregate with all columns of both sides', () => {
  it('is not made at once: planted, the statement has too many columns, and verification says so', async () => {
    const cutover = cutoverOf('planted');
    await create('planted', ['id integer PRIMARY KEY', ...columns(900, 'integer')]);
    await create('planted_v2', ['id integer PRIMARY KEY', ...columns(900, 'integer')]);
    await db.sql.unsafe('INSERT INTO planted (id) SELECT generate_series(1, 20)');
    await plane.start(cutover);
    await plane.copy('planted', 1);
    await forbidFits('planted');
    expect(await verify('planted')).toMatchObject({ rowsCompared: 20, divergences: 0 });
    await tamper(db, plane.connection(), cutover, edited([['verify', /OFFSET 0\)(?= AS c;)/, ')']]));
    await expect(verify('planted')).rejects.toThrow(/number of columns \(\d+\) exceeds limit \(1664\) \[54011\]/);
  });
});

describe('wide tables of other kinds', () => {
  it('types that are compared by image, names of 63 bytes, and types that change', async () => {
    const name = (i: number) => `long_${i}_`.padEnd(63, 'x');
    const typed = (types: readonly string[]) => list(900, (i) => `${name(i)} ${types[i % types.length]}`);
    await create('images', ['id integer PRIMARY KEY', ...typed(['numeric', 'json', 'varchar(5)', 'integer'])]);
    await create('images_v2', ['id integer PRIMARY KEY', ...typed(['numeric', 'json', 'varchar(9)', 'bigint'])]);
    await db.sql.unsafe(
      `INSERT INTO images (id, ${name(0)}, ${name(1)}, ${name(2)}) SELECT i, 1.0, '{"a": 1}', 'abc' FROM generate_series(1, 20) i`,
    );
    await plane.start(cutoverOf('images'));
    await plane.copy('images', 1);
    expect(await verify('images')).toMatchObject({ rowsCompared: 20, divergences: 0 });
    await spoil(
      `UPDATE images_v2 SET ${name(0)} = 1.00, ${name(899)} = 4 WHERE id = 3; UPDATE images_v2 SET ${name(1)} = '{"a":1}' WHERE id = 4; DELETE FROM images_v2 WHERE id = 5`,
    );
    const { samples, divergences } = await verify('images');
    expect({ divergences, samples }).toEqual({
      divergences: 3,
      samples: [
        { key: '{"id": 3}', columns: [name(0), name(899)] },
        { key: '{"id": 4}', columns: [name(1)] },
        { key: '{"id": 5}', columns: [] },
      ],
    });
  });

  it('a key of 32 columns beside 850 others', async () => {
    const key = list(32, (i) => `k${i}`);
    const defined = (type: string) => [
      ...key.map((one) => `${one} ${type}`),
      ...columns(850, 'boolean'),
      `PRIMARY KEY (${key.join(', ')})`,
    ];
    await create('keyed', defined('integer'));
    await create('keyed_v2', defined('bigint'));
    await db.sql.unsafe(
      `INSERT INTO keyed (${key.join(', ')}) SELECT ${key.map(() => 'i').join(', ')} FROM generate_series(1, 20) i`,
    );
    await plane.start(cutoverOf('keyed'));
    await plane.copy('keyed', 1);
    await db.sql.unsafe('UPDATE keyed SET c1 = true; UPDATE keyed SET k31 = 0 WHERE k31 = 9');
    await plane.settle('keyed', 1);
    expect(await verify('keyed')).toMatchObject({ rowsCompared: 20, divergences: 0 });
    await spoil('UPDATE keyed_v2 SET c849 = true WHERE k0 = 7');
    const { samples } = await verify('keyed');
    expect(samples.map(({ key, columns }) => [JSON.parse(key).k31, columns])).toEqual([[7, ['c849']]]);
    expect(await plane.consistency('keyed')).toMatchObject({ consistent: 19, diverged: 1 });
    expect(await plane.compareRow('keyed', samples[0]!.key)).toMatchObject({ differingColumns: ['c849'] });
  });

  it('1,000 columns with an expression each, of which two are named when they cannot be', async () => {
    const declared = (wrong: Readonly<Record<number, string>>) => ({
      columns: Object.fromEntries(
        list(1_000, (i) => `c${i}`).map((name, i) => [name, { sql: wrong[i] ?? `upper(c${i})` }]),
      ),
    });
    await create('computed', ['id integer PRIMARY KEY', ...columns(1_000, 'text')]);
    await create('computed_v2', ['id integer PRIMARY KEY', ...columns(1_000, 'varchar(9)')]);
    await db.sql.unsafe("INSERT INTO computed (id, c0, c999) SELECT i, 'ab', 'cd' FROM generate_series(1, 20) i");
    const none = cutoverOf('computed', declared({ 3: 'c3 + 1', 998: 'no_such_column' }));
    await expect(plane.preview(none)).rejects.toThrow(
      /column 'c3' of public.computed_v2: [^;]*; column 'c998' of public.computed_v2: [^;]*$/,
    );
    const unsteady = cutoverOf('computed', declared({ 5: 'now()::text', 997: 'random()::text' }));
    await expect(plane.preview(unsteady)).rejects.toThrow(
      /column 'c5' [^;]*now\(\)[^;]*; column 'c997' [^;]*random\(\)[^;]*$/,
    );
    await plane.start(cutoverOf('computed', declared({})));
    await plane.copy('computed', 1);
    expect(await verify('computed')).toMatchObject({ rowsCompared: 20, divergences: 0 });
    expect(await db.sql.unsafe('SELECT DISTINCT c0, c999 FROM computed_v2')).toEqual([{ c0: 'AB', c999: 'CD' }]);
  });

  it('a shadow that had rows and has columns of its own, rows that come again, and unique values that change places', async () => {
    const unique = ['id integer PRIMARY KEY', 'u integer UNIQUE', ...columns(850, 'boolean')];
    await create('lived', unique);
    await create('lived_v2', [...unique, "own text DEFAULT 'made'"]);
    await db.sql.unsafe(`INSERT INTO lived (id, u) SELECT i, i FROM generate_series(1, 20) i;
      INSERT INTO lived_v2 (id, u, c3) SELECT i, i, true FROM generate_series(1, 25) i`);
    await plane.start(cutoverOf('lived'));
    await plane.copy('lived', 1);
    await plane.settle('lived', 1);
    await spoil("UPDATE lived_v2 SET own = 'kept'");
    await db.sql.unsafe('DELETE FROM lived WHERE id = 4; INSERT INTO lived (id, u, c9) VALUES (4, 4, true)');
    await db.sql.unsafe('ALTER TABLE lived DROP CONSTRAINT lived_u_key; UPDATE lived SET u = 3 - u WHERE id IN (1, 2)');
    expect(await plane.settle('lived', 1)).toMatchObject({ mismatched: 0, quarantined: 0 });
    expect(await verify('lived')).toMatchObject({ rowsCompared: 20, divergences: 0 });
    const copied = `SELECT id, u, ${list(850, (i) => `c${i}`).join(', ')} FROM lived_v2`;
    const hashed = (rows: string) => `SELECT md5(r::text) AS hash FROM (${rows}) r`;
    expect(await differences(db, hashed('SELECT * FROM lived'), hashed(copied))).toEqual([]);
    expect(await db.sql.unsafe("SELECT id FROM lived_v2 WHERE own = 'made'")).toEqual([{ id: 4 }]);
  });

  it('a row that does not fit is judged by its key, and the others by value', async () => {
    await create('unfit', ['id integer PRIMARY KEY', 'amount text', ...columns(850, 'boolean')]);
    await create('unfit_v2', ['id integer PRIMARY KEY', 'amount smallint', ...columns(850, 'boolean')]);
    await db.sql.unsafe(
      "INSERT INTO unfit (id, amount) SELECT i, CASE i WHEN 5 THEN 'none' ELSE '1' END FROM generate_series(1, 20) i",
    );
    await plane.start(cutoverOf('unfit'));
    await plane.copy('unfit', 1);
    await plane.converge('unfit', 1, 500);
    await db.sql.unsafe('UPDATE crossfade.outbox_unfit SET attempts = 4, not_before = NULL');
    expect(await plane.settle('unfit', 1)).toMatchObject({ quarantined: 1 });
    const { wayBack } = await plane.preview(cutoverOf('unfit'), { scanMs: 50_000 });
    expect(wayBack).toMatchObject({ rows: 20, cannotCross: 1, cannotReturn: 0, changed: 0 });
    await spoil('UPDATE unfit_v2 SET c849 = true WHERE id = 6');
    const { samples } = await verify('unfit');
    expect(samples).toContainEqual({ key: '{"id": 6}', columns: ['c849'] });
    expect(await plane.consistency('unfit')).toMatchObject({ consistent: 18, diverged: 1 });
  });
});
