/**
 * I6 a backend, or its client, that ends at any named point while the application goes on writing: the same call, made again by the
 * connection or by the caller, leaves the shadow exact, no hint too many or too few, and nothing half done.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type Breakpoints, breakpoints } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import {
  differences,
  eventually,
  postgresCalls,
  type TestPlane,
  tamper,
  testPlane,
} from '../../helpers/postgres-tables.ts';
import { type Act, AFTER_SWAP, haltableSwap, haltingAt, NOTHING_COPIED, ours, pointsOf } from '../../helpers/seams.ts';
import { BREAKPOINTS, edited, HALTING } from '../../helpers/sql-plants.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const STOCK: TableCutover = {
  id: 'stock',
  validation: 'strict',
  table: { primary: 'public.stock', shadow: 'public.stock_v2', columns: { label: { from: 'name' } } },
};
const ROWS = 32;

let db: OwnDatabase;
let plane: TestPlane;
let points: Breakpoints;
let epoch = 1;

/** From one table to another, and from partitions to others, which a row leaves whose amount is another one. */
const PARTS = (name: string) =>
  [0, 1]
    .map((n) => `CREATE TABLE ${name}_${n} PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER ${n});`)
    .join(' ');
const SHAPES = {
  'a table': {
    primary: 'PRIMARY KEY (id)); CREATE TABLE parcel (id integer PRIMARY KEY, stock_id integer REFERENCES stock)',
    shadow: 'PRIMARY KEY (id))',
  },
  partitions: {
    primary: `PRIMARY KEY (id)) PARTITION BY HASH (id); ${PARTS('stock')}`,
    shadow: `PRIMARY KEY (id, amount)) PARTITION BY HASH (amount); ${PARTS('stock_v2')}`,
  },
};
type Shape = keyof typeof SHAPES;

async function begin(shape: Shape): Promise<void> {
  db = await ownDatabase();
  plane = testPlane(db, { ...systemClock(), sleep: async () => {} });
  points = await breakpoints(db);
  seamedPlanes.clear();
  const { primary, shadow } = SHAPES[shape];
  await db.sql.unsafe(`CREATE TABLE stock (id integer, name text, amount integer NOT NULL, ${primary};
    CREATE TABLE stock_v2 (id bigint, label text, amount numeric(9, 0) NOT NULL CHECK (amount >= 0), ${shadow};
    INSERT INTO stock SELECT i, 'n' || i, i FROM generate_series(1, ${ROWS}) i`);
  await haltableSwap(db);
}
async function end(): Promise<void> {
  await plane.close();
  await db.drop();
}

/** Forward, copied, halting, with rows of its own below key 1,000. */
async function armed({ anew = true } = {}): Promise<void> {
  const { armed: direction } = (await plane.status('stock')) ?? {};
  if (direction === 'reverse') {
    await plane.revert(STOCK, step('rolled_back'));
    epoch += 1;
  }
  if (direction !== 'forward') {
    if (direction) await plane.forget('stock');
    await plane.start(STOCK, ++epoch);
    await plane.copy('stock', epoch);
    await tamper(db, plane.connection(), STOCK, edited(HALTING));
  }
  if (!anew) return;
  await db.sql.unsafe(`DELETE FROM stock; INSERT INTO stock SELECT i, 'n' || i, i FROM generate_series(1, ${ROWS}) i`);
  await plane.settle('stock', epoch);
}

/** The same call as long as none has got through. */
const step = (stage: string) => ({ fromEpoch: epoch, toEpoch: epoch + 1, stage, version: epoch + 1 });

const left = () =>
  differences(db, 'SELECT id::bigint, name, amount FROM stock', 'SELECT id, label, amount FROM stock_v2');

/** Nothing put off for long, nothing left, and both sides the same. */
async function exact(): Promise<void> {
  await db.sql.unsafe('UPDATE crossfade.outbox_stock SET not_before = NULL');
  await plane.settle('stock', epoch);
  expect(await left()).toEqual([]);
  expect(await plane.status('stock')).toMatchObject({ outboxRows: 0, quarantined: 0 });
}

/** What the application does to rows that a halted call has read, and to others. */
const MEANWHILE =
  "UPDATE stock SET name = 'meanwhile' WHERE id IN (2, 12); UPDATE stock SET amount = amount + 1 WHERE id IN (4, 14); DELETE FROM stock WHERE id IN (3, 13); INSERT INTO stock VALUES (0, 'low', 1), (99, 'high', 1)";

const named = (prefix: RegExp) => BREAKPOINTS.filter((point) => prefix.test(point));

async function verified() {
  for (;;) {
    const step = await plane.verify('stock', epoch, 1);
    if (step.kind === 'verified') return step.result;
    expect(step.kind).toBe('running');
  }
}

/** Data planes whose owner halts at the seams of an act. */
const seamedPlanes = new Map<string, TableCalls>();

function seamedPlane(act: Act): TableCalls {
  const made =
    seamedPlanes.get(act) ?? postgresCalls({ runtime: plane.connection(), owner: haltingAt(plane.connection(), act) });
  seamedPlanes.set(act, made);
  return made;
}

async function promoted(): Promise<void> {
  if ((await plane.status('stock'))?.armed === 'reverse') return;
  await armed();
  expect(await plane.promote(STOCK, step('completed'))).toMatchObject({ kind: 'swapped' });
  epoch += 1;
}

/** Everything of ours and the rows of the application, which writes nothing meanwhile. */
async function everything(): Promise<object> {
  const [rows] = await db.sql.unsafe(
    "SELECT count(*) || ' ' || sum(hashtextextended(s::text, 0)) AS rows FROM stock s",
  );
  return { ...(await ours(db.sql)), ...rows! };
}

/** One call, killed at each of its points in turn: the connection comes again, to the next one, and in the end gets through. */
async function killedInTurn<T>(
  act: 'arm' | 'forget' | 'cleanup',
  call: (seamed: TableCalls) => Promise<T>,
): Promise<T> {
  const [first, ...others] = pointsOf(act);
  let halted = await points.halt(first!, () => call(seamedPlane(act)));
  for (const point of others) halted = await halted.killUntil(point);
  const settled = await halted.kill();
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

async function validated(): Promise<boolean> {
  const [key] = await db.sql.unsafe(
    "SELECT convalidated FROM pg_constraint WHERE conrelid = 'parcel'::regclass AND contype = 'f'",
  );
  return key!.convalidated;
}

const backwards = () =>
  differences(db, 'SELECT id, label, amount FROM stock', 'SELECT id::bigint, name, amount FROM stock_old');

describe.each(Object.keys(SHAPES) as Shape[])('of %s:', (shape) => {
  beforeAll(() => begin(shape));
  afterAll(end);

  describe('I6 converge that is killed', () => {
    it.each(named(/^(converge|apply)/))('at %s', async (point) => {
      await armed();
      await db.sql.unsafe(`UPDATE stock SET name = 'changed' WHERE id <= 6; DELETE FROM stock WHERE id IN (7, 8);
      INSERT INTO stock VALUES (50, 'new', 1); UPDATE stock SET id = 60 WHERE id = 9; UPDATE stock SET amount = -1 WHERE id = 10`);
      const halted = await points.halt(point, () => plane.converge('stock', epoch, 100));
      await db.sql.unsafe(MEANWHILE);
      expect(await halted.kill()).toMatchObject({ status: 'fulfilled', value: { kind: 'converged', postponed: 1 } });
      await db.sql.unsafe('UPDATE stock SET amount = 1 WHERE id = 10');
      await exact();
    });
  });

  describe('I6 I16 backfill that is killed', () => {
    it.each(named(/^backfill/))('at %s', async (point) => {
      await armed();
      await db.sql.unsafe(NOTHING_COPIED);
      await plane.backfill('stock', epoch, 15);
      const halted = await points.halt(point, () => plane.copy('stock', epoch, 15));
      await db.sql.unsafe(MEANWHILE);
      const killed = await halted.kill();
      expect(killed).toMatchObject({ status: 'fulfilled' });
      const { state, rowsDone } = (await plane.status('stock'))!.backfill;
      expect(state).toBe('done');
      // A chunk that was counted twice would be more.
      expect(rowsDone).toBeLessThanOrEqual(ROWS);
      expect(rowsDone).toBeGreaterThan(ROWS - 5);
      await exact();
    });
  });

  describe('I6 I7 verification that is killed', () => {
    it.each(named(/^verify/))('at %s', async (point) => {
      await armed();
      await db.sql.unsafe(`UPDATE stock_v2 SET label = 'wrong' WHERE id = 5; DELETE FROM stock_v2 WHERE id = 20;
      INSERT INTO stock_v2 VALUES (70, 'ghost', 1)`);
      const halted = await points.halt(point, () => verified());
      // Late, not wrong.
      await db.sql.unsafe("UPDATE stock SET name = 'later' WHERE id = 30");
      expect(await halted.kill()).toMatchObject({
        status: 'fulfilled',
        value: {
          divergences: 3,
          rowsCompared: ROWS,
          samples: [{ key: '{"id": 20}' }, { key: '{"id": 5}' }, { key: '{"id": 70}' }],
        },
      });
      expect(await plane.repair('stock')).toEqual({ enqueued: 3 });
      await exact();
      expect(await verified()).toMatchObject({ divergences: 0, score: 1 });
    });
  });

  describe('I6 I11 promotion that is killed', () => {
    it.each(pointsOf('promote'))('at %s has changed nothing', async (point) => {
      await armed({ anew: false });
      const before = await everything();
      const halted = await points.halt(point, () => seamedPlane('promote').promote(STOCK, step('completed')));
      expect(await halted.kill()).toMatchObject({ status: 'rejected' });
      expect(await everything()).toEqual(before);
    });

    it('goes when it is asked again, and loses nothing', async () => {
      await promoted();
      await db.sql.unsafe("UPDATE stock SET label = 'keeps' WHERE id < 9; DELETE FROM stock WHERE id = 10");
      const wanted = await db.sql.unsafe('SELECT id::int, label AS name, amount::int FROM stock ORDER BY id');
      expect(await plane.revert(STOCK, step('rolled_back'))).toMatchObject({ kind: 'swapped' });
      epoch += 1;
      expect([...(await db.sql.unsafe('SELECT id, name, amount FROM stock ORDER BY id'))]).toEqual([...wanted]);
    });
  });
});

describe('of a table:', () => {
  beforeAll(() => begin('a table'));
  afterAll(end);

  describe('I6 I11 promotion that is killed after it', () => {
    it('goes when it is asked again, with what was written meanwhile, and its foreign keys are validated after a kill, too', async () => {
      await armed();
      await db.sql.unsafe(MEANWHILE);
      const halted = await points.halt(AFTER_SWAP[0], () => seamedPlane('promote').promote(STOCK, step('completed')));
      epoch += 1;
      expect(await validated()).toBe(false);
      expect(await halted.kill()).toMatchObject({ status: 'fulfilled', value: { kind: 'swapped' } });
      expect(await validated()).toBe(true);
      await db.sql.unsafe("UPDATE stock SET label = 'new shape' WHERE id < 5; DELETE FROM stock WHERE id = 6");
      await plane.settle('stock', epoch);
      expect(await backwards()).toEqual([]);
    });
  });

  describe('I6 I1 the way back that is killed', () => {
    it.each(pointsOf('revert'))('at %s has changed nothing', async (point) => {
      await promoted();
      const before = await everything();
      const halted = await points.halt(point, () => seamedPlane('revert').revert(STOCK, step('rolled_back')));
      expect(await halted.kill()).toMatchObject({ status: 'rejected' });
      expect(await everything()).toEqual(before);
    });
  });

  describe('I6 a client that is killed', () => {
    /** Another process, which makes one call. */
    const child = (call: string) => {
      const script = `import('postgres').then(({ default: postgres }) => postgres(process.argv[1], { max: 1, connection: { application_name: 'child' } }).unsafe(process.argv[2]))`;
      return spawn(process.execPath, ['-e', script, db.url, `SELECT ${call}`], { stdio: 'inherit' });
    };
    const orphaned = async () =>
      (await db.sql.unsafe("SELECT FROM pg_stat_activity WHERE application_name = 'child' AND state = 'active'"))
        .length;

    it.each([
      ['converge: written', 'crossfade.converge_stock', 100],
      ['backfill: copied', 'crossfade.backfill_stock', 15],
    ] as const)(
      'by SIGKILL at %s leaves a call that nobody waits for, and the next one is exact',
      async (point, name, most) => {
        await armed();
        if (name.includes('backfill')) await db.sql.unsafe(NOTHING_COPIED);
        await db.sql.unsafe("UPDATE stock SET name = 'changed' WHERE id <= 6");
        const process = child(`${name}(${epoch}, ${most})`);
        const ended = once(process, 'exit');
        const halted = await points.halt(point, () => ended);
        process.kill('SIGKILL');
        expect(await ended).toEqual([null, 'SIGKILL']);
        await db.sql.unsafe(MEANWHILE);
        expect(await orphaned()).toBe(1);
        await halted.release();
        await eventually(async () => (await orphaned()) === 0, 'the call that nobody waits for ends');
        await plane.copy('stock', epoch, 15);
        expect((await plane.status('stock'))!.backfill.rowsDone).toBeLessThanOrEqual(ROWS);
        await exact();
      },
    );

    it('would lose a chunk if its cursor were saved in a transaction of its own (negative control)', async () => {
      await armed();
      await db.sql.unsafe(NOTHING_COPIED);
      await plane.backfill('stock', epoch, 15);
      await db.sql.unsafe("UPDATE crossfade.backfill SET copied_key = '{30}', rows_done = 30");
      const chunk = `BEGIN; INSERT INTO stock_v2 SELECT id, name, amount FROM stock WHERE id BETWEEN 16 AND 30;
      SELECT test.breakpoint('chunk'); COMMIT`;
      const halted = await points.halt('chunk', async () => db.connect().unsafe(chunk).simple());
      expect(await halted.kill()).toMatchObject({ status: 'rejected' });
      expect(await plane.copy('stock', epoch, 15)).toBe(ROWS);
      await plane.settle('stock', epoch);
      expect(await left()).not.toEqual([]);
      await db.sql.unsafe(NOTHING_COPIED);
      await plane.copy('stock', epoch);
    });
  });

  describe('I6 I14 killed at each point in turn', () => {
    it('arming arms once, and the copy misses nothing', async () => {
      await armed();
      await plane.forget('stock');
      const halted = killedInTurn('arm', (owner) => owner.arm(STOCK, { epoch: 1_000_000, version: 1_000_000 }));
      expect(await halted).toEqual({ kind: 'armed' });
      await plane.fence('stock', ++epoch);
      expect(((await everything()) as { triggers: unknown[] }).triggers).toHaveLength(4);
      await db.sql.unsafe(MEANWHILE);
      expect(await plane.copy('stock', epoch)).toBe(ROWS);
      await exact();
    });

    it('forgetting leaves the tables as they were before', async () => {
      await armed();
      const forgotten = killedInTurn('forget', (owner) =>
        owner.forget('stock', { epoch: 1_000_000, version: 1_000_000 }),
      );
      expect(await forgotten).toEqual({ kind: 'forgotten' });
      expect(await everything()).toMatchObject({ tables: null, functions: null, triggers: null });
    });

    it('cleaning up leaves the new table alone', async () => {
      await promoted();
      const rows = await db.sql.unsafe('SELECT * FROM stock ORDER BY id');
      const cleaned = killedInTurn('cleanup', (owner) => owner.cleanup(STOCK, epoch));
      expect(await cleaned).toEqual({ kind: 'cleaned' });
      expect(await everything()).toMatchObject({
        tables: null,
        functions: null,
        triggers: null,
        names: ['parcel', 'stock'],
      });
      expect([...(await db.sql.unsafe('SELECT * FROM stock ORDER BY id'))]).toEqual([...rows]);
    });
  });
});
