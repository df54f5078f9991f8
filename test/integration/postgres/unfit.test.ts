/** I7 I15 a row that no cast takes is judged by its key: it hides nothing, and it stops no comparison of the others. */

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { VerificationPass } from '../../../lib/ports/verifying.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { asGenerated, edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

const ORDERS: TableCutover = {
  id: 'orders',
  validation: 'strict',
  table: {
    primary: 'public.orders',
    shadow: 'public.orders_v2',
    columns: { amount: { sql: 'note::integer', after: 'application' } },
  },
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
  let step = await plane.verify('orders', 1, 1, pass);
  while (step.kind === 'running') step = await plane.verify('orders', 1, 1, pass);
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

  it('one that is neither in quarantine nor late is a divergence, in a column where it can be named', async () => {
    await db.sql.unsafe("UPDATE orders SET grade = 'Q' WHERE id = 40; UPDATE orders SET note = 'few' WHERE id = 41");
    expect(await verify()).toEqual({ rows: 300, found: [] });
    await db.sql.unsafe('DELETE FROM crossfade.outbox_orders');
    const found = [
      { key: '{"id": 40}', columns: ['grade'] },
      { key: '{"id": 41}', columns: [] },
    ];
    expect(await verify()).toEqual({ rows: 300, found });
    await db.sql.unsafe("UPDATE orders SET grade = 'A' WHERE id = 40; UPDATE orders SET note = '41' WHERE id = 41");
    await plane.settle('orders', 1);
    expect(await verify()).toEqual({ rows: 300, found: [] });
  });

  it('without judging them by key the whole pass fails', async () => {
    await tamper(db, plane.connection(), ORDERS, edited(SQL_FAULTS['judgement by key']));
    await expect(verify()).rejects.toMatchObject({ details: { sqlstate: expect.stringMatching(/^(23514|22P02)$/) } });
    await tamper(db, plane.connection(), ORDERS, { verify: asGenerated });
    expect(await verify()).toEqual({ rows: 300, found: [] });
  });
});

describe('where the planner reads all of a table for a few keys', () => {
  const small = (id: string, inline: boolean): TableCutover => ({
    ...ORDERS,
    id,
    table: {
      primary: `public.${id}`,
      shadow: `public.${id}_v2`,
      // Not strict, so the planner computes it where it reads the row, before it knows whether anybody asked for it.
      columns: { amount: { sql: "coalesce(note, '0')::integer", after: 'application' } },
      ...(inline ? { mode: 'inline', rollbackOnShadowFailure: true } : {}),
    },
  });
  const differing = (id: string) =>
    differences(
      db,
      `SELECT id::bigint, note::integer AS amount FROM ${id} WHERE id <> 3`,
      `SELECT id, amount FROM ${id}_v2 WHERE id <> 3`,
    );

  it.each([false, true])('a row that does not fit stops no write of another one (inline: %s)', async (inline) => {
    const cutover = small(inline ? 'few_inline' : 'few', inline);
    const { id } = cutover;
    await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, note text); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, amount integer);
      INSERT INTO ${id} SELECT i, CASE i WHEN 3 THEN 'many' ELSE '1' END FROM generate_series(1, 5) i`);
    // As it does by itself when the table is small or has no statistics.
    for (const way of ['nestloop', 'indexscan', 'bitmapscan'])
      await db.sql.unsafe(`ALTER DATABASE ${db.name} SET enable_${way} = off`);
    const plane = testPlane(db);
    onTestFinished(() => plane.close());
    await plane.start(cutover);
    await plane.copy(id, 1);
    await plane.converge(id, 1, 100);
    await db.sql.unsafe(LAST_TRY.replace('orders', id));
    await plane.settle(id, 1);
    const application = db.connect();
    await application.unsafe(`UPDATE ${id} SET note = '2' WHERE id = 1`);
    await application.unsafe(`DELETE FROM ${id} WHERE id = 2; INSERT INTO ${id} VALUES (2, '7')`);
    await application.unsafe(`UPDATE ${id} SET note = note WHERE id > 3`);
    expect(await plane.settle(id, 1)).toMatchObject({ mismatched: 0, quarantined: 0 });
    expect(await differing(id)).toEqual([]);
    expect((await plane.quarantined(id, { limit: 10 })).keys).toMatchObject([{ key: '{"id": 3}', sqlstate: '22P02' }]);
  });
});

describe('a preview looks at the way back of the rows that are there', () => {
  const WARES: TableCutover = {
    id: 'wares',
    validation: 'strict',
    table: {
      primary: 'public.wares',
      shadow: 'public.wares_v2',
      columns: {
        code: { sql: "CASE code WHEN 'empty' THEN '' WHEN 'long' THEN 'longer' ELSE code END" },
        share: { sql: 'CASE WHEN parts = 0 THEN 0 ELSE 60 / parts END' },
        made: { sql: 'day::date' },
        seen: { added: true },
      },
      reverse: {
        code: { sql: "nullif(code, '')" },
        parts: { sql: 'CASE WHEN doubled < 0 THEN 0 ELSE 60 / share END' },
        day: { sql: 'made::text' },
      },
    },
  };
  const EVIL: Readonly<Record<string, number[]>> = {
    cross: [10, 11, 12, 13, 9],
    return: [3, 4, 5],
    changed: [6, 7, 8],
  };

  beforeAll(async () => {
    await db.sql.unsafe(`
      CREATE TABLE wares (id integer PRIMARY KEY, code varchar(5) NOT NULL, price numeric(10, 4), parts integer NOT NULL, day text,
        name text, mark text, grade text, mask text, tags text[]);
      CREATE TABLE wares_v2 (id bigint PRIMARY KEY, code text NOT NULL, price numeric(10, 2), share integer NOT NULL, made date,
        name varchar(6), mark character(2), grade grade, mask varbit(4), tags varchar(3)[],
        seen bigint GENERATED BY DEFAULT AS IDENTITY, doubled integer GENERATED ALWAYS AS (share * 2) STORED);
      INSERT INTO wares SELECT i, 'c' || i % 100, i, 1 + i % 4, '2024-05-01', 'name', 'm', 'A', '101', '{abc,def,g}' FROM generate_series(1, 3000) i;
      UPDATE wares SET code = 'empty' WHERE id = 3; UPDATE wares SET code = 'long' WHERE id = 4;
      UPDATE wares SET parts = 0 WHERE id = 5; UPDATE wares SET parts = 11 WHERE id = 6; UPDATE wares SET price = 1.2345 WHERE id = 7;
      UPDATE wares SET day = '1.5.2024' WHERE id = 8; UPDATE wares SET day = 'someday' WHERE id = 9;
      -- Casts cut these without a word, and no cast asks the last one.
      UPDATE wares SET name = 'too long' WHERE id = 10; UPDATE wares SET mark = 'mmm' WHERE id = 11; UPDATE wares SET mask = '10101' WHERE id = 12;
      UPDATE wares SET grade = 'Z' WHERE id = 13`);
  });

  it('finds exactly the rows that do not return, or not as they were, and says why without a value', async () => {
    const { wayBack } = await plane.preview(WARES, { scanMs: 10_000 });
    const { samples, ...figures } = wayBack!;
    expect(figures).toMatchObject({ rows: 3_000, complete: true, cannotCross: 5, cannotReturn: 3, changed: 3 });
    for (const [name, ids] of Object.entries(EVIL)) {
      const named = samples.filter(({ kind }) => kind === name);
      expect(named.map(({ key }) => JSON.parse(key).id).sort()).toEqual(ids);
    }
    const why = Object.fromEntries(samples.map(({ key, why }) => [JSON.parse(key).id, why]));
    expect(why).toEqual({
      3: 'code would be NULL',
      4: 'code does not fit character varying(5)',
      5: 'SQLSTATE 22012, division by zero',
      6: 'parts',
      7: 'price',
      8: 'day',
      9: 'SQLSTATE 22007, invalid input syntax for type date',
      10: 'SQLSTATE 22001, value too long for type character varying(6)',
      11: 'SQLSTATE 22001, value too long for type character(2)',
      12: 'SQLSTATE 22001, bit string too long for type bit varying(4)',
      13: 'SQLSTATE 23514, value for domain public.grade violates check constraint "grade_check"',
    });
  });

  it('says so when its time was over before the rows were', async () => {
    const { wayBack } = await plane.preview(WARES, { scanMs: 1 });
    expect(wayBack).toMatchObject({ complete: false, limitMs: 1 });
    expect(wayBack!.rows).toBeLessThan(3_000);
  });

  it('agrees with what happens: the rows it named are those that a rollback waits for', async () => {
    await db.sql.unsafe('DELETE FROM wares WHERE id BETWEEN 9 AND 13');
    await plane.start(WARES);
    await plane.copy('wares', 1);
    await plane.settle('wares', 1);
    expect(await plane.promote(WARES, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 })).toMatchObject({
      kind: 'swapped',
    });
    const { wayBack } = await plane.preview(WARES, { scanMs: 10_000 });
    expect(wayBack).toMatchObject({ rows: 2_995, complete: true, cannotReturn: 3, changed: 0 });
    await db.sql.unsafe('UPDATE wares SET made = made WHERE id < 9');
    await plane.converge('wares', 2, 1_000);
    await db.sql.unsafe('UPDATE crossfade.outbox_wares SET attempts = 4, not_before = NULL');
    await plane.settle('wares', 2);
    const { keys } = await plane.quarantined('wares', { limit: 10 });
    expect(keys.map(({ key }) => JSON.parse(key).id)).toEqual(EVIL.return);
  });
});
