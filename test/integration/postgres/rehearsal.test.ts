/**
 * What `crossfade rehearse` works on and finds there: the copy has what belongs to the database, an ended rehearsal leaves nothing,
 * and each of five things that spoil a cutover is named before anything is started.
 */

import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applicationFindings } from '../../../infra/local/rehearsal/application-findings.ts';
import { givenCopy, type Origin, ownCopy } from '../../../infra/local/rehearsal/copy.ts';
import { inspect } from '../../../infra/local/rehearsal/findings.ts';
import { splitName } from '../../../infra/local/rehearsal/load-table.ts';
import type { Finding } from '../../../infra/local/rehearsal/rehearsal.ts';
import { shapeHash } from '../../../lib/adapters/postgres/capture/shape.ts';
import { postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { checkHealth } from '../../../lib/flows/rows/inspect.ts';
import { tableCutover, tableOf } from '../../../lib/flows/rows/table-of.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { testPlane } from '../../helpers/postgres-tables.ts';

const ORDERS = defineCutovers([
  { id: 'orders', kind: 'table', primary: 'public.orders', shadow: 'public.orders_v2' },
]).map(tableOf)[0]!;
const TABLES = `CREATE TABLE orders (id integer PRIMARY KEY, note text);
  CREATE TABLE orders_v2 (id bigint PRIMARY KEY, note text);
  INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 50) n`;
const REHEARSALS = `SELECT datname FROM pg_database WHERE datname LIKE 'crossfade_rehearsal_%_of_%' AND datname LIKE '%' || $1`;

const role = `rehearsal_${randomUUID().slice(0, 8)}`;
let beside: OwnDatabase;
beforeAll(async () => {
  beside = await ownDatabase();
  await beside.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret' NOSUPERUSER`);
});
afterAll(async () => {
  await beside.sql.unsafe(`DROP OWNED BY ${role}`);
  await beside.sql.unsafe(`DROP ROLE ${role}`);
  await beside.drop();
});

const said: string[] = [];
const copyOf = (url: string, origin: Partial<Origin> = {}) =>
  ownCopy(url, { dump: null, sample: null, ...origin }, { say: (line) => void said.push(line), running: [] });
const rehearsals = (source: OwnDatabase) => beside.sql.unsafe(REHEARSALS, [`_of_${source.name}`]);

/** A database with these tables, in which nobody is connected any more. */
async function source(...statements: (string | ((db: string) => string))[]): Promise<OwnDatabase> {
  const db = await ownDatabase();
  for (const statement of [TABLES, ...statements])
    await db.sql.unsafe(typeof statement === 'string' ? statement : statement(db.name));
  await db.sql.end();
  return db;
}

const settingsOf = (name: string): Promise<postgres.Row[]> =>
  beside.sql.unsafe(
    `SELECT r.rolname, s.setconfig, d.datconnlimit, has_database_privilege($2, d.oid, 'CREATE') AS may_create,
       has_database_privilege('public', d.oid, 'TEMP') AS anybody
     FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid LEFT JOIN pg_roles r ON r.oid = s.setrole
     WHERE d.datname = $1 ORDER BY 1`,
    [name, role],
  ) as never;

describe('a template copy', () => {
  it('has the settings, the privileges and the limit of its database, the same shape, and goes', async () => {
    const db = await source();
    for (const statement of [
      `ALTER DATABASE ${db.name} SET work_mem = '9MB'`,
      `ALTER DATABASE ${db.name} SET search_path = "$user", "odd, name", public`,
      `ALTER ROLE ${role} IN DATABASE ${db.name} SET crossfade_test.quoted = 'it''s'`,
      `ALTER DATABASE ${db.name} CONNECTION LIMIT 40`,
      `REVOKE TEMP ON DATABASE ${db.name} FROM PUBLIC`,
      `GRANT CREATE ON DATABASE ${db.name} TO ${role}`,
    ])
      await beside.sql.unsafe(statement);
    const copy = await copyOf(db.url);
    expect(copy.differs).toEqual([]);
    const settings = await settingsOf(db.name);
    expect(settings).toHaveLength(2);
    expect(await settingsOf(copy.name)).toEqual(settings);
    expect(await shapeOf(copy.at(db.url))).toBe(await shapeOf(db.url));

    await copy.drop();
    expect(await rehearsals(db)).toEqual([]);
    await db.drop();
  });

  it('is refused with the name of who is connected, and leaves nothing', async () => {
    const db = await source();
    const session = db.connect();
    await session`SELECT 1`;
    await expect(copyOf(db.url)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/Connected are: postgres.*End these sessions.*--on/s),
    });
    expect(await rehearsals(db)).toEqual([]);
    await db.drop();
  });

  it('is refused to a role that may make none, with what to do', async () => {
    const db = await source();
    const url = new URL(db.url);
    [url.username, url.password] = [role, 'secret'];
    await expect(copyOf(url.href)).rejects.toMatchObject({ message: expect.stringMatching(/--admin-url.*CREATEDB/s) });
    await db.drop();
  });

  it('of a rehearsal that was killed is dropped by the next one; one that goes on is left alone', async () => {
    const db = await source();
    const going = await copyOf(db.url);
    // A killed process leaves the database, and no session that holds its lock.
    const left = going.name.replace(/_[0-9a-f]{8}_/, '_0badcafe_');
    await beside.sql.unsafe(`CREATE DATABASE ${left} TEMPLATE ${db.name}`);
    const next = await copyOf(db.url);
    const names = (await rehearsals(db)).map(({ datname }) => datname as string).sort();
    expect(names).toEqual([going.name, next.name].sort());
    expect(said).toContain(`Dropped what an ended rehearsal had left: ${left}`);
    await going.drop();
    await next.drop();
    await db.drop();
  });

  it('that is cut to a sample is whole: what refers to a row that goes, goes too, and each foreign key is as it was', async () => {
    const db = await source(
      `CREATE TABLE customers (id integer PRIMARY KEY, latest integer);
       ALTER TABLE orders ADD COLUMN before integer REFERENCES orders, ADD COLUMN customer integer REFERENCES customers DEFERRABLE INITIALLY DEFERRED;
       CREATE TABLE items (part integer, of integer REFERENCES orders ON DELETE CASCADE, PRIMARY KEY (part, of)) PARTITION BY HASH (part);
       CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 1, REMAINDER 0);
       CREATE TABLE complaints (about_part integer, about_of integer, FOREIGN KEY (about_part, about_of) REFERENCES items ON DELETE SET NULL);
       CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'orders are not deleted'; END $$;
       CREATE TRIGGER never BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION never();
       ALTER TABLE orders ENABLE ALWAYS TRIGGER never;
       INSERT INTO customers SELECT n, n * 5 FROM generate_series(1, 10) n;
       UPDATE orders SET before = CASE WHEN id > 1 THEN id / 2 END, customer = 1 + id % 10;
       ALTER TABLE customers ADD CONSTRAINT to_latest FOREIGN KEY (latest) REFERENCES orders ON DELETE RESTRICT NOT VALID;
       INSERT INTO items SELECT p, id FROM orders, generate_series(1, 2) p;
       INSERT INTO complaints SELECT part, of FROM items WHERE of % 3 = 0; INSERT INTO complaints VALUES (NULL, 1)`,
    );
    const sample = { table: splitName('public.orders'), rows: 5 };
    const copy = await copyOf(db.url, { sample });
    const [before, after] = await Promise.all([db.url, copy.at(db.url)].map((url) => constraintsOf(db, url)));
    expect(after!.constraints).toEqual(before!.constraints);
    expect(after!.triggers).toEqual(before!.triggers);
    expect(before!.rows).toMatchObject({ orders: 50, customers: 10 });
    const { orders, items, customers } = after!.rows;
    // What the five refer to is kept with them, and that refers to others.
    expect([orders >= 5, orders < 50, customers <= 10, items]).toEqual([true, true, true, 2 * orders]);
    expect(copy.how).toBe('a template copy, cut to a sample,');
    expect(copy.differs).toEqual([
      expect.stringContaining(`It is a sample: ${orders} of 50 rows of "public"."orders"`),
    ]);
    await copy.drop();
    const whole = await copyOf(db.url, { sample: { ...sample, rows: 50 } });
    expect(whole).toMatchObject({ how: 'a template copy', differs: [] });
    await whole.drop();
    await db.drop();
  });

  it('that is given is another database than the one that is rehearsed', async () => {
    const db = await source();
    const same = new URL(db.url);
    same.hostname = 'localhost';
    await expect(givenCopy(db.url, same.href)).rejects.toMatchObject({ code: 'invalid_input' });
    const other = await givenCopy(db.url, beside.url);
    expect(new URL(other.at(db.url)).pathname).toBe(`/${beside.name}`);
    await db.drop();
  });
});

/** Constraints as they are defined, triggers as they are enabled, and how many rows there are. */
async function constraintsOf(db: OwnDatabase, url: string) {
  const sql = db.connect(1, url);
  const constraints = await sql.unsafe(
    `SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace AND conparentid = 0 ORDER BY 1, 2`,
  );
  const triggers = await sql.unsafe('SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal');
  const [rows] = await sql.unsafe(
    `SELECT (SELECT count(*)::int FROM orders) AS orders, (SELECT count(*)::int FROM items) AS items,
      (SELECT count(*)::int FROM customers) AS customers`,
  );
  await sql.end();
  return {
    constraints: [...constraints],
    triggers: [...triggers],
    rows: rows as unknown as Record<'orders' | 'items' | 'customers', number>,
  };
}

async function shapeOf(url: string): Promise<string> {
  const owner = postgresConnection({ url, clock: systemClock(), random });
  try {
    return await shapeHash(owner, ORDERS);
  } finally {
    await owner.close();
  }
}

it('the shape is the same with other rows, and another with each change of the tables', async () => {
  const db = await source();
  const sql = db.connect();
  const seen = [await shapeOf(db.url)];
  await sql.unsafe('INSERT INTO orders VALUES (51)');
  expect(await shapeOf(db.url)).toBe(seen[0]);
  for (const change of [
    'ALTER TABLE orders ADD COLUMN more text',
    "ALTER TABLE orders_v2 ALTER COLUMN note SET DEFAULT 'x'",
    'CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'ALTER TABLE orders ENABLE ROW LEVEL SECURITY',
    'DROP TABLE orders_v2',
  ]) {
    await sql.unsafe(change);
    seen.push(await shapeOf(db.url));
  }
  expect(new Set(seen).size).toBe(seen.length);
  await db.drop();
});

/** What is found on a copy of this database, in the words of the report. */
async function found(db: OwnDatabase): Promise<{ failures: string; notices: string }> {
  const copy = await copyOf(db.url);
  const plane = testPlane({ ...db, url: copy.at(db.url) });
  const asApplication = new URL(copy.at(db.url));
  [asApplication.username, asApplication.password] = [role, 'secret'];
  const sql = db.connect(1, asApplication.href);
  try {
    const { inspecting, swapping } = plane.ports;
    const state = { readCutover: async () => null } as never;
    const seen = await inspect({
      health: () => checkHealth({ inspecting, state }, ORDERS),
      preview: (scanMs) => swapping.preview(tableCutover(ORDERS), { scanMs }),
    });
    const own = await applicationFindings(sql, {
      primary: splitName('public.orders'),
      shadow: splitName('public.orders_v2'),
    });
    const text = (all: readonly Finding[]) =>
      all.map(({ about, says, remedy }) => `${about}: ${says} → ${remedy}`).join('\n');
    return { failures: text([...seen.failures, ...own.failures]), notices: text([...seen.notices, ...own.notices]) };
  } finally {
    await plane.close();
    await sql.end({ timeout: 1 });
    await copy.drop();
  }
}

const GRANTS = `GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO ${role}; GRANT SELECT ON orders_v2 TO ${role}`;

describe('on a copy of a database', () => {
  it.each<readonly [string, readonly (string | ((db: string) => string))[], RegExp | null]>([
    ['that nothing is wrong with, nothing is found', [], null],
    [
      'with a row that does not fit, its key is named',
      [
        "ALTER TABLE orders_v2 ALTER note TYPE integer USING 0; UPDATE orders SET note = '1'",
        "UPDATE orders SET note = 'seven' WHERE id = 7",
      ],
      /^rows: 1 rows do not fit into the new table: .*"id": 7.*22P02.* → Correct these rows/m,
    ],
    [
      'with a hostile setting, the setting is named',
      [(db) => `ALTER ROLE ${role} IN DATABASE ${db} SET session_replication_role = 'replica'`],
      /^setting session_replication_role: rehearsal_\w+ has .* no trigger runs.* → .*RESET session_replication_role/m,
    ],
    [
      'with a missing grant, role and table are named',
      [`REVOKE SELECT ON orders_v2 FROM ${role}`],
      /^grant: rehearsal_\w+ may not SELECT from "public"."orders_v2" → GRANT SELECT ON "public"."orders_v2" TO/m,
    ],
    [
      'with a publication for all tables, it is named',
      ['CREATE PUBLICATION everything FOR ALL TABLES'],
      /^publications of all tables: everything .* → .*CREATE PUBLICATION … FOR TABLE/m,
    ],
    [
      'with row security, table and role are named',
      ['ALTER TABLE orders ENABLE ROW LEVEL SECURITY', 'CREATE POLICY mine ON orders USING (id < 10)'],
      /^row security: rehearsal_\w+ is bound .*"public"."orders", and not on "public"."orders_v2" → Give both/m,
    ],
  ])('%s', async (_, statements, finding) => {
    const db = await source(GRANTS, ...statements);
    const { failures } = await found(db);
    if (finding === null) expect(failures).toBe('');
    else expect(failures).toMatch(finding);
    await db.drop();
  });
});
