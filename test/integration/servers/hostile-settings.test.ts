/**
 * The session contract (lib/core/table/sql/session.ts): every setting that a statement of ours depends on has the worst value that a
 * database or a role may give it, and the whole life of a cutover goes on as if it had not. All of them at once at either
 * place, and some by themselves, chosen by a seed. `CROSSFADE_EACH=all` takes each by itself at both places.
 * Replay: CROSSFADE_SEED=<seed> npx vitest run --project servers hostile-settings
 */

import fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import type { MEANING, StatedSetting } from '../../../lib/core/table/sql/session.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { astride, live, type Straddling } from '../../helpers/life.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, testPlane } from '../../helpers/postgres-tables.ts';
import { writer } from '../../helpers/writer.ts';

type Name =
  | StatedSetting
  | 'search_path'
  | (typeof MEANING)[number]
  | 'default_transaction_isolation'
  | 'default_transaction_read_only'
  | 'default_transaction_deferrable'
  | 'jit_above_cost';

/** A setting that the contract gains does not compile before its worst value is named here. */
const HOSTILE: Record<Name, string> = {
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  statement_timeout: '100ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  transaction_timeout: '100ms',
  search_path: 'evil, pg_catalog',
  row_security: 'on',
  check_function_bodies: 'on',
  jit: 'on',
  jit_above_cost: '0',
  synchronous_commit: 'off',
  standard_conforming_strings: 'off',
  escape_string_warning: 'on',
  array_nulls: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  extra_float_digits: '-15',
  gin_fuzzy_search_limit: '1',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_bitmapscan: 'off',
  enable_tidscan: 'off',
  enable_nestloop: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_hashagg: 'off',
  enable_sort: 'off',
  enable_material: 'off',
  from_collapse_limit: '1',
  join_collapse_limit: '1',
  geqo: 'off',
  max_parallel_workers_per_gather: '8',
  default_tablespace: 'missing',
  default_table_access_method: 'missing',
  exit_on_error: 'on',
  'plpgsql.extra_errors': 'all',
  'plpgsql.extra_warnings': 'all',
  timezone: 'Asia/Kathmandu',
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  bytea_output: 'escape',
  xmloption: 'document',
  lc_monetary: 'C',
  lc_numeric: 'C',
  lc_time: 'C',
  default_text_search_config: 'simple',
};
const NAMES = Object.keys(HOSTILE) as Name[];
/** What the application states for itself, since these would end its own transactions. */
const APPLICATIONS: Partial<Record<Name, string>> = {
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
  search_path: 'public',
};
const PLACES = ['database', 'role'] as const;
type Place = (typeof PLACES)[number];

const SEED = Number(process.env.CROSSFADE_SEED ?? Date.now() % 1_000_000);
const SINGLES = 2;
const pairs = PLACES.flatMap((place) => NAMES.map((name) => ({ place, name })));
const chosen =
  process.env.CROSSFADE_EACH === 'all' ? pairs : fc.sample(fc.constantFrom(...pairs), { seed: SEED, numRuns: SINGLES });

const CUTOVER: TableCutover = {
  id: 'visit',
  validation: 'strict',
  table: { primary: 'public.visit', shadow: 'public.visit_v2', columns: { noted: { sql: "note || '\\'" } } },
};
const SCHEMA = `
  CREATE TABLE visit (id integer PRIMARY KEY, at timestamp, day date, span interval, raw bytea, share double precision, tags text[], note text);
  CREATE TABLE visit_v2 (id bigint PRIMARY KEY, at timestamp, day date, span interval, raw bytea, share double precision, tags text[], note text, noted text);
  CREATE TABLE visit_twin (LIKE visit INCLUDING ALL);
  GRANT SELECT, INSERT, UPDATE, DELETE ON visit, visit_v2, visit_twin TO application`;
/** A path that has the catalog behind it finds these in its place. */
const EVIL = `
  CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
  CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
  CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
  CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
  CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'`;

const row = (key: number, table: string) =>
  `INSERT INTO ${table} (id, at, day, span, raw, share, tags, note) VALUES (${key}, timestamp '2024-02-03 04:05:06', date '2024-03-04',
    interval '1 day 02:03', decode('00ff5c', 'hex'), 1 / 3.0, array[NULL, 'a b'], chr(92) || 'n') ON CONFLICT (id) DO UPDATE SET share = ${table}.share + 0.1`;
const both = (key: number) => `${row(key, 'visit')}; ${row(key, 'visit_twin')}`;
const OPEN: Straddling = { holder: [both(901), both(902)], late: [row(903, 'visit_twin'), row(903, 'visit')] };

async function settle(db: ServedDatabase, place: Place, names: readonly Name[]): Promise<void> {
  const known = await db.sql.unsafe<{ name: Name }[]>(
    `SELECT name FROM unnest('{${names}}'::text[]) AS n(name) WHERE current_setting(name, true) IS NOT NULL`,
  );
  for (const { name } of known) {
    const at = (role: string) => (role === '' ? `DATABASE ${db.name}` : `ROLE ${role} IN DATABASE ${db.name}`);
    const hostile = name === 'search_path' ? HOSTILE[name] : `'${HOSTILE[name]}'`;
    for (const role of place === 'database' ? [''] : ['app_owner', 'crossfade_runtime'])
      await db.sql.unsafe(`ALTER ${at(role)} SET ${name} = ${hostile}`);
    const stated = APPLICATIONS[name];
    if (stated !== undefined) await db.sql.unsafe(`ALTER ${at('application')} SET ${name} = '${stated}'`);
  }
}

async function wholeLife(place: Place, names: readonly Name[]): Promise<void> {
  const db = await servedDatabase('embedded', 'direct');
  const open: { close(): Promise<void> }[] = [];
  try {
    await db.owner.unsafe(SCHEMA);
    await db.sql.unsafe(EVIL);
    await db.owner.unsafe(Array.from({ length: 120 }, (_, i) => both(i + 1)).join(';')).simple();
    await settle(db, place, names);
    const planes = [testPlane(db), testPlane(db)] as const;
    open.push(...planes);
    const client = () => db.connect(1, db.application);
    const writers = [client(), client()].map((sql, index) =>
      writer((i) => sql.unsafe(`BEGIN; ${both(1 + index * 200 + ((i * 37) % 150))}; COMMIT`).simple()),
    );
    const straddling = [client(), client()] as const;
    const columns = 'id::bigint, at, day, span, raw, share, tags, note';
    await live({
      plane: planes[0],
      follower: planes[1],
      cutovers: [CUTOVER],
      writers,
      across: (_, act) => astride(db, straddling, OPEN, act),
      async atRest(step) {
        const of = (table: string) => `SELECT ${columns} FROM ${table}`;
        expect(await differences(db, of('visit'), of('visit_twin')), step).toEqual([]);
      },
    });
    expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
  } finally {
    for (const one of open) await one.close();
    await db.drop();
  }
}

describe.skipIf(inject('servers') === null)(`the whole life, whatever the settings are (seed ${SEED})`, () => {
  it.each(PLACES)('all of them at the %s', { timeout: 120_000 }, async (place) => {
    await wholeLife(place, NAMES);
  });

  it.each(chosen)('$name at the $place', { timeout: 120_000 }, async ({ place, name }) => {
    await wholeLife(place, [name]);
  });
});
