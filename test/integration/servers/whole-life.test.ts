/**
 * I1 I11 the whole life of a cutover on the embedded Postgres and on that of the distribution, directly and through PgBouncer
 * in transaction mode, streamed and inline. The owner is no superuser, the runtime role has the documented limits, and the
 * application has a role of its own. Every transaction makes the same change to a twin that nobody migrates.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { astride, live, type Straddling } from '../../helpers/life.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import type { ServerName } from '../../helpers/server-accounts.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

type Hostile = 'no' | 'limits' | 'compiled';
type Place = { server: ServerName; door: 'direct' | 'pooled'; mode: 'streamed' | 'inline'; hostile: Hostile };

const EACH = process.env.CROSSFADE_EACH === 'all';
/** By chance, so that runs in a row take both. */
const DOOR = ['direct', 'pooled'][Date.now() % 2];

/** Each server and mode through one of the doors, in half of their combinations; `CROSSFADE_EACH=all` takes every one. */
const QUIET: readonly Place[] = (['embedded', 'debian'] as const)
  .flatMap((server) =>
    (['direct', 'pooled'] as const).flatMap((door) =>
      (['streamed', 'inline'] as const).map((mode) => ({ server, door, mode, hostile: 'no' as const })),
    ),
  )
  .filter(
    ({ server, door, mode }) =>
      EACH || (door === DOOR && (server === 'debian') === ((door === 'pooled') === (mode === 'streamed'))),
  );
const PLACES: readonly Place[] = [
  ...QUIET,
  { server: 'embedded', door: 'direct', mode: 'streamed', hostile: 'limits' },
  { server: 'debian', door: 'pooled', mode: 'inline', hostile: 'limits' },
  { server: 'debian', door: 'direct', mode: 'streamed', hostile: 'compiled' },
];
/** What somebody has set for our two roles in this database. */
const SETTINGS: Readonly<Record<Hostile, Readonly<Record<string, string>>>> = {
  no: {},
  // A session of ours ends whenever nothing was asked of it for so long, as behind some firewalls.
  limits: {
    statement_timeout: '50ms',
    lock_timeout: '1ms',
    idle_in_transaction_session_timeout: '1ms',
    idle_session_timeout: '40ms',
    transaction_timeout: '50ms',
  },
  // Whatever is planned is compiled.
  compiled: { jit: 'on', jit_above_cost: '0', jit_inline_above_cost: '0', jit_optimize_above_cost: '0' },
};
/** Under the locks of a swap that compiles nothing, on a machine that has other things to do; one that compiles takes seconds. */
const HELD_MS = 1_000;
const KEYS = 200;
const SCHEMA = `
  CREATE TABLE account (id integer PRIMARY KEY, name varchar(40) NOT NULL, company text, fax text DEFAULT 'none', balance numeric(12, 2) NOT NULL DEFAULT 0);
  CREATE TABLE account_v2 (id bigint PRIMARY KEY, name varchar(40) NOT NULL, shout text GENERATED ALWAYS AS (upper(name)) STORED,
    organisation text, balance numeric(12, 2) NOT NULL DEFAULT 0, tier text NOT NULL DEFAULT 'standard');
  CREATE INDEX ON account (balance);
  CREATE TABLE account_twin (id integer PRIMARY KEY, name text NOT NULL, balance numeric(12, 2) NOT NULL DEFAULT 0);
  CREATE TABLE payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id integer REFERENCES account ON DELETE CASCADE);
  INSERT INTO account (id, name) SELECT i, 'seed' FROM generate_series(1, ${KEYS}) i;
  INSERT INTO account_twin SELECT id, name, balance FROM account;
  INSERT INTO payment (account_id) SELECT id FROM account WHERE id % 10 = 0;
  GRANT SELECT, INSERT, UPDATE, DELETE ON account, account_twin, payment TO application`;

const accountOf = (mode: Place['mode']): TableCutover => ({
  id: 'account',
  validation: 'strict',
  table: {
    primary: 'public.account',
    shadow: 'public.account_v2',
    columns: { organisation: { from: 'company' }, shout: { sql: 'upper(name)' }, tier: { added: true } },
    mode,
  },
});

/** Writers of one key take turns: deleting an absent row locks nothing, so two tables could see two orders. */
const turn = (key: number) => `SELECT pg_advisory_xact_lock(4711, ${key})`;
const keyOf = (i: number, index: number) => 1 + ((i * 7919 + index * 104_729) % KEYS);

function change(i: number, key: number, index: number, table: string): string {
  if (i % 7 === 6) return `DELETE FROM ${table} WHERE id = ${key}`;
  return `INSERT INTO ${table} (id, name, balance) VALUES (${key}, 'w${index}.${i}', ${i % 100})
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = ${table}.balance + 1`;
}

/** Simple protocol: the whole transaction in one message. */
const simple = (sql: postgres.Sql, index: number): Writer =>
  writer((i) => {
    const key = keyOf(i, index);
    const both = ['account', 'account_twin'].map((table) => change(i, key, index, table));
    return sql.unsafe(['BEGIN', turn(key), ...both, i % 11 === 5 ? 'ROLLBACK' : 'COMMIT'].join('; ')).simple();
  });

const extended = (sql: postgres.Sql, index: number, prepare: boolean): Writer =>
  writer((i) =>
    sql.begin(async (tx) => {
      const key = keyOf(i, index);
      await tx.unsafe(turn(key));
      for (const table of ['account', 'account_twin'])
        await tx.unsafe(
          `INSERT INTO ${table} (id, name, balance) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = ${table}.balance + 1`,
          [key, `w${index}.${i}`, i % 100],
          { prepare },
        );
      await tx.unsafe('SELECT name, balance FROM account WHERE id = $1', [key], { prepare });
    }),
  );

const both = (key: number) => ['account', 'account_twin'].map((table) => change(key, key, 9, table));
const OPEN: Straddling = {
  holder: [[turn(KEYS + 1), ...both(KEYS + 1)].join('; '), [turn(KEYS + 2), ...both(KEYS + 2)].join('; ')],
  late: [`${turn(KEYS + 3)}; ${change(1, KEYS + 3, 9, 'account_twin')}`, change(1, KEYS + 3, 9, 'account')],
};

/** A server that is older knows some of them not. */
async function set(db: ServedDatabase, settings: Readonly<Record<string, string>>): Promise<void> {
  const known = await db.sql.unsafe('SELECT name FROM pg_settings');
  for (const [name, value] of Object.entries(settings)) {
    if (!known.some((row) => row.name === name)) continue;
    for (const role of ['app_owner', 'crossfade_runtime'])
      await db.sql.unsafe(`ALTER ROLE ${role} IN DATABASE ${db.name} SET ${name} = '${value}'`);
  }
}

describe.skipIf(inject('servers') === null).each(PLACES)(
  'I1 $mode on $server, $door, hostile settings: $hostile',
  ({ server, door, mode, hostile }) => {
    const cutover = accountOf(mode);
    const planes: TestPlane[] = [];
    let db: ServedDatabase;
    beforeAll(async () => {
      db = await servedDatabase(server, door);
      await db.owner.unsafe(SCHEMA);
      await set(db, SETTINGS[hostile]);
      planes.push(testPlane(db), testPlane(db));
    });
    afterAll(async () => {
      for (const plane of planes) await plane.close();
      await db.drop();
    });

    it('loses nothing from start to cleanup, and no statement of the application fails', async () => {
      const client = () => db.connect(1, db.application);
      const writers = [simple(client(), 1), extended(client(), 2, false), extended(client(), 3, door === 'direct')];
      const straddling = [client(), client()] as const;
      const rows = (table: string) => `SELECT id::bigint, name::text, balance FROM ${table}`;
      const looked: string[] = [];
      const { heldMs } = await live({
        plane: planes[0]!,
        follower: planes[1]!,
        cutovers: [cutover],
        writers,
        across: (_, act) => astride(db, straddling, OPEN, act),
        async atRest(step, pair) {
          looked.push(step);
          expect(await differences(db, rows('account'), rows('account_twin')), step).toEqual([]);
          const old = (await db.sql.unsafe("SELECT to_regclass('account_old') AS name"))[0]!.name;
          const other = old ?? 'account_v2';
          if (pair) expect(await differences(db, rows(other), rows('account_twin')), `${step}, ${other}`).toEqual([]);
        },
      });
      expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
      expect(looked).toHaveLength(9);
      expect(heldMs).toHaveLength(3);
      expect(Math.max(...heldMs)).toBeLessThan(HELD_MS);
      const [left] = await db.sql.unsafe(`SELECT string_agg(relname, ' ' ORDER BY relname) AS tables FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')`);
      expect(left!.tables).toBe('account account_twin payment');
    });
  },
);

describe.skipIf(inject('servers') === null)('a server of the distribution', () => {
  it('compiles, so that these tests would notice', async () => {
    const db = await servedDatabase('debian', 'direct');
    try {
      await set(db, SETTINGS.compiled);
      const rows = await db.connect(1, db.roles.owner).unsafe('EXPLAIN (ANALYZE) SELECT count(*) FROM pg_class');
      expect(JSON.stringify(rows)).toMatch(/JIT:.*Functions: \d/);
    } finally {
      await db.drop();
    }
  });
});
