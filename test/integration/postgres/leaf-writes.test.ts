/**
 * I1 I11 I14 partitions by their own names: what is refused of a table is refused of each of its partitions, and a foreign key of another
 * table to a partitioned primary goes there, back and there again.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const EVENT: TableCutover = {
  id: 'event',
  validation: 'strict',
  table: { primary: 'public.event', shadow: 'public.event_v2' },
};
const BY_MONTH = (
  name: string,
) => `CREATE TABLE ${name} (id integer, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE ${name}_2 PARTITION OF ${name} FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
  CREATE TABLE ${name}_2a PARTITION OF ${name}_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);`;
const PLAIN = (name: string) => `CREATE TABLE ${name} (id integer, at date NOT NULL, note text, PRIMARY KEY (id, at));`;
const ROWS = "INSERT INTO event SELECT i, date '2026-01-01' + 2 * i, 'n' || i FROM generate_series(1, 20) i;";
const step = (from: number, stage: string) => ({ fromEpoch: from, toEpoch: from + 1, stage, version: 10 * from });

let db: OwnDatabase;
let plane: TestPlane;

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

async function following(ddl: string, epoch = 1): Promise<void> {
  await db.sql.unsafe(ddl);
  await plane.start(EVENT, epoch);
  await plane.copy('event', epoch);
  await plane.settle('event', epoch);
}
const swapped = { kind: 'swapped' };
const promote = (epoch = 1) => plane.promote(EVENT, step(epoch, 'completed'));
const revert = (epoch: number) => plane.revert(EVENT, step(epoch, 'rolled_back'));
const ours = async () =>
  [
    ...(await db.sql.unsafe(
      "SELECT tgname || ' on ' || tgrelid::regclass AS left FROM pg_trigger WHERE tgname LIKE '%crossfade%' AND tgparentid = 0 ORDER BY 1",
    )),
  ].map(({ left }) => left);
const rows = (table: string) => `SELECT id, at, note FROM ${table}`;

describe('I11 a partition by its own name', () => {
  it.each(['event_1', 'event_2', 'event_2a'])('takes no writes while its table is read-only: %s', async (leaf) => {
    await following(`${BY_MONTH('event')} ${PLAIN('event_v2')} ${ROWS}`);
    expect(await plane.makeReadOnly('event', 1, 60)).toMatchObject({ kind: 'read_only' });
    for (const act of [`UPDATE ${leaf} SET note = 'x'`, `DELETE FROM ${leaf}`, `TRUNCATE ${leaf}`])
      await expect(db.sql.unsafe(act), act).rejects.toMatchObject({ code: '25006' });
    await plane.endReadOnly('event');
    await db.sql.unsafe(`UPDATE ${leaf} SET note = 'again'`);
    await plane.settle('event', 1);
    expect(await differences(db, rows('event'), rows('event_v2'))).toEqual([]);
    expect((await plane.status('event'))!.shape?.gap ?? null).toBeNull();
    await plane.forget('event');
    expect(await ours()).toEqual([]);
  });

  it('is written by no snapshot from before the tables were exchanged, and cleanup leaves nothing', async () => {
    await following(`${PLAIN('event')} ${BY_MONTH('event_v2')} ${ROWS}`);
    await db.sql.unsafe("INSERT INTO event VALUES (500, '2026-01-05', 'new')");
    const [holder, late] = [db.connect(), db.connect()];
    await holder.unsafe('SELECT pg_advisory_lock(4711)');
    const busy = late
      .unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_advisory_xact_lock_shared(4711)')
      .simple()
      .execute();
    const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
    await eventually(async () => (await db.sql.unsafe(waiting)).length === 1, 'the transaction is busy elsewhere');
    expect(await promote()).toMatchObject(swapped);
    await holder.unsafe('SELECT pg_advisory_unlock(4711)');
    await busy;
    await expect(late.unsafe('DELETE FROM event_v2_1 WHERE id = 500')).rejects.toMatchObject({ code: '40001' });
    await late.unsafe('ROLLBACK');
    await plane.settle('event', 2);
    expect(await plane.cleanup(EVENT, 2)).toEqual({ kind: 'cleaned' });
    expect(await ours()).toEqual([]);
  });
});

describe('I1 I12 foreign keys to a partitioned primary', () => {
  it.each([
    ['a plain table', PLAIN],
    ['another partitioning', BY_MONTH],
  ] as const)('go to %s, back and there again', async (_, shadow) => {
    await following(`${BY_MONTH('event')} ${shadow('event_v2')} ${ROWS}
      CREATE TABLE seen (event integer, at date, FOREIGN KEY (event, at) REFERENCES event ON DELETE CASCADE ON UPDATE CASCADE);
      INSERT INTO seen SELECT id, at FROM event`);
    const key = async () =>
      (
        await db.sql.unsafe(
          "SELECT confrelid::regclass::text AS to, convalidated AS valid FROM pg_constraint WHERE conrelid = 'seen'::regclass AND contype = 'f' AND conparentid = 0",
        )
      )[0];
    const writes = `DELETE FROM event WHERE id = ID; UPDATE event SET at = '2026-02-20' WHERE id = ID + 1; INSERT INTO event VALUES (ID + 100, '2026-01-20', 'x'); INSERT INTO seen VALUES (ID + 100, '2026-01-20')`;
    const write = async (id: number) => {
      await db.sql.unsafe(writes.replaceAll('ID', String(id)));
      await expect(db.sql.unsafe("INSERT INTO seen VALUES (999, '2026-01-20')")).rejects.toMatchObject({
        code: '23503',
      });
      expect(await differences(db, 'SELECT event, at FROM seen', 'SELECT id, at FROM event')).toEqual([]);
    };
    await write(1);
    await plane.settle('event', 1);
    expect(await promote()).toMatchObject(swapped);
    expect(await key()).toEqual({ to: 'event', valid: true });
    await write(4);
    await plane.settle('event', 2);
    expect(await differences(db, rows('event'), rows('event_old'))).toEqual([]);
    expect(await revert(2)).toMatchObject(swapped);
    expect(await key()).toEqual({ to: 'event', valid: true });
    await write(7);
    await plane.forget('event');
    expect(await ours()).toEqual([]);
    await following('SELECT', 4);
    await write(10);
    expect(await promote(4)).toMatchObject(swapped);
    await write(13);
    await plane.settle('event', 5);
    expect(await plane.cleanup(EVENT, 5)).toEqual({ kind: 'cleaned' });
    expect(await key()).toEqual({ to: 'event', valid: true });
    await write(16);
    expect(await ours()).toEqual([]);
  });
});
