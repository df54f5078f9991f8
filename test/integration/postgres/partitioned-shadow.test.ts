/**
 * I1 I4 I11 a plain table becomes a partitioned one, whose key has to be wider than that of the primary. Every transaction makes the same
 * change to a twin that nobody migrates; a third of them moves a row to another month, and so to another partition.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { live } from '../../helpers/life.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

const KEYS = 120;
const MONTHS = 6;
const month = (n: number) => `2026-${String(n).padStart(2, '0')}-01`;
const partitions = (table: string, months: readonly number[]) =>
  months
    .map(
      (n) => `CREATE TABLE ${table}_${n} PARTITION OF ${table} FOR VALUES FROM ('${month(n)}') TO ('${month(n + 1)}')`,
    )
    .join('; ');
const ALL = Array.from({ length: MONTHS }, (_, i) => i + 1);

const SCHEMA = `
  CREATE TABLE customer (id integer PRIMARY KEY);
  INSERT INTO customer SELECT generate_series(0, 9);
  CREATE TABLE event (id integer PRIMARY KEY, at date NOT NULL, note text, fax text DEFAULT 'none', customer integer REFERENCES customer);
  CREATE INDEX ON event (note);
  CREATE TABLE event_v2 (id bigint NOT NULL, at date NOT NULL, note text, customer integer, tier text NOT NULL DEFAULT 'standard', PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
  CREATE INDEX ON event_v2 (note);
  ${partitions('event_v2', ALL)};
  CREATE TABLE event_twin (id integer PRIMARY KEY, at date NOT NULL, note text, customer integer);
  INSERT INTO event (id, at, note, customer) SELECT i, date '2026-01-01' + i, 'seed', i % 10 FROM generate_series(1, ${KEYS}) i;
  INSERT INTO event_twin SELECT id, at, note, customer FROM event`;

const cutoverOf = (mode: 'streamed' | 'inline'): TableCutover => ({
  id: 'event',
  validation: 'strict',
  table: { primary: 'public.event', shadow: 'public.event_v2', columns: { tier: { added: true } }, mode },
});

const keyOf = (i: number, index: number) => 1 + ((i * 7919 + index * 104_729) % KEYS);

/** Without ON CONFLICT (id), which no partitioned table has. */
function change(i: number, key: number, index: number, table: string): string {
  const at = `date '${month(1 + (i % MONTHS))}' + ${key % 28}`;
  if (i % 7 === 6) return `DELETE FROM ${table} WHERE id = ${key}`;
  return `UPDATE ${table} SET note = 'w${index}.${i}'${i % 3 === 0 ? `, at = ${at}` : ''} WHERE id = ${key};
    INSERT INTO ${table} (id, at, note, customer) SELECT ${key}, ${at}, 'n${index}.${i}', ${i % 10} WHERE NOT EXISTS (SELECT FROM ${table} WHERE id = ${key})`;
}

function client(sql: postgres.Sql, index: number): Writer {
  return writer((i) => {
    const key = keyOf(i, index);
    const both = ['event', 'event_twin'].map((table) => change(i, key, index, table));
    const turn = `SELECT pg_advisory_xact_lock(4711, ${key})`;
    return sql.unsafe(['BEGIN', turn, ...both, i % 11 === 5 ? 'ROLLBACK' : 'COMMIT'].join('; ')).simple();
  });
}

const rows = (table: string) => `SELECT id::bigint, at, note, customer FROM ${table}`;

describe.each(['streamed', 'inline'] as const)('I1 I4 the whole life with a shadow by month, %s', (mode) => {
  const cutover = cutoverOf(mode);
  const planes: TestPlane[] = [];
  let db: OwnDatabase;
  beforeAll(async () => {
    db = await ownDatabase();
    await db.sql.unsafe(SCHEMA);
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
        expect(await differences(db, rows('event'), rows('event_twin')), step).toEqual([]);
        const old = (await db.sql.unsafe("SELECT to_regclass('event_old') AS name"))[0]!.name;
        const other = old ?? 'event_v2';
        if (pair) expect(await differences(db, rows(other), rows('event_twin')), `${step}, ${other}`).toEqual([]);
      },
    });
    expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
    expect(looked).toHaveLength(9);
    const [left] = await db.sql.unsafe(`SELECT string_agg(relname, ' ' ORDER BY relname) AS tables FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition`);
    expect(left!.tables).toBe('customer event event_twin');
    const keys =
      await db.sql.unsafe(`SELECT conrelid::regclass::text AS table, conname AS name, convalidated AS valid FROM pg_constraint
      WHERE contype = 'f' AND confrelid = 'customer'::regclass AND conparentid = 0`);
    expect([...keys]).toEqual([{ table: 'event', name: 'event_customer_fkey', valid: true }]);
  });
});
