/**
 * Acts of others while tables cross over: each is seen in the status, holds the swap, and what capture may have missed is found by
 * a copy and a comparison of every row. Harmless acts are no difference.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const ORDER: TableCutover = {
  id: 'orders',
  validation: 'strict',
  table: { primary: 'public.orders', shadow: 'public.orders_v2' },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 };
const REVERT = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 30 };
const NEWEST = { epoch: 1_000_000, version: 1_000_000 };
const CAPTURE = 'trigger crossfade_capture';

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await sql(`CREATE TABLE orders (id integer PRIMARY KEY, total integer NOT NULL DEFAULT 0, note text CHECK (note <> 'never'), at timestamptz DEFAULT '2020-01-01 00:00:00+00');
    CREATE TABLE orders_v2 (id bigint PRIMARY KEY, total integer NOT NULL DEFAULT 0, note text, at timestamptz);
    CREATE UNIQUE INDEX orders_note ON orders (note);
    INSERT INTO orders SELECT i, i, 'n' || i FROM generate_series(1, 50) i`);
  await plane.start(ORDER);
  await plane.copy('orders', 1);
  await plane.settle('orders', 1);
});
afterEach(async () => {
  await plane.forget('orders');
  await plane.close();
  await db.drop();
});

const shape = async () => (await plane.status('orders'))!.shape!;
const objects = async () => (await shape()).differences.map(({ object }) => object);
const watch = async () => expect(await plane.watch('orders', NEWEST)).toEqual({ kind: 'watched' });
const why = async (to: 'promote' | 'revert', step = to === 'promote' ? PROMOTE : REVERT) => {
  const swap = await plane[to](ORDER, step);
  return 'why' in swap ? swap.why : swap.kind;
};
/** What the loops do after an interruption: the tick looks, the copy and the verification run. */
async function healed(epoch: number): Promise<void> {
  await watch();
  await plane.copy('orders', epoch);
  await plane.settle('orders', epoch);
  expect(await plane.verify('orders', epoch, 5)).toMatchObject({
    kind: 'verified',
    result: { divergences: 0, score: 1 },
  });
  await watch();
  expect(await shape()).toEqual({ differences: [], sinceMs: null, gap: null, due: false });
}
async function promoted(): Promise<void> {
  expect(await plane.promote(ORDER, PROMOTE)).toMatchObject({ kind: 'swapped' });
}
const equal = async (source: string, target: string) =>
  expect(
    await differences(
      db,
      `SELECT id::bigint, total, note, at FROM ${source}`,
      `SELECT id::bigint, total, note, at FROM ${target}`,
    ),
  ).toEqual([]);

/** What is done, then the statements. */
const HARMLESS = [
  ['CLUSTER', 'CLUSTER orders USING orders_pkey'],
  ['VACUUM FULL', 'VACUUM FULL orders'],
  ['REINDEX CONCURRENTLY', 'REINDEX TABLE CONCURRENTLY orders'],
  ['ANALYZE', 'ANALYZE orders'],
  ['GRANT', 'GRANT SELECT ON orders TO PUBLIC'],
  ['a grant on a column', 'GRANT SELECT (note) ON orders TO PUBLIC'],
  [
    'COMMENT',
    "COMMENT ON TABLE orders IS 'x'; COMMENT ON COLUMN orders.note IS 'y'; COMMENT ON TRIGGER crossfade_capture ON orders IS 'z'",
  ],
  ['an index that is not unique', 'CREATE INDEX orders_total ON orders (total)'],
  ['statistics of a column', 'ALTER TABLE orders ALTER note SET STATISTICS 500'],
  ['storage options', 'ALTER TABLE orders SET (fillfactor = 70)'],
  ['validation', 'ALTER TABLE orders VALIDATE CONSTRAINT orders_note_check'],
  [
    'settings of the session',
    "SET search_path = pg_temp; SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET quote_all_identifiers = on",
  ],
] as const;

/** What is done, the statements of one transaction, and the objects that differ. */
const ACTS: [string, string, string[]][] = [
  ['ADD COLUMN', 'ALTER TABLE orders ADD COLUMN discount numeric', ['column 5 of public.orders']],
  ['DROP COLUMN', 'ALTER TABLE orders DROP COLUMN at', ['column 4 of public.orders']],
  ['RENAME COLUMN', 'ALTER TABLE orders RENAME COLUMN total TO amount', ['column 2 of public.orders']],
  ['another type', 'ALTER TABLE orders_v2 ALTER total TYPE bigint', ['column 2 of public.orders_v2']],
  [
    'another length',
    'ALTER TABLE orders ALTER note TYPE varchar(40)',
    ['column 3 of public.orders', 'constraint orders_note_check of public.orders'],
  ],
  ['NOT NULL', 'ALTER TABLE orders_v2 ALTER note SET NOT NULL', ['column 3 of public.orders_v2']],
  ['a default', 'ALTER TABLE orders ALTER total SET DEFAULT 7', ['column 2 of public.orders']],
  ['identity', 'ALTER TABLE orders ALTER id ADD GENERATED BY DEFAULT AS IDENTITY', ['column 1 of public.orders']],
  [
    'a constraint',
    'ALTER TABLE orders_v2 ADD CONSTRAINT positive CHECK (total > -1)',
    ['constraint positive of public.orders_v2'],
  ],
  [
    'one that is not valid',
    'ALTER TABLE orders_v2 ADD CONSTRAINT positive CHECK (total > -1) NOT VALID',
    ['constraint positive of public.orders_v2'],
  ],
  [
    'no constraint',
    'ALTER TABLE orders DROP CONSTRAINT orders_note_check',
    ['constraint orders_note_check of public.orders'],
  ],
  [
    'a foreign key',
    'CREATE TABLE other (id integer PRIMARY KEY); ALTER TABLE orders ADD CONSTRAINT of FOREIGN KEY (total) REFERENCES other NOT VALID',
    ['constraint of of public.orders'],
  ],
  ['a unique index', 'CREATE UNIQUE INDEX fresh ON orders_v2 (note)', ['unique index fresh of public.orders_v2']],
  ['no unique index', 'DROP INDEX orders_note', ['unique index orders_note of public.orders']],
  [
    'a trigger',
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL;END'; CREATE TRIGGER mine BEFORE INSERT ON orders_v2 FOR EACH ROW EXECUTE FUNCTION nothing()",
    ['trigger mine of public.orders_v2'],
  ],
  ['a rule', 'CREATE RULE away AS ON INSERT TO orders_v2 DO INSTEAD NOTHING', ['rule away of public.orders_v2']],
  [
    'FORCE ROW LEVEL SECURITY',
    'ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY',
    ['row security of public.orders'],
  ],
  ['UNLOGGED', 'ALTER TABLE orders_v2 SET UNLOGGED', ['kind of public.orders_v2']],
  ['inheritance', 'CREATE TABLE child () INHERITS (orders)', ['inheritance with public.child of public.orders']],
  ['a publication', 'CREATE PUBLICATION a_few FOR TABLE orders', ['publication a_few of public.orders']],
  [
    'one of everything',
    'CREATE PUBLICATION everything FOR ALL TABLES',
    ['publication everything of public.orders', 'publication everything of public.orders_v2'],
  ],
  ['another schema', 'CREATE SCHEMA away; ALTER TABLE orders_v2 SET SCHEMA away', ['table public.orders_v2']],
];

/** What would be seen after a transaction, which is rolled back. */
async function rolledBack(text: string): Promise<{ objects: string[]; why: string }> {
  const seen: { objects: string[]; why: string }[] = [];
  await expect(
    db.sql.begin(async (tx) => {
      await tx.unsafe(text);
      const [row] = await tx.unsafe(
        "SELECT jsonb_path_query_array(crossfade.shape_differences('orders'), '$[*].object') AS objects, crossfade.shape_obstacle('orders') AS why",
      );
      seen.push(row as unknown as { objects: string[]; why: string });
      throw new Error('seen');
    }),
  ).rejects.toThrow('seen');
  return seen[0]!;
}

describe('the shape of both tables is compared with the one that was armed', () => {
  it('is equal when nothing was done, and after a promotion', async () => {
    expect(await shape()).toEqual({ differences: [], sinceMs: null, gap: null, due: false });
    await promoted();
    expect(await shape()).toEqual({ differences: [], sinceMs: null, gap: null, due: false });
  });

  it('is the same after acts that change no definition, and the tables are swapped', async () => {
    const own = db.connect();
    for (const [act, ...statements] of HARMLESS) {
      for (const statement of statements.flatMap((text) => text.split('; '))) await own.unsafe(statement);
      const [seen] = await own.unsafe("SELECT crossfade.shape_status('orders') AS s");
      expect([act, seen!.s]).toMatchObject([act, { shape: { differences: [], gap: null } }]);
      if (seen!.s.shape.due) await watch();
      expect(await shape()).toEqual({ differences: [], sinceMs: null, gap: null, due: false });
    }
    await promoted();
  });

  it('differs after acts that change one, and nothing would be swapped', async () => {
    for (const [act, text, expected] of ACTS) {
      const seen = await rolledBack(text);
      expect([act, seen.objects]).toEqual([act, expected]);
      expect(seen.why).toContain(`the tables are not as they were armed: ${expected[0]}`);
    }
    expect(await objects()).toEqual([]);
  });

  it('says what was there and what is, and since when, and that it is over only after every row was compared', async () => {
    await sql(
      'ALTER TABLE orders ADD COLUMN paid_at timestamptz DEFAULT now(); ALTER TABLE orders_v2 ADD COLUMN paid_at timestamptz',
    );
    expect(await shape()).toMatchObject({
      differences: [
        { object: 'column 5 of public.orders', was: null, is: 'paid_at timestamp with time zone DEFAULT now()' },
        { object: 'column 5 of public.orders_v2', was: null, is: 'paid_at timestamp with time zone' },
      ],
      sinceMs: null,
      due: true,
    });
    await watch();
    expect(await shape()).toMatchObject({ sinceMs: expect.any(Number), gap: null, due: false });
    await sql('ALTER TABLE orders DROP COLUMN paid_at; ALTER TABLE orders_v2 DROP COLUMN paid_at');
    expect(await shape()).toMatchObject({ differences: [], due: true });
    await watch();
    expect(await why('promote')).toContain(
      'a sweep of both tables is not done: column 5 of public.orders was another one for a while',
    );
    await healed(1);
    await promoted();
  });

  it('is judged by the swap itself, under its lock', async () => {
    const [row] = await sql("SELECT pg_get_functiondef('crossfade.shape_obstacle'::regproc) AS text");
    // Who only asks beforehand sees nothing: the difference comes after the question.
    await sql('ALTER FUNCTION crossfade.shape_obstacle RENAME TO shape_obstacle_true');
    await sql(`CREATE FUNCTION crossfade.shape_obstacle(p_id text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
      ALTER TABLE orders_v2 ADD COLUMN late integer;
      CREATE OR REPLACE FUNCTION crossfade.refuse_changed_shape(p_id text) RETURNS void LANGUAGE plpgsql AS $$ DECLARE v text := crossfade.shape_obstacle_true(p_id);
      BEGIN IF v IS NOT NULL THEN RAISE EXCEPTION '%', v USING ERRCODE = 'CF003'; END IF; END $$`);
    try {
      expect(await why('promote')).toContain('column 5 of public.orders_v2 was not there');
      // Negative control: without that statement the swap goes through.
      await sql(
        "CREATE OR REPLACE FUNCTION crossfade.refuse_changed_shape(p_id text) RETURNS void LANGUAGE sql AS 'SELECT NULL::void'",
      );
      expect(await why('promote')).toBe('swapped');
    } finally {
      await sql(
        'DROP FUNCTION crossfade.shape_obstacle; ALTER FUNCTION crossfade.shape_obstacle_true RENAME TO shape_obstacle',
      );
      await sql(`${row!.text}; CREATE OR REPLACE FUNCTION crossfade.refuse_changed_shape(p_id text) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
        DECLARE v text := crossfade.shape_obstacle(p_id); BEGIN IF v IS NOT NULL THEN RAISE EXCEPTION '%', v USING ERRCODE = 'CF003'; END IF; END $$`);
    }
  });
});

describe('capture that was interrupted is made again, and nothing of it is lost', () => {
  const load = `INSERT INTO orders SELECT i, i, 'loaded' || i FROM generate_series(1001, 4000) i; UPDATE orders SET total = -id WHERE id <= 10; DELETE FROM orders WHERE id BETWEEN 11 AND 20`;
  it.each([
    [
      'triggers off during a load, as pg_restore --disable-triggers does',
      `ALTER TABLE orders DISABLE TRIGGER ALL; ${load}; ALTER TABLE orders ENABLE TRIGGER ALL`,
      `${CAPTURE} was switched off, or is not always on, trigger crossfade_truncated was switched off`,
    ],
    [
      'triggers off and put back by hand',
      `ALTER TABLE orders DISABLE TRIGGER ALL; ${load}; ALTER TABLE orders ENABLE ALWAYS TRIGGER crossfade_capture; ALTER TABLE orders ENABLE ALWAYS TRIGGER crossfade_truncated`,
      `${CAPTURE} was altered, or made again`,
    ],
    ['triggers that stay off', `ALTER TABLE orders DISABLE TRIGGER USER; ${load}`, `${CAPTURE} is switched off`],
    ['a dropped trigger', `DROP TRIGGER crossfade_capture ON orders; ${load}`, `${CAPTURE} was dropped`],
    [
      'a dropped trigger of TRUNCATE',
      `DROP TRIGGER crossfade_truncated ON orders; TRUNCATE orders; INSERT INTO orders VALUES (1)`,
      'trigger crossfade_truncated was dropped',
    ],
    [
      'functions dropped with their triggers',
      `DROP FUNCTION crossfade.capture_orders CASCADE; ${load}`,
      'function crossfade.capture_orders was dropped',
    ],
    [
      'another function',
      `CREATE OR REPLACE FUNCTION crossfade.capture_orders() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; ${load}`,
      'function crossfade.capture_orders was replaced',
    ],
    [
      'a rewritten column',
      'ALTER TABLE orders ALTER note TYPE text USING upper(note)',
      'column note of public.orders was rewritten',
    ],
    [
      'a rewritten column of the shadow',
      'ALTER TABLE orders_v2 ALTER note TYPE text USING upper(note)',
      'column note of public.orders_v2 was rewritten',
    ],
    [
      'no guard',
      'DROP TRIGGER crossfade_guard ON orders_v2; UPDATE orders_v2 SET note = NULL WHERE id < 9',
      'trigger crossfade_guard was dropped',
    ],
  ])('%s', async (_, text, gap) => {
    await sql(text.includes('DISABLE') ? `BEGIN; ${text}; COMMIT` : text);
    expect(await shape()).toMatchObject({ differences: [], gap: expect.stringContaining(gap), due: true });
    expect(await why('promote')).toContain('changes may have been missed');
    await watch();
    const [triggers] = await sql(
      "SELECT bool_and(tgenabled = 'A') AS always, count(*)::int AS count FROM pg_trigger WHERE tgname IN ('crossfade_capture', 'crossfade_truncated')",
    );
    expect(triggers).toEqual({ always: true, count: 2 });
    await sql("INSERT INTO orders VALUES (9000, 1, 'after')");
    expect((await plane.status('orders'))!.outboxRows).toBeGreaterThan(0);
    // Not as long as a pass is missing, whatever the copy has done.
    await plane.copy('orders', 1);
    await plane.settle('orders', 1);
    expect(await why('promote')).toContain('not every row was compared since');
    await healed(1);
    await equal('orders', 'orders_v2');
    await promoted();
  });

  it('after a promotion, too: the way back is closed until the old table has every row', async () => {
    await promoted();
    await plane.settle('orders', 2);
    expect(await plane.rollbackReady('orders')).toEqual({ ready: true });
    await sql(
      `BEGIN; ALTER TABLE orders DISABLE TRIGGER USER; ${load}; ALTER TABLE orders ENABLE TRIGGER USER; COMMIT`,
    );
    expect(await plane.rollbackReady('orders')).toMatchObject({
      ready: false,
      why: expect.stringContaining('Changes may have been missed: trigger crossfade_capture'),
    });
    expect(await why('revert')).toContain('changes may have been missed');
    await watch();
    expect(await plane.rollbackReady('orders')).toMatchObject({ ready: false });
    await healed(2);
    expect(await plane.rollbackReady('orders')).toEqual({ ready: true });
    await equal('orders', 'orders_old');
    expect(await plane.revert(ORDER, REVERT)).toMatchObject({ kind: 'swapped' });
    expect((await sql('SELECT count(*)::int AS rows FROM orders'))[0]).toEqual({ rows: 3_040 });
  });

  it('a pass that was under way then does not count', async () => {
    await plane.verify('orders', 1, 1);
    await sql("UPDATE crossfade.verification_pass SET state = 'running', number = number + 1");
    await sql(
      'BEGIN; ALTER TABLE orders DISABLE TRIGGER ALL; UPDATE orders SET total = 0; ALTER TABLE orders ENABLE TRIGGER ALL; COMMIT',
    );
    await watch();
    expect((await plane.status('orders'))!.verification).toBeNull();
    const [pass] = await sql("SELECT state FROM crossfade.verification_pass WHERE cutover = 'orders'");
    expect(pass).toEqual({ state: 'done' });
    await healed(1);
  });

  it('a table that was truncated, or whose file was made again, is no interruption', async () => {
    await sql('TRUNCATE orders');
    await sql('VACUUM FULL orders_v2');
    expect(await shape()).toMatchObject({ gap: null, due: true });
    await watch();
    await sql('GRANT SELECT (note) ON orders TO PUBLIC; GRANT SELECT (note) ON orders_v2 TO PUBLIC');
    expect(await shape()).toMatchObject({ gap: null });
  });

  it('session_replication_role does not interrupt it', async () => {
    await sql(
      'SET session_replication_role = replica; UPDATE orders SET total = 99; SET session_replication_role = origin',
    );
    expect(await shape()).toMatchObject({ gap: null, due: false });
    await plane.settle('orders', 1);
    await equal('orders', 'orders_v2');
  });
});

describe('altered tables are taken over without a gap', () => {
  const taken = () => plane.adopt(ORDER, NEWEST);
  const paid = 'SELECT id::bigint, note, paid_at FROM';
  const addPaid = (table: string) => `ALTER TABLE ${table} ADD COLUMN paid_at timestamptz`;

  it('a column that both tables get while it is written: held, taken over, promoted with its values, and back with them', async () => {
    await sql(
      `${addPaid('orders')}; ${addPaid('orders_v2')}; UPDATE orders SET paid_at = '2021-01-01 00:00:00+00' WHERE id <= 30`,
    );
    await watch();
    expect(await why('promote')).toContain('column 5 of public.orders');
    await sql("UPDATE orders SET note = 'waits' WHERE id = 31");
    const before = (await plane.status('orders'))!.outboxRows;
    expect(before).toBeGreaterThan(0);
    expect(await taken()).toEqual({ kind: 'adopted' });
    expect(await plane.status('orders')).toMatchObject({
      outboxRows: before,
      shape: { differences: [], gap: expect.any(String) },
    });
    expect(await why('promote')).toContain('is not done');
    await sql("UPDATE orders SET paid_at = '2022-02-02 00:00:00+00' WHERE id = 40");
    await healed(1);
    expect(await differences(db, `${paid} orders`, `${paid} orders_v2`)).toEqual([]);
    await promoted();
    expect((await sql('SELECT count(paid_at)::int AS paid FROM orders'))[0]).toEqual({ paid: 31 });

    // And once more after the promotion, in the other direction.
    await sql(
      "ALTER TABLE orders ADD COLUMN extra text; ALTER TABLE orders_old ADD COLUMN extra text; UPDATE orders SET extra = 'x' || id",
    );
    expect(await plane.rollbackReady('orders')).toMatchObject({ ready: false });
    expect(await taken()).toEqual({ kind: 'adopted' });
    expect(await plane.rollbackReady('orders')).toMatchObject({ ready: false });
    await healed(2);
    expect(await plane.revert(ORDER, REVERT)).toMatchObject({ kind: 'swapped' });
    expect((await sql('SELECT count(paid_at)::int AS paid, count(extra)::int AS extra FROM orders'))[0]).toEqual({
      paid: 31,
      extra: 50,
    });
  });

  it('a constraint, an index, a wider type', async () => {
    await sql(
      'ALTER TABLE orders_v2 ADD CONSTRAINT positive CHECK (total > -100), ALTER total TYPE bigint; CREATE UNIQUE INDEX v2_note ON orders_v2 (note)',
    );
    expect(await taken()).toEqual({ kind: 'adopted' });
    await healed(1);
    await promoted();
  });

  it.each([
    ['a column that would be lost', addPaid('orders'), /column 'paid_at' is only in the table in use/],
    [
      'a column that is renamed on one side',
      'ALTER TABLE orders_v2 RENAME COLUMN total TO amount; ALTER TABLE orders_v2 ALTER amount DROP DEFAULT',
      /amount/,
    ],
    ['a key of another type', 'ALTER TABLE orders ALTER id TYPE bigint', /the key is of type bigint now/],
    ['a table of another name', 'ALTER TABLE orders RENAME TO orders_gone', /is called public.orders_gone now/],
    ['a dropped table', 'DROP TABLE orders_v2', /does not exist/],
  ])('refuses %s, and changes nothing', async (_, text, reason) => {
    await sql(text);
    const armed = async () =>
      (await sql("SELECT crossfade.capture_now('orders') AS c, s.armed FROM crossfade.shape s"))[0];
    const before = await armed();
    expect(await taken()).toEqual({ kind: 'refused', why: expect.stringMatching(reason) });
    expect(await armed()).toEqual(before);
  });
});

describe('other tables, or another database, under the same names', () => {
  it('a table that another tool renamed away is held, and nothing is applied any more', async () => {
    await sql(`CREATE TABLE orders_new (LIKE orders INCLUDING ALL); INSERT INTO orders_new SELECT * FROM orders WHERE id < 5;
      ALTER TABLE orders RENAME TO orders_gone; ALTER TABLE orders_new RENAME TO orders`);
    expect(await shape()).toMatchObject({
      differences: [{ object: 'table public.orders', was: 'public.orders', is: 'public.orders_gone' }],
    });
    await watch();
    await sql("UPDATE orders_gone SET note = 'x' WHERE id = 1");
    expect(await plane.converge('orders', 1, 100)).toMatchObject({ kind: 'stale' });
    expect(await plane.verify('orders', 1, 1)).toMatchObject({ kind: 'stale' });
    expect(await why('promote')).toContain('table public.orders was public.orders, is public.orders_gone');
    expect((await sql('SELECT count(*)::int AS rows FROM orders_v2'))[0]).toEqual({ rows: 50 });
  });

  it('a dropped table is one difference, not one for each of its columns', async () => {
    await promoted();
    await sql('DROP TABLE orders_old');
    expect(await shape()).toMatchObject({
      differences: [{ object: 'table public.orders_old', was: 'public.orders_old', is: null }],
    });
    await watch();
    expect(await plane.rollbackReady('orders')).toMatchObject({
      ready: false,
      why: expect.stringContaining('table public.orders_old is gone'),
    });
    await sql("INSERT INTO orders VALUES (77777, 1, 'goes on')");
    expect(await plane.converge('orders', 2, 100)).toMatchObject({ kind: 'stale' });
    expect(await shape()).toMatchObject({ due: false });
  });

  it('forced row security does not take rows from the shadow', async () => {
    await sql('ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY');
    await watch();
    await sql("UPDATE orders SET note = 'seen' WHERE id = 1");
    expect(await plane.converge('orders', 1, 100)).toMatchObject({ kind: 'stale' });
    await sql('ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; ALTER TABLE orders DISABLE ROW LEVEL SECURITY');
    await healed(1);
    await equal('orders', 'orders_v2');
  });

  it('a copy of the database is not the one that was armed: writes go on there, and nothing is applied', async () => {
    const copy = `${db.name}_copy`;
    const url = new URL(db.url);
    await plane.close();
    await db.connect().unsafe('SELECT 1');
    const server = new URL(db.url);
    server.pathname = '/postgres';
    await sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${db.name}' AND pid <> pg_backend_pid()`,
    );
    url.pathname = `/${copy}`;
    const other = await copied(server.href, copy);
    const there = testPlane({ ...db, name: copy, url: url.href, sql: other.sql });
    try {
      await other.sql.unsafe("UPDATE orders SET note = 'in the copy' WHERE id = 1");
      expect((await there.status('orders'))!.shape!.differences).toMatchObject([
        { object: 'database', was: expect.stringContaining(db.name) },
      ]);
      expect(await there.watch('orders', NEWEST)).toEqual({ kind: 'watched' });
      expect((await there.status('orders'))!.shape).toMatchObject({ due: false, sinceMs: expect.any(Number) });
      expect(await there.converge('orders', 1, 100)).toMatchObject({ kind: 'stale' });
      expect(await there.promote(ORDER, PROMOTE)).toMatchObject({
        kind: 'postponed',
        why: expect.stringContaining('database was'),
      });
    } finally {
      await there.close();
      await other.drop();
    }
    plane = testPlane(db);
  });
});

/** A copy of this test's database, as `CREATE DATABASE … TEMPLATE` makes it. */
async function copied(server: string, name: string) {
  const { default: postgres } = await import('postgres');
  await db.sql.end({ timeout: 1 });
  const admin = postgres(server, { max: 1, fetch_types: false, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${db.name}`);
  Object.assign(db, { sql: db.connect() });
  const url = new URL(server);
  url.pathname = `/${name}`;
  const own = postgres(url.href, { max: 1, fetch_types: false, onnotice: () => {} });
  return {
    sql: own,
    drop: async () => {
      await own.end({ timeout: 1 });
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end({ timeout: 1 });
    },
  };
}
