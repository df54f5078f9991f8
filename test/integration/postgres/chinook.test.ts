/** The demonstration's migration from end to end: Chinook's customer, with a foreign key from invoice. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { customerCutover } from '../../../infra/examples/chinook/cutover.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { tableCutover } from '../../../lib/flows/rows/table-of.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { chinookScript } from '../../helpers/chinook.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const COMMON = 'first_name, last_name, address, city, state, country, phone, support_rep_id';
const OLD = `customer_id::bigint, company, postal_code::text, email::text, first_name || ' ' || last_name, ${COMMON}`;
const NEW = `customer_id, company_name, postal_code, email, full_name, ${COMMON}`;

let db: OwnDatabase;
let plane: TestPlane;
let customer: TableCutover;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(chinookScript('chinook'));
  await db.sql.unsafe(chinookScript('shadow'));
  const [declaration] = defineCutovers([customerCutover]);
  if (declaration?.kind !== 'table') throw new Error('the example is not a table cutover');
  customer = tableCutover(declaration);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Names, types, constraints, indexes, triggers and grants of every table but ours, as they look from outside. */
async function catalog(): Promise<string[]> {
  const rows = await db.sql.unsafe(`
    SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated) AS line
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT format('%s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT format('%s %s', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`);
  return rows.map(({ line }) => line as string);
}

const swap = (fromEpoch: number, stage: string) => ({
  fromEpoch,
  toEpoch: fromEpoch + 1,
  stage,
  version: 10 * (fromEpoch + 1),
});

describe('Chinook', () => {
  let before: string[];

  it('is previewed: what is kept, carried and noticed is named, nothing is refused', async () => {
    before = await catalog();
    const preview = await plane.preview(customer);
    expect(preview.ok).toBe(true);
    expect(preview.key).toEqual([{ column: 'customer_id', type: 'integer' }]);
    expect(preview.columns.find(({ shadow }) => shadow === 'company_name')).toMatchObject({ source: 'company' });
    expect(preview.items.map(({ object }) => object).join(' ')).toMatch(/invoice_customer_id_fkey/);
    expect(await catalog()).toEqual(before);
  });

  it('is filled and kept equal', async () => {
    await plane.start(customer);
    expect(await plane.copy('customer', 1, 20)).toBe(59);
    await db.sql.unsafe(`UPDATE customer SET company = 'New Co' WHERE customer_id = 1;
      INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (100, 'Ada', 'Lovelace', 'ada@example.test');
      DELETE FROM invoice_line WHERE invoice_id IN (SELECT invoice_id FROM invoice WHERE customer_id = 2);
      DELETE FROM invoice WHERE customer_id = 2; DELETE FROM customer WHERE customer_id = 2`);
    expect(await plane.settle('customer', 1)).toMatchObject({ written: 2, deleted: 1, mismatched: 0 });
    expect(await plane.verify('customer', 1, 1)).toMatchObject({
      result: { rowsCompared: 59, divergences: 0, score: 1 },
    });
    expect(await differences(db, `SELECT ${OLD} FROM customer`, `SELECT ${NEW} FROM customer_v2`)).toEqual([]);
  });

  it('is promoted: the name, the foreign key and readers of the shadow go on', async () => {
    expect(await plane.promote(customer, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    const [row] = await db.sql.unsafe('SELECT full_name, loyalty_tier FROM customer WHERE customer_id = 100');
    expect(row).toEqual({ full_name: 'Ada Lovelace', loyalty_tier: 'standard' });
    expect(await db.sql.unsafe('SELECT count(*)::int AS n FROM customer_v2')).toMatchObject([{ n: 59 }]);
    await expect(
      db.sql.unsafe('INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (9000, 777, now(), 1)'),
    ).rejects.toMatchObject({ code: '23503' });
    await db.sql.unsafe(
      'INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (9001, 100, now(), 1)',
    );
    await expect(db.sql.unsafe('DELETE FROM customer WHERE customer_id = 100')).rejects.toMatchObject({
      code: '23503',
    });
  });

  it('flows back: what the old shape holds is equal, what it alone has is kept', async () => {
    const fax = 'SELECT fax FROM customer_old WHERE customer_id = 1';
    const kept = (await db.sql.unsafe(fax))[0]!.fax;
    expect(kept).not.toBeNull();
    await db.sql.unsafe(`UPDATE customer SET company_name = 'After', loyalty_tier = 'gold' WHERE customer_id = 1;
      INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (101, 'Grace', 'Hopper', 'grace@example.test')`);
    await plane.settle('customer', 2);
    expect((await db.sql.unsafe(fax))[0]!.fax).toBe(kept);
    expect(await differences(db, `SELECT ${OLD} FROM customer_old`, `SELECT ${NEW} FROM customer`)).toEqual([]);
    expect(await plane.verify('customer', 2, 1)).toMatchObject({ result: { divergences: 0 } });
  });

  it('I13 a value that the old shape cannot hold is never cut: it stands in the way, by name', async () => {
    await db.sql.unsafe("UPDATE customer SET postal_code = 'longer than ten' WHERE customer_id = 3");
    await plane.converge('customer', 2, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_customer SET attempts = 4, not_before = NULL');
    await plane.settle('customer', 2);
    expect(await plane.rollbackReady('customer')).toMatchObject({ ready: false, key: '{"customer_id": 3}' });
    expect((await plane.revert(customer, swap(2, 'rolled_back'))).kind).not.toBe('swapped');
    await db.sql.unsafe("UPDATE customer SET postal_code = 'short' WHERE customer_id = 3");
    await plane.settle('customer', 2);
    expect(await plane.rollbackReady('customer')).toEqual({ ready: true });
  });

  it('I12 is rolled back: every name, key and index is as it was, and what was written is there', async () => {
    expect(await plane.revert(customer, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    const aside = 'customer_v2 customer_v2_support_rep_id_fkey ';
    // It would forbid deletes in employee, for rows of a shadow that follows no more.
    expect(await catalog()).toEqual(before.filter((line) => !line.startsWith(aside)));
    const [back] = await db.sql.unsafe(
      "SELECT crossfade.give_key_back('customer', 'customer_v2_support_rep_id_fkey') AS validate",
    );
    await db.sql.unsafe(back!.validate);
    expect(await catalog()).toEqual(before);
    const rows = await db.sql.unsafe(
      'SELECT company, first_name FROM customer WHERE customer_id IN (1, 101) ORDER BY customer_id',
    );
    expect([...rows]).toEqual([
      { company: 'After', first_name: expect.any(String) },
      { company: null, first_name: 'Grace' },
    ]);
    await plane.forget('customer');
  });

  it('I14 is promoted again and cleaned up: nothing of ours is left but the fence', async () => {
    await plane.start(customer, 4);
    await plane.copy('customer', 4);
    await plane.settle('customer', 4);
    expect(await plane.promote(customer, swap(4, 'completed'))).toMatchObject({ kind: 'swapped' });
    expect(await plane.cleanup(customer, 5)).toEqual({ kind: 'cleaned' });
    const left = await db.sql.unsafe(`
      SELECT 'trigger ' || tgname AS what FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relname ~ '(customer_(v2|old)|outbox_)'
      UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE contype <> 'n' AND conname ~ 'customer_(v2|old)'
      UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname ~ '_customer$'
      UNION ALL SELECT 'quarantine' FROM crossfade.quarantine UNION ALL SELECT 'backfill' FROM crossfade.backfill
      UNION ALL SELECT 'verification' FROM crossfade.verification`);
    expect(left.map(({ what }) => what)).toEqual([]);
    expect(await plane.status('customer')).toMatchObject({ armed: 'none', mirror: { epoch: 6 } });
    await db.sql.unsafe(
      "INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (200, 'Alan', 'Turing', 'alan@example.test')",
    );
    await db.sql.unsafe(
      'INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (9002, 200, now(), 1)',
    );
  });
});
