/** A database that tests share is like new for each of them, or is not used again. */

import { expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import { testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const CUTOVER = {
  id: 'seat',
  validation: 'strict',
  table: { primary: 'public.seat', shadow: 'public.seat_v2' },
} as const;
const SEEN = `SELECT (SELECT count(*)::int FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'crossfade'::regnamespace)) AS relations,
  (SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace) AS functions, (SELECT count(*)::int FROM crossfade.cutover) AS cutovers,
  (SELECT count(*)::int FROM crossfade.backfill) AS backfills, (SELECT count(*)::int FROM pg_publication) AS publications,
  (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public') AS rights, current_setting('work_mem') AS setting, pg_sequence_last_value('crossfade.unrecorded') AS unrecorded`;

it('has nothing of the test before, but its session', async () => {
  const first = await recycledDatabase();
  const before = await first.sql.unsafe(SEEN);
  const session = first.connection!(first.url, systemClock());
  const process = await session.call('SELECT pg_backend_pid() AS pid');
  await session.alone("SET work_mem = '1MB'");
  const plane = testPlane(first);
  await first.sql.unsafe(
    "CREATE TABLE seat (id integer PRIMARY KEY); CREATE TABLE seat_v2 (id bigint PRIMARY KEY); SET work_mem = '2MB'; SELECT nextval('crossfade.unrecorded')",
  );
  await first.sql.unsafe(
    'CREATE SCHEMA other; CREATE TABLE other.one (id integer); CREATE PUBLICATION of_all FOR ALL TABLES',
  );
  await plane.start(CUTOVER);
  await plane.close();
  await session.close();
  await expect(session.call('SELECT 1')).rejects.toThrow('closed before');
  await first.connect().unsafe('BEGIN; LOCK TABLE crossfade.cutover');
  await first.drop();

  const second = await recycledDatabase();
  expect(second.name).toBe(first.name);
  expect(await second.sql.unsafe(SEEN)).toEqual(before);
  const again = second.connection!(second.url, systemClock());
  expect(await again.call("SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS setting")).toEqual([
    { ...process[0], setting: before[0]!.setting },
  ]);
  await second.drop();
});

it.each([
  [
    'a function of ours was made again',
    "CREATE OR REPLACE FUNCTION crossfade.lock_key(id text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
  ],
  ['a function of ours was altered', 'ALTER FUNCTION crossfade.lock_key COST 7'],
  ['a table of ours was altered', 'ALTER TABLE crossfade.cutover ADD COLUMN more text'],
  [
    'a setting of the database is left',
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 100', current_database()); END $$",
  ],
  ['an extension is left', 'CREATE EXTENSION citext SCHEMA pg_catalog'],
  ['a right is left', 'GRANT CREATE ON SCHEMA crossfade TO PUBLIC'],
  ['what is installed is written down differently', "UPDATE crossfade.migration SET name = 'another'"],
])('is not used again when %s', async (_, text) => {
  const first = await recycledDatabase();
  await first.sql.unsafe(text);
  await first.drop();
  const second = await recycledDatabase();
  expect(second.name).not.toBe(first.name);
  await second.drop();
});
