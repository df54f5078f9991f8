/**
 * I7 on a table of several segments, while the application writes at full speed: alarms appear exactly for the faults that
 * were injected, in both tiers, and passes go on from wherever the last call ended.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationResult } from '../../../lib/core/gates/table-status.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { VerificationPass } from '../../../lib/ports/verifying.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { asGenerated, edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

const FACT: TableCutover = {
  id: 'fact',
  validation: 'disabled',
  table: { primary: 'public.fact', shadow: 'public.fact_v2', columns: { label: { from: 'name' } } },
};
const ROWS = 24_000;
/** Writers keep to the keys below. */
const QUIET = 2_000;

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  const columns =
    'note text, price numeric, ratio float8, at timestamptz, doc jsonb, tags text[], span numrange, raw json';
  await db.sql.unsafe(`CREATE TABLE fact (id integer PRIMARY KEY, name text, ${columns});
    CREATE TABLE fact_v2 (id bigint PRIMARY KEY, label text, ${columns});
    INSERT INTO fact SELECT i, 'n' || i, CASE WHEN i % 2 = 0 THEN '' END, i + 0.50, CASE WHEN i % 5 = 0 THEN 0 ELSE i END,
      timestamptz '2026-01-01' + i * interval '1 microsecond', jsonb_build_object('n', 1.0, 'i', i), ARRAY['x', i::text], numrange(i, i + 1.0),
      json_build_object('n', 1.0, 'i', i)
    FROM generate_series(1, ${ROWS}) i; ANALYZE fact`);
  await plane.start(FACT);
  await plane.copy('fact', 1, 10_000);
  await plane.settle('fact', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

async function verify(pass: VerificationPass = {}): Promise<VerificationResult> {
  for (;;) {
    const step = await plane.verify('fact', 1, 1, pass);
    if (step.kind === 'verified') return step.result;
    expect(step.kind).toBe('running');
  }
}

const keysOf = ({ samples }: VerificationResult) =>
  samples.map((sample) => Number(/\d+/.exec(sample.key)![0])).sort((a, b) => a - b);

/** Three clients write, and one applies, for as long as the work takes. */
let written = 0;
async function underWrites<T>(work: () => Promise<T>): Promise<T> {
  let stopped = false;
  const writers = [0, 1, 2].map(async (index) => {
    const sql = db.connect();
    for (let i = 0; !stopped; i += 1) {
      const id = 1 + ((i * 7919 + index * 31) % QUIET);
      const change = [
        `UPDATE fact SET price = price + 1, note = '${i}' WHERE id = ${id}`,
        `DELETE FROM fact WHERE id = ${id}`,
        `INSERT INTO fact (id, name) VALUES (${id}, 'w${i}') ON CONFLICT (id) DO UPDATE SET doc = NULL`,
      ][i % 3]!;
      await sql.unsafe(change);
      written += 1;
    }
  });
  const applier = (async () => {
    while (!stopped) await plane.converge('fact', 1, 50);
  })();
  try {
    return await work();
  } finally {
    stopped = true;
    await Promise.all([...writers, applier]);
    await plane.settle('fact', 1);
  }
}

type Fault = { what: string; sql: string; keys: readonly number[]; columns?: readonly string[] };

const FAULTS: readonly Fault[] = [
  { what: 'a changed value', sql: "UPDATE fact_v2 SET label = 'x' WHERE id = 3001", keys: [3001], columns: ['label'] },
  { what: 'a deleted row', sql: 'DELETE FROM fact_v2 WHERE id = 23999', keys: [23_999] },
  { what: 'an extra row beyond the end', sql: 'INSERT INTO fact_v2 (id) VALUES (900001)', keys: [900_001] },
  { what: 'an extra row before the beginning', sql: 'INSERT INTO fact_v2 (id) VALUES (-5)', keys: [-5] },
  {
    what: 'NULL for an empty text',
    sql: 'UPDATE fact_v2 SET note = NULL WHERE id = 10002',
    keys: [10_002],
    columns: ['note'],
  },
  {
    what: 'another scale',
    sql: 'UPDATE fact_v2 SET price = 3002.500 WHERE id = 3002',
    keys: [3002],
    columns: ['price'],
  },
  { what: 'minus zero', sql: "UPDATE fact_v2 SET ratio = '-0' WHERE id = 3005", keys: [3005], columns: ['ratio'] },
  {
    what: 'one microsecond',
    sql: "UPDATE fact_v2 SET at = at + interval '1 microsecond' WHERE id = 3004",
    keys: [3004],
    columns: ['at'],
  },
  {
    what: '1 for 1.0 in jsonb',
    sql: `UPDATE fact_v2 SET doc = jsonb_set(doc, '{n}', '1') WHERE id = 3006`,
    keys: [3006],
    columns: ['doc'],
  },
  {
    what: 'another scale within a range',
    sql: 'UPDATE fact_v2 SET span = numrange(3007, 3008) WHERE id = 3007',
    keys: [3007],
    columns: ['span'],
  },
  {
    what: 'another first index of an array',
    sql: `UPDATE fact_v2 SET tags = '[0:1]={x,3008}' WHERE id = 3008`,
    keys: [3008],
    columns: ['tags'],
  },
  {
    what: 'another order of keys in json, which is kept as it is spelt',
    sql: `UPDATE fact_v2 SET raw = '{"i" : 3010, "n" : 1.0}' WHERE id = 3010`,
    keys: [3010],
    columns: ['raw'],
  },
  {
    what: 'values that two rows have swapped',
    sql: 'UPDATE fact_v2 a SET label = b.label FROM fact_v2 b WHERE a.id IN (12001, 12002) AND b.id = 24003 - a.id',
    keys: [12_001, 12_002],
    columns: ['label'],
  },
];

/** What looks like a change and is none: the same value is stored. */
const SAME = `UPDATE fact_v2 SET doc = ('{"i": ' || id || ', "n": 1.0}')::jsonb WHERE id = 3011;
  UPDATE fact_v2 SET doc = ('{"n": 0, "i": ' || id || ', "n": 1.0}')::jsonb WHERE id = 3012;
  UPDATE fact_v2 SET at = at AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE 'Asia/Tokyo' WHERE id = 3013;
  UPDATE fact_v2 SET price = price + 0, ratio = ratio * 1, label = label || '' WHERE id = 3014;
  DELETE FROM fact_v2 WHERE id = 3015; INSERT INTO fact_v2 SELECT * FROM fact WHERE id = 3015`;

describe('I7 alarms under writes are exactly the faults', () => {
  afterEach(async () => {
    await plane.repair('fact');
    await plane.settle('fact', 1);
    expect(await verify()).toMatchObject({ divergences: 0, score: 1 });
  });

  it('none without a fault, in ten passes', async () => {
    const [before, started] = [written, Date.now()];
    await underWrites(async () => {
      for (let pass = 0; pass < 10; pass += 1) expect((await verify()).samples).toEqual([]);
    });
    const perSecond = Math.round((1_000 * (written - before)) / (Date.now() - started));
    console.log(`validator: ten passes beside ${written - before} writes, ${perSecond} a second`);
    // Passes that nobody writes beside would prove nothing.
    expect(written - before).toBeGreaterThan(100);
  });

  it('none for the order of keys in jsonb, nor for other ways to write the same value, in both tiers', async () => {
    await underWrites(async () => {
      await db.sql.unsafe(SAME);
      for (const tier of ['fast', 'proof'] as const) expect((await verify({ tier })).samples).toEqual([]);
    });
  });

  it.each(FAULTS)('$what', async ({ sql, keys, columns }) => {
    await underWrites(async () => {
      await db.sql.unsafe(sql);
      const result = await verify();
      expect(result.divergences).toBe(keys.length);
      expect(keysOf(result)).toEqual(keys.map(Math.abs));
      if (columns) for (const sample of result.samples) expect(sample.columns).toEqual(columns);
    });
  });

  it('the proof tier finds all of them at once', async () => {
    for (const { sql } of FAULTS) await db.sql.unsafe(sql);
    const result = await verify({ tier: 'proof' });
    expect(keysOf(result)).toEqual(FAULTS.flatMap(({ keys }) => keys.map(Math.abs)).sort((a, b) => a - b));
    const [kept] = await db.sql.unsafe("SELECT tier FROM crossfade.verification WHERE cutover = 'fact'");
    expect(kept).toEqual({ tier: 'proof' });
  });

  it('with a sum of hashes in place of pairs, swapped values go unseen', async () => {
    await tamper(db, plane.connection(), FACT, edited(SQL_FAULTS.pairs));
    await db.sql.unsafe(FAULTS.at(-1)!.sql);
    expect((await verify()).divergences).toBe(0);
    await tamper(db, plane.connection(), FACT, { verify: asGenerated });
    expect((await verify()).divergences).toBe(2);
  });

  it('without comparing images, what the equality of a type overlooks goes unseen', async () => {
    await tamper(db, plane.connection(), FACT, edited(SQL_FAULTS.image));
    await db.sql.unsafe(
      `UPDATE fact_v2 SET price = 3010.500, ratio = '-0', doc = jsonb_set(doc, '{n}', '1') WHERE id = 3010`,
    );
    expect((await verify()).divergences).toBe(0);
    await tamper(db, plane.connection(), FACT, { verify: asGenerated });
    expect((await verify()).samples).toMatchObject([{ columns: ['price', 'ratio', 'doc'] }]);
  });
});

describe('I6 a pass in calls of one segment', () => {
  it('goes on after every call is cut off, and misses nothing', async () => {
    await db.sql.unsafe('UPDATE fact_v2 SET label = NULL WHERE id IN (2500, 12000, 24000)');
    const step = async (kill: boolean) => {
      const sql = db.connect();
      const [me] = await sql.unsafe('SELECT pg_backend_pid() AS pid');
      const call = sql.unsafe("SELECT crossfade.verify_fact(1, 7, 'fast', 'full', 0) AS step").then(
        ([row]) => row!.step as { kind: string; rowsDone: number },
        () => ({ kind: 'killed', rowsDone: 0 }),
      );
      if (kill) await db.sql.unsafe(`SELECT pg_terminate_backend(${me!.pid})`);
      return call;
    };
    const seen: string[] = [];
    let last = await step(false);
    for (let i = 0; last.kind !== 'verified'; i += 1) {
      last = await step(i % 2 === 0);
      seen.push(last.kind);
    }
    expect(seen.filter((kind) => kind === 'running').length).toBeGreaterThan(0);
    expect(last).toMatchObject({
      divergences: 3,
      rowsCompared: (await db.sql.unsafe('SELECT count(*)::int AS n FROM fact'))[0]!.n,
      atMs: 7,
    });
    await plane.repair('fact');
    await plane.settle('fact', 1);
  });
});

describe('a pass over what is due', () => {
  it('finds foreign writes, which the guard records with their author', async () => {
    expect(await verify()).toMatchObject({ divergences: 0 });
    await db.sql.unsafe(
      "DELETE FROM crossfade.foreign_write; SET application_name = 'somebody'; UPDATE fact_v2 SET label = 'theirs' WHERE id = 15000",
    );
    const result = await verify({ scope: 'due' });
    expect(keysOf(result)).toEqual([15_000]);
    expect([
      ...(await db.sql.unsafe('SELECT key, operation, application, writes::int FROM crossfade.foreign_write')),
    ]).toEqual([{ key: '{"id": 15000}', operation: 'UPDATE', application: 'somebody', writes: 1 }]);
    expect(await plane.status('fact')).toMatchObject({ foreignWrites: 1 });
  });

  it('sees what was repaired, and records no write of ours as foreign', async () => {
    await plane.repair('fact');
    await plane.settle('fact', 1);
    expect(await verify({ scope: 'due' })).toMatchObject({ divergences: 0, score: 1 });
    expect(await plane.status('fact')).toMatchObject({ foreignWrites: 1 });
  });

  it('compares the segments that were written since, and says what is due', async () => {
    await verify();
    await db.sql.unsafe("UPDATE fact SET name = 'due' WHERE id = 23000");
    await plane.settle('fact', 1);
    const due = await db.sql.unsafe(
      "SELECT bounds, rows::int FROM crossfade.segments('fact') WHERE due_since IS NOT NULL",
    );
    expect(due).toHaveLength(1);
    await verify({ scope: 'due' });
    expect(await db.sql.unsafe("SELECT FROM crossfade.segments('fact') WHERE due_since IS NOT NULL")).toHaveLength(0);
  });
});
