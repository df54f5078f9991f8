/**
 * Schema `crossfade` is what `test/fixtures/schema.txt` says, however a database came to it. A released migration that is changed
 * shows there as a change of the schema or of its checksum. After a new migration: `npx vitest run --project postgres schema.test -u`.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { migrate } from '../../../lib/adapters/postgres/migrations/migrate.ts';
import { readMigrations } from '../../../lib/adapters/postgres/migrations/migration-files.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { CUTOVER_ID, RESERVED_IDS } from '../../../lib/core/cutover/cutover.ts';
import { objectKinds, objectNames } from '../../../lib/core/table/sql/names.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { testPlane } from '../../helpers/postgres-tables.ts';
import { dumpSchema } from '../../helpers/schema-dump.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FIXTURE = join(ROOT, 'test/fixtures/schema.txt');
const FILES = readMigrations(join(ROOT, 'migrations'));

const open: (() => Promise<unknown>)[] = [];
/** By the runner, as `crossfade migrate` does it. */
let fresh: OwnDatabase;
/** With the role of the functions, which nobody else ever sees. */
let granted: string;

beforeAll(async () => {
  fresh = (await empty()).db;
  await migrate(connectionTo(fresh), FILES);
  granted = await withRuntimeRole(dumpSchema);
});
afterAll(async () => {
  for (const close of open.reverse()) await close();
});

function connectionTo(db: OwnDatabase): PgConnection {
  const connection = postgresConnection({ url: db.url, clock: systemClock(), random });
  open.push(() => connection.close());
  return connection;
}

async function empty() {
  const db = await ownDatabase({ empty: true });
  open.push(() => db.drop());
  return { db, connection: connectionTo(db) };
}

/** Roles belong to the whole server, which other tests share: so all of it happens in one transaction that never ends well. */
async function withRuntimeRole<T>(look: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
  const { db, connection } = await empty();
  await migrate(connection, []);
  let seen: T | undefined;
  const done = new Error('seen');
  const rolledBack = db.sql.begin(async (tx) => {
    await tx.unsafe('CREATE ROLE crossfade_runtime');
    for (const { text } of FILES) await tx.unsafe(text).simple();
    seen = await look(tx);
    throw done;
  });
  await expect(rolledBack).rejects.toBe(done);
  return seen as T;
}

const withoutRole = (text: string) =>
  text
    .split('\n')
    .filter((line) => !line.endsWith('to crossfade_runtime'))
    .join('\n');

const checksums = async () =>
  (await fresh.sql.unsafe('SELECT name, checksum FROM crossfade.migration ORDER BY number'))
    .map(({ name, checksum }) => `migration ${name} ${checksum}\n`)
    .join('');

describe('schema crossfade', () => {
  it('is what the checked-in dump says', async () => {
    await expect(`${await checksums()}\n${granted}`).toMatchFileSnapshot(FIXTURE);
  });

  it('is the same without the role of the functions, but for its grants', async () => {
    expect(await dumpSchema(fresh.sql)).toBe(withoutRole(granted));
  });

  it('is the same where it was migrated step by step while tables were crossing over', async () => {
    const { db, connection } = await empty();
    const before: Record<string, unknown[]> = {};
    for (let n = 1; n <= FILES.length; n += 1) {
      expect((await migrate(connection, FILES.slice(0, n))).applied).toEqual([FILES[n - 1]!.name]);
      if (n === 1) await db.sql.unsafe(ROWS).simple();
      if (n === 1) for (const table of USED) before[table] = await rows(db, table);
    }
    expect(await dumpSchema(db.sql)).toBe(await dumpSchema(fresh.sql));
    for (const table of USED) {
      expect(before[table]).toHaveLength(1);
      expect(await rows(db, table)).toMatchObject(before[table] as object[]);
    }
  });

  it.each([
    [
      'a function with another body',
      "CREATE OR REPLACE FUNCTION crossfade.lock_key(id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1::bigint'",
    ],
    ['a wider search_path', 'ALTER FUNCTION crossfade.mirror SET search_path = public'],
    ['rights of the caller', 'ALTER FUNCTION crossfade.mirror SECURITY INVOKER'],
    [
      'another argument',
      'CREATE FUNCTION crossfade.lock_key(id text, salt text) RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$',
    ],
    ['a default', 'ALTER TABLE crossfade.backfill ALTER COLUMN rows_done SET DEFAULT 1'],
    ['a constraint', 'ALTER TABLE crossfade.verification DROP CONSTRAINT verification_tier_check'],
    ['an index', 'CREATE INDEX late ON crossfade.quarantine (last_seen)'],
    ['a comment', "COMMENT ON COLUMN crossfade.cutover.armed_version IS 'other'"],
    ['a grant', 'GRANT EXECUTE ON FUNCTION crossfade.mirror TO PUBLIC'],
    ['a view', 'CREATE VIEW crossfade.further AS SELECT 1 AS one'],
  ])('would show %s', async (_, statement) => {
    const changed = await fresh.sql
      .begin(async (tx) => {
        await tx.unsafe(statement);
        throw await dumpSchema(tx);
      })
      .catch((dump) => dump);
    expect(changed).toContain('table crossfade.cutover');
    expect(changed).not.toBe(await dumpSchema(fresh.sql));
  });
});

describe('functions of the schema', () => {
  it('have one current definition each, in migrations/current', async () => {
    const definitions = await fresh.sql<{ text: string }[]>`
      SELECT pg_get_functiondef(oid) AS text FROM pg_proc
      WHERE pronamespace = 'crossfade'::regnamespace AND prokind = 'f' ORDER BY proname COLLATE "C", oid::regprocedure::text COLLATE "C"`;
    const text = definitions.map((one) => `${one.text.trimEnd()};\n`).join('\n');
    await expect(`${HEAD}${text}`).toMatchFileSnapshot('../../../migrations/current/functions.sql');
  });
});

describe('names', () => {
  it('of the schema are none that objects of a cutover could have, but for the ids that are reserved', async () => {
    const { tables, functions } = objectKinds('x');
    const own = await fresh.sql<{ kind: string; name: string }[]>`
      SELECT 'function' AS kind, proname AS name FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace
      UNION SELECT 'table', relname FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace`;
    const taken = own.flatMap(({ kind, name }) =>
      (kind === 'table' ? tables : functions)
        .map((made) => /"(\w+_)x"$/.exec(made)![1]!)
        .filter((begin) => name.startsWith(begin))
        .map((begin) => name.slice(begin.length)),
    );
    expect(taken.sort()).toEqual([...RESERVED_IDS].sort());
  });
});

/** One cutover, armed and copied. */
async function withCutover(look: (db: OwnDatabase) => Promise<void>): Promise<void> {
  const db = await ownDatabase();
  const plane = testPlane(db);
  await db.sql.unsafe('CREATE TABLE x (id integer PRIMARY KEY); CREATE TABLE x_v2 (id bigint PRIMARY KEY)');
  await plane.start({ id: 'x', validation: 'strict', table: { primary: 'public.x', shadow: 'public.x_v2' } });
  await plane.copy('x', 1);
  await look(db);
  await plane.close();
  await db.drop();
}

/** Functions of the schema that everybody may call, and those whose path anybody could put an object into. */
const unsafe = (sql: postgres.Sql | postgres.TransactionSql) =>
  sql.unsafe(`
  SELECT proname AS name, has_function_privilege('public', oid, 'EXECUTE') AS everybody, path FROM pg_proc
  LEFT JOIN LATERAL (SELECT split_part(s, '=', 2) AS path FROM unnest(proconfig) s WHERE s LIKE 'search_path=%') p ON true
  WHERE pronamespace = 'crossfade'::regnamespace AND (has_function_privilege('public', oid, 'EXECUTE')
    OR prosecdef AND coalesce(path, '') !~ '^pg_catalog, (.*, )?pg_temp$' OR path ~ 'pg_temp.+')`);

describe('no function of the schema', () => {
  it('is for everybody to call, or finds temporary objects before others, with a cutover or without', async () => {
    expect([...(await unsafe(fresh.sql))]).toEqual([]);
    await withCutover(async ({ sql }) => {
      expect([...(await unsafe(sql))]).toEqual([]);
    });
  });

  it.each([
    ['GRANT EXECUTE ON FUNCTION crossfade.mirror TO PUBLIC', { name: 'mirror', everybody: true }],
    ['ALTER FUNCTION crossfade.mirror SET search_path = pg_catalog', { name: 'mirror', path: 'pg_catalog' }],
    ['ALTER FUNCTION crossfade.mirror RESET search_path', { name: 'mirror', path: null }],
    [
      'ALTER FUNCTION crossfade.mirror SET search_path = pg_temp, pg_catalog',
      { name: 'mirror', path: 'pg_temp, pg_catalog' },
    ],
    [
      'CREATE FUNCTION crossfade.later() RETURNS integer LANGUAGE sql SET search_path = pg_catalog, pg_temp RETURN 1',
      { name: 'later', everybody: true },
    ],
  ])('would hide behind the others: %s (negative control)', async (statement, found) => {
    const seen = await fresh.sql
      .begin(async (tx) => {
        await tx.unsafe(statement);
        throw [...(await unsafe(tx))];
      })
      .catch((rows) => rows);
    expect(seen).toMatchObject([found]);
  });
});

describe('names of one cutover', () => {
  it('are none that objects of another could have', async () => {
    await withCutover(async ({ sql }) => {
      const made = await sql<{ name: string }[]>`
        SELECT relname AS name FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace AND relname ~ '^[a-z0-9]+_x'
        UNION SELECT proname FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace AND proname ~ '^[a-z0-9]+_x'`;
      const names = made.map(({ name }) => name);
      expect(names).toContain('outbox_x~seq');
      const begins = Object.values(objectNames('x')).map((name) => /"(\w+_)x"$/.exec(name)![1]!);
      const others = names.filter((name) =>
        begins.some(
          (begin) => name.startsWith(begin) && name !== `${begin}x` && CUTOVER_ID.test(name.slice(begin.length)),
        ),
      );
      expect(others).toEqual([]);
    });
  });
});

/** Of the file that shows the functions as they are now. */
const HEAD = `-- Every function of the schema as the migrations leave it, to be read; nothing applies this file.
-- Made by test/integration/postgres/schema.test.ts: npx vitest run --project postgres schema.test -u

`;

const USED = ['cutover', 'quarantine', 'backfill', 'verification', 'verification_pass', 'foreign_write'];
const ROWS = `
  INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name) VALUES ('used', 1, 2, 'used', 'used_v2');
  INSERT INTO crossfade.quarantine (cutover, key, sqlstate, reason, attempts) VALUES ('used', '{"id": 1}', '23514', 'why', 5);
  INSERT INTO crossfade.backfill (cutover, copied_key) VALUES ('used', '{1}');
  INSERT INTO crossfade.verification (cutover, epoch, rows_compared, divergences, score, at_ms, samples) VALUES ('used', 1, 1, 0, 1, 1, '[]');
  INSERT INTO crossfade.verification_pass (cutover) VALUES ('used');
  INSERT INTO crossfade.foreign_write (cutover, key, operation, role, application) VALUES ('used', '*', 'TRUNCATE', 'me', '')`;
const rows = async (db: OwnDatabase, table: string) => [...(await db.sql.unsafe(`SELECT * FROM crossfade.${table}`))];
