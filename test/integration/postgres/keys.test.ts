/** Keys and names of every kind cross over: composite, text, uuid, numeric, renamed, quoted; or the table is refused. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad'); CREATE DOMAIN code AS text CHECK (value <> '')`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

type Case = {
  name: string;
  id: string;
  primary: string;
  shadow: string;
  columns?: TableCutover['table']['columns'];
  /** Values of rows, as SQL, in the columns of the primary. */
  rows: readonly string[];
  /** Changes made after the copy. */
  changes: string;
  wanted: string;
  have: string;
  tables?: { primary: string; shadow: string };
};

const CASES: readonly Case[] = [
  {
    name: 'composite, in another order and renamed in the shadow',
    id: 'comp',
    primary: 'a integer, b text, v text, PRIMARY KEY (a, b)',
    shadow: 'bb text, aa bigint, v text, PRIMARY KEY (bb, aa)',
    columns: { aa: { from: 'a' }, bb: { from: 'b' } },
    rows: ["1, 'x', 'p'", "1, 'y', 'q'", "2, 'x', 'r'"],
    changes:
      "UPDATE comp SET b = 'z' WHERE a = 1 AND b = 'y'; DELETE FROM comp WHERE a = 2; INSERT INTO comp VALUES (3, '', NULL)",
    wanted: 'SELECT b, a::bigint, v FROM comp',
    have: 'SELECT bb, aa, v FROM comp_v2',
  },
  {
    name: 'text with quotes, backslashes, dollars, newlines and umlauts',
    id: 'txt',
    primary: 'k text PRIMARY KEY, v text',
    shadow: 'k varchar(60) PRIMARY KEY, v text',
    rows: [
      "'it''s', 'a'",
      "E'back\\\\slash', 'b'",
      "'$1 $$ $cf$', 'c'",
      "E'new\\nline', 'd'",
      "'ÄÖ 日本 🙂', 'e'",
      "'', 'f'",
      "'a ', 'g'",
      "'A', 'h'",
      "'a', 'i'",
    ],
    changes: "UPDATE txt SET v = v || '!'; UPDATE txt SET k = k || '\"' WHERE k = 'a'; DELETE FROM txt WHERE k = ''",
    wanted: 'SELECT k::text, v FROM txt',
    have: 'SELECT k::text, v FROM txt_v2',
  },
  {
    name: 'uuid, and as text in the shadow',
    id: 'uid',
    primary: 'k uuid PRIMARY KEY, v integer',
    shadow: 'k text PRIMARY KEY, v bigint',
    rows: ["'00000000-0000-0000-0000-000000000001', 1", "'ffffffff-ffff-ffff-ffff-ffffffffffff', 2"],
    changes: "UPDATE uid SET v = 3 WHERE v = 1; INSERT INTO uid VALUES ('a0000000-0000-0000-0000-000000000001', 9)",
    wanted: 'SELECT k::text, v::bigint FROM uid',
    have: 'SELECT k, v FROM uid_v2',
  },
  {
    name: 'numeric of 40 digits, and bigint beyond 2^53',
    id: 'num',
    primary: 'k numeric, j bigint, v text, PRIMARY KEY (k, j)',
    shadow: 'k numeric, j bigint, v text, PRIMARY KEY (k, j)',
    rows: ["1234567890123456789012345678901234567890.5, 9007199254740993, 'a'", "1.10, -9223372036854775808, 'b'"],
    changes: "UPDATE num SET v = 'c'; UPDATE num SET j = 9007199254740995 WHERE j = 9007199254740993",
    wanted: 'SELECT k::text, j, v FROM num',
    have: 'SELECT k::text, j, v FROM num_v2',
  },
  {
    name: 'timestamps with microseconds and infinity, dates, enums, domains and bytea',
    id: 'odd',
    primary: 'at timestamptz, d date, m mood, c code, r bytea, v text, PRIMARY KEY (at, d, m, c, r)',
    shadow: 'at timestamptz, d date, m mood, c code, r bytea, v text, PRIMARY KEY (at, d, m, c, r)',
    rows: [
      "'2026-01-01 00:00:00.123456+00', '0044-03-15 BC', 'ok', 'x', '\\x00ff', 'a'",
      "'infinity', '-infinity', 'sad', 'y', '\\x', 'b'",
    ],
    changes: "UPDATE odd SET v = v || 'z'; UPDATE odd SET m = 'glad' WHERE m = 'ok'",
    wanted: 'SELECT at, d, m, c, r, v FROM odd',
    have: 'SELECT at, d, m, c, r, v FROM odd_v2',
  },
  {
    name: 'collation of its own on one side',
    id: 'coll',
    primary: 'k text COLLATE "C" PRIMARY KEY, v text',
    shadow: 'k text PRIMARY KEY, v text COLLATE "C"',
    rows: ["'b', '1'", "'B', '2'", "'a', '3'"],
    changes: "UPDATE coll SET v = 'x' WHERE k = 'B'; DELETE FROM coll WHERE k = 'a'",
    wanted: 'SELECT k, v FROM coll',
    have: 'SELECT k, v COLLATE "default" FROM coll_v2',
  },
  {
    name: 'a unique, not-null index in place of a primary key',
    id: 'uniq',
    primary: 'n integer, k text NOT NULL UNIQUE',
    shadow: 'n integer, k text NOT NULL UNIQUE',
    rows: ["1, 'a'", "2, 'b'"],
    changes: "UPDATE uniq SET n = 5 WHERE k = 'a'; DELETE FROM uniq WHERE k = 'b'",
    wanted: 'SELECT n, k FROM uniq',
    have: 'SELECT n, k FROM uniq_v2',
  },
  {
    name: 'GENERATED ALWAYS identity in the shadow, serial in the primary',
    id: 'ident',
    primary: 'id serial PRIMARY KEY, v text',
    shadow: 'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text',
    rows: ["5, 'a'", "9, 'b'"],
    changes: "UPDATE ident SET v = 'c' WHERE id = 5; INSERT INTO ident (id, v) VALUES (100, 'z')",
    wanted: 'SELECT id::bigint, v FROM ident',
    have: 'SELECT id, v FROM ident_v2',
  },
  {
    name: 'nothing but a key',
    id: 'bare',
    primary: 'k integer PRIMARY KEY',
    shadow: 'k bigint PRIMARY KEY',
    rows: ['1', '2'],
    changes: 'UPDATE bare SET k = 7 WHERE k = 1; DELETE FROM bare WHERE k = 2',
    wanted: 'SELECT k::bigint FROM bare',
    have: 'SELECT k FROM bare_v2',
  },
  {
    name: 'columns that are called like ours: seq, op, at, k1, p, t, present',
    id: 'clash',
    primary:
      'seq integer, op text, k1 integer, at text, p text, t text, s text, present text, src text, PRIMARY KEY (seq, op, k1)',
    shadow:
      'seq integer, op text, k1 integer, at text, p text, t text, s text, present text, src text, PRIMARY KEY (seq, op, k1)',
    rows: ["1, 'K', 3, 'at', 'p', 't', 's', 'pr', 'src'", "2, 'T', 3, 'at', 'p', 't', 's', 'pr', 'src'"],
    changes: "UPDATE clash SET present = NULL, t = 'u', p = p || op WHERE seq = 1; DELETE FROM clash WHERE op = 'T'",
    wanted: 'SELECT * FROM clash',
    have: 'SELECT * FROM clash_v2',
  },
  {
    name: 'names with quotes, dots, blanks, capitals and a schema of their own',
    id: 'quoted',
    primary: '"The ""Key""" integer PRIMARY KEY, "select" text, "sp ace.d" text',
    shadow: '"KEY" bigint PRIMARY KEY, "select" text, "sp ace.d" text',
    columns: { KEY: { from: 'The "Key"' } },
    rows: ["1, 'a', 'b'", "2, 'c', 'd'"],
    changes: `UPDATE "My Schema"."Odd ""T"".able" SET "select" = 'x' WHERE "The ""Key""" = 1; DELETE FROM "My Schema"."Odd ""T"".able" WHERE "select" = 'c'`,
    wanted: `SELECT "The ""Key"""::bigint, "select", "sp ace.d" FROM "My Schema"."Odd ""T"".able"`,
    have: 'SELECT "KEY", "select", "sp ace.d" FROM "My Schema"."Odd.v2"',
    tables: { primary: '"My Schema"."Odd ""T"".able"', shadow: '"My Schema"."Odd.v2"' },
  },
];

describe('keys and names', () => {
  for (const test of CASES) {
    it(test.name, async () => {
      const names = test.tables ?? { primary: test.id, shadow: `${test.id}_v2` };
      await db.sql.unsafe(
        `CREATE SCHEMA IF NOT EXISTS "My Schema"; CREATE TABLE ${names.primary} (${test.primary}); CREATE TABLE ${names.shadow} (${test.shadow})`,
      );
      for (const row of test.rows) await db.sql.unsafe(`INSERT INTO ${names.primary} VALUES (${row})`);
      const primary = test.tables ? 'My Schema.Odd "T".able' : `public.${test.id}`;
      const shadow = test.tables ? 'My Schema.Odd.v2' : `public.${test.id}_v2`;
      await plane.start({ id: test.id, validation: 'strict', table: { primary, shadow, columns: test.columns } });
      await plane.copy(test.id, 1, 1);
      expect(await differences(db, test.wanted, test.have)).toEqual([]);
      await db.sql.unsafe(test.changes);
      expect(await plane.settle(test.id, 1)).toMatchObject({ mismatched: 0 });
      expect(await differences(db, test.wanted, test.have)).toEqual([]);
      expect((await plane.status(test.id))!.quarantined).toBe(0);
      expect(await plane.verify(test.id, 1, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
      // Everything that is missing is found, and mended by repair: keys survive the way through text.
      await db.sql.unsafe(`DELETE FROM ${names.shadow}`);
      const rows = (await db.sql.unsafe(`SELECT count(*)::int AS rows FROM ${names.primary}`))[0]!.rows;
      expect(await plane.verify(test.id, 1, 1)).toMatchObject({ result: { divergences: rows, rowsCompared: rows } });
      await plane.repair(test.id);
      await plane.settle(test.id, 1);
      expect(await differences(db, test.wanted, test.have)).toEqual([]);
    });
  }
});

describe('a declared key', () => {
  it('takes the place of the primary key, and the shadow may have a primary key of its own', async () => {
    await db.sql.unsafe(`CREATE TABLE natural_key (id integer PRIMARY KEY, code text NOT NULL UNIQUE, v text);
      CREATE TABLE natural_key_v2 (uid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text NOT NULL UNIQUE, v text, id integer);
      INSERT INTO natural_key VALUES (1, 'a', 'x'), (2, 'b', 'y')`);
    const table = {
      primary: 'public.natural_key',
      shadow: 'public.natural_key_v2',
      key: ['code'],
      columns: { uid: { added: true as const } },
    };
    await plane.start({ id: 'natural', validation: 'strict', table });
    await plane.copy('natural', 1);
    await db.sql.unsafe(
      "UPDATE natural_key SET id = 9, v = 'z' WHERE code = 'a'; UPDATE natural_key SET code = 'c' WHERE code = 'b'",
    );
    expect(await plane.settle('natural', 1)).toMatchObject({ mismatched: 0 });
    const columns = 'SELECT id, code, v FROM';
    expect(await differences(db, `${columns} natural_key`, `${columns} natural_key_v2`)).toEqual([]);
    expect(await plane.verify('natural', 1, 1)).toMatchObject({ result: { divergences: 0, rowsCompared: 2 } });
  });
});

describe('a longer key is never mistaken for a shorter one', () => {
  it('the delete of a key that does not fit leaves the row it begins like', async () => {
    await db.sql.unsafe(`CREATE TABLE cut (k text PRIMARY KEY, v text); CREATE TABLE cut_v2 (k varchar(5) PRIMARY KEY, v text);
      INSERT INTO cut VALUES ('abcde', 'stays')`);
    await plane.start({ id: 'cut', validation: 'strict', table: { primary: 'public.cut', shadow: 'public.cut_v2' } });
    await plane.copy('cut', 1);
    await db.sql.unsafe("INSERT INTO cut VALUES ('abcdefgh', 'too long')");
    expect(await plane.converge('cut', 1, 10)).toMatchObject({ postponed: 1, written: 0 });
    await db.sql.unsafe("DELETE FROM cut WHERE k = 'abcdefgh'; UPDATE crossfade.outbox_cut SET not_before = NULL");
    await plane.settle('cut', 1);
    expect(await differences(db, 'SELECT k, v FROM cut', 'SELECT k, v FROM cut_v2')).toEqual([]);
    expect((await plane.status('cut'))!.quarantined).toBe(0);
  });
});

describe('refused, with every reason', () => {
  const arm = (primary: string, shadow: string, table: Partial<TableCutover['table']> = {}) =>
    plane.arm({
      id: 'no',
      validation: 'strict',
      table: { primary: `public.${primary}`, shadow: `public.${shadow}`, ...table },
    });

  it('a table without a key', async () => {
    await db.sql.unsafe(
      'CREATE TABLE keyless (a integer, b integer UNIQUE); CREATE TABLE keyless_v2 (a integer PRIMARY KEY, b integer)',
    );
    await expect(arm('keyless', 'keyless_v2')).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/has no key/),
    });
  });

  it('a table that does not exist, and columns that do not exist with the nearest name', async () => {
    await db.sql.unsafe(
      'CREATE TABLE here (id integer PRIMARY KEY, company text); CREATE TABLE here_v2 (id integer PRIMARY KEY, firm text)',
    );
    await expect(arm('nowhere', 'here')).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/public\.nowhere/),
    });
    await expect(
      arm('here', 'here_v2', { columns: { firm: { from: 'compnay' }, fimr: { added: true } } }),
    ).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/no column 'compnay'.*'company'|no column 'fimr'.*'firm'/s),
    });
  });

  it('a shadow whose key is another one', async () => {
    await db.sql.unsafe(
      'CREATE TABLE shape (id integer PRIMARY KEY, n integer NOT NULL); CREATE TABLE shape_v2 (id integer NOT NULL, n integer PRIMARY KEY)',
    );
    await expect(arm('shape', 'shape_v2')).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/must have the key \(id\)/),
    });
  });

  it('a text key under a collation for which different texts are equal', async () => {
    await db.sql.unsafe(`CREATE COLLATION IF NOT EXISTS loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE loosely (k text COLLATE loose PRIMARY KEY); CREATE TABLE loosely_v2 (k text PRIMARY KEY)`);
    await expect(arm('loosely', 'loosely_v2')).rejects.toMatchObject({
      message: expect.stringMatching(/nondeterministic/),
    });
  });

  it('a key of a type that cannot name a row', async () => {
    await db.sql.unsafe(
      'CREATE TABLE listed (k integer[] PRIMARY KEY); CREATE TABLE listed_v2 (k integer[] PRIMARY KEY)',
    );
    await expect(arm('listed', 'listed_v2')).rejects.toMatchObject({ message: expect.stringMatching(/integer\[\]/) });
  });

  it('a declared key that no unique index makes one', async () => {
    await db.sql.unsafe(
      'CREATE TABLE twokeys (id integer PRIMARY KEY, code text NOT NULL UNIQUE, note text UNIQUE); CREATE TABLE twokeys_v2 (code text PRIMARY KEY)',
    );
    await expect(arm('twokeys', 'twokeys_v2', { key: ['note'] })).rejects.toMatchObject({
      message: expect.stringMatching(/declared key \(note\).*\(id\) and \(code\)/s),
    });
  });

  it('SQL that cannot work, by column, forwards and back, before anything is created', async () => {
    await db.sql.unsafe(`CREATE TABLE sums (id integer PRIMARY KEY, at point, note text NOT NULL);
      CREATE TABLE sums_v2 (id integer PRIMARY KEY, at timestamptz, total bigint, word text, note text)`);
    const columns = { total: { sql: 'sum(id)' }, word: { sql: 'no_such_function(note)' } };
    const attempt = arm('sums', 'sums_v2', { columns, reverse: { note: { sql: 'note || nothing' } } });
    await expect(attempt).rejects.toMatchObject({
      code: 'refused_table',
      details: {
        problems: [
          expect.stringMatching(/column 'at' of public.sums_v2: .*cannot cast type point/),
          expect.stringMatching(/column 'total' .*aggregate/),
          expect.stringMatching(/column 'word' .*no_such_function/),
          expect.stringMatching(/column 'at' of public.sums: .*cannot cast/),
          expect.stringMatching(/column 'note' of public.sums: .*"nothing" does not exist/),
        ],
      },
    });
  });

  it('and nothing is left of the attempt', async () => {
    expect(await plane.status('no')).toBeNull();
  });
});
