/**
 * A transaction that reads everything as of one moment, began before the tables were exchanged, and comes to the table first
 * after it: what it would not see it must not write. It is asked to begin again.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const SEAT: TableCutover = {
  id: 'seat',
  validation: 'strict',
  table: { primary: 'public.seat', shadow: 'public.seat_v2' },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 };
const REVERT = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 30 };
const BUSY = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";

let db: OwnDatabase;
let plane: TestPlane;

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE seat (id integer PRIMARY KEY, v text); CREATE TABLE seat_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO seat SELECT i, 'x' FROM generate_series(1, 20) i`);
  await plane.start(SEAT);
  await plane.copy('seat', 1);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/**
 *   row 500 committed ── snapshot, busy elsewhere ─────────────────── acts
 *                                     row 500 applied ── exchanged
 */
async function across(level: string, exchange: () => Promise<unknown>, act: string): Promise<number | string> {
  const [holder, late] = [db.connect(), db.connect()];
  await db.sql.unsafe("INSERT INTO seat VALUES (500, 'new')");
  await holder.unsafe('SELECT pg_advisory_lock(4711)');
  await late.unsafe(`BEGIN ISOLATION LEVEL ${level}`);
  const busy = late.unsafe('SELECT pg_advisory_xact_lock_shared(4711)').execute();
  await eventually(async () => (await db.sql.unsafe(BUSY)).length === 1, 'the transaction is busy elsewhere');
  await exchange();
  await holder.unsafe('SELECT pg_advisory_unlock(4711)');
  await busy;
  const outcome = await late.unsafe(act).then(
    ({ count }) => count,
    ({ code }: { code: string }) => code,
  );
  await late.unsafe('ROLLBACK');
  return outcome;
}
const promoted = async () => expect(await plane.promote(SEAT, PROMOTE)).toMatchObject({ kind: 'swapped' });
const ACTS = [
  'DELETE FROM seat WHERE id = 500',
  "UPDATE seat SET v = 'y' WHERE id = 500",
  "INSERT INTO seat VALUES (500, 'z') ON CONFLICT DO NOTHING",
  'WITH gone AS (DELETE FROM seat WHERE id = 500) SELECT',
];

describe('a transaction that began before the tables were exchanged', () => {
  it.each(['REPEATABLE READ', 'SERIALIZABLE'].flatMap((level) => ACTS.map((act) => [level, act] as const)))(
    'under %s is asked to begin again: %s',
    async (level, act) => {
      expect(await across(level, promoted, act)).toBe('40001');
    },
  );

  it('under READ COMMITTED goes on, and finds what was committed', async () => {
    expect(await across('READ COMMITTED', promoted, ACTS[0]!)).toBe(1);
  });

  it('is asked the same after a way back, and the cutover begins anew without what asked it', async () => {
    await promoted();
    const reverted = async () => {
      await plane.settle('seat', 2);
      expect(await plane.revert(SEAT, REVERT)).toMatchObject({ kind: 'swapped' });
    };
    expect(await across('SERIALIZABLE', reverted, ACTS[0]!)).toBe('40001');
    await plane.forget('seat');
    expect(await db.sql.unsafe("SELECT tgname FROM pg_trigger WHERE tgname ~ 'crossfade'")).toHaveLength(0);
  });

  it('that is over leaves nothing of ours on the table after a way back', async () => {
    await promoted();
    await plane.settle('seat', 2);
    expect(await plane.revert(SEAT, REVERT)).toMatchObject({ kind: 'swapped' });
    expect(await db.sql.unsafe("SELECT tgname FROM pg_trigger WHERE tgname ~ 'crossfade'")).toHaveLength(0);
  });

  it('that begins after it writes as it likes, and cleanup leaves nothing', async () => {
    await promoted();
    await db.sql.begin('ISOLATION LEVEL SERIALIZABLE', async (tx) => {
      expect((await tx.unsafe("UPDATE seat SET v = 'y'")).count).toBe(20);
    });
    await plane.settle('seat', 2);
    expect(await plane.cleanup(SEAT, 2)).toEqual({ kind: 'cleaned' });
    expect(await db.sql.unsafe("SELECT tgname FROM pg_trigger WHERE tgname ~ 'crossfade'")).toHaveLength(0);
  });

  it('without the trigger leaves a row that was committed before it began', async () => {
    const unguarded = async () => {
      await promoted();
      await db.sql.unsafe('DROP TRIGGER crossfade_snapshot ON seat');
    };
    expect(await across('REPEATABLE READ', unguarded, ACTS[0]!)).toBe(0);
    expect(await db.sql.unsafe('SELECT FROM seat WHERE id = 500')).toHaveLength(1);
  });
});
