/**
 * I1 I4 I11 the example partitioning: a plain table becomes one by month, whose key has to be wider than that of the primary. Each
 * transaction of its load makes the same change to a twin that nobody migrates.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { partitioningCutovers } from '../../../infra/examples/partitioning/cutovers.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { live } from '../../helpers/life.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

const ROWS = 120;
const DECLARED = partitioningCutovers[0]!;
const cutoverOf = (mode: 'streamed' | 'inline'): TableCutover => ({
  id: DECLARED.id,
  validation: 'strict',
  table: { primary: DECLARED.primary, shadow: DECLARED.shadow, mode },
});
const script = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../infra/examples/partitioning/${name}.sql`, import.meta.url)), 'utf8');

/** One transaction of the load, as pgbench would send it, with each change made to the twin, too. */
const LOAD = script('load')
  .replaceAll(/^(--|\\).*$/gm, '')
  .replaceAll(
    /^(DELETE|UPDATE|INSERT)[^;]*;/gm,
    (change) => `${change} ${change.replaceAll(/\borders\b/g, 'orders_twin')}`,
  );
const client = (sql: postgres.Sql, index: number): Writer =>
  writer((i) => {
    const values = {
      id: 1 + ((i * 7919 + index * 104_729) % ROWS),
      day: (i * 37 + index) % 365,
      what: (i + index) % 10,
    };
    return sql
      .unsafe(LOAD.replaceAll(/:(id|day|what)\b/g, (_, name: keyof typeof values) => String(values[name])))
      .simple();
  });

const rows = (table: string) => `SELECT id, placed_on, customer_id, note FROM ${table}`;

/** The one mode as a superuser, the other as an owner that is none, on the distribution's server and behind PgBouncer. */
const mode = inject('ownersOnly') ? 'inline' : 'streamed';

describe(`I1 I4 the example partitioning, ${mode}`, () => {
  const cutover = cutoverOf(mode);
  const planes: TestPlane[] = [];
  let db: OwnDatabase;
  beforeAll(async () => {
    db = await ownDatabase();
    await db.sql.unsafe(`SET partitioning.rows = '${ROWS}'; ${script('primary')} ${script('seed')} ${script('shadow')}
      CREATE TABLE orders_twin (LIKE orders INCLUDING ALL); INSERT INTO orders_twin TABLE orders`);
    planes.push(testPlane(db), testPlane(db));
  });
  afterAll(async () => {
    for (const plane of planes) await plane.close();
    await db.drop();
  });

  it('loses nothing from start to cleanup, and no statement of the application fails', async () => {
    const writers = [1, 2, 3].map((index) => client(db.connect(), index));
    const looked: string[] = [];
    await live({
      plane: planes[0]!,
      follower: planes[1]!,
      cutovers: [cutover],
      writers,
      across: (_, act) => act(),
      async atRest(step, pair) {
        looked.push(step);
        expect(await differences(db, rows('orders'), rows('orders_twin')), step).toEqual([]);
        const old = (await db.sql.unsafe("SELECT to_regclass('orders_old') AS name"))[0]!.name;
        const other = old ?? 'orders_by_month';
        if (pair) expect(await differences(db, rows(other), rows('orders_twin')), `${step}, ${other}`).toEqual([]);
      },
    });
    expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
    expect(looked).toHaveLength(9);
    const [left] = await db.sql.unsafe(`SELECT string_agg(relname, ' ' ORDER BY relname) AS tables FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition`);
    expect(left!.tables).toBe('customers orders orders_twin');
    const keys =
      await db.sql.unsafe(`SELECT conrelid::regclass::text AS table, conname AS name, convalidated AS valid FROM pg_constraint
      WHERE contype = 'f' AND confrelid = 'customers'::regclass AND conparentid = 0`);
    expect([...keys]).toEqual([{ table: 'orders', name: 'orders_customer_id_fkey', valid: true }]);
  });
});
