/**
 * I1 I11 a table gets a new key while foreign keys point at the old one, from start to cleanup, there, back and there again, by an
 * owner that is no superuser. Each transaction of the application makes the same change to a twin that keeps its key.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { live } from '../../helpers/life.ts';
import { CUSTOMERS, INVOICE_KEYS, type NewKey, newKey, newKeyTables, UNEQUAL, uuidOf } from '../../helpers/new-key.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

const PLACES = [
  { server: 'embedded', door: 'direct', kind: 'from' },
  { server: 'debian', door: 'pooled', kind: 'sql' },
] as const;

/** From cleanup on the application writes both columns itself, since nobody fills one from the other. */
type Application = { kind: NewKey; writesBoth: boolean };

function client(sql: postgres.Sql, index: number, application: Application): Writer {
  const transact = (i: number, suffix: '' | '_twin') => {
    const key = 1 + ((i * 7919 + index * 104_729) % CUSTOMERS);
    const no = 1_000 + i * 10 + index;
    const both = application.writesBoth && suffix === '';
    const [columns, values] =
      both || (application.kind === 'from' && suffix === '')
        ? ['id, uuid', `${key}, ${uuidOf(key)}`]
        : ['id', `${key}`];
    const [references, referenced] = both
      ? ['customer_id, customer_uuid', `${key}, ${uuidOf(key)}`]
      : ['customer_id', `${key}`];
    return [
      `INSERT INTO customer${suffix} (${columns}, name) VALUES (${values}, 'w${index}.${i}') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name`,
      `INSERT INTO invoice${suffix} (no, ${references}, total) VALUES (${no}, ${referenced}, ${i})`,
      i % 5 === 4
        ? `DELETE FROM customer${suffix} WHERE id = ${key}`
        : `UPDATE invoice${suffix} SET customer_id = ${key}${both ? `, customer_uuid = ${uuidOf(key)}` : ''}, total = total + 1 WHERE no = ${no - 10}`,
    ];
  };
  return writer((i) => {
    const both = [...transact(i, ''), ...transact(i, '_twin')];
    return sql.unsafe(['BEGIN; SELECT pg_advisory_xact_lock(4711)', ...both, 'COMMIT'].join('; ')).simple();
  });
}

describe.skipIf(inject('servers') === null).each(PLACES)(
  'I1 I11 a new key by { $kind }, $server, $door',
  ({ server, door, kind }) => {
    const application: Application = { kind, writesBoth: false };
    const planes: TestPlane[] = [];
    let db: ServedDatabase;
    beforeAll(async () => {
      db = await servedDatabase(server, door);
      await db.owner.unsafe(`${newKeyTables(kind)}
      CREATE TABLE customer_twin (id integer PRIMARY KEY, name text); INSERT INTO customer_twin SELECT id, name FROM customer;
      CREATE TABLE invoice_twin (no integer PRIMARY KEY, customer_id integer REFERENCES customer_twin ON DELETE CASCADE, total integer);
      INSERT INTO invoice_twin SELECT no, customer_id, total FROM invoice;
      GRANT SELECT, INSERT, UPDATE, DELETE ON customer, customer_twin, invoice, invoice_twin TO application`);
      planes.push(testPlane(db), testPlane(db));
    });
    afterAll(async () => {
      for (const plane of planes) await plane.close();
      await db.drop();
    });

    it('loses nothing, and no statement of the application fails', async () => {
      const writers = [1, 2].map((index) => client(db.connect(1, db.application), index, application));
      const seen: string[] = [];
      await live({
        plane: planes[0]!,
        follower: planes[1]!,
        cutovers: [newKey(kind)],
        writers,
        across: (_, act) => act(),
        async atRest(step, pair) {
          const invoices = (table: string) => `SELECT no, customer_id, total FROM ${table}`;
          const customers = (table: string) => `SELECT id, name FROM ${table}`;
          expect(await differences(db, invoices('invoice'), invoices('invoice_twin')), step).toEqual([]);
          expect(await differences(db, customers('customer'), customers('customer_twin')), step).toEqual([]);
          if (pair) expect([...(await db.sql.unsafe(UNEQUAL))], step).toEqual([]);
          const [first] = await db.sql.unsafe(INVOICE_KEYS);
          seen.push(`${step}: ${/FOREIGN KEY \((\w+)\)/.exec(first!.key)![1]}`);
          if (step === 'promote again') application.writesBoth = true;
        },
      });
      expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
      expect(seen).toEqual([
        'start: customer_id',
        'copy: customer_id',
        'verify: customer_id',
        'promote: customer_uuid',
        'verify the way back: customer_uuid',
        'roll back: customer_id',
        'start over: customer_id',
        'promote again: customer_uuid',
        'clean up: customer_uuid',
      ]);
      const [left] = await db.sql.unsafe(
        `SELECT count(*)::int AS triggers FROM pg_trigger WHERE tgname LIKE '%crossfade%'`,
      );
      expect(left).toEqual({ triggers: 0 });
    });
  },
);
