/**
 * Backends are ended at random moments while calls run. With the discard rule every acknowledged call is applied and the
 * next one never hangs; without it, shown by the same procedure, the next call fails or hangs.
 * Replay: CROSSFADE_SEED=<seed> npx vitest run --project postgres test/integration/postgres/connection-killer.test.ts
 */

import { setTimeout as pause } from 'node:timers/promises';
import type postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';
import { seeded } from '../../property/samples.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Date.now() % 1_000_000);
const CALLS = Number(process.env.CROSSFADE_KILLER_CALLS ?? 250);
const MOST_KILLS_OF_CALL = 9;
/** No busy machine takes so long for a call: only one that hangs ends by its deadline. */
const PATIENT_MS = 30_000;
const REPLAY = `replay: CROSSFADE_SEED=${SEED} npx vitest run --project postgres test/integration/postgres/connection-killer.test.ts`;

const clock = { monotonicMs: () => performance.now(), sleep: (ms: number) => pause(ms / 10) };

let database: OwnDatabase;
let killer: postgres.Sql;
const uncaught: unknown[] = [];
const remember = (error: unknown) => uncaught.push(error);

beforeAll(async () => {
  database = await ownDatabase({ empty: true });
  killer = database.connect();
  await database.sql.unsafe(`
    CREATE TABLE token (token int PRIMARY KEY, times int NOT NULL);
    CREATE FUNCTION apply(given int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_sleep(random() * 0.002);
      INSERT INTO public.token AS t VALUES (given, 1) ON CONFLICT (token) DO UPDATE SET times = t.times + 1;
      RETURN given;
    END $$`);
});
afterAll(() => database.drop());
beforeEach(() => void process.on('uncaughtException', remember).on('unhandledRejection', remember));
afterEach(() => void process.off('uncaughtException', remember).off('unhandledRejection', remember));

async function kill(): Promise<number> {
  const ended = await killer.unsafe(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'crossfade'`);
  return ended.length;
}

async function connections(): Promise<number> {
  const [row] = await database.sql`SELECT count(*)::int AS open FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'crossfade'`;
  return row!.open;
}

describe('I6 I36 a connection whose backends are ended at random moments', () => {
  it(
    `loses no acknowledged call and answers every one (seed ${SEED})`,
    async () => {
      const random = seeded(SEED);
      const connection = postgresConnection({ url: database.url, clock, random });
      let kills = 0;
      let slowestMs = 0;
      let running = true;
      let killsOfCall = 0;
      const killing = (async () => {
        while (running) {
          await pause(random() * 60);
          // On a busy machine a connection takes longer than the pause: a call must be able to get through in its attempts.
          if (killsOfCall >= MOST_KILLS_OF_CALL) continue;
          const ended = await kill();
          kills += ended;
          killsOfCall += ended;
        }
      })();
      try {
        for (let token = 0; token < CALLS; token += 1) {
          // Every tenth call follows a kill at once: the connection is gone and nobody has noticed.
          if (token % 10 === 0) kills += await kill();
          if (random() < 0.2) await pause(random() * 4);
          const from = performance.now();
          const [row] = await connection.call<{ token: number }>('SELECT public.apply($1::int) AS token', [token], {
            attempts: MOST_KILLS_OF_CALL + 3,
            deadlineMs: PATIENT_MS,
          });
          killsOfCall = 0;
          slowestMs = Math.max(slowestMs, performance.now() - from);
          expect(row, REPLAY).toEqual({ token });
        }
      } finally {
        running = false;
        await killing;
        await connection.close();
      }

      const [seen] = await database.sql`SELECT count(*)::int AS applied, max(times)::int AS most FROM token`;
      console.log(
        `${CALLS} calls, ${kills} kills, slowest ${Math.round(slowestMs)} ms, most often applied ${seen!.most}`,
      );
      expect(seen!.applied, REPLAY).toBe(CALLS);
      expect(uncaught, REPLAY).toEqual([]);
      expect(kills).toBeGreaterThan(CALLS / 10);
      // A call that hung would have been rescued by its deadline.
      expect(slowestMs, REPLAY).toBeLessThan(PATIENT_MS);
      // Nothing that was dropped is left open.
      await expect.poll(connections, { timeout: PATIENT_MS }).toBe(0);
    },
    240_000 + CALLS * 60,
  );

  it('has a next call that is right, whether the kill came during a call or between two', async () => {
    expect(await spoiledNextCalls(postgresConnection, 40, PATIENT_MS)).toEqual({ during: 0, between: 0 });
    expect(uncaught).toEqual([]);
  });

  it('without the discard rule has next calls that fail or hang (negative control)', async () => {
    const file = 'lib/adapters/postgres/connection/connection.ts';
    const undiscarding = await sourceMutant<
      Pick<typeof import('../../../lib/adapters/postgres/connection/connection.ts'), 'postgresConnection'>
    >([file], [[file, 'clients.discard(sql);', '{}']]);
    const spoiled = await spoiledNextCalls(undiscarding.postgresConnection, 15, 500);
    expect(spoiled.during).toBeGreaterThan(0);
    expect(spoiled.between).toBeGreaterThan(0);
  });
});

/** Of `rounds` calls after a failed one, how many got somebody else's error or no answer. */
async function spoiledNextCalls(connectionOf: typeof postgresConnection, rounds: number, deadlineMs: number) {
  const options = { deadlineMs, attempts: 1 };
  const fresh = () => connectionOf({ url: database.url, clock, random: () => 0 });
  let connection: PgConnection = fresh();
  const spoiled = { during: 0, between: 0 };
  for (let round = 0; round < rounds * 2; round += 1) {
    const moment = round % 2 === 0 ? 'during' : 'between';
    await connection.call('SELECT 1');
    if (moment === 'during') {
      const running = connection
        .call('SELECT pg_sleep(60)', [], { ...options, deadlineMs: 2 * PATIENT_MS })
        .catch(() => {});
      await untilKilled();
      await running;
    } else {
      await kill();
      await connection.call('SELECT 1', [], options).catch(() => {});
    }
    const answer = await connection.call('SELECT $1::int AS round', [round], options).catch(() => []);
    if ((answer[0] as { round?: number } | undefined)?.round === round) continue;
    spoiled[moment] += 1;
    connection = fresh();
  }
  await connection.close();
  return spoiled;
}

/** Waits until the call is on the server, then ends its backend. */
async function untilKilled(): Promise<void> {
  for (const deadline = performance.now() + PATIENT_MS; performance.now() < deadline; await pause(2)) {
    const ended = await killer.unsafe(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'crossfade' AND state = 'active' AND query LIKE '%pg_sleep%'`);
    if (ended.length > 0) return;
  }
  throw new Error(`The call did not reach the server within ${PATIENT_MS / 1000} s.`);
}
