/**
 * A server that runs out: of disk, and of connections for a role. What the application was told is committed reaches the shadow, what it
 * was refused is on neither side, and calls that found no room say so and go through once there is some.
 *
 * The disk is full for one table at a time: its empty file is replaced by /dev/full, which refuses every byte as such a disk does.
 */

import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const CRATE: TableCutover = {
  id: 'crate',
  validation: 'strict',
  table: { primary: 'public.crate', shadow: 'public.crate_v2' },
};
const OUTBOX = ['crossfade.outbox_crate', 'crossfade.outbox1_crate'];
const DISK_FULL = '53100';
const TOO_MANY_CONNECTIONS = '53300';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  await db.sql.unsafe(`CREATE TABLE crate (id integer PRIMARY KEY, v text); CREATE TABLE crate_v2 (id bigint PRIMARY KEY, v text);
    CREATE TABLE twin (id integer PRIMARY KEY, v text)`);
  plane = testPlane(db);
  await plane.start(CRATE);
  await plane.copy('crate', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Sessions that have used these tables keep their files: what is to find the disk full must be new. @returns room again */
async function fullDisk(tables: readonly string[]): Promise<() => void> {
  const files: string[] = [];
  for (const table of tables) {
    await db.sql.unsafe(`TRUNCATE ${table}`);
    const [row] = await db.sql.unsafe(
      `SELECT current_setting('data_directory') AS directory, pg_relation_filepath('${table}') AS file`,
    );
    files.push(join(row!.directory, row!.file));
  }
  for (const file of files) {
    renameSync(file, `${file}.kept`);
    symlinkSync('/dev/full', file);
  }
  return () => {
    for (const file of files) {
      rmSync(file);
      renameSync(`${file}.kept`, file);
    }
  };
}

/** What a new session of the application is told of each write, which goes to the twin in the same transaction. */
async function writes(keys: readonly number[]): Promise<string[]> {
  const session = db.connect();
  const answers: string[] = [];
  for (const key of keys) {
    const change = (table: string) => `INSERT INTO ${table} VALUES (${key}, 'v${key}')`;
    const answer = session.unsafe(`BEGIN; ${change('crate')}; ${change('twin')}; COMMIT`).simple();
    answers.push(
      await answer.then(
        () => 'committed',
        ({ code }) => code,
      ),
    );
    if (answers.at(-1) !== 'committed') await session.unsafe('ROLLBACK');
  }
  await session.end();
  return answers;
}

/** A sweep finds what left no hint. */
async function expectNothingLost(): Promise<void> {
  await plane.settle('crate', 1);
  await plane.copy('crate', 1);
  await plane.settle('crate', 1);
  expect(await differences(db, 'SELECT id, v FROM twin', 'SELECT id, v FROM crate')).toEqual([]);
  expect(await differences(db, 'SELECT id::bigint, v FROM crate', 'SELECT id, v FROM crate_v2')).toEqual([]);
}

describe('I1 I2 I6 a server that runs out', () => {
  it('of disk for hints: a write is refused whole, or is found without its hint', async () => {
    const room = await fullDisk(OUTBOX);
    const answers = await writes([1, 2, 3]).finally(room);
    expect([DISK_FULL, 'committed']).toEqual(expect.arrayContaining([...new Set(answers)]));
    console.log(`full disk: the application was told ${answers.join(', ')}`);
    expect(await writes([4, 5])).toEqual(['committed', 'committed']);
    await expectNothingLost();
  });

  it('of disk for the shadow: the call says so, keeps its hints, and goes through when there is room', async () => {
    expect(await writes([6, 7])).toEqual(['committed', 'committed']);
    const before = (await plane.status('crate'))!.outboxRows;
    const room = await fullDisk(['crate_v2']);
    const fresh = testPlane(db);
    const failing = fresh.converge('crate', 1, 100).finally(room);
    await expect(failing).rejects.toMatchObject({ code: 'database_unavailable', details: { sqlstate: DISK_FULL } });
    await fresh.close();
    const status = (await plane.status('crate'))!;
    expect(status).toMatchObject({ outboxRows: before, quarantined: 0 });
    // What the shadow had was emptied for the trick.
    await plane.verify('crate', 1, 100);
    await plane.repair('crate');
    await expectNothingLost();
  });

  it('of connections: the call says so, and goes through when there is one', async () => {
    const role = `scarce_${randomUUID().slice(0, 8)}`;
    await db.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'scarce' CONNECTION LIMIT 0;
      GRANT USAGE ON SCHEMA crossfade TO ${role}; GRANT EXECUTE ON FUNCTION crossfade.converge_crate TO ${role}`);
    const runtime = new URL(db.url);
    [runtime.username, runtime.password] = [role, 'scarce'];
    const limited = testPlane({ ...db, roles: { owner: db.url, runtime: runtime.href } });
    expect(await writes([8, 9])).toEqual(['committed', 'committed']);
    await expect(limited.converge('crate', 1, 100)).rejects.toMatchObject({
      code: 'database_unavailable',
      retryable: true,
      details: { sqlstate: TOO_MANY_CONNECTIONS },
    });
    await db.sql.unsafe(`ALTER ROLE ${role} CONNECTION LIMIT 1`);
    expect(await limited.converge('crate', 1, 100)).toMatchObject({ kind: 'converged', claimed: 2 });
    await limited.close();
    await db.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await expectNothingLost();
  });
});
