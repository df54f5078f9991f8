/**
 * I1 I6 what other servers and other sessions do to a primary under way: a standby that is asked in its place, a standby that
 * takes over in the middle of a swap, a transaction that outlives its session, and rows that a subscription brings.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { installSchema } from '../../../infra/local/install-schema.ts';
import { type LocalPostgres, startPostgres } from '../../../infra/local/postgres.ts';
import { prepareDirectory, unprivilegedAccount } from '../../../infra/local/postgres-directory.ts';
import { shapeConditions } from '../../../lib/core/holds/shape.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { breakpoints } from '../../helpers/breakpoints.ts';
import { debianBinaries } from '../../helpers/debian-postgres.ts';
import { type OwnDatabase, type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, postgresCalls, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { haltableSwap, haltingAt } from '../../helpers/seams.ts';

const stockOf = (mode: 'streamed' | 'inline'): TableCutover => ({
  id: 'stock',
  validation: 'strict',
  table: { primary: 'public.stock', shadow: 'public.stock_v2', mode },
});
const STOCK = stockOf('streamed');
const SCHEMA = `CREATE TABLE stock (id integer PRIMARY KEY, label text, amount integer NOT NULL);
  CREATE TABLE stock_v2 (id bigint PRIMARY KEY, label text, amount numeric NOT NULL);
  CREATE TABLE stock_twin (LIKE stock INCLUDING ALL);
  INSERT INTO stock SELECT i, 'n' || i, i FROM generate_series(1, 60) i; INSERT INTO stock_twin TABLE stock`;
const ROWS = (table: string) => `SELECT id::bigint, label, amount::numeric FROM ${table}`;
const wrong = (db: OwnDatabase, table: string) => differences(db, ROWS(table), ROWS('stock_twin'));
const both = (text: string) => `BEGIN; ${text.replaceAll('@', '')}; ${text.replaceAll('@', '_twin')}; COMMIT`;
const step = (fromEpoch: number, stage: string) => ({
  fromEpoch,
  toEpoch: fromEpoch + 1,
  stage,
  version: fromEpoch + 1,
});

describe.skipIf(inject('servers') === null)('a streaming standby', () => {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-standby-'));
  const planes: TestPlane[] = [];
  let primary: LocalPostgres;
  let standby: LocalPostgres;

  const databaseAt = (url: string): OwnDatabase => {
    const connect = () => postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
    const sql = connect();
    return { name: 'postgres', url, sql, connect, drop: () => sql.end({ timeout: 0 }) };
  };
  const planeAt = (db: OwnDatabase) => {
    const plane = testPlane(db);
    planes.push(plane);
    return plane;
  };

  beforeAll(async () => {
    const binaries = debianBinaries()!;
    const account = unprivilegedAccount();
    chmodSync(directory, 0o711);
    const [first, second] = [join(directory, 'primary'), join(directory, 'standby')];
    // What is acknowledged is in the log of both, once there are two.
    const started = { binaries, durable: false, settings: { synchronous_commit: 'on' } };
    primary = await startPostgres({ directory: first, ...started });
    await installSchema(new URL('../../..', import.meta.url).pathname, primary.url);
    prepareDirectory(second, account);
    const { port } = new URL(primary.url);
    const words = [
      '-h',
      '127.0.0.1',
      '-p',
      port,
      '-U',
      'postgres',
      '-D',
      join(second, 'data'),
      '-R',
      '-c',
      'fast',
      '-N',
    ];
    const copied = spawnSync(join(binaries, 'pg_basebackup'), words, {
      ...account,
      cwd: second,
      encoding: 'utf8',
      env: { ...process.env, PGPASSWORD: 'postgres' },
    });
    expect(copied.stderr).toBe('');
    standby = await startPostgres({ directory: second, ...started });
    const db = databaseAt(primary.url);
    await db.sql.unsafe("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await db.sql.unsafe('SELECT pg_reload_conf()');
    const attached = "SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
    await eventually(async () => (await db.sql.unsafe(attached)).length === 1, 'the standby is attached', 30_000);
    await db.drop();
  });
  afterAll(async () => {
    for (const plane of planes) await plane.close();
    await standby?.stop();
    await primary?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('that is asked in place of the primary says what it is, and one that takes over in mid-swap has everything', async () => {
    const db = databaseAt(primary.url);
    const plane = planeAt(db);
    await db.sql.unsafe(SCHEMA);
    await plane.start(STOCK, 1);
    await plane.copy('stock', 1);
    await db.sql.unsafe(both("UPDATE stock@ SET label = 'late' WHERE id % 3 = 0; DELETE FROM stock@ WHERE id = 7"));

    const reader = databaseAt(standby.url);
    const there = planeAt(reader);
    const seen = "SELECT FROM stock WHERE label = 'late'";
    await eventually(async () => (await reader.sql.unsafe(seen)).length > 0, 'the standby has the rows');
    const replica = /This server is a replica.* name the primary server in the address/;
    const calls = [
      () => there.status('stock'),
      () => there.preview(STOCK),
      () => there.arm(STOCK),
      () => there.converge('stock', 1, 100),
      () => there.promote(STOCK, step(1, 'completed')),
    ];
    // What collect turns into the hold 'database': not read, in place of read and found to be another one.
    const unavailable = { code: 'database_unavailable', retryable: true };
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({ ...unavailable, message: expect.stringMatching(replica) });

    const points = await breakpoints(db);
    await haltableSwap(db);
    const owner = haltingAt(plane.connection(), 'promote');
    const promoting = postgresCalls({ owner, runtime: plane.connection() });
    const halted = await points.halt('swap: mirror written', () => promoting.promote(STOCK, step(1, 'completed')));
    const answer = await halted.during(async () => {
      process.kill(primary.pid, 'SIGKILL');
      await reader.sql.unsafe('SELECT pg_promote()');
    });
    expect(answer).toMatchObject({ status: 'rejected', reason: unavailable });
    await expect(plane.status('stock')).rejects.toMatchObject(unavailable);
    await db.drop();

    await reader.sql.unsafe('ALTER SYSTEM RESET synchronous_standby_names');
    await reader.sql.unsafe('SELECT pg_reload_conf()');
    const taken = await there.status('stock');
    expect(taken).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
    expect(shapeConditions('stock', taken)).toEqual([]);
    // Armed in another database, the tables of this one are not those that were armed (negative control).
    const armedIn = (database: string, oid: string) =>
      reader.sql.unsafe(`UPDATE crossfade.shape SET database = ${oid},
        armed = armed || jsonb_build_object('database', format('%s (oid %s)', ${database}, ${oid}))`);
    await armedIn("'elsewhere'", '1');
    expect(shapeConditions('stock', await there.status('stock'))).toMatchObject([
      { code: 'schema_changed', says: expect.stringContaining('database was elsewhere (oid 1)') },
    ]);
    await armedIn('current_database()', 'crossfade.database_oid()');
    expect(shapeConditions('stock', await there.status('stock'))).toEqual([]);
    await reader.sql.unsafe(
      both("INSERT INTO stock@ VALUES (100, 'after', 1); UPDATE stock@ SET amount = 0 WHERE id = 5"),
    );
    await there.settle('stock', 1);
    expect(await wrong(reader, 'stock')).toEqual([]);
    expect(await wrong(reader, 'stock_v2')).toEqual([]);
    expect(await there.promote(STOCK, step(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    await reader.sql.unsafe(both("DELETE FROM stock@ WHERE id = 9; INSERT INTO stock@ VALUES (101, 'new shape', 2)"));
    expect(await there.revert(STOCK, step(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await wrong(reader, 'stock')).toEqual([]);
    await reader.drop();
  });
});

describe.skipIf(inject('servers') === null)("on the distribution's server", () => {
  let db: ServedDatabase;
  let plane: TestPlane;
  beforeEach(async () => {
    db = await servedDatabase('debian', 'direct');
    plane = testPlane(db);
    await db.owner.unsafe(
      `${SCHEMA}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO application`,
    );
  });
  afterEach(async () => {
    await plane.close();
    // One that is left would keep the database, and every new slot, waiting.
    const left = await db.sql.unsafe('SELECT gid FROM pg_prepared_xacts WHERE database = current_database()');
    for (const { gid } of left) await db.sql.unsafe(`ROLLBACK PREPARED '${gid}'`);
    await db.drop();
  });

  it('the start waits for a prepared transaction, which holds the promotion and is named, and nothing of it is lost', async () => {
    const application = db.connect(1, db.application);
    const prepare = async (name: string, text: string) =>
      application.unsafe(both(text).replace(/COMMIT$/, `PREPARE TRANSACTION '${name}_${db.name}'`)).simple();
    const commit = (name: string) => application.unsafe(`COMMIT PREPARED '${name}_${db.name}'`).simple();

    await prepare('before', "UPDATE stock@ SET label = 'prepared' WHERE id = 1");
    const starting = plane.start(STOCK, 1);
    const waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'stock'::regclass";
    await eventually(async () => (await db.sql.unsafe(waits)).length > 0, 'the start waits');
    await commit('before');
    await starting;
    await prepare('copied', "INSERT INTO stock@ VALUES (200, 'prepared', 1); DELETE FROM stock@ WHERE id = 2");
    await plane.copy('stock', 1);
    const held = await plane.promote(STOCK, step(1, 'completed'));
    expect(held.kind).toBe('postponed');
    expect(held.kind === 'postponed' && held.why).toContain(`prepared transaction copied_${db.name} of application`);
    await commit('copied');
    await plane.settle('stock', 1);
    expect(await wrong(db, 'stock_v2')).toEqual([]);
    expect(await plane.promote(STOCK, step(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    expect(await wrong(db, 'stock')).toEqual([]);
  });

  it.each(['streamed', 'inline'] as const)('rows that a subscription brings are followed, %s', async (mode) => {
    const source = await servedDatabase('debian', 'direct');
    const slot = `slot_${db.name}`;
    try {
      await source.sql.unsafe(SCHEMA);
      await source.sql.unsafe('CREATE PUBLICATION all_stock FOR TABLE stock, stock_twin');
      await source.sql.unsafe(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
      await plane.start(stockOf(mode), 1);
      await plane.copy('stock', 1);
      await db.sql.unsafe(`CREATE SUBSCRIPTION ${slot} CONNECTION '${source.url}' PUBLICATION all_stock
        WITH (create_slot = false, slot_name = '${slot}', copy_data = false)`);
      await source.sql
        .unsafe(
          both(`UPDATE stock@ SET label = 'replicated' WHERE id % 4 = 0; DELETE FROM stock@ WHERE id = 3;
        UPDATE stock@ SET id = 300 WHERE id = 4; INSERT INTO stock@ VALUES (301, 'new', 1)`),
        )
        .simple();
      const arrived = 'SELECT FROM stock_twin WHERE id = 301';
      await eventually(async () => (await db.sql.unsafe(arrived)).length > 0, 'the rows arrive', 20_000);
      await plane.settle('stock', 1);
      expect(await wrong(db, 'stock')).toEqual([]);
      expect(await wrong(db, 'stock_v2')).toEqual([]);
    } finally {
      await db.sql.unsafe(`ALTER SUBSCRIPTION ${slot} DISABLE`);
      await db.sql.unsafe(`ALTER SUBSCRIPTION ${slot} SET (slot_name = NONE)`);
      await db.sql.unsafe(`DROP SUBSCRIPTION ${slot}`);
      const free = `SELECT FROM pg_replication_slots WHERE slot_name = '${slot}' AND NOT active`;
      await eventually(async () => (await source.sql.unsafe(free)).length > 0, 'the slot is free');
      await source.sql.unsafe(`SELECT pg_drop_replication_slot('${slot}')`);
      await source.drop();
    }
  });
});
