/** Functions of a release and the schema of the one before, and the other way round, with a cutover under way. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { demandingSchema, SCHEMA_VERSION } from '../../../lib/adapters/postgres/migrations/handshake.ts';
import { migrate } from '../../../lib/adapters/postgres/migrations/migrate.ts';
import { readMigrations } from '../../../lib/adapters/postgres/migrations/migration-files.ts';
import { postgresTables } from '../../../lib/adapters/postgres/tables.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { databaseTables } from '../../../lib/compose/tables.ts';
import { defineCutovers } from '../../../lib/define/index.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import type { Environment } from '../../../lib/schemas/environment.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

const MIGRATIONS = join(import.meta.dirname, '../../../migrations');

describe('the number that functions know', () => {
  it('is that of the last migration', () => {
    const numbers = readdirSync(MIGRATIONS).flatMap((name) => (/^\d{4}_/.test(name) ? [Number(name.slice(0, 4))] : []));
    expect(SCHEMA_VERSION).toBe(Math.max(...numbers));
  });
});

describe('functions', () => {
  let db: OwnDatabase;
  const files = readMigrations(MIGRATIONS);
  const connect = () => postgresConnection({ url: db.url, clock: systemClock(), random });

  beforeAll(async () => {
    db = await ownDatabase({ empty: true });
  });
  afterAll(() => db?.drop());

  async function withPorts<T>(work: (ports: ReturnType<typeof postgresTables>, refused: () => number) => Promise<T>) {
    const connection = connect();
    let refusals = 0;
    const count = () => {
      refusals += 1;
    };
    try {
      const ports = demandingSchema(postgresTables({ runtime: connection, owner: connection }), connection, count);
      return await work(ports, () => refusals);
    } finally {
      await connection.close();
    }
  }
  const migrateTo = async (count: number) => {
    const connection = connect();
    try {
      await migrate(connection, files.slice(0, count));
    } finally {
      await connection.close();
    }
  };
  const remember = (number: number) =>
    db.sql.unsafe(`INSERT INTO crossfade.migration (number, name, checksum) VALUES (${number}, 'later', '')`);

  it('of this release go on by themselves when the schema before it is migrated, and write nothing until then', async () => {
    await withPorts(async (ports, refused) => {
      await expect(ports.inspecting.status('a')).rejects.toMatchObject({
        code: 'schema_changed',
        message: expect.stringMatching(/ends with migration 0, .*'crossfade migrate'/),
      });
      await migrateTo(files.length - 1);
      await expect(ports.converging.waiting()).rejects.toThrow(`ends with migration ${files.length - 1}`);
      expect(refused()).toBe(2);
      await migrateTo(files.length);
      expect(await ports.inspecting.status('a')).toBeNull();
      expect(await ports.converging.waiting()).toEqual([]);
      expect(refused()).toBe(2);
    });
  });

  it('of the release before refuse a newer schema, in the same instance after its first failure', async () => {
    await withPorts(async (ports, refused) => {
      expect(await ports.converging.waiting()).toEqual([]);
      await remember(files.length + 1);
      // Read once for an instance: what it does until a call fails is what it did before.
      expect(await ports.converging.waiting()).toEqual([]);
      await expect(ports.verifying.repair('nobody')).rejects.toThrow();
      await expect(ports.converging.waiting()).rejects.toMatchObject({
        code: 'schema_changed',
        message: expect.stringMatching(/these functions know \d+ only\. Deploy the functions/),
      });
      expect(refused()).toBe(1);
      await db.sql.unsafe(`DELETE FROM crossfade.migration WHERE number = ${files.length + 1}`);
      expect(await ports.converging.waiting()).toEqual([]);
    });
  });

  it('of a release ask the same of the database of a shadow, and name its connection', async () => {
    const [cutover] = defineCutovers([
      { id: 'a', kind: 'table', primary: 'public.a', shadow: { connection: 'new', table: 'public.b' } },
    ]);
    const other = await ownDatabase({ empty: true });
    let refusals = 0;
    const record = () => {
      refusals += 1;
    };
    const metrics = { record } as unknown as Ports['metrics'];
    const env = { CROSSFADE_PROFILE: 'local', CROSSFADE_CONNECTIONS: { new: other.url } } as unknown as Environment;
    const log = { event: () => {} } as unknown as Ports['log'];
    const ports = await databaseTables(env, db.url, { clock: systemClock(), log, metrics }, [cutover!]);
    const { id, table, validation } = cutover as Extract<typeof cutover, { kind: 'table' }>;
    const declared = { id, table, validation };
    await expect(ports.inspecting.health(declared)).rejects.toMatchObject({
      code: 'schema_changed',
      message: expect.stringMatching(/of connection 'new' ends with migration 0, .*'crossfade migrate'/),
    });
    // Nobody else is kept waiting.
    expect(await ports.converging.waiting()).toEqual([]);
    expect(refusals).toBe(1);
    const there = postgresConnection({ url: other.url, clock: systemClock(), random });
    await migrate(there, files);
    await there.close();
    expect((await ports.inspecting.health(declared)).map(({ check }) => check)).toContain('declaration and tables');
    await other.drop();
  });
});
