/**
 * I1 a key that is deleted and inserted again names another row: whatever the first one had in columns that the new shape
 * dropped must not come back on the way back, and what was never deleted must. The twin is written in the same transactions
 * and never migrated, so it has the right value of every dropped column.
 *
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project postgres test/integration/postgres/same-key.test.ts
 */

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));

const PET: TableCutover = {
  id: 'pet',
  validation: 'strict',
  table: {
    primary: 'public.pet',
    shadow: 'public.pet_v2',
    columns: { tier: { added: true } },
    reverse: { born: { insertOnly: "'unknown'" } },
  },
};
const ROWS = 'SELECT id, name, fax, born FROM pet';
const TWIN = 'SELECT id, name, fax, born FROM pet_twin';

let db: OwnDatabase;
let plane: TestPlane;
let epoch = 0;
let promoted = false;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  const columns =
    "id integer PRIMARY KEY, name text NOT NULL, fax text DEFAULT 'none', born text NOT NULL DEFAULT 'unknown'";
  await db.sql.unsafe(`CREATE TABLE pet (${columns}); CREATE TABLE pet_twin (${columns});
    CREATE TABLE pet_v2 (id bigint PRIMARY KEY, name text NOT NULL, tier text DEFAULT 'standard')`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});
beforeEach(begin);

/** Three rows whose dropped columns have values of their own, promoted. */
async function begin(): Promise<void> {
  if (promoted) await lost();
  await plane.forget('pet');
  await both('DELETE FROM $');
  await both("INSERT INTO $ VALUES (1, 'a', 'f1', 'b1'), (2, 'b', 'f2', 'b2'), (3, 'c', 'f3', 'b3')");
  epoch += 2;
  await plane.start(PET, epoch);
  await plane.copy('pet', epoch);
  await plane.settle('pet', epoch);
  await swap('promote');
}

async function swap(name: 'promote' | 'revert'): Promise<void> {
  const step = { fromEpoch: epoch, toEpoch: epoch + 1, stage: name, version: 1_000 + epoch };
  expect(await plane[name](PET, step)).toMatchObject({ kind: 'swapped' });
  epoch += 1;
  promoted = name === 'promote';
}

/** `$` stands for the table, and for its twin. */
const both = (change: string) =>
  db.sql.unsafe(`BEGIN; ${change.replaceAll('$', 'pet')}; ${change.replaceAll('$', 'pet_twin')}; COMMIT`).simple();
const again = (key: number, name: string) =>
  `DELETE FROM $ WHERE id = ${key}; INSERT INTO $ (id, name) VALUES (${key}, '${name}')`;

async function lost(): Promise<unknown[]> {
  await plane.settle('pet', epoch);
  await swap('revert');
  return differences(db, ROWS, TWIN);
}

describe('I1 the way back', () => {
  it('keeps what was dropped of rows that stayed, and resets it for rows that came anew', async () => {
    // All columns of a row change at once: neither of both rows violates this, but a mixture does.
    await db.sql.unsafe("ALTER TABLE pet_old ADD CONSTRAINT mixed CHECK (fax <> 'f3' OR name = 'c')");
    await both(`UPDATE $ SET name = 'stays' WHERE id = 1; ${again(2, 'anew')}; ${again(3, 'anew')}`);
    expect(await lost()).toEqual([]);
    await db.sql.unsafe('ALTER TABLE pet DROP CONSTRAINT mixed');
    expect([...(await db.sql.unsafe(`${ROWS} ORDER BY id`))]).toMatchObject([
      { id: 1, name: 'stays', fax: 'f1', born: 'b1' },
      { id: 2, name: 'anew', fax: 'none', born: 'unknown' },
      { id: 3, name: 'anew', fax: 'none', born: 'unknown' },
    ]);
  });

  it('does so when delete and insert are applied by calls of their own, in either order', async () => {
    await both(again(2, 'anew'));
    const other = db.connect();
    await other.begin(async (sql) => {
      await sql.unsafe("SELECT FROM crossfade.outbox_pet WHERE op = 'D' FOR UPDATE");
      expect(await plane.converge('pet', epoch, 1)).toMatchObject({ claimed: 1, written: 1 });
    });
    expect(await plane.converge('pet', epoch, 1)).toMatchObject({ claimed: 1, written: 1 });
    expect(await lost()).toEqual([]);
  });

  it('does so after TRUNCATE', async () => {
    await both("TRUNCATE $; INSERT INTO $ (id, name) VALUES (2, 'anew')");
    expect(await lost()).toEqual([]);
  });

  it('does so for a key that was in quarantine in between', async () => {
    await db.sql.unsafe("ALTER TABLE pet_old ADD CONSTRAINT late CHECK (name <> 'bad')");
    await both(again(2, 'bad'));
    await plane.converge('pet', epoch, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_pet SET attempts = 4, not_before = NULL');
    await plane.settle('pet', epoch);
    expect(await plane.rollbackReady('pet')).toMatchObject({ ready: false, key: '{"id": 2}' });
    await both("UPDATE $ SET name = 'good' WHERE id = 2");
    await db.sql.unsafe('ALTER TABLE pet_old DROP CONSTRAINT late');
    expect(await lost()).toEqual([]);
  });

  it('without the reset the twin would notice', async () => {
    await tamper(db, plane.connection(), PET, edited(SQL_FAULTS.reset));
    await both(again(2, 'anew'));
    expect(await lost()).toHaveLength(2);
  });
});

type Step =
  | { do: 'change'; sql: string }
  | { do: 'converge'; limit: number }
  /** Deletes and inserts in a transaction that stays open until the next change of this key, or the end. */
  | { do: 'open'; key: number }
  | { do: 'commit' };

const key = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, fc.integer({ min: 0, max: 99 })).map(
    ([k, n]): Step => ({
      do: 'change',
      sql: `INSERT INTO $ (id, name) VALUES (${k}, 'n${n}') ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
    }),
  ),
  key.map((k): Step => ({ do: 'change', sql: `DELETE FROM $ WHERE id = ${k}` })),
  key.map((k): Step => ({ do: 'change', sql: again(k, 'again') })),
  fc.constant<Step>({ do: 'change', sql: 'TRUNCATE $' }),
  fc.integer({ min: 1, max: 4 }).map((limit): Step => ({ do: 'converge', limit })),
  key.map((k): Step => ({ do: 'open', key: k })),
  fc.constant<Step>({ do: 'commit' }),
);

describe('I1 any order of writes, calls and open transactions', () => {
  it(`ends like the twin (seed ${SEED})`, async () => {
    const other = db.connect();
    let open = false;
    const commit = async () => {
      if (open) await other.unsafe('COMMIT').simple();
      open = false;
    };
    const run = async (one: Step) => {
      if (one.do === 'converge') await plane.converge('pet', epoch, one.limit);
      else if (one.do === 'commit') await commit();
      else if (one.do === 'open') {
        await commit();
        const change = again(one.key, 'open');
        await other.unsafe(`BEGIN; ${change.replaceAll('$', 'pet')}; ${change.replaceAll('$', 'pet_twin')}`).simple();
        open = true;
      } else {
        // One that is open would be waited for.
        await commit();
        await both(one.sql);
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
        await begin();
        for (const one of steps) await run(one);
        await commit();
        expect(await lost()).toEqual([]);
      }),
      { seed: SEED, numRuns: 12, endOnFailure: true },
    );
  }, 60_000);
});

describe('in a shadow of partitions, whose key has the day in it, too', () => {
  it('the row of that key alone is begun anew, in its partition or in another', async () => {
    const cutover: TableCutover = {
      id: 'visit',
      validation: 'strict',
      table: { primary: 'public.visit', shadow: 'public.visit_v2', columns: { tier: { added: true } } },
    };
    await db.sql.unsafe(`CREATE TABLE visit (id integer PRIMARY KEY, day integer NOT NULL, name text);
      CREATE TABLE visit_v2 (id integer, day integer, name text, tier text DEFAULT 'standard', PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE TABLE visit_low PARTITION OF visit_v2 FOR VALUES FROM (0) TO (10);
      CREATE TABLE visit_high PARTITION OF visit_v2 FOR VALUES FROM (10) TO (20);
      INSERT INTO visit VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 14, 'd')`);
    await plane.start(cutover);
    await plane.copy('visit', 1);
    await db.sql.unsafe("SET crossfade.writing = 'on'; UPDATE visit_v2 SET tier = 'gold'; RESET crossfade.writing");
    await db.sql.unsafe(`BEGIN; DELETE FROM visit WHERE id IN (1, 3); INSERT INTO visit VALUES (1, 1, 'A'), (3, 13, 'C');
      UPDATE visit SET name = 'B' WHERE id = 2; COMMIT`);
    await plane.settle('visit', 1);
    expect([...(await db.sql.unsafe('SELECT * FROM visit_v2 ORDER BY id'))]).toEqual([
      { id: 1, day: 1, name: 'A', tier: 'standard' },
      { id: 2, day: 2, name: 'B', tier: 'gold' },
      { id: 3, day: 13, name: 'C', tier: 'standard' },
      { id: 4, day: 14, name: 'd', tier: 'gold' },
    ]);
    await plane.forget('visit');
  });
});
