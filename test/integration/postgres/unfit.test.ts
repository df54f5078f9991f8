/** I7 I15 a row that no cast takes is judged by its key: it hides nothing, and it stops no comparison of the others. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover, VerificationPass } from '../../../lib/ports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';

const ORDERS: TableCutover = {
  id: 'orders',
  validation: 'strict',
  table: { primary: 'public.orders', shadow: 'public.orders_v2', columns: { amount: { sql: 'note::integer' } } },
};
const LAST_TRY = 'UPDATE crossfade.outbox_orders SET attempts = 4, not_before = NULL';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE DOMAIN grade AS text CHECK (VALUE IN ('A', 'B'));
    CREATE TABLE orders (id integer PRIMARY KEY, note text, grade text);
    CREATE TABLE orders_v2 (id bigint PRIMARY KEY, amount integer, grade grade);
    INSERT INTO orders SELECT i, i::text, 'A' FROM generate_series(1, 300) i;
    UPDATE orders SET grade = 'Z' WHERE id = 7; UPDATE orders SET note = 'many' WHERE id = 8;
    -- What was there before is compared by the copy, too.
    INSERT INTO orders_v2 VALUES (7, 7, 'B'), (100, -1, 'B')`);
  await plane.start(ORDERS);
  await plane.copy('orders', 1, 100);
  await plane.converge('orders', 1, 1_000);
  await db.sql.unsafe(LAST_TRY);
  await plane.settle('orders', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

async function verify(pass: VerificationPass = {}) {
  const step = await plane.verify('orders', 1, 1, pass);
  if (step.kind !== 'verified') throw new Error(JSON.stringify(step));
  return { rows: step.result.rowsCompared, found: step.result.samples };
}

const FAULT = "UPDATE orders_v2 SET grade = 'B' WHERE id = 20; DELETE FROM orders_v2 WHERE id = 30";
const FOUND = [
  { key: '{"id": 20}', columns: ['grade'] },
  { key: '{"id": 30}', columns: [] },
];

describe('with two rows in quarantine that cannot be transformed', () => {
  it('they are listed with why, and the others arrived', async () => {
    const { keys } = await plane.quarantined('orders', { limit: 10 });
    expect(keys.map(({ key, sqlstate }) => [key, sqlstate])).toEqual([
      ['{"id": 7}', '23514'],
      ['{"id": 8}', '22P02'],
    ]);
    expect((await db.sql.unsafe('SELECT amount, grade FROM orders_v2 WHERE id = 100'))[0]).toEqual({
      amount: 100,
      grade: 'A',
    });
  });

  it.each(['fast', 'proof'] as const)(
    'tier %s passes, finds exactly the faults, and they are repaired',
    async (tier) => {
      expect(await verify({ tier })).toEqual({ rows: 300, found: [] });
      await db.sql.unsafe(FAULT);
      expect(await verify({ tier })).toEqual({ rows: 300, found: FOUND });
      expect(await plane.consistency('orders')).toMatchObject({
        consistent: 296,
        diverged: 2,
        quarantined: 2,
        late: 0,
      });
      expect(await plane.repair('orders')).toEqual({ enqueued: 2 });
      await plane.settle('orders', 1);
      expect(await verify({ tier })).toEqual({ rows: 300, found: [] });
    },
  );

  it('one that is neither in quarantine nor late is a divergence in no column that could be named', async () => {
    await db.sql.unsafe("UPDATE orders SET grade = 'Q' WHERE id = 40");
    expect(await verify()).toEqual({ rows: 300, found: [] });
    await db.sql.unsafe('DELETE FROM crossfade.outbox_orders');
    expect(await verify()).toEqual({ rows: 300, found: [{ key: '{"id": 40}', columns: [] }] });
    await db.sql.unsafe("UPDATE orders SET grade = 'A' WHERE id = 40");
    await plane.settle('orders', 1);
    expect(await verify()).toEqual({ rows: 300, found: [] });
  });

  it('without judging them by key the whole pass fails', async () => {
    await tamper(db, plane.gateway(), ORDERS, ['verify'], { omit: 'fits' });
    await expect(verify()).rejects.toMatchObject({ details: { sqlstate: expect.stringMatching(/^(23514|22P02)$/) } });
    await tamper(db, plane.gateway(), ORDERS, ['verify'], {});
    expect(await verify()).toEqual({ rows: 300, found: [] });
  });
});
