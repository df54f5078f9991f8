/** Work that may take longer than the role's statement_timeout, without leaving anything behind in a pooled session. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

let database: OwnDatabase;
let connection: PgConnection;

beforeAll(async () => {
  database = await ownDatabase();
  await database.sql.unsafe(`ALTER DATABASE ${database.name} SET statement_timeout = '200ms'`);
  connection = postgresConnection({ url: database.url, clock: systemClock(), random });
});
afterAll(async () => {
  await connection.close();
  await database.drop();
});

describe('a long call', () => {
  it('outlives the limit that stops a usual one, whatever limit the database has', async () => {
    await expect(
      connection.call('SELECT pg_sleep(0.4) IS NULL AS slept', [], { attempts: 1, deadlineMs: 1_200 }),
    ).rejects.toMatchObject({ details: { sqlstate: '57014' } });
    expect(await connection.longCall<{ answer: number }>('SELECT 42 AS answer FROM pg_sleep(0.4)', 5_000)).toEqual([
      { answer: 42 },
    ]);
  });

  it('is stopped by its own limit', async () => {
    await expect(connection.longCall('SELECT pg_sleep(5)', 300)).rejects.toMatchObject({
      details: { sqlstate: '57014' },
    });
  });

  it('leaves the limit of the session as it was', async () => {
    await connection.longCall('SELECT 1', 60_000);
    await connection.alone("DO $$ BEGIN ASSERT current_setting('statement_timeout') = '200ms'; END $$");
  });
});
