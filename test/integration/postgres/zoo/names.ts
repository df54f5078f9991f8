/** Names, comments, owners and defaults that real schemas have. */

import { type Animal, PAIR } from './animal.ts';

const LONG = `a_table_whose_name_was_thought_out_by_a_committee_01`;

export const NAMES: readonly Animal[] = [
  {
    what: 'mixed case, quotes, spaces and percent signs',
    name: 'The "Big" 100% Table',
    ddl: `CREATE TABLE "The ""Big"" 100% Table" ("Key Part" integer PRIMARY KEY, "it's" text, "select" text); CREATE TABLE "The ""Big"" 100% Table_v2" ("Key Part" bigint PRIMARY KEY, "it's" text, "select" text);
      INSERT INTO "The ""Big"" 100% Table" VALUES (1, 'a', 'b'); CREATE VIEW "A View" AS SELECT "it's" AS "Its" FROM "The ""Big"" 100% Table"; COMMENT ON COLUMN "The ""Big"" 100% Table"."it's" IS 'back\\slash and ''quote'''`,
    between: [`UPDATE "The ""Big"" 100% Table" SET "it's" = 'x'`, ['SELECT "Its" FROM "A View"', [{ Its: 'x' }]]],
    twice: true,
  },
  {
    what: 'reserved words',
    name: 'order',
    ddl: `CREATE TABLE "order" (id integer PRIMARY KEY, "user" text, "group" integer DEFAULT 1, "check" boolean); CREATE TABLE order_v2 (id bigint PRIMARY KEY, "user" text, "group" integer DEFAULT 1, "check" boolean); INSERT INTO "order" VALUES (1, 'a')`,
    between: [`INSERT INTO "order" (id) VALUES (2)`],
  },
  {
    what: 'names that our own SQL uses',
    ddl: `CREATE TABLE t (k1 integer PRIMARY KEY, p text, s text, seq integer, op text, at text, present boolean, c1 text, src text, crossfade_written integer); CREATE TABLE t_v2 (k1 bigint PRIMARY KEY, p text, s text, seq integer, op text, at text, present boolean, c1 text, src text, crossfade_written integer);
      INSERT INTO t VALUES (1, 'p', 's', 2, 'T', 'now', true, 'c', 'src', 4)`,
    between: ["UPDATE t SET p = 'x', op = 'K'"],
  },
  {
    what: 'long names with letters beyond ASCII',
    name: LONG,
    ddl: `CREATE TABLE ${LONG} (id integer PRIMARY KEY, größe text); CREATE TABLE ${LONG}_v2 (id bigint PRIMARY KEY, größe text); INSERT INTO ${LONG} VALUES (1, 'groß')`,
    between: [`UPDATE ${LONG} SET größe = 'größer'`],
  },
  {
    what: 'comments on everything',
    ddl: `${PAIR} ALTER TABLE t ADD CONSTRAINT t_c CHECK (id > 0); CREATE INDEX t_i ON t (v); COMMENT ON TABLE t IS 'table'; COMMENT ON COLUMN t.v IS 'column'; COMMENT ON CONSTRAINT t_c ON t IS 'check'; COMMENT ON INDEX t_i IS 'index'; COMMENT ON TABLE t_v2 IS 'new'`,
    twice: true,
  },
  {
    what: 'another owner, and privileges with and without grant option, for PUBLIC, and on the shadow alone',
    ddl: `${PAIR} GRANT USAGE, CREATE ON SCHEMA :schema TO :other; ALTER TABLE t OWNER TO :other; GRANT SELECT, UPDATE ON t TO :app WITH GRANT OPTION; GRANT SELECT ON t TO PUBLIC; GRANT DELETE ON t_v2 TO :app; REVOKE TRUNCATE ON t FROM :other`,
    between: [
      ["SELECT pg_get_userbyid(relowner)::text AS o FROM pg_class WHERE oid = 't'::regclass", [{ o: ':other' }]],
    ],
    twice: true,
  },
  {
    what: 'default privileges, which must not stick to what is made again',
    ddl: `${PAIR} CREATE VIEW seen AS SELECT id FROM t; ALTER DEFAULT PRIVILEGES IN SCHEMA :schema GRANT SELECT ON TABLES TO :app`,
    between: [[`SELECT has_table_privilege(':app', 'seen', 'SELECT') AS s`, [{ s: false }]]],
    after: ['ALTER DEFAULT PRIVILEGES IN SCHEMA :schema REVOKE SELECT ON TABLES FROM :app'],
    twice: true,
  },
  {
    what: 'a sequence of its own by default, shared with the shadow, and one that another table uses, too',
    ddl: `CREATE SEQUENCE numbers; CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('numbers'), v text); CREATE TABLE t_v2 (id bigint PRIMARY KEY DEFAULT nextval('numbers'), v text); CREATE TABLE third (id integer DEFAULT nextval('numbers')); INSERT INTO t (v) VALUES ('a')`,
    between: [
      "INSERT INTO t (v) VALUES ('b')",
      'INSERT INTO third DEFAULT VALUES',
      ['SELECT max(id)::int AS m FROM t', [{ m: 2 }]],
    ],
    after: ["INSERT INTO t (v) VALUES ('c')", ['SELECT max(id) AS m FROM t', [{ m: 4 }]]],
    twice: true,
  },
];
