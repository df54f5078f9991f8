/** What is in a table: types, defaults, identity, generated columns, shapes that grew over the years. */

import type { Animal } from './animal.ts';

/** The same columns on both sides, after an id that widens. */
const same = (columns: string, rows: string): string =>
  `CREATE TABLE t (id integer PRIMARY KEY, ${columns}); CREATE TABLE t_v2 (id bigint PRIMARY KEY, ${columns}); INSERT INTO t VALUES ${rows};`;

export const COLUMNS: readonly Animal[] = [
  {
    what: 'numbers, also those that are none',
    ddl: same(
      'a smallint, b numeric(12, 4), c numeric, d real, e double precision',
      `(1, -32768, 1.5000, 'NaN', '-0', 'Infinity'), (2, NULL, 99999999.9999, 1e40, 'NaN', '-Infinity'), (3, 0, 0, 12345678901234567890.123456789, 0.1, -0.0)`,
    ),
    between: [
      'UPDATE t SET e = 0.1::float8 + 0.2::float8 WHERE id = 1',
      "INSERT INTO t (id, c) VALUES (4, 'Infinity')",
    ],
    after: [['SELECT e FROM t WHERE id = 1', [{ e: 0.1 + 0.2 }]]],
  },
  {
    what: 'dates and times to the ends of time',
    ddl: same(
      'a date, b time, c timetz, d timestamp(3), e timestamptz, f interval',
      `(1, 'infinity', '24:00', '23:59:60+14', '4713-01-01 BC', '-infinity', '1 year -2 mons 3 days'), (2, '0001-01-01 BC', NULL, NULL, 'now', '294276-12-31', '-0.000001 s')`,
    ),
    between: [
      "UPDATE t SET e = '2026-02-30 00:00'::text::timestamptz WHERE false",
      "INSERT INTO t (id, a) VALUES (3, '2024-02-29')",
    ],
  },
  {
    what: 'texts with lengths, padding and collations',
    ddl: same(
      'a varchar(5), b char(4), c name, d text COLLATE "C", e text',
      `(1, 'ab', 'x', 'n', 'Zé', ''), (2, NULL, NULL, NULL, NULL, NULL), (3, 'ééééé', '', '', E'\\\\\\t\\n', repeat('long', 9000))`,
    ),
    between: ["UPDATE t SET a = 'z  ' WHERE id = 1"],
  },
  {
    what: 'bytes and bits',
    ddl: same('a bytea, b bit(4), c bit varying(9)', `(1, '\\xdeadbeef00', B'1010', B''), (2, '', B'0000', B'111')`),
    between: ["UPDATE t SET a = '\\x00' WHERE id = 1"],
  },
  {
    what: 'json in every order, and jsonpath',
    ddl: same(
      'a json, b jsonb, c jsonpath',
      `(1, '{"b": 1, "a": 1, "b": 2}', '{"b": 1.10, "a": null}', '$.a[*] ? (@ > 1)'), (2, 'null', '[]', NULL)`,
    ),
    between: ['UPDATE t SET b = b || \'{"z": 1}\' WHERE id = 1'],
    after: [["SELECT b ->> 'z' AS z, a::text FROM t WHERE id = 1", [{ z: '1', a: '{"b": 1, "a": 1, "b": 2}' }]]],
  },
  {
    what: 'arrays with odd bounds and NULL in them',
    ddl: same(
      'a integer[], b text[][], c numeric(5, 2)[]',
      `(1, '[0:2]={1,NULL,3}', '{{a,"b c"},{"",NULL}}', '{1.50}'), (2, '{}', NULL, '{}')`,
    ),
    between: ['UPDATE t SET a[7] = 9 WHERE id = 1'],
  },
  {
    what: 'addresses and identifiers',
    ddl: same(
      'a uuid DEFAULT gen_random_uuid(), b inet, c cidr, d macaddr, e macaddr8, f pg_lsn, g regclass',
      `(1, DEFAULT, '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', NULL, '16/B374D848', 'pg_class'), (2, DEFAULT, '::1', NULL, NULL, '08:00:2b:01:02:03:04:05', NULL, NULL)`,
    ),
    between: ['INSERT INTO t (id) VALUES (3)'],
  },
  {
    what: 'geometry, which knows no equality of its own',
    ddl: same(
      'a point, b polygon, c circle, d path, e box, f lseg, g line',
      `(1, '(1,2)', '((0,0),(1,1),(1,0))', '<(0,0),5>', '[(0,0),(1,1)]', '((1,1),(0,0))', '[(0,0),(1,1)]', '{1,2,3}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
    ),
    between: ["UPDATE t SET a = '(1,2.5)' WHERE id = 1"],
  },
  {
    what: 'ranges and multiranges',
    ddl: `CREATE TYPE span AS RANGE (subtype = float8); ${same('a int4range, b tstzrange, c span, d int4multirange', `(1, '[1,5)', '(,2026-01-01)', '[1.5,2.5]', '{[1,3),[7,9)}'), (2, 'empty', NULL, NULL, '{}')`)}`,
    between: ["UPDATE t SET a = '[2,6)' WHERE id = 1"],
  },
  {
    what: 'enums, in arrays, too, and one that grows meanwhile',
    ddl: `CREATE TYPE mood AS ENUM ('sad', 'ok'); ${same("a mood DEFAULT 'ok', b mood[]", `(1, 'sad', '{sad,ok}'), (2, DEFAULT, NULL)`)}`,
    between: ["ALTER TYPE mood ADD VALUE 'glad'", "INSERT INTO t VALUES (3, 'glad', '{glad}')"],
    after: [['SELECT a::text FROM t WHERE id = 3', [{ a: 'glad' }]], 'DROP TABLE t, t_v2'],
  },
  {
    what: 'domains over domains, with checks and defaults',
    ddl: `CREATE DOMAIN positive AS integer CHECK (VALUE > 0); CREATE DOMAIN small AS positive DEFAULT 7 CHECK (VALUE < 100); CREATE DOMAIN mail AS text COLLATE "C" CHECK (VALUE LIKE '%@%'); ${same('a small, b mail NOT NULL, c positive[]', `(1, DEFAULT, 'a@b', '{1,2}'), (2, 99, '@', NULL)`)}`,
    between: ["INSERT INTO t (id, b) VALUES (3, 'x@y')", ['SELECT a FROM t WHERE id = 3', [{ a: 7 }]]],
  },
  {
    what: 'composite types, nested and in arrays',
    ddl: `CREATE TYPE pair AS (x integer, y text); CREATE TYPE nest AS (p pair, at date); ${same('a pair, b nest[], c nest', `(1, '(1,"a b")', ARRAY[ROW(ROW(1, NULL), '2026-01-01')::nest], NULL), (2, '(,)', '{}', ROW(NULL, NULL))`)}`,
    between: ["UPDATE t SET a.y = 'z' WHERE id = 1"],
  },
  {
    what: 'text search with a generated column and its index',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, doc tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(v, ''))) STORED); CREATE INDEX t_doc_idx ON t USING gin (doc);
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, doc tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(v, ''))) STORED); CREATE INDEX t_v2_doc_idx ON t_v2 USING gin (doc); INSERT INTO t VALUES (1, 'hello world')`,
    between: [
      "INSERT INTO t VALUES (2, 'brave new world')",
      ["SELECT count(*)::int AS n FROM t WHERE doc @@ 'world'", [{ n: 2 }]],
    ],
  },
  {
    what: 'identity ALWAYS with options, and a sequence that cycles',
    ddl: `CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY, v text); CREATE TABLE t_v2 (id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b')`,
    between: ["INSERT INTO t (v) VALUES ('c')", ['SELECT max(id)::int AS id FROM t', [{ id: 20 }]]],
    after: ["INSERT INTO t (v) VALUES ('d')", ['SELECT max(id) AS id FROM t', [{ id: 25 }]]],
    twice: true,
  },
  {
    what: 'a table that lost columns, whose shadow has them in another order',
    ddl: `CREATE TABLE t (gone1 text, id integer PRIMARY KEY, a text, gone2 integer, b text); INSERT INTO t VALUES ('x', 1, 'a', 2, 'b'); ALTER TABLE t DROP gone1, DROP gone2, ADD c text DEFAULT 'late';
      CREATE TABLE t_v2 (c text, b text, gone text, a text, id bigint PRIMARY KEY); ALTER TABLE t_v2 DROP gone; CREATE VIEW seen AS SELECT * FROM t`,
    between: ["INSERT INTO t (id, a) VALUES (2, 'q')", ['SELECT a FROM seen WHERE id = 2', [{ a: 'q' }]]],
    after: [
      [
        'SELECT a, c FROM seen ORDER BY id',
        [
          { a: 'a', c: 'late' },
          { a: 'q', c: null },
        ],
      ],
    ],
    twice: true,
  },
  {
    what: 'columns that are renamed, computed, added and dropped at once',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, first text NOT NULL, last text NOT NULL, born text, fax text DEFAULT 'none'); INSERT INTO t VALUES (1, 'Ada', 'Lovelace', '1815-12-10', '555'), (2, 'Alan', 'Turing', NULL, NULL);
      CREATE TABLE t_v2 (number bigint PRIMARY KEY, given text NOT NULL, last text NOT NULL, whole text GENERATED ALWAYS AS (given || ' ' || last) STORED, born date, tier text NOT NULL DEFAULT 'standard')`,
    columns: {
      number: { from: 'id' },
      given: { from: 'first' },
      whole: { sql: "first || ' ' || last" },
      tier: { added: true },
    },
    between: [
      "INSERT INTO t (number, given, last, born) VALUES (3, 'Grace', 'Hopper', '1906-12-09')",
      ['SELECT whole FROM t WHERE number = 3', [{ whole: 'Grace Hopper' }]],
    ],
    after: [
      [
        'SELECT first, born, fax FROM t ORDER BY id',
        [
          { first: 'Ada', born: '1815-12-10', fax: '555' },
          { first: 'Alan', born: null, fax: null },
          { first: 'Grace', born: '1906-12-09', fax: 'none' },
        ],
      ],
    ],
    twice: true,
  },
  {
    what: 'a time without a zone that gets one',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, at timestamp); CREATE TABLE t_v2 (id bigint PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1, '2026-03-29 02:30:00.123456'), (2, 'infinity')`,
    columns: { at: { sql: "at AT TIME ZONE 'UTC'" } },
    reverse: { at: { sql: "at AT TIME ZONE 'UTC'" } },
    between: ["INSERT INTO t VALUES (3, '2026-01-01 12:00+02')"],
    after: [['SELECT at::text FROM t WHERE id = 3', [{ at: '2026-01-01 10:00:00' }]]],
  },
  {
    what: 'storage, compression, statistics targets and options of columns',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text COMPRESSION pglz) WITH (fillfactor = 70, autovacuum_enabled = false); ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER v SET STATISTICS 500, ALTER v SET (n_distinct = -0.5);
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat(md5(i::text), 400) FROM generate_series(1, 20) i`,
    between: ["UPDATE t SET v = v || 'x' WHERE id < 5"],
  },
  {
    what: 'two hundred columns',
    ddl: `DO $$ BEGIN EXECUTE format('CREATE TABLE t (id integer PRIMARY KEY, %s)', (SELECT string_agg('c' || i || ' integer', ', ') FROM generate_series(1, 200) i)); END $$;
      CREATE TABLE t_v2 (LIKE t); ALTER TABLE t_v2 ADD PRIMARY KEY (id), ALTER id TYPE bigint; INSERT INTO t (id, c1, c200) VALUES (1, 2, 3)`,
    between: ['UPDATE t SET c100 = 5'],
    after: [['SELECT c1, c100, c200 FROM t', [{ c1: 2, c100: 5, c200: 3 }]]],
  },
];
