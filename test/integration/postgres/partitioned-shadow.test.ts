/**
 * I1 I4 I11 the example partitioning: a plain table becomes one by month, whose key has to be wider than that of the primary, and such a
 * one becomes a plain table again. Each transaction of its load makes the same change to a twin that nobody migrates.
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
/** The one mode as a superuser, the other as an owner that is none, on the distribution's server and behind PgBouncer. */
const mode = inject('ownersOnly') ? 'inline' : 'streamed';
const PLACES = [
  { what: 'a table to months', primary: 'orders', shadow: 'orders_by_month', keys: ['orders_customer_id_fkey'] },
  { what: 'months to a table', primary: 'orders_by_month', shadow: 'orders_plain', keys: [] },
] as const;
const PLAIN_AGAIN = `INSERT INTO orders_by_month TABLE orders; DROP TABLE orders;
  CREATE TABLE orders_plain (LIKE orders_by_month INCLUDING IDENTITY, PRIMARY KEY (id, placed_on))`;
const script = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../infra/examples/partitioning/${name}.sql`, import.meta.url)), 'utf8');

/** One transaction of the load, as pgbench would send it, with each change made to the twin, too. */
const LOAD = script('load')
  .replaceAll(/^(--|\\).*$/gm, '')
  .replaceAll(
    /^(DELETE|UPDATE|INSERT)[^;]*;/gm,
    (change) => `${change.replaceAll(/\borders\b/g, 'PRIMARY')} ${change.replaceAll(/\borders\b/g, 'orders_twin')}`,
  );
const client = (sql: postgres.Sql, index: number, primary: string): Writer =>
  writer((i) => {
    const values = {
      id: 1 + ((i * 7919 + index * 104_729) % ROWS),
      day: (i * 37 + index) % 365,
      what: (i + index) % 10,
    };
    return sql
      .unsafe(
        LOAD.replaceAll('PRIMARY', primary).replaceAll(/:(id|day|what)\b/g, (_, name: keyof typeof values) =>
          String(values[name]),
        ),
      )
      .simple();
  });

const rows = (table: string) => `SELECT id, placed_on, customer_id, note FROM ${table}`;

describe.each(inject('ownersOnly') ? PLACES.slice(0, 1) : PLACES)(
  `I1 I4 the example partitioning, $what, ${mode}`,
  ({ primary, shadow, keys }) => {
    const cutover: TableCutover = {
      id: DECLARED.id,
      validation: 'strict',
      table: { primary: `public.${primary}`, shadow: `public.${shadow}`, mode },
    };
    const planes: TestPlane[] = [];
    let db: OwnDatabase;
    beforeAll(async () => {
      db = await ownDatabase();
      await db.sql.unsafe(`SET partitioning.rows = '${ROWS}'; ${script('primary')} ${script('seed')} ${script('shadow')}
      CREATE TABLE orders_twin (LIKE orders INCLUDING ALL); INSERT INTO orders_twin TABLE orders;
      ${primary === 'orders' ? '' : PLAIN_AGAIN}`);
      planes.push(testPlane(db), testPlane(db));
    });
    afterAll(async () => {
      for (const plane of planes) await plane.close();
      await db.drop();
    });

    it('loses nothing from start to cleanup, and no statement of the application fails', async () => {
      const writers = [1, 2, 3].map((index) => client(db.connect(), index, primary));
      const looked: string[] = [];
      await live({
        plane: planes[0]!,
        follower: planes[1]!,
        cutovers: [cutover],
        writers,
        across: (_, act) => act(),
        async atRest(step, pair) {
          looked.push(step);
          expect(await differences(db, rows(primary), rows('orders_twin')), step).toEqual([]);
          const old = (await db.sql.unsafe(`SELECT to_regclass('${primary}_old') AS name`))[0]!.name;
          const other = old ?? shadow;
          if (pair) expect(await differences(db, rows(other), rows('orders_twin')), `${step}, ${other}`).toEqual([]);
        },
      });
      expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
      expect(looked).toHaveLength(9);
      const [left] = await db.sql.unsafe(`SELECT string_agg(relname, ' ' ORDER BY relname) AS tables FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition`);
      expect(left!.tables).toBe(`customers ${primary} orders_twin`);
      const foreign =
        await db.sql.unsafe(`SELECT conname AS name FROM pg_constraint WHERE contype = 'f' AND conrelid = '${primary}'::regclass
        AND confrelid = 'customers'::regclass AND conparentid = 0 AND convalidated`);
      expect(foreign.map(({ name }) => name)).toEqual(keys);
    });
  },
);
