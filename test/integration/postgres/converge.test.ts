/** Converge on a real table: what is written, what waits, what is put aside, and what an old epoch may do. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

const PERSON: TableCutover = {
  id: 'person',
  validation: 'strict',
  table: {
    primary: 'public.person',
    shadow: 'public.person_v2',
    columns: {
      full_name: { sql: "first_name || ' ' || last_name" },
      organisation: { from: 'company' },
      tier: { added: true },
    },
  },
};

const WANTED = `SELECT id::bigint, first_name, last_name, first_name || ' ' || last_name, company, email::text, balance FROM person`;
const HAVE = 'SELECT id, first_name, last_name, full_name, organisation, email, balance FROM person_v2';

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`
    CREATE TABLE person (id integer PRIMARY KEY, first_name varchar(40) NOT NULL, last_name varchar(20) NOT NULL,
      company text, fax text, email varchar(60) NOT NULL, balance numeric(12, 2) NOT NULL DEFAULT 0);
    CREATE TABLE person_v2 (id bigint PRIMARY KEY, first_name varchar(40) NOT NULL, last_name varchar(20) NOT NULL,
      full_name text GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED, organisation text,
      email text NOT NULL UNIQUE, balance numeric(12, 2) NOT NULL CHECK (balance >= 0), tier text NOT NULL DEFAULT 'standard')`);
  await plane.start(PERSON);
  await plane.copy('person', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const insert = (id: number, email = `${id}@x.test`, balance = 1) =>
  db.sql.unsafe(`INSERT INTO person VALUES (${id}, 'Ada', 'L${id}', 'ACME', 'fax', '${email}', ${balance})`);
const same = async () => expect(await differences(db, WANTED, HAVE)).toEqual([]);

describe('I2 I3 the shadow follows the primary', () => {
  it('inserts, updates and deletes arrive, transformed', async () => {
    await insert(1);
    await insert(2);
    await insert(3);
    expect(await plane.settle('person', 1)).toMatchObject({ claimed: 3, written: 3, mismatched: 0, checked: 3 });
    await same();
    await db.sql.unsafe(`UPDATE person SET company = NULL WHERE id = 1; DELETE FROM person WHERE id = 2`);
    expect(await plane.settle('person', 1)).toMatchObject({ written: 1, deleted: 1, mismatched: 0 });
    await same();
  });

  it('many changes of one key are applied as one', async () => {
    for (let i = 0; i < 5; i += 1) await db.sql.unsafe(`UPDATE person SET company = 'c${i}' WHERE id = 1`);
    expect(await plane.converge('person', 1, 500)).toMatchObject({ claimed: 5, written: 1, checked: 1, remaining: 0 });
    await same();
  });

  it('a hint without a change writes nothing', async () => {
    await db.sql.unsafe('UPDATE person SET company = company WHERE id = 1');
    expect(await plane.converge('person', 1, 500)).toMatchObject({ claimed: 1, written: 0, mismatched: 0 });
  });

  it('columns that only the new shape has keep their values', async () => {
    await db.sql.unsafe(
      "UPDATE person_v2 SET tier = 'gold' WHERE id = 1; UPDATE person SET company = 'other' WHERE id = 1",
    );
    await plane.settle('person', 1);
    const [row] = await db.sql.unsafe('SELECT tier, organisation FROM person_v2 WHERE id = 1');
    expect(row).toEqual({ tier: 'gold', organisation: 'other' });
  });

  it('what remains is counted, and a limit is kept', async () => {
    for (let id = 10; id < 15; id += 1) await insert(id);
    expect(await plane.converge('person', 1, 2)).toMatchObject({ claimed: 2, written: 2, remaining: 3 });
    expect(await plane.waiting()).toMatchObject([{ id: 'person', hints: 3 }]);
    await plane.settle('person', 1);
    expect(await plane.waiting()).toEqual([]);
    await same();
  });

  it('a hint that somebody else holds is left to him', async () => {
    await insert(20);
    const other = db.connect();
    await other.begin(async (sql) => {
      await sql.unsafe('SELECT FROM crossfade.outbox_person FOR UPDATE');
      expect(await plane.converge('person', 1, 500)).toMatchObject({ claimed: 0, written: 0 });
    });
    expect(await plane.converge('person', 1, 500)).toMatchObject({ claimed: 1, written: 1 });
  });

  it('a limit of 0, −1, 10⁹ or NULL is refused', async () => {
    for (const limit of [0, -1, 1e9]) await expect(plane.converge('person', 1, limit)).rejects.toThrow();
    await same();
  });
});

describe('I8 lag', () => {
  it('is the age of the oldest hint while nothing is applied, and 0 when there is none', async () => {
    expect((await plane.status('person'))!.lagMs).toBe(0);
    expect(await plane.converge('person', 1, 10)).toMatchObject({
      ...{ kind: 'converged', claimed: 0, written: 0, deleted: 0, checked: 0, mismatched: 0 },
      ...{ postponed: 0, quarantined: 0, remaining: 0 },
    });
    await insert(30);
    await db.sql.unsafe(`UPDATE crossfade.outbox_person SET at = at - interval '90 seconds'`);
    await insert(31);
    expect((await plane.status('person'))!.lagMs).toBeGreaterThanOrEqual(90_000);
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.lagMs).toBe(0);
  });
});

describe('I15 a row that does not fit', () => {
  it('is tried again, put into quarantine with its reason, and delays nobody', async () => {
    await db.sql.unsafe('DELETE FROM person; DELETE FROM crossfade.quarantine');
    await plane.settle('person', 1);
    for (let id = 1; id <= 40; id += 1) await insert(id, `${id}@x.test`, id === 17 ? -5 : id);
    const first = await plane.converge('person', 1, 500);
    expect(first).toMatchObject({ claimed: 40, written: 39, postponed: 1, quarantined: 0 });
    let given = 0;
    await eventually(async () => {
      const again = await plane.converge('person', 1, 500);
      given += again.kind === 'converged' ? again.quarantined : 0;
      return (await plane.status('person'))!.quarantined === 1;
    }, 'key 17 is in quarantine');
    expect(given).toBe(1);
    const status = (await plane.status('person'))!;
    expect(status.outboxRows).toBe(0);
    expect(status.quarantine).toMatchObject([{ key: '{"id": 17}', sqlstate: '23514' }]);
    expect(status.quarantine[0]!.attempts).toBeGreaterThanOrEqual(5);
    expect(status.quarantine[0]!.reason).toMatch(/person_v2_balance_check/);
  });

  it('leaves quarantine when a later write of the key fits', async () => {
    await db.sql.unsafe('UPDATE person SET balance = 5 WHERE id = 17');
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.quarantined).toBe(0);
    await same();
  });

  it('leaves quarantine when it is deleted', async () => {
    await db.sql.unsafe('UPDATE person SET balance = -1 WHERE id = 18');
    await eventually(async () => {
      await plane.converge('person', 1, 500);
      return (await plane.status('person'))!.quarantined === 1;
    }, 'key 18 is in quarantine');
    await db.sql.unsafe('DELETE FROM person WHERE id = 18');
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.quarantined).toBe(0);
    await same();
  });

  it('a unique value that moves along a chain of keys settles by itself', async () => {
    await db.sql.unsafe(`UPDATE person SET email = 'free' WHERE id = 1; UPDATE person SET email = '1@x.test' WHERE id = 2;
      UPDATE person SET email = '2@x.test' WHERE id = 3; DELETE FROM person WHERE id = 4; UPDATE person SET email = '4@x.test' WHERE id = 5`);
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.quarantined).toBe(0);
    await same();
  });

  it('unique values that keys exchange in one transaction settle at once, among rows that do not fit', async () => {
    // Deferred in the application's table only: the new shape refuses each single write.
    await db.sql.unsafe(`UPDATE person_v2 SET tier = 'of ' || id; ALTER TABLE person ALTER COLUMN email TYPE varchar(60);
      UPDATE person SET email = CASE id WHEN 20 THEN '21@x.test' WHEN 21 THEN '22@x.test' WHEN 22 THEN '20@x.test' ELSE email END,
        balance = CASE id WHEN 25 THEN -1 ELSE balance END WHERE id BETWEEN 20 AND 29;
      UPDATE person SET email = CASE id WHEN 30 THEN '31@x.test' ELSE '30@x.test' END WHERE id IN (30, 31);
      UPDATE person SET email = '33@x.test' WHERE id = 32; DELETE FROM person WHERE id = 34;
      INSERT INTO person SELECT 34, first_name, last_name, company, fax, email, balance FROM person WHERE id = 35;
      UPDATE person SET email = '34@x.test' WHERE id = 35`);
    // 25 has a negative balance; 32 wants what 33 keeps.
    expect(await plane.converge('person', 1, 500)).toMatchObject({ postponed: 2, quarantined: 0 });
    const rows = await db.sql.unsafe(
      'SELECT id::int, email, tier FROM person_v2 WHERE id IN (20, 21, 22, 34, 35) ORDER BY id',
    );
    expect([...rows]).toEqual([
      { id: 20, email: '21@x.test', tier: 'of 20' },
      { id: 21, email: '22@x.test', tier: 'of 21' },
      { id: 22, email: '20@x.test', tier: 'of 22' },
      { id: 34, email: '35@x.test', tier: 'standard' },
      { id: 35, email: '34@x.test', tier: 'of 35' },
    ]);
    await db.sql.unsafe(
      "UPDATE person SET email = '32@x.test' WHERE id = 32; UPDATE person SET balance = 1 WHERE id = 25",
    );
    await plane.settle('person', 1);
    await same();
  });

  it('unique values that two calls would have to exchange settle when both keys are due', async () => {
    await db.sql.unsafe(
      `UPDATE person SET email = CASE id WHEN 20 THEN '22@x.test' ELSE '21@x.test' END WHERE id IN (20, 21)`,
    );
    expect(await plane.converge('person', 1, 1)).toMatchObject({ claimed: 1, postponed: 1 });
    expect(await plane.converge('person', 1, 1)).toMatchObject({ claimed: 1, postponed: 1 });
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.quarantined).toBe(0);
    await same();
  });

  it('rows that others refer to are not taken out: such an exchange goes to quarantine', async () => {
    await db.sql.unsafe(`CREATE TABLE letter (person bigint REFERENCES person_v2 ON DELETE CASCADE); INSERT INTO letter VALUES (20);
      UPDATE person SET email = CASE id WHEN 20 THEN '21@x.test' ELSE '22@x.test' END WHERE id IN (20, 21)`);
    expect(await plane.converge('person', 1, 500)).toMatchObject({ postponed: 2 });
    await db.sql.unsafe('DROP TABLE letter');
    await plane.settle('person', 1);
    expect((await plane.status('person'))!.quarantined).toBe(0);
    await same();
  });

  it('one that does not fit among 4,096 is found by halving', async () => {
    await db.sql.unsafe(`INSERT INTO person SELECT i, 'Ada', 'L', 'ACME', 'fax', i || '@y.test', CASE i WHEN 3000 THEN -1 ELSE 1 END
      FROM generate_series(1001, 5096) i`);
    // A sequence counts the statements that were undone, too.
    await db.sql.unsafe(`CREATE SEQUENCE writes; CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM nextval('public.writes'); RETURN NULL; END $$;
      CREATE TRIGGER count_write BEFORE INSERT ON person_v2 FOR EACH STATEMENT EXECUTE FUNCTION count_write()`);
    expect(await plane.converge('person', 1, 5_000)).toMatchObject({ claimed: 4096, written: 4095, postponed: 1 });
    const [counted] = await db.sql.unsafe('SELECT last_value::int AS statements FROM writes');
    expect(counted!.statements).toBe(1 + 2 * Math.log2(4096));
    await db.sql.unsafe('DROP TRIGGER count_write ON person_v2; DROP FUNCTION count_write; DROP SEQUENCE writes');
    await db.sql.unsafe('DELETE FROM person WHERE id > 1000');
    await plane.settle('person', 1);
    await same();
  });

  it('a value that is too long for the new shape is never cut', async () => {
    await db.sql.unsafe(`ALTER TABLE person ALTER COLUMN last_name TYPE text;
      UPDATE person SET last_name = 'a name of much more than twenty letters' WHERE id = 3`);
    await plane.disarm('person');
    await plane.forget('person');
    await plane.start(PERSON, 2);
    await db.sql.unsafe('UPDATE person SET company = company WHERE id = 3');
    await eventually(async () => {
      await plane.converge('person', 2, 500);
      return (await plane.status('person'))!.quarantined === 1;
    }, 'key 3 is in quarantine');
    expect((await plane.status('person'))!.quarantine).toMatchObject([{ key: '{"id": 3}', sqlstate: '22001' }]);
    const [row] = await db.sql.unsafe('SELECT last_name FROM person_v2 WHERE id = 3');
    expect(row).toEqual({ last_name: 'L3' });
    await db.sql.unsafe("UPDATE person SET last_name = 'short' WHERE id = 3");
    await plane.settle('person', 2);
    await plane.copy('person', 2);
    await plane.settle('person', 2);
    await same();
  });
});

describe('I9 an old epoch', () => {
  it('changes no row: converge, backfill and verify', async () => {
    await plane.fence('person', 7);
    await insert(50);
    const before =
      await db.sql.unsafe(`SELECT (SELECT count(*) FROM person_v2) AS rows, (SELECT count(*) FROM crossfade.outbox_person) AS hints,
      (SELECT row(b.*)::text FROM crossfade.backfill b) AS backfill, (SELECT count(*) FROM crossfade.verification) AS verified`);
    for (const epoch of [6, 8]) {
      expect(await plane.converge('person', epoch, 500)).toEqual({ kind: 'stale', have: 7, got: epoch });
      expect(await plane.backfill('person', epoch, 100)).toEqual({ kind: 'stale', have: 7, got: epoch });
      expect(await plane.verify('person', epoch, 1)).toEqual({ kind: 'stale', have: 7, got: epoch });
    }
    const after =
      await db.sql.unsafe(`SELECT (SELECT count(*) FROM person_v2) AS rows, (SELECT count(*) FROM crossfade.outbox_person) AS hints,
      (SELECT row(b.*)::text FROM crossfade.backfill b) AS backfill, (SELECT count(*) FROM crossfade.verification) AS verified`);
    expect(after).toEqual(before);
    expect(await plane.converge('person', 7, 500)).toMatchObject({ kind: 'converged', written: 1 });
  });

  it('the fence never goes back', async () => {
    const row = { id: 'person', stage: 'ramp', shadowWrites: true, readPpm: 0, salt: 's' };
    expect(await plane.mirror({ ...row, epoch: 6, version: 99 })).toEqual({ kind: 'stale', epoch: 7, version: 7 });
    expect(await plane.mirror({ ...row, epoch: 7, version: 6 })).toEqual({ kind: 'stale', epoch: 7, version: 7 });
    expect(await plane.mirror({ ...row, epoch: 7, version: 7 })).toEqual({ kind: 'written' });
  });

  it('a new fence waits for the call that is under way, so that none commits after it', async () => {
    const other = db.connect();
    let written = false;
    await other.begin(async (sql) => {
      await sql.unsafe('SELECT crossfade.converge_person(7, 10)');
      const fence = plane.fence('person', 8).then(() => {
        written = true;
      });
      await eventually(async () => {
        const [row] = await db.sql.unsafe(
          "SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        );
        return row!.waiting === 1;
      }, 'the fence waits');
      expect(written).toBe(false);
      void fence;
    });
    await eventually(async () => written, 'the fence is written');
    expect(await plane.converge('person', 7, 10)).toMatchObject({ kind: 'stale', have: 8 });
  });

  it('a cutover that was never armed is stale, not an error', async () => {
    expect(await plane.converge('nobody', 1, 10)).toMatchObject({ kind: 'stale', got: 1 });
    expect(await plane.status('nobody')).toBeNull();
  });
});

describe('arming', () => {
  it('a second arm loses no hint', async () => {
    await insert(60);
    await plane.arm(PERSON);
    expect((await plane.status('person'))!).toMatchObject({
      armed: 'forward',
      backfill: { state: expect.any(String) },
    });
    await plane.settle('person', 8);
    await plane.copy('person', 8);
    await plane.settle('person', 8);
    await same();
  });

  it('forget leaves the two tables and nothing else', async () => {
    await plane.forget('person');
    await plane.forget('person');
    const left = await db.sql.unsafe(`SELECT tgname AS name FROM pg_trigger WHERE tgname LIKE 'crossfade%'
      UNION ALL SELECT relname FROM pg_class WHERE relname LIKE '%\\_person%' AND relnamespace = 'crossfade'::regnamespace
      UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%\\_person'`);
    expect([...left]).toEqual([]);
    await same();
  });
});

describe('tracking columns of a shadow', () => {
  const TRACKED: TableCutover = {
    id: 'tracked',
    validation: 'strict',
    table: { primary: 'public.tracked', shadow: 'public.tracked_v2' },
  };
  const seen = async (key: number) => {
    const [row] =
      await db.sql.unsafe(`SELECT v, _shadow_version, _shadow_source_table, _shadow_migration_id, _shadow_sync_status,
      _shadow_last_sync > _shadow_created_at AS again, _shadow_validation_hash = h.primary_hash AS hashed, h.equal
      FROM tracked_v2, crossfade.validate_record_hash('tracked', id::text) h WHERE id = ${key}`);
    return row && { ...row };
  };
  const state = (v: string, version: number, again: boolean) => ({
    v,
    _shadow_version: version,
    _shadow_source_table: 'public.tracked',
    _shadow_migration_id: 'tracked',
    _shadow_sync_status: 'synced',
    again,
    hashed: true,
    equal: true,
  });

  it('are written by the copy and by converge, count changes of the row, and are no change themselves', async () => {
    await db.sql.unsafe(`CREATE TABLE tracked (id integer PRIMARY KEY, v text); INSERT INTO tracked VALUES (1, 'a'), (2, 'b');
      CREATE TABLE tracked_v2 (id integer PRIMARY KEY, v text, _shadow_version integer NOT NULL DEFAULT 1,
        _shadow_created_at timestamptz NOT NULL DEFAULT now(), _shadow_source_table text NOT NULL, _shadow_migration_id text,
        _shadow_sync_status text NOT NULL DEFAULT 'pending' CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged')),
        _shadow_last_sync timestamptz, _shadow_validation_hash text, _shadow_own integer DEFAULT 7)`);
    await plane.start(TRACKED);
    await plane.copy('tracked', 1);
    expect({ ...(await seen(1)), again: false }).toEqual(state('a', 1, false));
    await db.sql.unsafe("UPDATE tracked SET v = 'c' WHERE id = 1; INSERT INTO tracked VALUES (3, 'n')");
    await plane.settle('tracked', 1);
    expect(await seen(1)).toEqual(state('c', 2, true));
    expect({ ...(await seen(3)), again: false }).toEqual(state('n', 1, false));
    await db.sql.unsafe('UPDATE tracked SET v = v');
    expect(await plane.settle('tracked', 1)).toMatchObject({ written: 0, mismatched: 0 });
    expect(await seen(1)).toEqual(state('c', 2, true));
    expect(await plane.verify('tracked', 1, 1)).toMatchObject({ result: { divergences: 0 } });
  });

  it('go with cleanup when that is asked for; columns of the same kind that are not ours stay', async () => {
    const swap = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(TRACKED, swap)).toMatchObject({ kind: 'swapped' });
    await db.sql.unsafe('CREATE VIEW watcher AS SELECT _shadow_version FROM tracked');
    const asked = () => plane.cleanup(TRACKED, 2, { dropTracking: true });
    expect(await asked()).toMatchObject({ kind: 'refused', why: expect.stringMatching(/watcher/) });
    await db.sql.unsafe('DROP VIEW watcher');
    expect(await asked()).toEqual({ kind: 'cleaned' });
    const columns = await db.sql.unsafe(
      "SELECT attname FROM pg_attribute WHERE attrelid = 'tracked'::regclass AND attnum > 0 AND NOT attisdropped",
    );
    expect(columns.map(({ attname }) => attname)).toEqual(['id', 'v', '_shadow_own']);
  });
});
