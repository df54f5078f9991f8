/**
 * I1 I6 the whole server by SIGKILL, with crash recovery on what its disk holds, at each named moment of each act. Whatever
 * the application was told is committed is there, an act that was not is as if it had never begun, and asked again it goes.
 */

import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installSchema } from '../../../infra/local/install-schema.ts';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type Breakpoints, breakpoints } from '../../helpers/breakpoints.ts';
import { type CrashableServer, crashableServer } from '../../helpers/crashable-postgres.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, postgresCalls, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { type Act, AFTER_SWAP, haltableSwap, haltingAt, NOTHING_COPIED, ours, pointsOf } from '../../helpers/seams.ts';
import { BREAKPOINTS, edited, HALTING } from '../../helpers/sql-plants.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const STOCK: TableCutover = {
  id: 'stock',
  validation: 'strict',
  table: { primary: 'public.stock', shadow: 'public.stock_v2', columns: { label: { from: 'name' } } },
};
const ROWS = 60;

let server: CrashableServer;
let db: OwnDatabase;
let plane: TestPlane;
let points: Breakpoints;
let epoch = 1;
let writes = 0;

beforeAll(async () => {
  server = await crashableServer({ durable: false });
  await installSchema(new URL('../../..', import.meta.url).pathname, server.url);
  db = crashableDatabase();
  plane = testPlane(db, { ...systemClock(), sleep: async () => {} });
  points = await breakpoints(db);
  await db.sql.unsafe(`CREATE TABLE stock (id integer PRIMARY KEY, name text, amount integer NOT NULL);
    CREATE TABLE stock_v2 (id bigint PRIMARY KEY, label text, amount numeric(9, 0) NOT NULL);
    CREATE TABLE parcel (id integer PRIMARY KEY, stock_id integer REFERENCES stock);
    CREATE TABLE twin AS SELECT id, name AS label, amount FROM stock;
    INSERT INTO stock SELECT i, 'n' || i, i FROM generate_series(1, ${ROWS}) i;
    INSERT INTO twin TABLE stock`);
  await haltableSwap(db);
  await plane.start(STOCK, epoch);
  await tamper(db, plane.connection(), STOCK, edited(HALTING));
});
afterAll(async () => {
  await plane.close();
  await db.drop();
  await server.stop();
});

/** One connection, and another one after a crash: a driver that has lost its server is not trusted. */
function crashableDatabase(): OwnDatabase {
  const connect = () => postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  let [sql, since] = [connect(), server.crashes()];
  const current = () => {
    if (since !== server.crashes()) {
      sql.end({ timeout: 0 }).catch(() => {});
      [sql, since] = [connect(), server.crashes()];
    }
    return sql;
  };
  return {
    name: 'postgres',
    url: server.url,
    get sql() {
      return current();
    },
    connect,
    drop: async () => void (await sql.end({ timeout: 0 })),
  };
}

/** A call tries again by itself. It has given up before the server is back, or it would be the one that acts. */
const outage = async (ended?: Promise<unknown>) => {
  await server.crash();
  await ended;
  await server.restart();
};

/** Not asked of the data plane: a call that is halted has its connection. */
async function now(): Promise<{ direction: string; column: string }> {
  const [row] = await db.sql.unsafe(`SELECT direction, (SELECT attname FROM pg_attribute
    WHERE attrelid = 'stock'::regclass AND attname IN ('name', 'label')) AS column FROM crossfade.cutover`);
  return row as never;
}

/** Back when its commit is acknowledged. The twin gets the same in the same transaction. */
async function write(): Promise<void> {
  writes += 1;
  const { column } = await now();
  const changes = (table: string, text: string) => `
    UPDATE ${table} SET ${text} = 'w${writes}' WHERE id % 5 = ${writes % 5};
    DELETE FROM ${table} WHERE id = ${writes};
    INSERT INTO ${table} VALUES (${1_000 + writes}, 'new', ${writes})`;
  await db.sql.unsafe(`BEGIN; ${changes('stock', column)}; ${changes('twin', 'label')}; COMMIT`).simple();
}

/** Rows that are not what was acknowledged, on the side that is read and, when all is applied, on the other one. */
async function wrong(): Promise<unknown[]> {
  const twin = 'SELECT id::bigint, label, amount::numeric FROM twin';
  const { direction, column } = await now();
  const rows = (name: string, table: string) => `SELECT id::bigint, ${name}, amount::numeric FROM ${table}`;
  const seen = await differences(db, twin, rows(column, 'stock'));
  if (direction === 'none') return seen;
  await plane.settle('stock', epoch);
  const other = direction === 'forward' ? rows('label', 'stock_v2') : rows('name', 'stock_old');
  return [...seen, ...(await differences(db, twin, other))];
}

const halting = new Map<Act, TableCalls>();
function haltingPlane(act: Act): TableCalls {
  const made =
    halting.get(act) ?? postgresCalls({ runtime: plane.connection(), owner: haltingAt(plane.connection(), act) });
  halting.set(act, made);
  return made;
}

/** One of them is reached only when a key does not fit. */
const named = (prefix: RegExp) => BREAKPOINTS.filter((point) => prefix.test(point) && point !== 'converge: put aside');

const step = (stage: string) => ({ fromEpoch: epoch, toEpoch: epoch + 1, stage, version: epoch + 1 });

describe('a server that crashes', () => {
  it.each(named(/^backfill/))('at %s goes on with that chunk, and counts no row twice', async (point) => {
    await db.sql.unsafe(NOTHING_COPIED);
    await plane.backfill('stock', epoch, 25);
    const halted = await points.halt(point, () => plane.copy('stock', epoch, 25));
    await write();
    await halted.during(outage);
    expect(await plane.copy('stock', epoch, 25)).toBeLessThanOrEqual(ROWS);
    expect(await wrong()).toEqual([]);
  });

  it.each(named(/^(converge|apply)/))('at %s has every hint again, and applies it', async (point) => {
    await write();
    const before = (await plane.status('stock'))!.outboxRows;
    const halted = await points.halt(point, () => plane.converge('stock', epoch, 100));
    await write();
    await halted.during(outage);
    expect((await plane.status('stock'))!.outboxRows).toBeGreaterThan(before);
    expect(await wrong()).toEqual([]);
  });

  it('at converge: put aside has every hint again, and puts the one that does not fit aside anew', async () => {
    await write();
    // Fits an integer, and not the numeric(9, 0) of the shadow.
    const change = (amount: number) =>
      `UPDATE stock SET amount = ${amount} WHERE id = 58; UPDATE twin SET amount = ${amount} WHERE id = 58`;
    await db.sql.unsafe(change(2_000_000_000));
    const before = (await plane.status('stock'))!.outboxRows;
    const halted = await points.halt('converge: put aside', () => plane.converge('stock', epoch, 100));
    await halted.during(outage);
    expect((await plane.status('stock'))!.outboxRows).toBe(before);
    expect(await plane.converge('stock', epoch, 100)).toMatchObject({ kind: 'converged', postponed: 1 });
    await db.sql.unsafe(change(58));
    expect(await wrong()).toEqual([]);
  });

  it.each(named(/^verify/))('at %s has lost at most what was compared', async (point) => {
    // A row that the write meanwhile leaves alone, or it would be late instead of wrong.
    const spared = (writes + 1) % 5 === 0 ? ROWS - 1 : ROWS;
    await db.sql.unsafe(`UPDATE stock_v2 SET label = 'wrong' WHERE id = ${spared}`);
    const halted = await points.halt(point, () => plane.verify('stock', epoch, 1));
    await write();
    await halted.during(outage);
    expect(await plane.verify('stock', epoch, 1)).toMatchObject({ result: { divergences: 1, rowsCompared: ROWS } });
    await plane.repair('stock');
    expect(await wrong()).toEqual([]);
  });

  it('would lose hints if the outbox were unlogged (negative control)', async () => {
    const outbox = ['outbox_stock', 'outbox1_stock'];
    for (const table of outbox) await db.sql.unsafe(`ALTER TABLE crossfade.${table} SET UNLOGGED`);
    await write();
    await outage();
    expect((await plane.status('stock'))!.outboxRows).toBe(0);
    expect(await wrong()).not.toEqual([]);
    for (const table of outbox) await db.sql.unsafe(`ALTER TABLE crossfade.${table} SET LOGGED`);
    await plane.verify('stock', epoch, 1);
    await plane.repair('stock');
    expect(await wrong()).toEqual([]);
  });

  it.each(pointsOf('promote'))('in a promotion at %s has changed nothing', async (point) => {
    await write();
    const before = await ours(db.sql);
    const halted = await points.halt(point, () => haltingPlane('promote').promote(STOCK, step('completed')));
    expect(await halted.during(outage)).toMatchObject({ status: 'rejected' });
    expect(await ours(db.sql)).toEqual(before);
    expect(await wrong()).toEqual([]);
  });

  it('between promotion and the validation of foreign keys is promoted, and the call that comes again validates them', async () => {
    await write();
    const promote = () => haltingPlane('promote').promote(STOCK, step('completed'));
    const halted = await points.halt(AFTER_SWAP[0], promote);
    await halted.during(outage);
    expect(await promote()).toEqual({ kind: 'already' });
    const [key] = await db.sql.unsafe(
      "SELECT convalidated FROM pg_constraint WHERE conrelid = 'parcel'::regclass AND contype = 'f'",
    );
    expect(key!.convalidated).toBe(true);
    epoch += 1;
    await write();
    expect(await wrong()).toEqual([]);
  });

  it.each(pointsOf('revert'))('on the way back at %s has changed nothing', async (point) => {
    await write();
    const before = await ours(db.sql);
    const halted = await points.halt(point, () => haltingPlane('revert').revert(STOCK, step('rolled_back')));
    await halted.during(outage);
    expect(await ours(db.sql)).toEqual(before);
    expect(await wrong()).toEqual([]);
  });

  it('goes back when it is asked again', async () => {
    await write();
    expect(await plane.revert(STOCK, step('rolled_back'))).toMatchObject({ kind: 'swapped' });
    epoch += 1;
    await write();
    expect(await wrong()).toEqual([]);
  });

  it.each(pointsOf('forget'))('that forgets, at %s has forgotten nothing', async (point) => {
    const before = await ours(db.sql);
    const forget = () => haltingPlane('forget').forget('stock', { epoch: 1_000_000, version: 1_000_000 });
    await (await points.halt(point, forget)).during(outage);
    expect(await ours(db.sql)).toEqual(before);
  });

  it.each(pointsOf('arm'))('that arms, at %s has armed nothing', async (point) => {
    await plane.forget('stock');
    const before = await ours(db.sql);
    const arm = () => haltingPlane('arm').arm(STOCK, { epoch: 1_000_000, version: 1_000_000 });
    await (await points.halt(point, arm)).during(outage);
    expect(await ours(db.sql)).toEqual(before);
  });

  it('in cleanup has the old table still, whatever was dropped, and drops it when it is asked again', {
    timeout: 60_000,
  }, async () => {
    await plane.forget('stock');
    epoch += 1;
    await plane.start(STOCK, epoch);
    await plane.copy('stock', epoch);
    expect(await plane.promote(STOCK, step('completed'))).toMatchObject({ kind: 'swapped' });
    epoch += 1;
    await write();
    const before = await ours(db.sql);
    for (const point of pointsOf('cleanup')) {
      const halted = await points.halt(point, () => haltingPlane('cleanup').cleanup(STOCK, epoch));
      await halted.during(outage);
      expect(await ours(db.sql), point).toEqual(before);
      expect(await wrong(), point).toEqual([]);
    }
    expect(await plane.cleanup(STOCK, epoch)).toEqual({ kind: 'cleaned' });
    expect(await ours(db.sql)).toMatchObject({
      tables: null,
      functions: null,
      triggers: null,
      names: ['parcel', 'stock', 'twin'],
    });
    expect(await wrong()).toEqual([]);
  });
});
