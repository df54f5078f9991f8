/**
 * I1 I4 what happens to partitions while tables follow each other: rows without one, rows that move, partitions that are attached,
 * detached, truncated, or whose triggers are switched off. Each is seen, and nothing is promoted that was not compared since.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

const NEWEST = { epoch: 1_000_000, version: 1_000_000 };
const cutoverOf = (table: Partial<TableCutover['table']> = {}): TableCutover => ({
  id: 'event',
  validation: 'strict',
  table: { primary: 'public.event', shadow: 'public.event_v2', ...table },
});
const PLAIN = `CREATE TABLE event (id integer PRIMARY KEY, at date NOT NULL, note text);
  INSERT INTO event SELECT i, '2026-01-10', 'n' || i FROM generate_series(1, 20) i`;
/** The columns of one partition lie in another order. */
const BY_MONTH = (
  name: string,
) => `CREATE TABLE ${name} (id integer, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE ${name}_2 (note text, at date NOT NULL, id integer NOT NULL); ALTER TABLE ${name} ATTACH PARTITION ${name}_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');`;
const ROWS = (table: string) => `SELECT id, at, note FROM ${table}`;

let db: OwnDatabase;
let plane: TestPlane;
let epoch = 1;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
});
afterEach(async () => {
  await plane.forget('event');
  await db.sql.unsafe('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  epoch += 10;
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const different = () => differences(db, ROWS('event'), ROWS('event_v2'));
const watch = async () => expect(await plane.watch('event', NEWEST)).toEqual({ kind: 'watched' });
const verify = () => plane.verify('event', epoch, 1);
const gap = async () => (await plane.status('event'))!.shape?.gap ?? null;
const promote = (cutover: TableCutover) =>
  plane.promote(cutover, { fromEpoch: epoch, toEpoch: epoch + 1, stage: 'completed', version: epoch + 1 });

async function following(ddl: string, cutover = cutoverOf()): Promise<void> {
  await db.sql.unsafe(ddl);
  await plane.start(cutover, epoch);
  await plane.copy('event', epoch, 7);
  await plane.settle('event', epoch);
  expect(await different()).toEqual([]);
  expect(await verify()).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
}

async function swept(): Promise<void> {
  await plane.copy('event', epoch, 7);
  await plane.settle('event', epoch);
  expect(await different()).toEqual([]);
  expect(await verify()).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
}

describe('a partitioned shadow', () => {
  it('leaves a row without a partition in quarantine, with the value, until there is one', async () => {
    await following(
      `${PLAIN}; INSERT INTO event VALUES (99, '2031-05-05', 'late'); ${BY_MONTH('event_v2')} CREATE TABLE event_v2_3 PARTITION OF event_v2 FOR VALUES FROM ('2031-05-01') TO ('2031-06-01')`,
    );
    await db.sql.unsafe(`UPDATE event SET at = '2026-04-05' WHERE id = 1`);
    await plane.settle('event', epoch);
    const [held] = (await plane.quarantined('event', { limit: 10 })).keys;
    expect(held).toMatchObject({ key: '{"id": 1}', sqlstate: '23514' });
    expect(held!.reason).toBe(
      'no partition of relation "event_v2" found for row. Partition key of the failing row contains (at) = (2026-04-05). Create the partition: the row follows by itself',
    );
    expect(await promote(cutoverOf())).toMatchObject({ kind: 'postponed' });
    await db.sql.unsafe(
      `CREATE TABLE event_v2_4 PARTITION OF event_v2 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
    );
    await watch();
    await plane.settle('event', epoch);
    expect((await plane.quarantined('event', { limit: 10 })).keys).toEqual([]);
    expect(await different()).toEqual([]);
    expect(await gap()).toBeNull();
  });

  it('has no second image of a row that moved between its reading and its copy; without the sweep verification says so', async () => {
    await db.sql.unsafe(`${PLAIN}; ${BY_MONTH('event_v2')}`);
    await plane.start(cutoverOf(), epoch);
    const stale = async () => {
      await plane.backfill('event', epoch, 10);
      // What the chunk would have written, had it read the row before it moved.
      await db.sql.begin(async (tx) => {
        await tx
          .unsafe(
            `SELECT set_config('crossfade.writing', 'on', true); INSERT INTO event_v2 VALUES (3, '2026-02-20', 'stale')`,
          )
          .simple();
      });
    };
    await stale();
    await swept();
    await plane.forget('event');
    await db.sql.unsafe('TRUNCATE event_v2');
    await plane.start(cutoverOf(), epoch);
    await tamper(
      db,
      plane.connection(),
      cutoverOf(),
      edited([['backfill', /(?<=\n {4}ELSE\n {6}BEGIN\n[\s\S]*?WHERE )d\.wanted \*<> /, 'false AND d.wanted *<> ']]),
    );
    await stale();
    await plane.copy('event', epoch, 7);
    await plane.settle('event', epoch);
    expect(await different()).toEqual([{ side: 'right', row: '(3,2026-02-20,stale)' }]);
    expect(await verify()).toMatchObject({
      kind: 'verified',
      result: { divergences: 1, samples: [{ key: '{"id": 3}', columns: ['at', 'note'] }] },
    });
    await plane.repair('event');
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
  });

  it('would keep what a row was before it moved, if that were not deleted (negative control)', async () => {
    await following(`${PLAIN}; ${BY_MONTH('event_v2')}`);
    await tamper(db, plane.connection(), cutoverOf(), edited([['apply', / OR NOT \(t\."at" = src\.c\d\)/, '']]));
    await db.sql.unsafe("UPDATE event SET at = '2026-02-11' WHERE id = 8");
    await plane.settle('event', epoch);
    expect(await different()).toEqual([{ side: 'right', row: '(8,2026-01-10,n8)' }]);
    expect(await verify()).toMatchObject({ kind: 'verified', result: { divergences: 1 } });
  });

  it('gets a row that moves inline before the copy is done by a hint', async () => {
    await db.sql.unsafe(`${PLAIN}; ${BY_MONTH('event_v2')}`);
    await plane.start(cutoverOf({ mode: 'inline' }), epoch);
    const application = db.connect();
    await application.unsafe(`BEGIN; UPDATE event SET at = '2026-02-02' WHERE id = 5`).simple();
    await plane.copy('event', epoch, 7);
    await application.unsafe('COMMIT').simple();
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
    await db.sql.unsafe(`UPDATE event SET at = '2026-02-03' WHERE id < 5`);
    expect((await plane.status('event'))!.outboxRows).toBe(0);
    expect(await different()).toEqual([]);
  });

  it('once promoted, is captured by partition, and a second row of one key is named', async () => {
    await following(`${PLAIN}; ${BY_MONTH('event_v2')}`);
    expect(await promote(cutoverOf())).toMatchObject({ kind: 'swapped' });
    epoch += 1;
    const old = () => differences(db, ROWS('event'), ROWS('event_old'));
    await db.sql.unsafe(
      `UPDATE event SET at = '2026-02-07' WHERE id = 2; UPDATE event_v2_2 SET note = 'direct' WHERE id = 2; TRUNCATE event_v2_1; INSERT INTO event VALUES (7, '2026-02-01', 'again')`,
    );
    await plane.settle('event', epoch);
    expect(await old()).toEqual([]);
    await db.sql.unsafe(`INSERT INTO event VALUES (7, '2026-01-01', 'twin')`);
    await plane.settle('event', epoch);
    const [held] = (await plane.quarantined('event', { limit: 10 })).keys;
    expect(held!.reason).toContain('more than one row of "public"."event" has this key');
    expect(await plane.rollbackReady('event')).toMatchObject({ ready: false });
    await db.sql.unsafe(`DELETE FROM event WHERE note = 'twin'`);
    await plane.settle('event', epoch);
    expect(await old()).toEqual([]);
    expect(await plane.rollbackReady('event')).toEqual({ ready: true });
    await db.sql.unsafe(`DROP TABLE event_v2_1`);
    expect(
      await plane.revert(cutoverOf(), {
        fromEpoch: epoch,
        toEpoch: epoch + 1,
        stage: 'rolled_back',
        version: epoch + 1,
      }),
    ).toMatchObject({
      kind: 'postponed',
      why: expect.stringContaining('partition public.event_v2_1 was detached or dropped'),
    });
  });
});

describe('a partitioned primary', () => {
  const TABLES = `${BY_MONTH('event')} INSERT INTO event SELECT i, '2026-01-10', 'n' || i FROM generate_series(1, 20) i;
    CREATE TABLE event_v2 (id integer, at date NOT NULL, note text, PRIMARY KEY (id, at));
    CREATE TABLE loose (id integer NOT NULL, at date NOT NULL, note text)`;
  const ATTACH = "ALTER TABLE event ATTACH PARTITION loose FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')";

  it('is followed from one partition to another, and when one, a new one, or all of them is truncated', async () => {
    await following(TABLES);
    await db.sql.unsafe(
      `UPDATE event SET at = '2026-02-10' WHERE id < 9; UPDATE event_1 SET note = 'direct' WHERE id = 11; DELETE FROM event_2 WHERE id = 1`,
    );
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
    await db.sql.unsafe(
      `TRUNCATE event_2; CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2026-03-01') TO ('2026-04-01'); INSERT INTO event VALUES (30, '2026-03-03', 'new')`,
    );
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
    await watch();
    await swept();
    await db.sql.unsafe('TRUNCATE event_3');
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
    await db.sql.unsafe('TRUNCATE event');
    await plane.settle('event', epoch);
    expect(await differences(db, ROWS('event_v2'), ROWS('loose'))).toEqual([]);
  });

  it('is swept after a partition was attached with rows; without it verification says so', async () => {
    await following(`${TABLES}; INSERT INTO loose VALUES (50, '2026-03-05', 'before')`);
    await db.sql.unsafe(ATTACH);
    expect(await gap()).toBe('partition public.loose was attached with rows');
    expect(await promote(cutoverOf())).toMatchObject({
      kind: 'postponed',
      why: expect.stringContaining('partition public.loose was attached with rows'),
    });
    expect(await verify()).toMatchObject({
      kind: 'verified',
      result: { divergences: 1, samples: [{ key: '{"at": "2026-03-05", "id": 50}' }] },
    });
    await watch();
    expect(await promote(cutoverOf())).toMatchObject({ kind: 'postponed' });
    await swept();
    await watch();
    expect(await gap()).toBeNull();
    expect(await promote(cutoverOf())).toMatchObject({ kind: 'swapped' });
  });

  it('is not swept for a new and empty partition, whose rows are captured from the first one on', async () => {
    await following(TABLES);
    await db.sql.unsafe(ATTACH);
    expect(await gap()).toBeNull();
    await watch();
    await db.sql.unsafe("INSERT INTO event VALUES (60, '2026-03-06', 'after')");
    await plane.settle('event', epoch);
    expect(await different()).toEqual([]);
    expect(await gap()).toBeNull();
    expect(await promote(cutoverOf())).toMatchObject({ kind: 'swapped' });
  });

  it('loses the rows of a partition that was detached, and what was written to one that came back', async () => {
    await following(TABLES);
    await db.sql.unsafe("ALTER TABLE event DETACH PARTITION event_1; UPDATE event_1 SET note = 'unseen' WHERE id = 4");
    expect(await gap()).toBe('partition public.event_1 was detached or dropped');
    await watch();
    await swept();
    await db.sql.unsafe("ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
    await watch();
    await swept();
    await db.sql.unsafe(
      "ALTER TABLE event DETACH PARTITION event_1; DELETE FROM event_1 WHERE id = 5; ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
    );
    expect(await gap()).toBe('partition public.event_1 was attached again');
    await watch();
    await swept();
  });

  it('is captured again after triggers of one partition were switched off', async () => {
    await following(TABLES);
    await db.sql.unsafe(
      "ALTER TABLE event_1 DISABLE TRIGGER ALL; UPDATE event SET note = 'unseen' WHERE id = 6; ALTER TABLE event_1 ENABLE TRIGGER ALL",
    );
    expect(await gap()).toBe('capture of partition public.event_1 was switched off, or made again');
    await watch();
    await swept();
    const states = await db.sql.unsafe(
      "SELECT DISTINCT tgenabled AS state FROM pg_trigger WHERE tgname LIKE 'crossfade_%' AND tgrelid IN (SELECT relid FROM pg_partition_tree('event'))",
    );
    expect([...states]).toEqual([{ state: 'A' }]);
  });

  /** What a transaction locked that wants the triggers off, while one of the application has used the table but no partition. */
  async function locksBeforeTheTable(): Promise<string[]> {
    const [application, dropping] = [db.connect(), db.connect()];
    const [{ pid }] = (await dropping.unsafe('SELECT pg_backend_pid() AS pid')) as unknown as [{ pid: number }];
    await application.unsafe('BEGIN; LOCK TABLE ONLY event IN ROW EXCLUSIVE MODE').simple();
    const dropped = dropping
      .unsafe("BEGIN; SELECT crossfade.drop_partition_triggers('event'); ROLLBACK")
      .simple()
      .execute();
    const locks = () =>
      db.sql.unsafe(
        `SELECT relation::regclass::text AS name, granted FROM pg_locks WHERE pid = ${pid} AND mode = 'AccessExclusiveLock' AND locktype = 'relation'`,
      );
    await eventually(async () => (await locks()).some(({ granted }) => !granted), 'the table is waited for');
    const held = (await locks()).map(({ name, granted }) => `${granted ? 'has' : 'waits for'} ${name}`);
    await application.unsafe('COMMIT').simple();
    await dropped;
    await Promise.all([application.end(), dropping.end()]);
    return held;
  }

  it('is locked before its partitions when their triggers go, as by the application; the other way round both would wait', async () => {
    await following(TABLES);
    expect(await locksBeforeTheTable()).toEqual(['waits for event']);
    const [{ body }] = (await db.sql.unsafe(
      "SELECT pg_get_functiondef('crossfade.drop_partition_triggers'::regproc) AS body",
    )) as unknown as [{ body: string }];
    const lockFirst = /IF v.root IS NOT NULL[\s\S]*?END IF;/;
    expect(body).toMatch(lockFirst);
    const late = body
      .replace(lockFirst, '')
      .replace('END LOOP;', 'END LOOP; LOCK TABLE ONLY public.event IN ACCESS EXCLUSIVE MODE;');
    await db.sql.unsafe(late);
    expect((await locksBeforeTheTable()).sort()).toEqual(expect.arrayContaining(['has event_1', 'waits for event']));
    await db.sql.unsafe(body);
  });
});
