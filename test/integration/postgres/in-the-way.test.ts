/**
 * What stands in the way of arming and of a swap: autovacuum, a lock of somebody else, a snapshot from before the copy ended,
 * a change of the catalog at the last moment. The application never waits for any of it.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { breakpoints } from '../../helpers/breakpoints.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';
import { haltableSwap } from '../../helpers/seams.ts';

const CUTOVER: TableCutover = {
  id: 'a',
  validation: 'strict',
  table: { primary: 'public.a', shadow: 'public.a_v2' },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };

let db: OwnDatabase;
let plane: TestPlane;
beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE a (id integer PRIMARY KEY, v text); CREATE TABLE a_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO a SELECT i, 'x' FROM generate_series(1, 2000) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/** Rewrites a function of the schema, as somebody would who takes the rule out. */
async function rewrite(name: string, from: string, to: string): Promise<void> {
  const [made] = await db.sql.unsafe(`SELECT pg_get_functiondef('crossfade.${name}'::regproc) AS text`);
  expect(made!.text.split(from)).toHaveLength(2);
  await db.sql.unsafe(made!.text.replace(from, () => to));
}

describe('autovacuum at work on the table', () => {
  const busy = (relation: string) => `SELECT FROM pg_stat_progress_vacuum WHERE relid = '${relation}'::regclass`;
  beforeEach(async () => {
    // One page a tenth of a second: it would take minutes.
    await db.sql.unsafe(`ALTER TABLE a SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
      autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`);
    await db.sql.unsafe('ALTER SYSTEM SET autovacuum_naptime = 1');
    await db.sql.unsafe('SELECT pg_reload_conf()');
    await db.sql.unsafe("UPDATE a SET v = 'y'");
    await eventually(async () => (await db.sql.unsafe(busy('a'))).length > 0, 'autovacuum is at work', 30_000);
  });
  afterEach(async () => {
    await db.sql.unsafe('ALTER SYSTEM RESET autovacuum_naptime');
    await db.sql.unsafe('SELECT pg_reload_conf()');
  });

  it('yields to the start, and to the promotion', async () => {
    await plane.start(CUTOVER);
    await plane.copy('a', 1);
    await db.sql.unsafe("UPDATE a SET v = 'z'");
    await plane.settle('a', 1);
    await eventually(async () => (await db.sql.unsafe(busy('a'))).length > 0, 'autovacuum is at work again', 30_000);
    expect(await plane.promote(CUTOVER, PROMOTE)).toMatchObject({ kind: 'swapped' });
  }, 90_000);
});

describe('a lock that keeps the shape', () => {
  it('is named, and no statement of the application waits for the start meanwhile', async () => {
    const holder = db.connect();
    await holder.unsafe("SET application_name = 'nightly maintenance'");
    await holder.unsafe('BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE').simple();
    const application = db.connect();
    await application.unsafe("SET lock_timeout = '50ms'");
    const starting = plane.arm(CUTOVER).then(
      () => 'armed',
      (error: Error) => error.message,
    );
    let over = false;
    void starting.then(() => {
      over = true;
    });
    for (let i = 0; !over; i += 1) await application.unsafe(`UPDATE a SET v = 'w${i}' WHERE id = ${1 + (i % 2000)}`);
    expect(await starting).toMatch(/a is locked: process \d+ \(nightly maintenance, .*LOCK TABLE a/);
    await holder.unsafe('COMMIT');
    expect(await plane.arm(CUTOVER)).toEqual({ kind: 'armed' });
  }, 60_000);
});

describe('a transaction that reads one snapshot throughout, from before the copy ended', () => {
  const READ = 'SELECT count(*)::int AS rows FROM a';

  async function readerFromBefore() {
    await plane.start(CUTOVER);
    const reader = db.connect();
    await reader.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.unsafe("SET application_name = 'yearly report'");
    await reader.unsafe('SELECT 1');
    await plane.copy('a', 1);
    // At work on something else while the swap happens: neither idle nor in the way of a lock.
    const working = reader.unsafe('SELECT pg_advisory_lock(4711)').execute();
    const waits = "SELECT FROM pg_stat_activity WHERE application_name = 'yearly report' AND wait_event = 'advisory'";
    await eventually(async () => (await db.sql.unsafe(waits)).length > 0, 'the reader is at work');
    return { reader, working };
  }

  async function gate() {
    const holder = db.connect();
    await holder.unsafe('SELECT pg_advisory_lock(4711)');
    return () => holder.unsafe('SELECT pg_advisory_unlock(4711)');
  }

  it('puts the promotion off, with its name, until it ends', async () => {
    const open = await gate();
    const { reader, working } = await readerFromBefore();
    const postponed = await plane.promote(CUTOVER, PROMOTE);
    expect(postponed).toMatchObject({
      kind: 'postponed',
      why: expect.stringMatching(/began before the copy ended is still open, .*yearly report \(process \d+\)/),
    });
    await open();
    await working;
    expect(await reader.unsafe(READ)).toEqual([{ rows: 2000 }]);
    await reader.unsafe('COMMIT');
    expect(await plane.promote(CUTOVER, PROMOTE)).toMatchObject({ kind: 'swapped' });
  }, 60_000);

  it('would read none of the rows without that rule (negative control)', async () => {
    await rewrite('swap', "WHERE b.cutover = p_id AND p_direction = 'reverse'", 'WHERE false');
    const open = await gate();
    const { reader, working } = await readerFromBefore();
    expect(await plane.promote(CUTOVER, PROMOTE)).toMatchObject({ kind: 'swapped' });
    await open();
    await working;
    expect(await reader.unsafe(READ)).toEqual([{ rows: 0 }]);
    await reader.unsafe('COMMIT');
  }, 60_000);
});

describe('a view that is made while the swap is about to ask for its lock', () => {
  const reads = `SELECT d.refobjid::regclass::text AS table FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    WHERE w.ev_class = 'late'::regclass AND d.refobjid <> w.ev_class GROUP BY 1`;

  async function viewAtTheLastMoment() {
    await plane.start(CUTOVER);
    await plane.copy('a', 1);
    await haltableSwap(db);
    const points = await breakpoints(db);
    const halted = await points.halt('swap: to be locked', () => plane.promote(CUTOVER, PROMOTE));
    await db.connect().unsafe('CREATE VIEW late AS SELECT v FROM a');
    return halted.release();
  }

  it('is carried over: the swap is prepared again', async () => {
    expect(await viewAtTheLastMoment()).toMatchObject({ kind: 'swapped', attempts: 2 });
    expect(await db.sql.unsafe(reads)).toEqual([{ table: 'a' }]);
  }, 60_000);

  it('would go on reading the old table without the look at the catalog (negative control)', async () => {
    await db.sql.unsafe(
      "CREATE OR REPLACE FUNCTION crossfade.catalog_stamp(p_relations oid[]) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
    );
    expect(await viewAtTheLastMoment()).toMatchObject({ kind: 'swapped', attempts: 1 });
    expect(await db.sql.unsafe(reads)).toEqual([{ table: 'a_old' }]);
  }, 60_000);
});
