/** Capture: every change of a row leaves a hint in its own transaction, whoever makes it and however. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;
let epoch = 1;

const ITEM: TableCutover = {
  id: 'item',
  validation: 'strict',
  table: { primary: 'public.item', shadow: 'public.item_v2', columns: { label: { from: 'name' } } },
};

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE item (id integer PRIMARY KEY, name text);
    CREATE TABLE item_v2 (id bigint PRIMARY KEY, label text);
    CREATE ROLE item_writer_${db.name} LOGIN; GRANT INSERT, UPDATE, DELETE, SELECT, TRUNCATE ON item TO item_writer_${db.name}`);
  await plane.start(ITEM);
  await plane.copy('item', 1);
});
beforeEach(async () => {
  await db.sql.unsafe('DELETE FROM item');
  await plane.settle('item', epoch);
});
afterAll(async () => {
  await plane.close();
  await db.sql.unsafe(`DROP OWNED BY item_writer_${db.name}; DROP ROLE item_writer_${db.name}`);
  await db.drop();
});

const hints = async () =>
  [...(await db.sql.unsafe('SELECT op, k1 FROM crossfade.outbox_item ORDER BY seq'))].map((h) => [h.op, h.k1]);
const same = async () =>
  expect(await differences(db, 'SELECT id::bigint, name FROM item', 'SELECT id, label FROM item_v2')).toEqual([]);

describe('hints', () => {
  it('name the key and nothing else: one for each changed row', async () => {
    await db.sql.unsafe(
      `INSERT INTO item VALUES (1, 'a'), (2, 'b'); UPDATE item SET name = 'c' WHERE id = 1; DELETE FROM item WHERE id = 2`,
    );
    expect(await hints()).toEqual([
      ['K', 1],
      ['K', 2],
      ['K', 1],
      ['D', 2],
    ]);
    const columns = await db.sql.unsafe(
      `SELECT attname FROM pg_attribute WHERE attrelid = 'crossfade.outbox_item'::regclass AND attnum > 0`,
    );
    expect(columns.map(({ attname }) => attname).sort()).toEqual(['at', 'attempts', 'k1', 'not_before', 'op', 'seq']);
  });

  it('are two when the key changes, and the old row goes', async () => {
    await db.sql.unsafe("INSERT INTO item VALUES (1, 'a')");
    await plane.settle('item', 1);
    await db.sql.unsafe('UPDATE item SET id = 9 WHERE id = 1');
    expect(await hints()).toEqual([
      ['D', 1],
      ['K', 9],
    ]);
    expect(await plane.settle('item', 1)).toMatchObject({ written: 1, deleted: 1 });
    await same();
  });

  it('vanish with a transaction that is rolled back, savepoints included', async () => {
    await db.sql.unsafe("BEGIN; INSERT INTO item VALUES (1, 'a'); ROLLBACK");
    expect(await hints()).toEqual([]);
    await db.sql.unsafe(
      "BEGIN; INSERT INTO item VALUES (1, 'a'); SAVEPOINT s; INSERT INTO item VALUES (2, 'b'); ROLLBACK TO s; COMMIT",
    );
    expect(await hints()).toEqual([['K', 1]]);
  });

  it('are left by ON CONFLICT, MERGE, COPY-like bulk inserts and by replication', async () => {
    await db.sql.unsafe(`INSERT INTO item VALUES (1, 'a'); INSERT INTO item VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
      -- MERGE: from 15 on.
      DO $$ BEGIN EXECUTE CASE WHEN current_setting('server_version_num')::int >= 150000
        THEN 'MERGE INTO item USING (VALUES (1), (2)) v(id) ON item.id = v.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id, ''m'')'
        ELSE 'DELETE FROM item WHERE id = 1; INSERT INTO item VALUES (2, ''m'')' END; END $$;
      SET LOCAL session_replication_role = replica; INSERT INTO item VALUES (3, 'r')`);
    expect((await hints()).map(([, key]) => key)).toEqual([1, 1, 1, 2, 3]);
    await plane.settle('item', 1);
    await same();
  });

  it('are left by a role that knows nothing of crossfade, whatever its search_path', async () => {
    await db.sql.unsafe(`SET LOCAL ROLE item_writer_${db.name}; SET LOCAL search_path = pg_temp, public;
      CREATE TEMP TABLE outbox_item (k1 integer); INSERT INTO public.item VALUES (5, 'x')`);
    expect(await hints()).toEqual([['K', 5]]);
  });
});

describe('TRUNCATE', () => {
  it('empties the shadow, and rows that were inserted after it stay', async () => {
    await db.sql.unsafe("INSERT INTO item SELECT i, 'n' || i FROM generate_series(1, 100) i");
    await plane.settle('item', 1);
    await db.sql.unsafe("BEGIN; TRUNCATE item; INSERT INTO item VALUES (50, 'again'), (500, 'new'); COMMIT");
    expect((await hints())[0]).toEqual(['T', null]);
    await plane.settle('item', 1);
    await same();
    const [{ rows }] = (await db.sql.unsafe('SELECT count(*)::int AS rows FROM item_v2')) as unknown as [
      { rows: number },
    ];
    expect(rows).toBe(2);
  });

  it('is lag, not divergence, until it is applied', async () => {
    await db.sql.unsafe("INSERT INTO item SELECT i, 'n' || i FROM generate_series(1, 10) i");
    await plane.settle('item', 1);
    await db.sql.unsafe('TRUNCATE item');
    expect(await plane.verify('item', 1, 5)).toMatchObject({
      kind: 'verified',
      result: { rowsCompared: 0, divergences: 0 },
    });
    await plane.converge('item', 1, 1);
    expect(await plane.verify('item', 1, 6)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    await plane.settle('item', 1);
    await same();
  });

  it('is spread over calls that each look at so many keys, truncated once more on the way', async () => {
    await db.sql.unsafe("INSERT INTO item SELECT i, 'n' || i FROM generate_series(1, 100) i");
    await plane.settle('item', epoch);
    await db.sql.unsafe('TRUNCATE item');
    await plane.converge('item', epoch, 30);
    expect((await hints())[0]).toEqual(['T', 30]);
    expect((await plane.status('item'))!.outboxRows).toBe(31);
    await db.sql.unsafe("INSERT INTO item SELECT i, 'again' FROM generate_series(5, 50, 5) i");
    for (let call = 0; call < 2; call += 1) await plane.converge('item', epoch, 40);
    expect(await plane.verify('item', epoch, 7)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    await db.sql.unsafe("TRUNCATE item; INSERT INTO item VALUES (7, 'last')");
    await plane.settle('item', epoch);
    await same();
    expect((await db.sql.unsafe('SELECT FROM item_v2')).length).toBe(1);
  });

  it('that is rolled back changes nothing', async () => {
    await db.sql.unsafe("INSERT INTO item VALUES (1, 'a')");
    await plane.settle('item', 1);
    await db.sql.unsafe('BEGIN; TRUNCATE item; ROLLBACK');
    expect(await hints()).toEqual([]);
    await same();
  });
});

describe('I10 capture is armed once and in one direction', () => {
  it('writing the shadow leaves no hint', async () => {
    await db.sql.unsafe("INSERT INTO item VALUES (1, 'a')");
    await plane.settle('item', 1);
    await db.sql.unsafe("UPDATE item_v2 SET label = 'b'");
    expect(await hints()).toEqual([]);
  });

  it('after disarm nothing is captured, and the application goes on', async () => {
    await plane.disarm('item');
    await plane.disarm('item');
    await db.sql.unsafe("INSERT INTO item VALUES (7, 'a')");
    expect((await plane.status('item'))!.armed).toBe('none');
    expect(await hints()).toEqual([]);
    const triggers = await db.sql.unsafe(
      "SELECT tgname FROM pg_trigger WHERE tgrelid = 'item'::regclass AND NOT tgisinternal",
    );
    expect([...triggers]).toEqual([]);
  });

  it('armed again, it copies anew, so that what nobody captured is not lost', async () => {
    epoch = 2;
    await plane.start(ITEM, epoch);
    await plane.copy('item', 2);
    await plane.settle('item', 2);
    await same();
  });

  it('a writer that is under way while capture is armed is not missed', async () => {
    await plane.forget('item');
    const writer = db.connect();
    let armed: Promise<void> | undefined;
    await writer.begin(async (sql) => {
      await sql.unsafe("INSERT INTO item VALUES (77, 'late')");
      epoch = 3;
      armed = plane.start(ITEM, epoch);
      armed.catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
    });
    await armed;
    await plane.copy('item', 3);
    await plane.settle('item', 3);
    await same();
  });
});

describe('a primary that is read-only', () => {
  const write = (text = "INSERT INTO item VALUES (1, 'a')") => db.sql.unsafe(text);
  const REFUSED = {
    code: '25006',
    message: expect.stringMatching(
      /^table public\.item takes no writes until \d\d:\d\d:\d\d UTC: cutover item catches up$/,
    ),
  };
  const triggers = async () =>
    (await db.sql.unsafe("SELECT FROM pg_trigger WHERE tgname = 'crossfade_read_only'")).length;

  it('refuses every write, says until when, and takes them at once when it is ended', async () => {
    await write();
    expect(await plane.makeReadOnly('item', epoch, 60)).toMatchObject({ kind: 'read_only' });
    const refused = [
      "INSERT INTO item VALUES (2, 'b')",
      'UPDATE item SET name = NULL',
      'DELETE FROM item',
      'TRUNCATE item',
    ];
    for (const text of refused) await expect(write(text)).rejects.toMatchObject(REFUSED);
    expect((await plane.status('item'))!.readOnlyUntilMs).toBeGreaterThan(Date.now());
    await plane.settle('item', epoch);
    await same();
    expect(await plane.endReadOnly('item')).toBe(true);
    await write('DELETE FROM item');
    expect(await triggers()).toBe(0);
    expect((await plane.status('item'))!.readOnlyUntilMs).toBeNull();
  });

  it('begins when every earlier write is committed and has its hint, and holds for old snapshots, too', async () => {
    const [writer, reader] = [db.connect(), db.connect()];
    await reader.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM item');
    await writer.unsafe("BEGIN; INSERT INTO item VALUES (7, 'early')");
    const asked = plane.makeReadOnly('item', epoch, 60);
    const waits = "SELECT FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'";
    await eventually(async () => (await db.sql.unsafe(waits)).length === 1, 'it waits for the writer');
    await writer.unsafe('COMMIT');
    expect(await asked).toMatchObject({ kind: 'read_only' });
    expect(await hints()).toEqual([['K', 7]]);
    await expect(reader.unsafe("INSERT INTO item VALUES (8, 'late')")).rejects.toMatchObject(REFUSED);
    await reader.unsafe('ROLLBACK');
    await plane.endReadOnly('item');
  });

  it('ends by itself', async () => {
    await plane.makeReadOnly('item', epoch, 1);
    await expect(write()).rejects.toMatchObject(REFUSED);
    await eventually(
      () =>
        write().then(
          () => true,
          () => false,
        ),
      'the second is over',
    );
    await plane.endReadOnly('item');
  });

  it('never is while it is rolled back, and leaves nothing behind when capture is taken away', async () => {
    await plane.makeReadOnly('item', epoch, 60);
    epoch += 1;
    await plane.fence('item', epoch, { stage: 'rolled_back', shadowWrites: false });
    await write();
    expect(await plane.makeReadOnly('item', epoch, 60)).toMatchObject({ kind: 'stale' });
    await plane.disarm('item');
    expect(await triggers()).toBe(0);
    await db.sql.unsafe('DELETE FROM item');
    epoch += 1;
    await plane.start(ITEM, epoch);
    await plane.copy('item', epoch);
  });
});
