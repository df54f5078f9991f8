/**
 * Keys that are equal and are not the same: a key that changes only in its bytes is carried, both tiers of verification see
 * the difference, promotion gives the new value, and the way back carries it, too.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE EXTENSION hstore SCHEMA extensions; CREATE EXTENSION ltree;
    ALTER DATABASE ${db.name} SET search_path = public, extensions; SET search_path = public, extensions;
    CREATE DOMAIN mail AS citext CHECK (VALUE LIKE '%@%'); CREATE DOMAIN amount AS numeric`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const cutoverOf = (id: string, more: Partial<TableCutover['table']> = {}): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, ...more },
});
const texts = async (table: string) =>
  (await db.sql.unsafe(`SELECT id::text AS id FROM ${table} ORDER BY v`)).map(({ id }) => id as string);
const verdicts = async (id: string, epoch: number) => {
  const found: unknown[] = [];
  for (const tier of ['fast', 'proof'] as const) {
    const seen = await plane.verify(id, epoch, 0, { tier, scope: 'full' });
    found.push(seen.kind === 'verified' ? [seen.result.divergences, seen.result.samples] : seen);
  }
  return found;
};
const NONE = [
  [0, []],
  [0, []],
];

describe('a key that changes only in its bytes', () => {
  const CASES: readonly [string, string, string, string][] = [
    ['citext', 'citext', "'Ann'", "'ann'"],
    ['mail', 'mail', "'Ann@Example.com'", "'ann@example.com'"],
    ['numeric', 'numeric', '1.0', '1.00'],
    ['amount', 'amount', '1', '1.000'],
    ['double', 'double precision', "'-0'", "'0'"],
    ['span', 'interval', "'1 mon'", "'30 days'"],
    ['padded', 'bpchar', "'ab'", "'ab  '"],
    ['zoned', 'timetz', "'10:00+00'", "'10:00:00.0+00'"],
    ['doc', 'jsonb', "'1.0'", "'1.00'"],
    ['prices', 'numrange', "'[1.0,2)'", "'[1.00,2)'"],
  ];

  it.each(CASES)('%s: is carried both ways, and seen where it was not', async (name, type, before, after) => {
    const id = `k_${name}`;
    for (const mode of ['inline', 'streamed'] as const) {
      await db.sql.unsafe(`DROP TABLE IF EXISTS ${id}, ${id}_v2; CREATE TABLE ${id} (id ${type} PRIMARY KEY, v text, kept text);
        CREATE TABLE ${id}_v2 (id ${type} PRIMARY KEY, v text); INSERT INTO ${id} VALUES (${before}, 'x', 'k')`);
      const cutover = cutoverOf(id, mode === 'inline' ? { mode } : {});
      await plane.start(cutover);
      await plane.copy(id, 1);
      await db.sql.unsafe(`UPDATE ${id} SET id = ${after}`);
      expect(await plane.settle(id, 1)).toMatchObject({ mismatched: 0 });
      const now = await texts(id);
      expect(await texts(`${id}_v2`)).toEqual(now);
      expect(await verdicts(id, 1)).toEqual(NONE);

      await db.sql.unsafe(`UPDATE ${id}_v2 SET id = ${before}`);
      const differs = (await texts(`${id}_v2`))[0] !== now[0];
      const wrong = [1, [expect.objectContaining({ columns: ['id'] })]];
      if (differs) {
        expect(await verdicts(id, 1)).toEqual([wrong, wrong]);
        await plane.repair(id);
        await plane.settle(id, 1);
        expect(await texts(`${id}_v2`)).toEqual(now);
      }
      if (mode === 'streamed') {
        expect(
          await plane.promote(cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 }),
        ).toMatchObject({ kind: 'swapped' });
        expect(await texts(id)).toEqual(now);
        await db.sql.unsafe(`UPDATE ${id} SET id = ${before}`);
        await plane.settle(id, 2);
        expect(await texts(`${id}_old`)).toEqual(await texts(id));
        expect(await verdicts(id, 2)).toEqual(NONE);
      }
      await plane.forget(id);
    }
  });

  it('negative control: an apply that leaves the key as it is leaves the old bytes, and both tiers say so', async () => {
    await db.sql.unsafe(
      `CREATE TABLE bytes (id citext PRIMARY KEY, v text); CREATE TABLE bytes_v2 (id citext PRIMARY KEY, v text); INSERT INTO bytes VALUES ('Ann', 'x')`,
    );
    const cutover = cutoverOf('bytes');
    await plane.start(cutover);
    await plane.copy('bytes', 1);
    const keyless = edited([['apply', 'DO UPDATE SET "id" = EXCLUDED."id", ', 'DO UPDATE SET ']]);
    await tamper(db, plane.connection(), cutover, keyless);
    await db.sql.unsafe("UPDATE bytes SET id = 'ann'");
    expect(await plane.settle('bytes', 1)).toMatchObject({ mismatched: 1 });
    const wrong = [1, [expect.objectContaining({ columns: ['id'] })]];
    expect(await verdicts('bytes', 1)).toEqual([wrong, wrong]);
  });

  it('a key in quarantine under one text leaves it when the row fits under the other', async () => {
    await db.sql.unsafe(
      `CREATE TABLE held (id citext PRIMARY KEY, v text); CREATE TABLE held_v2 (id citext PRIMARY KEY, v integer)`,
    );
    await plane.start(cutoverOf('held'));
    await plane.copy('held', 1);
    await db.sql.unsafe("INSERT INTO held VALUES ('Ann', 'no number'), ('bob', 'none')");
    await plane.converge('held', 1, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_held SET attempts = 4, not_before = NULL');
    await plane.settle('held', 1);
    expect((await plane.status('held'))!.quarantined).toBe(2);
    await db.sql.unsafe("UPDATE held SET id = 'ANN', v = '7' WHERE id = 'ann'");
    await plane.settle('held', 1);
    expect((await plane.quarantined('held', { limit: 9 })).keys.map(({ key }) => key)).toEqual(['{"id": "bob"}']);
    expect(await texts('held_v2')).toEqual(['ANN']);
  });
});

describe('keys of two types', () => {
  it.each([
    ['citext', 'text'],
    ['text', 'citext'],
    ['double precision', 'text'],
    ['interval', 'text'],
  ])('are refused where one of them finds equal what the other tells apart: %s and %s', async (one, other) => {
    await db.sql.unsafe(
      `DROP TABLE IF EXISTS two, two_v2; CREATE TABLE two (id ${one} PRIMARY KEY); CREATE TABLE two_v2 (id ${other} PRIMARY KEY)`,
    );
    const refused = { code: 'refused_table', message: expect.stringContaining("key column 'id' is") };
    await expect(plane.preview(cutoverOf('two'))).rejects.toMatchObject(refused);
    await expect(plane.arm(cutoverOf('two'))).rejects.toMatchObject(refused);
  });

  it('never become one: a text that is another spelling of a uuid is put aside, and its delete takes no other row', async () => {
    await db.sql.unsafe(`CREATE TABLE spelt (id text PRIMARY KEY, v text); CREATE TABLE spelt_v2 (id uuid PRIMARY KEY, v text);
      INSERT INTO spelt VALUES ('a0000000-0000-0000-0000-000000000001', 'right'), ('A0000000-0000-0000-0000-000000000001', 'other')`);
    await plane.start(cutoverOf('spelt'));
    await plane.copy('spelt', 1);
    await plane.converge('spelt', 1, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_spelt SET attempts = 4, not_before = NULL');
    await plane.settle('spelt', 1);
    expect((await plane.quarantined('spelt', { limit: 9 })).keys).toMatchObject([
      {
        key: '{"id": "A0000000-0000-0000-0000-000000000001"}',
        sqlstate: '22003',
        reason: expect.stringContaining('column id would not come back'),
      },
    ]);
    expect(await verdicts('spelt', 1)).toEqual(NONE);
    await db.sql.unsafe("DELETE FROM spelt WHERE v = 'other'");
    await plane.settle('spelt', 1);
    expect(await texts('spelt_v2')).toEqual(['a0000000-0000-0000-0000-000000000001']);
    expect((await plane.status('spelt'))!.quarantined).toBe(0);
    await db.sql.unsafe("UPDATE spelt SET v = 'newer'");
    expect(await plane.settle('spelt', 1)).toMatchObject({ mismatched: 0 });
  });

  it('padded: char(5) becomes text and back', async () => {
    await db.sql.unsafe(
      "CREATE TABLE pad (id char(5) PRIMARY KEY, v text); CREATE TABLE pad_v2 (id text PRIMARY KEY, v text); INSERT INTO pad VALUES ('ab', 'x')",
    );
    await plane.start(cutoverOf('pad'));
    await plane.copy('pad', 1);
    await db.sql.unsafe("INSERT INTO pad VALUES ('cd', 'y'); UPDATE pad SET v = 'z' WHERE id = 'ab'");
    expect(await plane.settle('pad', 1)).toMatchObject({ mismatched: 0 });
    expect(await texts('pad_v2')).toEqual(['cd', 'ab']);
    expect(await verdicts('pad', 1)).toEqual(NONE);
    await db.sql.unsafe("DELETE FROM pad WHERE id = 'ab'");
    await plane.settle('pad', 1);
    expect(await texts('pad_v2')).toEqual(['cd']);
  });
});

describe('a domain over a type with a length', () => {
  it('is never cut: what is too long is put aside', async () => {
    await db.sql.unsafe(`CREATE DOMAIN short AS varchar(5); CREATE TABLE lengths (id integer PRIMARY KEY, v text); CREATE TABLE lengths_v2 (id bigint PRIMARY KEY, v short);
      INSERT INTO lengths VALUES (1, 'abcde'), (2, 'abcdef')`);
    await plane.start(cutoverOf('lengths'));
    await plane.copy('lengths', 1);
    await db.sql.unsafe('UPDATE crossfade.outbox_lengths SET attempts = 4');
    await plane.settle('lengths', 1);
    expect((await plane.quarantined('lengths', { limit: 9 })).keys).toMatchObject([
      { key: '{"id": 2}', sqlstate: '22001' },
    ]);
    expect(await texts('lengths_v2')).toEqual(['1']);
  });
});

describe('an extension in a schema of its own', () => {
  it('a declared expression is read under the path of the functions that have it: operators of its types are found', async () => {
    await db.sql.unsafe(`CREATE TABLE tagged (id integer PRIMARY KEY, email citext UNIQUE, tags hstore); CREATE TABLE tagged_v2 (id bigint PRIMARY KEY, email citext UNIQUE, tags hstore, plan text);
      INSERT INTO tagged VALUES (1, 'Ann', 'plan=>pro')`);
    const cutover = cutoverOf('tagged', { columns: { plan: { sql: "tags -> 'plan'" } } });
    expect((await plane.preview(cutover)).ok).toBe(true);
    await plane.start(cutover);
    await plane.copy('tagged', 1);
    await db.sql.unsafe("UPDATE tagged SET email = 'ANN', tags = 'plan=>free'");
    expect(await plane.settle('tagged', 1)).toMatchObject({ mismatched: 0, quarantined: 0 });
    expect([...(await db.sql.unsafe('SELECT email::text, plan FROM tagged_v2'))]).toEqual([
      { email: 'ANN', plan: 'free' },
    ]);
  });

  it('one that only the path of a session finds is refused by preview and start, with how to say it', async () => {
    await db.sql.unsafe(
      `CREATE TABLE untagged (id integer PRIMARY KEY, note text); CREATE TABLE untagged_v2 (id bigint PRIMARY KEY, note text, plan text)`,
    );
    const cutover = cutoverOf('untagged', { columns: { plan: { sql: 'akeys(note::extensions.hstore)::text' } } });
    const refused = {
      code: 'refused_table',
      message: expect.stringMatching(
        /column 'plan' .*akeys.* under search_path pg_catalog, "public", pg_temp\. Name its schema: extensions\.f\(x\).*OPERATOR\(extensions\.->\)/,
      ),
    };
    await expect(plane.preview(cutover)).rejects.toMatchObject(refused);
    await expect(plane.arm(cutover)).rejects.toMatchObject(refused);
    const named = cutoverOf('untagged', {
      columns: { plan: { sql: "note::extensions.hstore OPERATOR(extensions.->) 'plan'" } },
    });
    expect((await plane.preview(named)).ok).toBe(true);
  });
});
