/**
 * Every type that a unique index can have, as a key: it crosses over in both modes, or it is refused with its column before
 * anything is armed. The list is what this server's catalog has, with the extensions that come with Postgres.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

/** Three values of each type, in the order of their keys or in none. A type that is missing here fails the test. */
const VALUES: Readonly<Record<string, readonly [string, string, string]>> = {
  bigint: ['1', '2', '3'],
  bit: ["B'0'", "B'1'", "B'1'"],
  'bit varying': ["B'1'", "B'10'", "B'11'"],
  boolean: ['false', 'true', 'true'],
  bytea: ["'\\x00'", "'\\x01'", "'\\xff'"],
  '"char"': ["'a'", "'b'", "'c'"],
  character: ["'a'", "'b'", "'c'"],
  'character varying': ["'a'", "'b'", "'c'"],
  cidr: ["'10.0.0.0/8'", "'10.1.0.0/16'", "'::/0'"],
  citext: ["'Ann'", "'bob'", "'Cid'"],
  cube: ["'(1,2)'", "'(2,3)'", "'(0,0),(1,1)'"],
  date: ["'2026-01-01'", "'infinity'", "'0044-03-15 BC'"],
  'double precision': ['1.5', "'NaN'", "'-Infinity'"],
  ean13: ["'978-0-393-04002-9'", "'978-1-4028-9462-6'", "'977-1436-45200-8'"],
  inet: ["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"],
  integer: ['1', '2', '3'],
  interval: ["'1 day'", "'2 days'", "'-1 mon'"],
  isbn: ["'0-393-04002-X'", "'1-4028-9462-7'", "'0-11-000222-9'"],
  isbn13: ["'978-0-393-04002-9'", "'978-1-4028-9462-6'", "'978-0-11-000222-4'"],
  ismn: ["'979-0-2600-0043-8'", "'979-0-9016791-7-7'", "'979-0-060-11561-5'"],
  ismn13: ["'979-0-2600-0043-8'", "'979-0-9016791-7-7'", "'979-0-060-11561-5'"],
  issn: ["'1436-4522'", "'0378-5955'", "'0317-8471'"],
  issn13: ["'977-1436-45200-8'", "'977-0378-59500-2'", "'977-0317-84700-1'"],
  jsonb: [`'"a"'`, "'2'", `'{"a": [1, null]}'`],
  ltree: ["'a.b'", "'a.c'", "''"],
  macaddr: ["'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'", "'00:00:00:00:00:00'"],
  macaddr8: ["'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'", "'00:00:00:00:00:00:00:00'"],
  money: ['1.00', '2.50', "'-3'"],
  name: ["'a'", "'b'", "'c'"],
  numeric: ['1.0', '2.50', "'NaN'"],
  oid: ['1', '2', '4294967295'],
  pg_lsn: ["'0/1'", "'16/B374D848'", "'0/0'"],
  real: ['1.5', "'NaN'", '-2'],
  seg: ["'1 .. 2'", "'2 .. 3'", "'1(+-)0.1'"],
  smallint: ['1', '2', '3'],
  text: ["'a'", "''", "'A'"],
  tid: ["'(0,1)'", "'(0,2)'", "'(1,1)'"],
  'time with time zone': ["'10:00+02'", "'11:00+00'", "'24:00+00'"],
  'time without time zone': ["'10:00'", "'11:00'", "'24:00'"],
  'timestamp with time zone': ["'2026-01-01 00:00+00'", "'infinity'", "'2026-01-01 00:00:00.000001+00'"],
  'timestamp without time zone': ["'2026-01-01'", "'-infinity'", "'2026-01-01 00:00:00.000001'"],
  tsquery: ["'a & b'", "'c'", "'!d'"],
  tsvector: ["'a'", "'b:1A'", "''"],
  upc: ["'220356483481'", "'012345678905'", "'036000291452'"],
  uuid: [
    "'00000000-0000-0000-0000-000000000001'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'a0000000-0000-0000-0000-000000000001'",
  ],
  xid8: ["'1'", "'2'", "'18446744073709551615'"],
  // Of our own, for the classes that are there for whole kinds of types.
  mood: ["'sad'", "'ok'", "'glad'"],
  int4range: ["'[1,5)'", "'empty'", "'(,3]'"],
  span: ["'[1.5,2.5]'", "'empty'", "'(,3]'"],
  int4multirange: ["'{[1,3),[7,9)}'", "'{}'", "'{(,3]}'"],
  small: ['5', '6', '7'],
  mail: ["'a@b'", "'c@d'", "'E@f'"],
  short: ["'ab'", "'abcde'", "''"],
};
/** Refused by name, with what is said. Two values are no table for a key that changes, and bit(1) and boolean have only two. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  hstore: /a_pkey is of a type whose order is not the one of <, = and >/,
  oidvector: /key column 'id' is of type oidvector/,
  pair: /key column 'id' is of type public.pair/,
  bits: /key column 'id' is of type public.bits/,
  'integer[]': /key column 'id' is of type integer/,
  list: /key column 'id' is of type public.list/,
};

const EXTENSIONS = ['citext', 'cube', 'hstore', 'isn', 'ltree', 'seg'];
const OWN = ['mood', 'span', 'small', 'mail', 'short', 'int4range', 'int4multirange', 'character varying', 'cidr'];
/** Classes for whole kinds of types, which are tried by types of their own. */
const KINDS = ['anyarray', 'anyenum', 'anyrange', 'anymultirange', 'record'];

beforeAll(async () => {
  db = await ownDatabase();
  await db.sql.unsafe(`CREATE SCHEMA extensions; ${EXTENSIONS.map((name) => `CREATE EXTENSION ${name} SCHEMA extensions`).join(';')};
    ALTER DATABASE ${db.name} SET search_path = public, extensions; SET search_path = public, extensions;
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad'); CREATE TYPE pair AS (x integer, y text); CREATE TYPE span AS RANGE (subtype = float8);
    CREATE TYPE bits AS RANGE (subtype = varbit); CREATE DOMAIN positive AS integer DEFAULT 0 NOT NULL CHECK (VALUE > 0);
    CREATE DOMAIN small AS positive DEFAULT 1; CREATE DOMAIN mail AS citext DEFAULT 'x@y' CHECK (VALUE LIKE '%@%');
    CREATE DOMAIN short AS varchar(5) NOT NULL; CREATE DOMAIN list AS integer[]`);
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});
// A session keeps the plans of functions that are dropped, and looks through all of them at each change of the catalog.
const TESTS_PER_PLANE = 12;
let tests = 0;
beforeEach(async () => {
  tests += 1;
  if (tests % TESTS_PER_PLANE > 0) return;
  await plane.close();
  plane = testPlane(db);
});

const cutoverOf = (mode: 'streamed' | 'inline'): TableCutover => ({
  id: 'a',
  validation: 'strict',
  table: { primary: 'public.a', shadow: 'public.a_v2', ...(mode === 'inline' ? { mode } : {}) },
});
const PRIMARY = 'SELECT id::text, v FROM a';
const SHADOW = 'SELECT id::text, v FROM a_v2';

async function tables(type: string, values: readonly string[]): Promise<void> {
  if (await plane.status('a')) await plane.forget('a');
  await db.sql.unsafe(
    `DROP TABLE IF EXISTS a, a_v2; CREATE TABLE a (id ${type} PRIMARY KEY, v text); CREATE TABLE a_v2 (id ${type} PRIMARY KEY, v text)`,
  );
  if (values.length > 0)
    await db.sql.unsafe(`INSERT INTO a VALUES ${values.map((value, i) => `(${value}::${type}, 'v${i}')`).join(', ')}`);
}

/**
 * Insert, update, a changed key, delete: inline, and once more by hints, which a transaction leaves whose snapshot is not renewed.
 * Everything that is wrong afterwards is found by both tiers and repaired.
 */
async function crosses(type: string, mode: 'streamed' | 'inline'): Promise<void> {
  const [one, two, three] = VALUES[type]!.map((value) => `${value}::${type}`) as [string, string, string];
  const distinct = two !== three;
  await tables(type, [one]);
  await plane.start(cutoverOf(mode));
  await plane.copy('a', 1);
  const insert = `INSERT INTO a VALUES (${two}, 'inserted'); UPDATE a SET v = 'updated' WHERE id = ${one}`;
  const move = `UPDATE a SET id = ${three} WHERE id = ${two}; DELETE FROM a WHERE id = ${one}`;
  await db.sql.unsafe(insert);
  if (distinct) await db.sql.unsafe(move);
  if (mode === 'inline') expect((await plane.status('a'))!.outboxRows).toBe(0);
  else await plane.settle('a', 1);
  expect(await differences(db, PRIMARY, SHADOW)).toEqual([]);
  await db.sql.unsafe(`BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE a SET v = 'late'; COMMIT`).simple();
  if (distinct)
    await db.sql
      .unsafe(
        `BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE a SET id = ${two} WHERE id = ${three}; INSERT INTO a VALUES (${one}, 'again'); DELETE FROM a WHERE id = ${two}; COMMIT`,
      )
      .simple();
  expect(await plane.settle('a', 1)).toMatchObject({ mismatched: 0, quarantined: 0 });
  expect(await differences(db, PRIMARY, SHADOW)).toEqual([]);
  await db.sql.unsafe("UPDATE a_v2 SET v = 'wrong'");
  const rows = distinct ? 1 : 2;
  const found = { kind: 'verified', result: { rowsCompared: rows, divergences: rows } };
  for (const tier of ['fast', 'proof'] as const)
    expect(await plane.verify('a', 1, 0, { tier, scope: 'full' })).toMatchObject(found);
  await plane.repair('a');
  await plane.settle('a', 1);
  expect(await plane.verify('a', 1, 0, { tier: 'proof', scope: 'full' })).toMatchObject({ result: { divergences: 0 } });
  expect(await plane.compareRow('a', (await keyOfA()) as string)).toMatchObject({ equal: true, quarantined: false });
  await db.sql.unsafe('TRUNCATE a');
  await plane.settle('a', 1);
  expect(await differences(db, PRIMARY, SHADOW)).toEqual([]);
}

/** As quarantine would have it. */
const keyOfA = async () => {
  await db.sql.unsafe(
    'DELETE FROM crossfade.foreign_write; UPDATE a_v2 SET v = v WHERE id = (SELECT id FROM a_v2 LIMIT 1)',
  );
  return (await db.sql.unsafe('SELECT key FROM crossfade.foreign_write'))[0]!.key;
};

describe('every type that a unique index can have', () => {
  it('is known here', async () => {
    const rows =
      await db.sql.unsafe(`SELECT DISTINCT format_type(o.opcintype, NULL) AS type FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
      WHERE m.amname = 'btree' AND o.opcdefault`);
    const known = [...Object.keys(VALUES), ...Object.keys(REFUSED), ...KINDS];
    expect(rows.map(({ type }) => type as string).filter((type) => !known.includes(type))).toEqual([]);
    const listed = rows.map(({ type }) => type as string);
    expect(Object.keys(VALUES).filter((type) => !listed.includes(type) && !OWN.includes(type))).toEqual([]);
  });

  for (const type of Object.keys(VALUES)) {
    it(`${type} crosses over, inline and by hints`, () => crosses(type, 'inline'));
  }

  // Where a domain brings a default or NOT NULL, a type has no hash, or its operators are in another schema.
  for (const type of ['small', 'mail', 'short', 'bit varying', 'cube', 'citext'])
    it(`${type} crosses over streamed`, () => crosses(type, 'streamed'));

  for (const [type, says] of Object.entries(REFUSED)) {
    it(`${type} is refused by preview and start`, async () => {
      await tables(type, []);
      await expect(plane.preview(cutoverOf('streamed'))).rejects.toMatchObject({
        code: 'refused_table',
        message: expect.stringMatching(says),
      });
      await expect(plane.arm(cutoverOf('inline'))).rejects.toMatchObject({
        code: 'refused_table',
        message: expect.stringMatching(says),
      });
    });
  }
});

describe('an index that tells rows apart in another way than statements do', () => {
  it.each([
    [
      'WITHOUT OVERLAPS',
      'room integer, during tstzrange, PRIMARY KEY (room, during WITHOUT OVERLAPS)',
      /a_pkey is of the kind gist/,
    ],
    ['another equality', 'id pair NOT NULL; CREATE UNIQUE INDEX a_image ON $ (id record_image_ops)', /a_image is of /],
    [
      'a collation that finds different texts equal',
      'id text NOT NULL; CREATE UNIQUE INDEX a_loose ON $ (id COLLATE loose)',
      /a_loose has a nondeterministic collation/,
    ],
  ])('is refused by preview and start with its name: %s', async (what, columns, says) => {
    const { version } = (await db.sql.unsafe("SELECT current_setting('server_version_num')::int AS version"))[0]!;
    if (what === 'WITHOUT OVERLAPS' && version < 180_000) return;
    if (await plane.status('a')) await plane.forget('a');
    await db.sql.unsafe(
      `CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA extensions; CREATE COLLATION IF NOT EXISTS loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); DROP TABLE IF EXISTS a, a_v2`,
    );
    for (const table of ['a', 'a_v2']) {
      const [inside = '', after = ''] = columns.split('; ');
      await db.sql.unsafe(
        `CREATE TABLE ${table} (${inside}); ${after.replaceAll('$', table).replace('INDEX a_', `INDEX ${table}_`)}`,
      );
    }
    const refused = { code: 'refused_table', message: expect.stringMatching(says) };
    await expect(plane.preview(cutoverOf('streamed'))).rejects.toMatchObject(refused);
    await expect(plane.arm(cutoverOf('inline'))).rejects.toMatchObject(refused);
  });

  it('one whose order alone is another is a key: text_pattern_ops', async () => {
    await db.sql.unsafe(`DROP TABLE IF EXISTS a, a_v2; CREATE TABLE a (id text NOT NULL, v text); CREATE TABLE a_v2 (id text NOT NULL, v text);
      CREATE UNIQUE INDEX ON a (id text_pattern_ops); CREATE UNIQUE INDEX ON a_v2 (id text_pattern_ops); INSERT INTO a VALUES ('x', 'y'), ('Z', 'w')`);
    await plane.start(cutoverOf('streamed'));
    await plane.copy('a', 1);
    await db.sql.unsafe("UPDATE a SET v = 'z'; DELETE FROM a WHERE id = 'Z'");
    await plane.settle('a', 1);
    expect(await differences(db, PRIMARY, SHADOW)).toEqual([]);
    expect(await plane.verify('a', 1, 0)).toMatchObject({ result: { divergences: 0, rowsCompared: 1 } });
  });
});
