/** What hangs on a table and is carried or made again. */

import { type Animal, PAIR } from './animal.ts';

const TRIGGER = `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := upper(NEW.v); RETURN NEW; END';`;
const LOG = `CREATE TABLE log (at bigint GENERATED ALWAYS AS IDENTITY, what text);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log (what) VALUES (TG_TABLE_NAME || '' '' || TG_OP); RETURN NULL; END';`;

export const DEPENDENTS: readonly Animal[] = [
  {
    what: 'a view',
    ddl: `${PAIR} CREATE VIEW seen AS SELECT id, upper(v) AS loud FROM t WHERE id > 0`,
    between: ["INSERT INTO t VALUES (3, 'c')", ['SELECT loud FROM seen WHERE id = 3', [{ loud: 'C' }]]],
    after: [['SELECT count(*)::int AS n FROM seen', [{ n: 3 }]]],
    twice: true,
  },
  {
    what: 'a view with options, owner, privileges, column privileges, a default and comments',
    ddl: `${PAIR} CREATE VIEW seen WITH (security_barrier = true, check_option = local) AS SELECT id, v FROM t WHERE id < 100;
      ALTER VIEW seen ALTER COLUMN v SET DEFAULT 'fresh'; GRANT SELECT ON seen TO :app WITH GRANT OPTION; GRANT UPDATE (v) ON seen TO PUBLIC;
      COMMENT ON VIEW seen IS 'it''s a view'; COMMENT ON COLUMN seen.v IS 'value'; GRANT USAGE, CREATE ON SCHEMA :schema TO :other; GRANT ALL ON t TO :other; ALTER VIEW seen OWNER TO :other`,
    between: [
      'INSERT INTO seen (id) VALUES (4)',
      ['SELECT v FROM t WHERE id = 4', [{ v: 'fresh' }]],
      [
        `SELECT has_table_privilege(':app', 'seen', 'SELECT WITH GRANT OPTION') AS a, has_column_privilege(':app', 'seen', 'v', 'UPDATE') AS b, has_table_privilege(':app', 'seen', 'UPDATE') AS c`,
        [{ a: true, b: true, c: false }],
      ],
    ],
    twice: true,
  },
  {
    what: 'views of views, one of which reads the table again',
    ddl: `${PAIR} CREATE VIEW inner_view AS SELECT id, v FROM t; CREATE VIEW middle AS SELECT i.id, t.v FROM inner_view i JOIN t USING (id);
      CREATE VIEW outermost AS SELECT max(id) AS top FROM middle; CREATE VIEW aside AS SELECT * FROM outermost, inner_view`,
    between: [
      "INSERT INTO t VALUES (9, 'z')",
      ['SELECT top::int FROM outermost', [{ top: 9 }]],
      ['SELECT count(*)::int AS n FROM aside', [{ n: 3 }]],
    ],
    after: [['SELECT top FROM outermost', [{ top: 9 }]]],
    twice: true,
  },
  {
    what: 'a view with an INSTEAD OF trigger and a rule',
    ddl: `${PAIR} CREATE VIEW seen AS SELECT id, v FROM t; CREATE VIEW ruled AS SELECT id FROM t;
      CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (NEW.id, ''via'') ; RETURN NEW; END' SET search_path FROM CURRENT;
      CREATE TRIGGER redirected INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION redirect();
      CREATE RULE through AS ON INSERT TO ruled DO INSTEAD INSERT INTO t VALUES (NEW.id, 'ruled')`,
    between: [
      'INSERT INTO seen VALUES (5, NULL)',
      'INSERT INTO ruled VALUES (6)',
      ['SELECT v FROM t WHERE id > 4 ORDER BY id', [{ v: 'via' }, { v: 'ruled' }]],
    ],
    after: ['INSERT INTO ruled VALUES (7)', ['SELECT v FROM t WHERE id = 7', [{ v: 'ruled' }]]],
  },
  {
    what: 'a recursive view, and one that groups by the primary key',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, parent integer); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, parent bigint); INSERT INTO t VALUES (1, 'root', NULL), (2, 'leaf', 1);
      CREATE RECURSIVE VIEW tree (id, depth) AS SELECT id, 1 FROM t WHERE parent IS NULL UNION ALL SELECT t.id, depth + 1 FROM t JOIN tree ON t.parent = tree.id;
      CREATE VIEW grouped AS SELECT t.id, t.v, count(c.id) AS children FROM t LEFT JOIN t c ON c.parent = t.id GROUP BY t.id`,
    between: [
      "INSERT INTO t VALUES (3, 'bud', 2)",
      ['SELECT max(depth) AS d FROM tree', [{ d: 3 }]],
      ['SELECT v FROM grouped WHERE children = 0', [{ v: 'bud' }]],
    ],
  },
  {
    what: 'a materialised view with an index, and a view of it',
    ddl: `${PAIR} CREATE MATERIALIZED VIEW kept AS SELECT id, v FROM t; CREATE UNIQUE INDEX kept_id ON kept (id); COMMENT ON MATERIALIZED VIEW kept IS 'kept'; CREATE VIEW over_it AS SELECT count(*)::int AS n FROM kept;
      CREATE MATERIALIZED VIEW bare AS SELECT id FROM t WITH NO DATA; GRANT SELECT ON kept TO :app`,
    between: [
      ['SELECT n FROM over_it', [{ n: 2 }]],
      "INSERT INTO t VALUES (3, 'c')",
      'REFRESH MATERIALIZED VIEW CONCURRENTLY kept',
      ['SELECT n FROM over_it', [{ n: 3 }]],
    ],
    twice: true,
  },
  {
    what: 'a view that compares primary and shadow',
    ddl: `${PAIR} CREATE VIEW compared AS SELECT t.id, t.v AS was, n.v AS will FROM t JOIN t_v2 n ON n.id = t.id; CREATE VIEW preview AS SELECT v FROM t_v2`,
    between: [
      ['SELECT count(*)::int AS n FROM compared', [{ n: 2 }]],
      ['SELECT count(*)::int AS n FROM preview', [{ n: 2 }]],
    ],
    after: [['SELECT count(*)::int AS n FROM compared', [{ n: 2 }]]],
  },
  {
    what: 'a BEFORE trigger that changes rows',
    ddl: `${PAIR} ${TRIGGER} CREATE TRIGGER stamped BEFORE INSERT OR UPDATE OF v ON t FOR EACH ROW WHEN (NEW.v IS NOT NULL) EXECUTE FUNCTION stamp(); COMMENT ON TRIGGER stamped ON t IS 'upper case'`,
    between: ["INSERT INTO t VALUES (3, 'c')", ['SELECT v FROM t WHERE id = 3', [{ v: 'C' }]]],
    after: [
      ['SELECT v FROM t ORDER BY id', [{ v: 'a' }, { v: 'b' }, { v: 'C' }]],
      "INSERT INTO t VALUES (4, 'd')",
      ['SELECT v FROM t WHERE id = 4', [{ v: 'D' }]],
    ],
    twice: true,
  },
  {
    what: 'AFTER triggers fire once for each write of the application, and never for a mirrored row',
    ddl: `${PAIR} ${LOG} CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()`,
    between: [
      ['SELECT count(*)::int AS n FROM log', [{ n: 0 }]],
      "INSERT INTO t VALUES (3, 'c')",
      'DELETE FROM t WHERE id = 1',
      ['SELECT what FROM log ORDER BY at', [{ what: 't INSERT' }, { what: 't DELETE' }]],
    ],
    after: [
      ['SELECT count(*)::int AS n FROM log', [{ n: 2 }]],
      "UPDATE t SET v = 'x' WHERE id = 2",
      ['SELECT count(*)::int AS n FROM log', [{ n: 3 }]],
    ],
  },
  {
    what: 'triggers that are disabled, for replication, always; with arguments, transition tables; deferred constraint triggers',
    ddl: `${PAIR} ${LOG} CREATE TRIGGER d AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note('x', 'it''s'); ALTER TABLE t DISABLE TRIGGER d;
      CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE REPLICA TRIGGER r; CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER a;
      CREATE FUNCTION many() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log (what) SELECT v FROM fresh; RETURN NULL; END' SET search_path FROM CURRENT;
      CREATE TRIGGER s AFTER INSERT ON t REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION many();
      CREATE CONSTRAINT TRIGGER c AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note(); CREATE TRIGGER tr BEFORE TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note()`,
    between: [
      "INSERT INTO t VALUES (3, 'c')",
      "UPDATE t SET v = 'u' WHERE id = 3",
      ['SELECT what FROM log ORDER BY at', [{ what: 'c' }, { what: 't UPDATE' }]],
    ],
  },
  {
    what: 'a disabled trigger of the shadow stays as it is',
    ddl: `${PAIR} ${LOG} CREATE TRIGGER later AFTER INSERT ON t_v2 FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t_v2 DISABLE TRIGGER later`,
    between: ["INSERT INTO t VALUES (3, 'c')", ['SELECT count(*)::int AS n FROM log', [{ n: 0 }]]],
  },
  {
    what: 'rules of the table and of others',
    ddl: `${PAIR} CREATE TABLE log (id bigint); CREATE RULE noted AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.id); COMMENT ON RULE noted ON t IS 'why';
      CREATE TABLE inbox (id integer); CREATE RULE passed AS ON INSERT TO inbox DO ALSO INSERT INTO t VALUES (NEW.id, 'inbox'); CREATE RULE off AS ON DELETE TO t DO INSTEAD NOTHING; ALTER TABLE t DISABLE RULE off`,
    between: [
      'INSERT INTO inbox VALUES (7)',
      ['SELECT v FROM t WHERE id = 7', [{ v: 'inbox' }]],
      'DELETE FROM t WHERE id = 1',
      ['SELECT count(*)::int AS n FROM log', [{ n: 1 }]],
    ],
    after: ['INSERT INTO inbox VALUES (8)', ['SELECT count(*)::int AS n FROM log', [{ n: 2 }]]],
  },
  {
    what: 'row security with policies',
    ddl: `${PAIR} GRANT USAGE ON SCHEMA :schema TO :app; GRANT SELECT, INSERT ON t TO :app; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t FOR SELECT TO :app USING (id < 2);
      CREATE POLICY put ON t FOR INSERT WITH CHECK (id < 10 AND EXISTS (SELECT 1 FROM t x WHERE x.id = 1)); CREATE POLICY strict ON t AS RESTRICTIVE USING (v <> 'secret'); COMMENT ON POLICY few ON t IS 'few'`,
    between: [
      'SET ROLE :app',
      ['SELECT count(*)::int AS n FROM t', [{ n: 1 }]],
      ['SELECT count(*)::int AS n FROM t_v2', [{ n: 1 }]],
      "INSERT INTO t VALUES (3, 'c')",
      'RESET ROLE',
    ],
    after: [
      'SET ROLE :app',
      ['SELECT count(*)::int AS n FROM t', [{ n: 1 }]],
      'RESET ROLE',
      ['SELECT count(*)::int AS n FROM t', [{ n: 3 }]],
    ],
    twice: true,
  },
  {
    what: 'row security that the owner is bound by, and a shadow with policies of its own',
    ddl: `${PAIR} ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 2); ALTER TABLE t_v2 ENABLE ROW LEVEL SECURITY; CREATE POLICY q ON t_v2 USING (id > 1)`,
    between: [
      ["SELECT polname::text AS p FROM pg_policy WHERE polrelid = 't'::regclass", [{ p: 'q' }]],
      ["SELECT relforcerowsecurity AS f FROM pg_class WHERE oid = 't'::regclass", [{ f: true }]],
    ],
  },
  {
    what: 'a policy of another table that reads this one',
    ddl: `${PAIR} CREATE TABLE doc (id integer, owner integer); ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY known ON doc USING (EXISTS (SELECT FROM t WHERE t.id = doc.owner)) WITH CHECK (owner IN (SELECT id FROM t));
      GRANT USAGE ON SCHEMA :schema TO :app; GRANT SELECT ON doc, t TO :app; INSERT INTO doc VALUES (1, 3)`,
    between: [
      "INSERT INTO t VALUES (3, 'c')",
      'SET ROLE :app',
      ['SELECT count(*)::int AS n FROM doc', [{ n: 1 }]],
      'RESET ROLE',
    ],
  },
  {
    what: 'privileges on columns, also on one with another name',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, old text); CREATE TABLE t_v2 (id bigint PRIMARY KEY, w text); INSERT INTO t VALUES (1, 'a', 'o');
      GRANT USAGE ON SCHEMA :schema TO :app; GRANT SELECT (id, v, old), UPDATE (v) ON t TO :app; GRANT SELECT (v) ON t TO :other WITH GRANT OPTION; GRANT INSERT (id) ON t_v2 TO :app`,
    columns: { w: { from: 'v' } },
    between: [
      'SET ROLE :app',
      "UPDATE t SET w = 'x' WHERE id = 1",
      ['SELECT w FROM t_v2', [{ w: 'x' }]],
      'RESET ROLE',
      [`SELECT has_column_privilege(':other', 't', 'w', 'SELECT WITH GRANT OPTION') AS o`, [{ o: true }]],
    ],
    after: [['SELECT v FROM t', [{ v: 'x' }]]],
    twice: true,
  },
  {
    what: 'publications: of the table with columns and a filter, and of all tables',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, w text); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, w text); INSERT INTO t VALUES (1, 'a', 'b');
      CREATE PUBLICATION :schema_part FOR TABLE t (id, v) WHERE (id > 5); CREATE PUBLICATION :schema_whole FOR TABLE t`,
    between: [
      ["SELECT count(*)::int AS n FROM pg_publication_rel WHERE prrelid = 't'::regclass", [{ n: 2 }]],
      ["SELECT count(*)::int AS n FROM pg_publication_rel WHERE prrelid = 't_old'::regclass", [{ n: 0 }]],
      "UPDATE t SET v = 'z'",
    ],
    twice: true,
  },
  {
    what: 'replica identity FULL',
    ddl: `${PAIR} ALTER TABLE t REPLICA IDENTITY FULL`,
    between: [["SELECT relreplident AS r FROM pg_class WHERE oid = 't'::regclass", [{ r: 'f' }]]],
  },
  {
    what: 'replica identity by an index',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text NOT NULL); CREATE UNIQUE INDEX t_v_idx ON t (v); ALTER TABLE t REPLICA IDENTITY USING INDEX t_v_idx; CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text NOT NULL); CREATE UNIQUE INDEX t_v2_v_idx ON t_v2 (v); INSERT INTO t VALUES (1, 'a')`,
    between: [
      [
        "SELECT indexrelid::regclass::text AS i FROM pg_index WHERE indisreplident AND indrelid = 't'::regclass",
        [{ i: 't_v_idx' }],
      ],
    ],
  },
  {
    what: 'extended statistics with a target and a comment',
    ddl: `${PAIR} CREATE STATISTICS both_columns (dependencies, ndistinct) ON id, v FROM t; ALTER STATISTICS both_columns SET STATISTICS 50; COMMENT ON STATISTICS both_columns IS 'why'; CREATE STATISTICS expr ON (upper(v)), id FROM t`,
    between: [["SELECT count(*)::int AS n FROM pg_statistic_ext WHERE stxrelid = 't'::regclass", [{ n: 2 }]]],
    twice: true,
  },
  {
    what: 'functions: a parsed body, and texts that name the table',
    ddl: `${PAIR} CREATE FUNCTION parsed() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END; COMMENT ON FUNCTION parsed IS 'p'; GRANT EXECUTE ON FUNCTION parsed TO :app;
      CREATE FUNCTION text_body() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t' SET search_path FROM CURRENT; CREATE PROCEDURE add_one() LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (50, 'p'); END`,
    between: ['CALL add_one()', ['SELECT parsed()::int AS p, text_body()::int AS t', [{ p: 3, t: 3 }]]],
    after: [['SELECT parsed()::int AS p', [{ p: 3 }]]],
    twice: true,
  },
  {
    what: 'a table that references itself',
    ddl: `CREATE TABLE t (id integer PRIMARY KEY, v text, parent integer CONSTRAINT t_parent_fkey REFERENCES t ON DELETE SET NULL); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, parent bigint);
      INSERT INTO t VALUES (1, 'root', 3), (2, 'leaf', 1), (3, 'top', NULL); COMMENT ON CONSTRAINT t_parent_fkey ON t IS 'tree'`,
    between: [
      [
        "SELECT confrelid::regclass::text AS t, convalidated AS v FROM pg_constraint WHERE conname = 't_parent_fkey'",
        [{ t: 't', v: true }],
      ],
      "INSERT INTO t VALUES (5, 'new', 4), (4, 'up', 5)",
      'DELETE FROM t WHERE id = 1',
      ['SELECT parent FROM t WHERE id = 2', [{ parent: null }]],
    ],
    after: [
      ["SELECT confrelid::regclass::text AS t FROM pg_constraint WHERE conname = 't_parent_fkey'", [{ t: 't' }]],
      ['SELECT count(*)::int AS n FROM t', [{ n: 4 }]],
    ],
    twice: true,
  },
  {
    what: 'a foreign key of the table, which the shadow leaves out',
    ddl: `CREATE TABLE rep (id integer PRIMARY KEY); INSERT INTO rep VALUES (1), (2); CREATE TABLE t (id integer PRIMARY KEY, v text, rep integer REFERENCES rep ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, rep integer);
      INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)`,
    between: ['DELETE FROM rep WHERE id = 1', ['SELECT count(*)::int AS n FROM t', [{ n: 1 }]]],
    after: ['DELETE FROM rep WHERE id = 2', ['SELECT count(*)::int AS n FROM t', [{ n: 0 }]]],
    twice: true,
  },
  {
    what: 'a foreign key that the shadow has, too',
    ddl: `CREATE TABLE rep (id integer PRIMARY KEY); INSERT INTO rep VALUES (1), (2); CREATE TABLE t (id integer PRIMARY KEY, v text, rep integer REFERENCES rep); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text, rep integer CONSTRAINT t_v2_rep_fkey REFERENCES rep);
      INSERT INTO t VALUES (1, 'a', 1)`,
    between: [
      [
        "SELECT conname::text AS c FROM pg_constraint WHERE contype = 'f' AND conrelid IN ('t'::regclass, 't_old'::regclass)",
        [{ c: 't_rep_fkey' }],
      ],
    ],
  },
];
