/**
 * A role that may create in the schemas of the tables and of their types puts functions, operators and domains there that fit better than
 * those which our statements mean. Through the whole life of two cutovers, streamed and inline, none of them is ever run.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { live } from '../../helpers/life.ts';
import { LOOTED, putOverloads } from '../../helpers/overloads.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import type { ServerName } from '../../helpers/server-accounts.ts';
import { writer } from '../../helpers/writer.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Statements of ours that are no part of a function in the database. */
const SOURCES = ['lib/adapters/postgres', 'lib/core/table']
  .flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, room, file)),
  )
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

const SEAT: TableCutover = {
  id: 'seat',
  validation: 'strict',
  table: {
    primary: 'public.seat',
    shadow: 'public.seat_v2',
    columns: { tags_there: { sql: 'cardinality(tags)' }, shout: { sql: "upper(place) || '!'" } },
    reverse: { zone: { sql: 'lower(zone::varchar)' } },
  },
};
const GUEST: TableCutover = {
  id: 'guest',
  validation: 'strict',
  table: {
    primary: 'public.guest',
    shadow: 'public.guest_v2',
    mode: 'inline',
    columns: { named: { sql: 'coalesce(name, mail)' } },
  },
};
const SCHEMA = `
  CREATE TABLE public.seat (id integer PRIMARY KEY, place varchar(40) NOT NULL, tags text[], price numeric(10,2), email extensions.citext, zone text);
  CREATE TABLE public.seat_v2 (id bigint PRIMARY KEY, place text NOT NULL, tags text[], tags_there integer, shout text, price numeric(12,2), email extensions.citext, zone text DEFAULT 'north');
  CREATE TABLE public.guest (mail extensions.citext, room integer, name text, PRIMARY KEY (mail, room));
  CREATE TABLE public.guest_v2 (mail extensions.citext, room integer, name text, named text, PRIMARY KEY (mail, room));
  GRANT SELECT, INSERT, UPDATE, DELETE ON public.seat, public.seat_v2, public.guest, public.guest_v2 TO application;
  CREATE TABLE public.seat_twin (LIKE public.seat INCLUDING ALL); CREATE TABLE public.guest_twin (LIKE public.guest INCLUDING ALL);
  GRANT SELECT, INSERT, UPDATE, DELETE ON public.seat_twin, public.guest_twin TO application`;
const BARE = 'SET search_path = pg_catalog, pg_temp';

const seat = (
  i: number,
  table: string,
) => `INSERT INTO public.${table} (id, place, tags, price, email) VALUES (${i}, 'p${i}', ARRAY['a', 'b'], 1.5, 'M${i}')
  ON CONFLICT (id) DO UPDATE SET place = excluded.place || 'x', email = excluded.email`;
const guest = (i: number, table: string) =>
  i % 5 === 4
    ? `DELETE FROM public.${table} WHERE mail OPERATOR(extensions.=) 'g${i % 30}'::extensions.citext`
    : `INSERT INTO public.${table} (mail, room, name) VALUES ('${i % 2 ? 'g' : 'G'}${i % 30}', ${i % 3}, 'n${i}') ON CONFLICT (mail, room) DO UPDATE SET name = excluded.name`;

async function attacked(server: ServerName) {
  const db = await servedDatabase(server, 'direct');
  const attacker = `mallory_${db.name}`;
  await db.sql.unsafe(`CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
    CREATE ROLE ${attacker} LOGIN PASSWORD 'mallory'; GRANT CREATE, USAGE ON SCHEMA public, extensions TO PUBLIC`);
  await db.owner.unsafe(SCHEMA);
  // The worst path that a database can have, for whoever relies on it.
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET search_path = public, extensions, pg_catalog; ${BARE}`);
  await db.sql.unsafe(`ALTER ROLE application IN DATABASE ${db.name} SET search_path = pg_catalog, pg_temp`);
  await db.owner.unsafe(BARE);
  const url = new URL(db.url);
  [url.username, url.password] = [attacker, 'mallory'];
  return { db, sql: db.connect(1, url.href), attacker };
}

const bodies = async (db: ServedDatabase) =>
  (await db.sql.unsafe("SELECT prosrc AS text FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace"))
    .map(({ text }) => text)
    .join('\n');

const looted = async (db: ServedDatabase) => (await db.sql.unsafe(LOOTED)).map(({ what }) => what as string);

async function drop({ db, attacker }: Awaited<ReturnType<typeof attacked>>): Promise<void> {
  await db.sql.unsafe(`DROP OWNED BY ${attacker} CASCADE; DROP ROLE ${attacker}`);
  await db.drop();
}

/** In psql, by somebody whose path is the worst. */
const BY_HAND = `SELECT crossfade.lock_key('x'), crossfade.multiply_32(3, 5), crossfade.key_hash('x'), crossfade.murmur3_32('x');
  SELECT FROM crossfade.status; SELECT FROM crossfade.progress`;

/** What people ask for besides. */
async function asked(plane: TestPlane, cutover: TableCutover): Promise<void> {
  const { items } = await plane.preview(cutover, { scanMs: 100 });
  expect(items.filter(({ action }) => action === 'refuse')).toEqual([]);
  await plane.health(cutover);
  await plane.status(cutover.id);
  await plane.pressure(cutover);
  await plane.rehearse(cutover);
}

describe.skipIf(inject('servers') === null)('what others put into the schemas of the tables', () => {
  it.each(['embedded', 'debian'] as const)(
    'is never run, in the whole life, on the %s server',
    { timeout: 120_000 },
    async (server) => {
      const world = await attacked(server);
      const { db } = world;
      const planes = [testPlane(db), testPlane(db)] as const;
      try {
        const text = [await bodies(db), SOURCES].join('\n');
        expect(await putOverloads(world.sql, ['public', 'extensions'], text)).toBeGreaterThan(5_000);
        for (const one of [SEAT, GUEST]) await asked(planes[0], one);
        await db.owner.unsafe(`SET search_path = public, extensions, pg_catalog; ${BY_HAND}; ${BARE}`).simple();
        const client = () => db.connect(1, db.application);
        const writers = [client(), client()].map((sql, index) =>
          writer((i) =>
            sql
              .unsafe(
                index === 0
                  ? `BEGIN; ${seat(i % 40, 'seat')}; ${seat(i % 40, 'seat_twin')}; COMMIT`
                  : `BEGIN; ${guest(i, 'guest')}; ${guest(i, 'guest_twin')}; COMMIT`,
              )
              .simple(),
          ),
        );
        await live({
          plane: planes[0],
          follower: planes[1],
          cutovers: [SEAT, GUEST],
          writers,
          across: (_, act) => act(),
          async atRest(step) {
            const seats = (table: string) =>
              `SELECT id::bigint, place::text, tags, price::numeric(12,2) FROM public.${table}`;
            const guests = (table: string) => `SELECT mail::text, room, name FROM public.${table}`;
            expect(await differences(db, seats('seat'), seats('seat_twin')), step).toEqual([]);
            expect(await differences(db, guests('guest'), guests('guest_twin')), step).toEqual([]);
            expect(await looted(db), step).toEqual([]);
          },
        });
        expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
      } catch (error) {
        // What was run in the place of ours may have failed it.
        expect(await looted(db), String(error)).toEqual([]);
        throw error;
      } finally {
        for (const one of planes) await one.close();
        await drop(world);
      }
    },
  );
});
