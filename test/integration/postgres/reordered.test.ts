/** Unique values that change hands among any number of keys in one statement settle by themselves, however small the batches are. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const cutoverOf = (id: string): TableCutover => ({
  id,
  validation: 'strict',
  table: {
    primary: `public.${id}`,
    shadow: `public.${id}_v2`,
    columns: { extra: { added: true } },
  },
});
const BOTH = (id: string) => [`SELECT id::bigint, pos, v FROM ${id}`, `SELECT id, pos, v FROM ${id}_v2`] as const;

/** Positions 1 … n, unique at the end of a statement in the primary, at once in the shadow, which has a column of its own. */
async function ready(id: string, rows: number, unique = 'pos integer UNIQUE'): Promise<void> {
  await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, pos integer, v text); ALTER TABLE ${id} ADD UNIQUE (pos) DEFERRABLE;
    CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, ${unique}, v text, extra text DEFAULT 'none'); INSERT INTO ${id} SELECT i, i, 'x' FROM generate_series(1, ${rows}) i`);
  await plane.start(cutoverOf(id));
  await plane.copy(id, 1, 5_000);
  await db.sql.unsafe(
    `SET crossfade.writing = 'on'; UPDATE ${id}_v2 SET extra = 'kept ' || id; RESET crossfade.writing`,
  );
}

/** Calls in batches of 500, as the flows make them; what was put off is due at once, as if its pause were over. */
async function settled(id: string, calls: number, limit = 500): Promise<void> {
  for (let call = 0; call < calls; call += 1) {
    await plane.converge(id, 1, limit);
    await db.sql.unsafe(`UPDATE crossfade.outbox_${id} SET not_before = NULL WHERE not_before IS NOT NULL`);
    if ((await plane.status(id))!.outboxRows === 0) return;
  }
}

describe('positions that change hands in one statement', () => {
  it.each([
    ['rotated', 1_200, 'UPDATE $ SET pos = pos % 1200 + 1'],
    ['reversed', 90, 'UPDATE $ SET pos = 91 - pos'],
    [
      'shuffled',
      150,
      'UPDATE $ t SET pos = o.pos FROM (SELECT id, row_number() OVER (ORDER BY md5(id::text)) AS pos FROM $) o WHERE o.id = t.id',
    ],
  ])('are %s: %d of them settle, with what is not written kept', async (id, rows, statement) => {
    await ready(id, rows);
    await db.sql.unsafe(statement.replaceAll('$', id));
    await settled(id, 20, rows > 1_000 ? 500 : 40);
    expect(await plane.status(id)).toMatchObject({ outboxRows: 0, quarantined: 0 });
    expect(await differences(db, ...BOTH(id))).toEqual([]);
    expect([...(await db.sql.unsafe(`SELECT FROM ${id}_v2 WHERE extra <> 'kept ' || id`))]).toEqual([]);
    expect(await plane.verify(id, 1, 0)).toMatchObject({ result: { divergences: 0 } });
  });

  it('beside rows that can never fit: these alone are held', async () => {
    await ready('mixed', 800, 'pos integer UNIQUE CHECK (pos <> 13)');
    await db.sql
      .unsafe(`UPDATE mixed SET pos = pos % 800 + 1; INSERT INTO mixed VALUES (2001, 9001, 'x'), (2002, 13, 'y')`)
      .catch(() => {});
    await db.sql.unsafe('UPDATE mixed SET pos = pos % 800 + 1');
    await settled('mixed', 40);
    const held = (await plane.quarantined('mixed', { limit: 50 })).keys;
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThan(4);
    expect(held.some(({ sqlstate }) => sqlstate === '23514')).toBe(true);
  });

  it('without two exclusive ranges ever overlapping', async () => {
    await db.sql.unsafe('CREATE EXTENSION IF NOT EXISTS btree_gist');
    await ready('booked', 70, 'pos integer, EXCLUDE USING gist (pos WITH =)');
    await db.sql.unsafe('UPDATE booked SET pos = pos % 70 + 1');
    await settled('booked', 20, 40);
    expect(await plane.status('booked')).toMatchObject({ outboxRows: 0, quarantined: 0 });
    expect(await differences(db, ...BOTH('booked'))).toEqual([]);
  });

  it('while two appliers take turns and the application goes on', async () => {
    await ready('busy', 70);
    const other = testPlane(db);
    const writer = db.connect();
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.all([
        writer.unsafe('UPDATE busy SET pos = pos % 70 + 1'),
        plane.converge('busy', 1, 30),
        other.converge('busy', 1, 30),
      ]);
    }
    await settled('busy', 40, 30);
    await other.close();
    expect(await plane.status('busy')).toMatchObject({ outboxRows: 0, quarantined: 0 });
    expect(await differences(db, ...BOTH('busy'))).toEqual([]);
  });

  it('takes along no more than it needs: each row is written once, and no hint is left of what fits', async () => {
    await ready('apart', 4);
    await db.sql.unsafe("UPDATE apart SET pos = CASE id WHEN 1 THEN 2 WHEN 2 THEN 4 WHEN 3 THEN 3 ELSE 1 END, v = 'y'");
    expect(await plane.converge('apart', 1, 2)).toMatchObject({ claimed: 2, written: 0, postponed: 2 });
    await db.sql.unsafe('UPDATE crossfade.outbox_apart SET not_before = NULL');
    // The third fits and is the last of its batch; the fourth comes along.
    expect(await plane.converge('apart', 1, 3)).toMatchObject({ claimed: 4, written: 4, postponed: 0, remaining: 0 });
    expect((await plane.status('apart'))!.outboxRows).toBe(0);
  });

  it('negative control: with the keys of one batch alone, all of them end in quarantine', async () => {
    await ready('alone', 70);
    const alone = edited([['converge', 'LIMIT 20000 FOR UPDATE', 'LIMIT 0 FOR UPDATE']]);
    await tamper(db, plane.connection(), cutoverOf('alone'), alone);
    await db.sql.unsafe('UPDATE alone SET pos = pos % 70 + 1');
    await settled('alone', 20, 40);
    expect((await plane.status('alone'))!.quarantined).toBe(70);
  });
});

describe('a key that is on neither side', () => {
  it.each([
    ['bigint', '3000000000'],
    ['numeric(20,0)', '30000000000000'],
  ])(
    'is settled: after promotion to %s, a row that cannot go back and is deleted again holds nothing',
    async (type, value) => {
      const id = `grown_${type.slice(0, 3)}`;
      await db.sql.unsafe(
        `CREATE TABLE ${id} (id integer PRIMARY KEY, v text); CREATE TABLE ${id}_v2 (id ${type} PRIMARY KEY, v text); INSERT INTO ${id} VALUES (1, 'a')`,
      );
      const cutover: TableCutover = {
        id,
        validation: 'strict',
        table: { primary: `public.${id}`, shadow: `public.${id}_v2` },
      };
      await plane.start(cutover);
      await plane.copy(id, 1);
      expect(await plane.promote(cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 })).toMatchObject(
        { kind: 'swapped' },
      );
      await db.sql.unsafe(`INSERT INTO ${id} VALUES (${value}, 'big')`);
      await plane.converge(id, 2, 10);
      await db.sql.unsafe(`UPDATE crossfade.outbox_${id} SET attempts = 4, not_before = NULL`);
      await plane.settle(id, 2);
      expect(await plane.rollbackReady(id)).toMatchObject({ ready: false, key: `{"id": ${value}}` });
      for (const tier of ['fast', 'proof'] as const)
        expect(await plane.verify(id, 2, 0, { tier, scope: 'full' })).toMatchObject({
          result: { divergences: 0, rowsCompared: 2 },
        });
      await db.sql.unsafe(`DELETE FROM ${id} WHERE id = ${value}`);
      await plane.settle(id, 2);
      expect(await plane.rollbackReady(id)).toEqual({ ready: true });
      await db.sql
        .unsafe(
          `BEGIN; INSERT INTO ${id} VALUES (${value}, 'short-lived'); DELETE FROM ${id} WHERE id = ${value}; COMMIT`,
        )
        .simple();
      expect(await plane.converge(id, 2, 10)).toMatchObject({ postponed: 0, quarantined: 0 });
      expect(await plane.verify(id, 2, 0)).toMatchObject({ result: { divergences: 0, rowsCompared: 1 } });
      expect(
        await plane.revert(cutover, { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 30 }),
      ).toMatchObject({ kind: 'swapped' });
    },
  );

  it('whatever the reason: a text that is no uuid', async () => {
    await db.sql.unsafe(
      "CREATE TABLE words (id text PRIMARY KEY); CREATE TABLE words_v2 (id uuid PRIMARY KEY); INSERT INTO words VALUES ('none')",
    );
    await plane.start({ ...cutoverOf('words'), table: { primary: 'public.words', shadow: 'public.words_v2' } });
    await plane.copy('words', 1);
    await plane.converge('words', 1, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_words SET attempts = 4, not_before = NULL');
    await plane.settle('words', 1);
    expect((await plane.status('words'))!.quarantined).toBe(1);
    expect(await plane.verify('words', 1, 0)).toMatchObject({ result: { divergences: 0 } });
    await db.sql.unsafe('DELETE FROM words');
    await plane.settle('words', 1);
    expect((await plane.status('words'))!.quarantined).toBe(0);
  });
});
