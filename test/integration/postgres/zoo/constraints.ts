/** Keys, constraints, indexes and foreign keys. */

import { type Animal, PAIR } from './animal.ts';

const keyed = (type: string, rows: string, wider = type): string =>
  `CREATE TABLE t (id ${type} PRIMARY KEY, v text); CREATE TABLE t_v2 (id ${wider} PRIMARY KEY, v text); INSERT INTO t VALUES ${rows};`;

export const CONSTRAINTS: readonly Animal[] = [
  {
    what: 'a key of uuid',
    ddl: keyed('uuid', "('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a')"),
    between: ["INSERT INTO t VALUES (gen_random_uuid(), 'b')"],
  },
  {
    what: 'a key of text under a collation',
    ddl: keyed('text COLLATE "C"', "('é', 'a'), ('E', 'b'), ('', 'c')"),
    between: ["UPDATE t SET id = 'Z' WHERE id = ''"],
  },
  {
    what: 'a key of varchar that gets longer',
    ddl: keyed('varchar(3)', "('abc', 'a')", 'varchar(30)'),
    between: ["INSERT INTO t VALUES ('xy', 'b')"],
  },
  {
    what: 'a key of numeric',
    ddl: keyed('numeric', "(1.0, 'a'), (-5.25, 'b'), (1e30, 'c')"),
    between: ['DELETE FROM t WHERE id = 1'],
  },
  {
    what: 'a key of timestamptz',
    ddl: keyed('timestamptz', "('2026-01-01 00:00:00.000001+00', 'a'), ('infinity', 'b')"),
    between: ["INSERT INTO t VALUES ('-infinity', 'c')"],
  },
  {
    what: 'a key of bytea',
    ddl: keyed('bytea', "('\\x00ff', 'a'), ('', 'b')"),
    between: ["INSERT INTO t VALUES ('\\x27', 'c')"],
  },
  {
    what: 'a key of date in days, and of an enum',
    ddl: `CREATE TYPE kind AS ENUM ('b', 'a'); CREATE TABLE t (d date, k kind, v text, PRIMARY KEY (d, k)); CREATE TABLE t_v2 (k kind, d date, v text, PRIMARY KEY (d, k)); INSERT INTO t VALUES ('2026-01-01', 'a', 'x'), ('2026-01-01', 'b', 'y')`,
    between: ["UPDATE t SET k = 'b', d = '2026-01-02' WHERE k = 'a'"],
  },
  {
    what: 'a composite key, of which all columns are the row',
    ddl: 'CREATE TABLE t (a integer, b integer, PRIMARY KEY (a, b)); CREATE TABLE t_v2 (a bigint, b bigint, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 1), (1, 2), (2, 1)',
    between: ['UPDATE t SET b = 3 WHERE b = 2', 'DELETE FROM t WHERE a = 2'],
    after: [
      [
        'SELECT a, b FROM t ORDER BY 1, 2',
        [
          { a: 1, b: 1 },
          { a: 1, b: 3 },
        ],
      ],
    ],
    twice: true,
  },
  {
    what: 'a covering primary key',
    ddl: "CREATE TABLE t (id integer, v text, PRIMARY KEY (id) INCLUDE (v)); CREATE TABLE t_v2 (id bigint, v text, PRIMARY KEY (id) INCLUDE (v)); INSERT INTO t VALUES (1, 'a')",
  },
  {
    what: 'a unique index instead of a primary key',
    ddl: "CREATE TABLE t (id integer NOT NULL, v text); CREATE UNIQUE INDEX t_id_idx ON t (id DESC); CREATE TABLE t_v2 (id bigint NOT NULL UNIQUE, v text); INSERT INTO t VALUES (1, 'a')",
    between: ["INSERT INTO t VALUES (2, 'b')"],
  },
  {
    what: 'an empty table',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text)',
    between: ["INSERT INTO t VALUES (1, 'first')"],
    after: [['SELECT v FROM t', [{ v: 'first' }]]],
    twice: true,
  },
  {
    what: 'a table that is emptied while promoted',
    ddl: PAIR,
    between: ['TRUNCATE t', "INSERT INTO t VALUES (9, 'only')"],
    after: [['SELECT id FROM t', [{ id: 9 }]]],
  },
  {
    what: 'unique constraints: plain, deferred, with NULLS NOT DISTINCT',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, a integer UNIQUE, b integer UNIQUE DEFERRABLE INITIALLY DEFERRED, c integer UNIQUE NULLS NOT DISTINCT); CREATE TABLE t_v2 (id bigint PRIMARY KEY, a integer UNIQUE, b integer UNIQUE, c integer UNIQUE NULLS NOT DISTINCT); INSERT INTO t VALUES (1, 1, 1, 1), (2, NULL, 2, NULL)`,
    between: ['INSERT INTO t VALUES (3, 3, 3, 3)'],
  },
  {
    what: 'checks: of several columns, with a function, not valid',
    ddl: `CREATE FUNCTION fine(x integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x > 0'; CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer, CONSTRAINT t_ab CHECK (a < b), CONSTRAINT other CHECK (fine(a))); ALTER TABLE t ADD CONSTRAINT t_late CHECK (b < 1000) NOT VALID;
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, a integer, b integer, CONSTRAINT t_v2_ab CHECK (a < b), CONSTRAINT other CHECK (fine(a))); COMMENT ON CONSTRAINT t_ab ON t IS 'order'; INSERT INTO t VALUES (1, 1, 2)`,
    between: ['INSERT INTO t VALUES (2, 5, 6)'],
  },
  {
    what: 'a key of a domain over a domain, which makes its own values',
    ddl: `CREATE DOMAIN raw AS uuid DEFAULT gen_random_uuid(); CREATE DOMAIN code AS raw; CREATE TABLE t (id code PRIMARY KEY, v text);
      CREATE TABLE t_v2 (id code PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b')`,
    between: ["INSERT INTO t (v) VALUES ('c')", "UPDATE t SET id = gen_random_uuid() WHERE v = 'a'"],
    after: [['SELECT count(DISTINCT id)::int AS n FROM t', [{ n: 3 }]]],
  },
  {
    what: 'a key of domains over an enum, a range and a multirange',
    ddl: `CREATE TYPE size AS ENUM ('small', 'big'); CREATE DOMAIN measure AS size; CREATE DOMAIN span AS int4range; CREATE DOMAIN spans AS int4multirange;
      CREATE TABLE t (a measure, b span, c spans, v text, PRIMARY KEY (a, b, c)); CREATE TABLE t_v2 (a measure, b span, c spans, v text, PRIMARY KEY (b, a, c)); INSERT INTO t VALUES ('big', '[1,3)', '{[1,3)}', 'x'), ('small', '[1,3)', '{}', 'y')`,
    between: [
      "INSERT INTO t VALUES ('small', '[5,6)', '{[9,10)}', 'z')",
      "UPDATE t SET b = '[2,4)', a = 'small' WHERE v = 'x'",
      "DELETE FROM t WHERE v = 'y'",
    ],
    after: [
      [
        'SELECT a::text, b::text FROM t ORDER BY v',
        [
          { a: 'small', b: '[2,4)' },
          { a: 'small', b: '[5,6)' },
        ],
      ],
    ],
  },
  {
    what: 'a unique index with a condition, over an expression',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, mail text, gone boolean DEFAULT false); CREATE UNIQUE INDEX t_mail ON t (lower(mail)) WHERE NOT gone;
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, mail text, gone boolean DEFAULT false); CREATE UNIQUE INDEX t_v2_mail ON t_v2 (lower(mail)) WHERE NOT gone;
      INSERT INTO t VALUES (1, 'A@x', false), (2, 'b@x', false), (3, 'a@X', true)`,
    between: ['UPDATE t SET gone = NOT gone WHERE id = 1', 'UPDATE t SET gone = false WHERE id = 3'],
    after: [['SELECT id FROM t WHERE NOT gone ORDER BY id', [{ id: 2 }, { id: 3 }]]],
  },
  {
    what: 'an exclusion constraint with a condition',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, r tstzrange, live boolean, CONSTRAINT t_r_excl EXCLUDE USING gist (r WITH &&) WHERE (live)); CREATE TABLE t_v2 (id bigint PRIMARY KEY, r tstzrange, live boolean, CONSTRAINT t_v2_r_excl EXCLUDE USING gist (r WITH &&) WHERE (live));
      INSERT INTO t VALUES (1, '[2026-01-01,2026-01-02)', true), (2, '[2026-01-01,2026-01-02)', false)`,
    between: ["INSERT INTO t VALUES (3, '[2026-02-01,2026-02-02)', true)"],
  },
  {
    what: 'indexes of every kind, one of which CLUSTER uses',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, n integer, j jsonb); CREATE INDEX t_low ON t (lower(v) text_pattern_ops) WHERE n > 0; CREATE INDEX t_cover ON t (n DESC NULLS LAST) INCLUDE (v); CREATE INDEX t_hash ON t USING hash (v); CREATE INDEX t_brin ON t USING brin (n) WITH (pages_per_range = 4);
      CREATE INDEX t_gin ON t USING gin (j jsonb_path_ops); CREATE UNIQUE INDEX odd_name ON t (v, n) WITH (fillfactor = 60); ALTER TABLE t CLUSTER ON t_cover; ALTER INDEX t_low ALTER COLUMN 1 SET STATISTICS 300; COMMENT ON INDEX t_low IS 'lower';
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, n integer, j jsonb); CREATE INDEX t_v2_cover ON t_v2 (n); CREATE INDEX t_v2_gin ON t_v2 USING gin (j); INSERT INTO t VALUES (1, 'a', 1, '{}')`,
    between: ["INSERT INTO t VALUES (2, 'b', 2, '[1]')"],
  },
  {
    what: 'foreign keys to it: deferred, cascading, not valid, of two columns, from a table with rows',
    ddl: `CREATE TABLE t (a integer, b text, v text, PRIMARY KEY (a, b)); CREATE TABLE t_v2 (b text, a bigint, v text, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 'x', 'v'), (2, 'y', 'w');
      CREATE TABLE c1 (a integer, b text, FOREIGN KEY (a, b) REFERENCES t MATCH FULL ON UPDATE CASCADE ON DELETE CASCADE); CREATE TABLE c2 (x integer, y text DEFAULT 'x', CONSTRAINT c2_fk FOREIGN KEY (y, x) REFERENCES t (b, a) ON DELETE SET NULL (x) DEFERRABLE);
      CREATE TABLE c3 (a integer, b text); INSERT INTO c3 VALUES (9, 'none'); ALTER TABLE c3 ADD CONSTRAINT c3_fk FOREIGN KEY (a, b) REFERENCES t NOT VALID; INSERT INTO c1 VALUES (1, 'x'); INSERT INTO c2 VALUES (2, 'y'); COMMENT ON CONSTRAINT c2_fk ON c2 IS 'two'`,
    between: [
      'UPDATE t SET a = 5 WHERE a = 1',
      ['SELECT a FROM c1', [{ a: 5 }]],
      'DELETE FROM t WHERE a = 2',
      ['SELECT x, y FROM c2', [{ x: null, y: 'y' }]],
    ],
    after: ['DELETE FROM t WHERE a = 5', ['SELECT count(*)::int AS n FROM c1', [{ n: 0 }]]],
    twice: true,
  },
  {
    what: 'one that stands in the middle: references, is referenced, and references itself',
    ddl: `CREATE TABLE up (id integer PRIMARY KEY); INSERT INTO up VALUES (1); CREATE TABLE t (id integer PRIMARY KEY, up integer NOT NULL REFERENCES up, boss integer REFERENCES t); CREATE TABLE down (id integer PRIMARY KEY, t integer REFERENCES t ON DELETE CASCADE);
      CREATE TABLE t_v2 (id bigint PRIMARY KEY, up integer NOT NULL, boss bigint); INSERT INTO t VALUES (1, 1, 2), (2, 1, NULL); INSERT INTO down VALUES (1, 1)`,
    between: [
      'INSERT INTO t VALUES (3, 1, 1)',
      'UPDATE t SET boss = NULL WHERE id = 3',
      'DELETE FROM t WHERE id = 1',
      ['SELECT count(*)::int AS n FROM down', [{ n: 0 }]],
    ],
    after: [['SELECT count(*)::int AS n FROM t', [{ n: 2 }]]],
    twice: true,
  },
];
