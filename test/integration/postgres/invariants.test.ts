/**
 * Invariants of the user's own on a table that is written all the time: none is broken by what is only late. And what a query may not
 * do: write, take long, answer with a whole table, or read what the owner role may not.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateInvariant } from '../../../lib/adapters/postgres/verifying/invariant.ts';
import type { InvariantReading } from '../../../lib/core/cutover/criterion.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const SUM = {
  equal: {
    primary: 'SELECT currency, sum(amount), count(*) FROM {primary} GROUP BY currency',
    shadow: 'SELECT s.money, sum(s.total), count(*) FROM {shadow} AS s GROUP BY s.money',
  },
};
const RENAMED: TableCutover = {
  id: 'payment',
  validation: 'strict',
  table: {
    primary: 'public.payment',
    shadow: 'public.payment_v2',
    columns: { money: { from: 'currency' }, total: { from: 'amount' }, number: { from: 'no' } },
  },
};

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  // A key of two columns, of which one gets another name and another type.
  await db.sql.unsafe(`CREATE TABLE payment (no integer, part text, currency text NOT NULL, amount numeric(10, 2) NOT NULL, PRIMARY KEY (no, part));
    CREATE TABLE payment_v2 (number bigint, part text, money text NOT NULL, total numeric(12, 4) NOT NULL, PRIMARY KEY (number, part));
    INSERT INTO payment SELECT i, 'a', (ARRAY['EUR', 'USD', 'CHF'])[1 + i % 3], i FROM generate_series(1, 300) i`);
  await plane.start(RENAMED);
  await plane.copy('payment', 1);
  await plane.settle('payment', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const asked = (queries: Parameters<TestPlane['invariant']>[2], epoch = 1) => plane.invariant(RENAMED, epoch, queries);

describe('an invariant', () => {
  it('holds on a table that is written, moment after moment, where one that counts late rows does not', async () => {
    const writer = db.connect(1);
    const owner = plane.connection();
    const counting = {
      ...owner,
      call: ((statement: string, ...rest: []) =>
        owner.call(
          statement.replaceAll(
            'NOT EXISTS (SELECT FROM crossfade."outbox',
            'true OR EXISTS (SELECT FROM crossfade."outbox',
          ),
          ...rest,
        )) as typeof owner.call,
    };
    let writing = true;
    const written = (async () => {
      for (let n = 1; writing; n += 1)
        await writer.unsafe(`UPDATE payment SET amount = amount + 1 WHERE no = ${1 + (n % 300)};
          DELETE FROM payment WHERE no = ${1 + ((n * 7) % 300)};
          INSERT INTO payment VALUES (${1 + ((n * 7) % 300)}, 'a', (ARRAY['EUR', 'USD', 'CHF'])[1 + ${n} % 3], ${n})
            ON CONFLICT (no, part) DO UPDATE SET part = 'b';`);
    })();
    const found: InvariantReading[] = [];
    const counted: InvariantReading[] = [];
    for (let round = 0; round < 25; round += 1) {
      found.push(await asked(SUM));
      counted.push(await evaluateInvariant(counting, RENAMED, 1, SUM));
      if (round % 3 === 0) await plane.converge('payment', 1, 20);
    }
    writing = false;
    await written;
    expect(found.filter((one) => one.kind !== 'compared' || one.differing > 0)).toEqual([]);
    expect(counted.some((one) => one.kind === 'compared' && one.differing > 0)).toBe(true);
    await plane.settle('payment', 1);
    expect(await asked(SUM)).toEqual({ kind: 'compared', rows: 3, differing: 0, primary: [], shadow: [] });
  });

  it('waits after a truncation, until the shadow has followed', async () => {
    await db.sql.unsafe(`BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE payment; TRUNCATE payment;
      INSERT INTO payment SELECT * FROM kept; COMMIT`);
    expect(await asked(SUM)).toMatchObject({ kind: 'unready', why: expect.stringContaining('truncated') });
    await plane.settle('payment', 1);
    expect(await asked(SUM)).toMatchObject({ kind: 'compared', differing: 0 });
  });

  it.each([
    [
      'writes',
      'WITH x AS (DELETE FROM public.payment RETURNING no) SELECT no FROM x, {shadow}',
      'refused',
      /\[0A000\]|\[42601\]|\[25006\]/,
    ],
    ['writes by a function', "SELECT setval('public.mine', 7) FROM {shadow}", 'refused', /read-only/],
    ['is no SQL', 'SELEKT 1 FROM {shadow}', 'refused', /syntax error/],
    [
      'reads what is not there',
      'SELECT 1 FROM {shadow}, public.nowhere',
      'refused',
      /^Postgres says: relation "public.nowhere" does not exist \[42P01\]\. Name it with its schema: /,
    ],
    [
      'answers with too many rows',
      'SELECT i FROM generate_series(1, 20000) i, (SELECT 1 FROM {shadow} LIMIT 1) s',
      'too_many',
      null,
    ],
  ])('that %s is no answer', async (_, empty, kind, why) => {
    await db.sql.unsafe('CREATE SEQUENCE IF NOT EXISTS mine');
    const reading = await asked({ empty });
    expect(reading).toMatchObject({ kind, ...(why ? { why: expect.stringMatching(why) } : {}) });
    expect(await asked(SUM)).toMatchObject({ kind: 'compared', differing: 0 });
  });

  it('that takes too long is ended by the server', async () => {
    const begunMs = performance.now();
    expect(await asked({ empty: 'SELECT pg_sleep(30) FROM {shadow} LIMIT 1' })).toEqual({
      kind: 'too_slow',
      limitMs: 4_000,
    });
    expect(performance.now() - begunMs).toBeLessThan(8_000);
  });

  it('holds on the way back, and is broken there by what only one side has', async () => {
    await plane.settle('payment', 1);
    await plane.promote(RENAMED, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 9 });
    await db.sql.unsafe(`INSERT INTO payment (number, part, money, total) VALUES (9001, 'z', 'EUR', 1)`);
    expect(await asked(SUM, 2)).toMatchObject({ kind: 'compared', differing: 0 });
    await plane.settle('payment', 2);
    expect(await asked(SUM, 2)).toMatchObject({ kind: 'compared', rows: 3, differing: 0 });
    const [old] = await db.sql.unsafe(
      "SELECT primary_oid::regclass::text AS name FROM crossfade.cutover WHERE id = 'payment'",
    );
    await db.sql.unsafe(`UPDATE ${old!.name} SET amount = amount + 5 WHERE no = 9001`);
    const broken = await asked(SUM, 2);
    expect(broken).toMatchObject({
      kind: 'compared',
      differing: 1,
      primary: [['EUR', expect.any(String), expect.any(String)]],
    });
  });
});
