/** A database, a role or an application with settings of its own: what a value becomes on the other side depends on none of them. */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MECHANICS, transactionHead } from '../../../lib/core/table/sql/session.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const eventsOf = (id: string, mode: 'streamed' | 'inline'): TableCutover => ({
  id,
  validation: 'strict',
  table: {
    primary: `public.${id}`,
    shadow: `public.${id}_v2`,
    columns: { told: { sql: "to_char(at, 'TMMonth') || at::text || price::text" }, added: { added: true } },
    reverse: { day: { sql: 'day::date' } },
    mode,
  },
});
const STREAMED = eventsOf('streamed', 'streamed');
const INLINE = eventsOf('inlined', 'inline');
const OWNERS = {
  timezone: 'Europe/Berlin',
  datestyle: 'German, DMY',
  intervalstyle: 'sql_standard',
  extra_float_digits: '1',
};
const OTHERS = {
  timezone: 'America/New_York',
  datestyle: 'SQL, MDY',
  intervalstyle: 'iso_8601',
  extra_float_digits: '-3',
};
const settingsOf = (values: Record<string, string>) =>
  Object.entries(values).map(([name, value]) => `${name} = '${value}'`);

let db: OwnDatabase;
let plane: TestPlane;

const all = (
  id: string,
) => `SELECT id::bigint, at::timestamptz, day::text, span::text, raw::text, share::text, price::text,
  to_char(at, 'TMMonth') || at::text || price::text FROM ${id}`;
const copied = (id: string) => `SELECT id, at, day, span, raw, share, price, told FROM ${id}_v2`;

/** What both tables hold, as the owner's own statement would make the one of the other. */
async function differing(id: string) {
  await db.sql.unsafe(
    settingsOf(OWNERS)
      .map((setting) => `SET ${setting}`)
      .join(';'),
  );
  return differences(db, all(id), copied(id));
}

async function found(id: string) {
  const step = await plane.verify(id, 1, 1, {});
  if (step.kind !== 'verified') throw new Error(JSON.stringify(step));
  return step.result.divergences;
}

const change = (id: string, over: postgres.Sql, key: number) =>
  over.unsafe(`UPDATE ${id} SET at = at + interval '1 month', day = day + 40, span = span * 30 WHERE id % 10 = ${key}`);

beforeAll(async () => {
  db = await ownDatabase();
  for (const setting of settingsOf(OWNERS)) await db.sql.unsafe(`ALTER DATABASE ${db.name} SET ${setting}`);
  plane = testPlane(db);
  for (const cutover of [STREAMED, INLINE]) {
    const { id } = cutover;
    await db.sql.unsafe(`
      CREATE TABLE ${id} (id integer PRIMARY KEY, at timestamp, day date, span interval, raw bytea, share double precision, price money);
      CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, at timestamptz, day text, span text, raw text, share text, price text, told text, added text);
      INSERT INTO ${id} SELECT i, '2024-06-01 12:00'::timestamp + i * interval '1 hour', '2024-05-01'::date + i,
        i * interval '1 day 02:03', '\\x00ff', 1 / 3.0, 1234.5 FROM generate_series(1, 100) i`);
    await plane.start(cutover);
    await plane.copy(id, 1);
    await plane.settle(id, 1);
  }
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Of every setting another value, but of the one that has no other. */
const UNWANTED: Readonly<Record<string, string>> = { on: 'off', off: 'on', none: 'all', auto: 'force_generic_plan' };
const unwanted = (value: string) => UNWANTED[value] ?? (value === '' ? 'pg_default' : '2s');
const COUNTS = ['extra_float_digits', 'gin_fuzzy_search_limit', 'from_collapse_limit', 'join_collapse_limit'];

it('a transaction has every setting as it is stated, whatever the session has, and none that the server does not know', async () => {
  const stated = Object.entries(MECHANICS).map(([name, { value }]) => [name, value] as const);
  const known = await db.sql.unsafe<{ name: string }[]>(
    `SELECT name FROM unnest('{${stated.map(([name]) => name)}}'::text[]) n(name)
      WHERE current_setting(name, true) IS NOT NULL OR name LIKE 'plpgsql.%'`,
  );
  const names = new Set(known.map(({ name }) => name));
  const changed = known.map(({ name }) => {
    const { value } = MECHANICS[name as keyof typeof MECHANICS];
    const isCount = COUNTS.includes(name) || name.startsWith('max_');
    return value === 'heap' ? '' : `SET LOCAL ${name} = '${isCount ? 2 : unwanted(value)}';`;
  });
  const results = await db.connect().unsafe(`BEGIN; ${changed.join(' ')} ${transactionHead()};
    SELECT current_setting('transaction_isolation') AS isolation, jsonb_object_agg(name, current_setting(name))::text AS has
    FROM unnest('{${[...names]}}'::text[]) n(name); ROLLBACK`);
  const [told] = [results].flat(2).filter((row) => row?.has);
  expect(told!.isolation).toBe('read committed');
  expect(JSON.parse(told!.has)).toEqual(Object.fromEntries(stated.filter(([name]) => names.has(name))));
  expect(names.size).toBeGreaterThanOrEqual(stated.length - 1);
});

describe('in a database that tells time in Berlin, the German way', () => {
  it.each(['streamed', 'inlined'])(
    '%s: copy, converge and verification agree on what each value becomes',
    async (id) => {
      expect(await differing(id)).toEqual([]);
      await change(id, db.sql, 1);
      await plane.settle(id, 1);
      expect(await differing(id)).toEqual([]);
      expect(await found(id)).toBe(0);
    },
  );

  it.each(['streamed', 'inlined'])(
    '%s: an application and an instance with settings of their own change nothing',
    async (id) => {
      const application = db.connect();
      for (const setting of settingsOf(OTHERS)) await application.unsafe(`SET ${setting}`);
      for (const setting of settingsOf(OTHERS)) await db.sql.unsafe(`ALTER DATABASE ${db.name} SET ${setting}`);
      const instance = testPlane(db);
      try {
        await change(id, application, 2);
        await instance.settle(id, 1);
        expect(await differing(id)).toEqual([]);
        expect(await instance.verify(id, 1, 1, {})).toMatchObject({ result: { divergences: 0 } });
      } finally {
        await instance.close();
      }
    },
  );

  it('the copy of a table whose key is a moment remembers it in letters that every version and zone reads alike', async () => {
    const moments = { timezone: 'Asia/Shanghai', datestyle: 'SQL, DMY' };
    const own = await ownDatabase();
    for (const setting of settingsOf(moments)) await own.sql.unsafe(`ALTER DATABASE ${own.name} SET ${setting}`);
    const there = testPlane(own);
    try {
      await own.sql.unsafe(`CREATE TABLE seen (at timestamptz PRIMARY KEY, v integer); CREATE TABLE seen_v2 (LIKE seen INCLUDING ALL);
        INSERT INTO seen SELECT '2024-06-01 12:00+00'::timestamptz + i * interval '1 hour', i FROM generate_series(1, 200) i`);
      await there.start({
        id: 'seen',
        validation: 'strict',
        table: { primary: 'public.seen', shadow: 'public.seen_v2' },
      });
      for (let chunk = 0; chunk < 5; chunk += 1) await there.backfill('seen', 1, 10);
      const [{ keys }] = await own.sql.unsafe<[{ keys: string }]>(
        'SELECT array_to_string(copied_key || upper_key, chr(32)) AS keys FROM crossfade.backfill',
      );
      expect(keys).toMatch(/^2024-06-03 [0-9:]+\+\d\d 2024-06-\d\d [0-9:]+\+\d\d$/);
      await there.copy('seen', 1);
      expect(await differences(own, 'SELECT * FROM seen', 'SELECT * FROM seen_v2')).toEqual([]);
    } finally {
      await there.close();
      await own.drop();
    }
  });

  it('negative control: an apply that takes the settings of its caller writes other values, and verification finds them', async () => {
    const [{ oid }] = await db.sql.unsafe<[{ oid: string }]>(
      "SELECT oid::regprocedure::text AS oid FROM pg_proc WHERE proname = 'converge_streamed'",
    );
    const [{ inner }] = await db.sql.unsafe<[{ inner: string }]>(
      "SELECT oid::regprocedure::text AS inner FROM pg_proc WHERE proname = 'apply_streamed'",
    );
    for (const made of [oid, inner])
      for (const name of Object.keys(OWNERS)) await db.sql.unsafe(`ALTER FUNCTION ${made} RESET ${name}`);
    const instance = testPlane(db);
    try {
      await change('streamed', db.sql, 3);
      await instance.settle('streamed', 1);
      expect(await differing('streamed')).not.toEqual([]);
      expect(await found('streamed')).toBe(10);
    } finally {
      await instance.close();
    }
  });
});
