/**
 * A comparison that did not look proves nothing: ranges that leave keys out, and comparisons that see fewer rows than there
 * are, give no verdict but say so, and the next pass begins again. Each fault is planted in the generated function.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

const ROWS = 25_000;
const WIDE: TableCutover = {
  id: 'wide',
  validation: 'disabled',
  table: { primary: 'public.wide', shadow: 'public.wide_v2' },
};

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE wide (id integer PRIMARY KEY, v text); CREATE TABLE wide_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO wide SELECT i, 'x' FROM generate_series(1, ${ROWS}) i`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});
beforeEach(async () => {
  if (await plane.status('wide')) await plane.forget('wide');
  await db.sql.unsafe('TRUNCATE wide_v2');
  await plane.start(WIDE);
  await plane.copy('wide', 1, 50_000);
  expect(await full()).toMatchObject({ kind: 'verified', result: { rowsCompared: ROWS, divergences: 0 } });
  // As if nothing had been written: the guard's word is not what finds it.
  await db.sql.unsafe(
    "SET crossfade.writing = 'on'; UPDATE wide_v2 SET v = 'wrong' WHERE id BETWEEN 12000 AND 18000; RESET crossfade.writing",
  );
});

const full = async (tier: 'fast' | 'proof' = 'fast') => {
  for (;;) {
    const step = await plane.verify('wide', 1, 0, { tier, scope: 'full' });
    if (step.kind !== 'running') return step;
  }
};
const plant = (from: string, to: string) =>
  tamper(db, plane.connection(), WIDE, { verify: (text) => text.replaceAll(from, () => to) });
const HALF = ['(v_l1 IS NULL OR (p."id") > (v_l1))', '(v_l1 IS NULL OR (p."id") > (v_l1)) AND p.id % 2 = 0'] as const;

describe('a pass of verification', () => {
  it('with a range that is missing gives no verdict, and the next one begins again and finds what is wrong', async () => {
    expect((await db.sql.unsafe('SELECT FROM crossfade.segment_wide')).length).toBeGreaterThan(2);
    await db.sql.unsafe(
      "DELETE FROM crossfade.segment_wide WHERE l1 IS NOT NULL AND h1 IS NOT NULL; DELETE FROM crossfade.verification WHERE cutover = 'wide'",
    );
    expect(await full()).toEqual({ kind: 'unready', why: expect.stringContaining('do not cover every key') });
    expect((await plane.status('wide'))!.verification).toBeNull();
    expect(await full()).toMatchObject({ result: { rowsCompared: ROWS, divergences: 6_001 } });
  });

  it.each([
    ['the first one', 'l1 IS NULL'],
    ['the last one', 'h1 IS NULL'],
  ])('without %s gives none either', async (_, which) => {
    await db.sql.unsafe(`DELETE FROM crossfade.segment_wide WHERE ${which}`);
    expect(await full()).toMatchObject({ kind: 'unready' });
  });

  it('with bounds that a type has filled gives none', async () => {
    await db.sql.unsafe('DELETE FROM crossfade.segment_wide');
    await plant(
      'INSERT INTO crossfade."segment_wide" DEFAULT VALUES',
      'INSERT INTO crossfade."segment_wide" (l1, h1) VALUES (7, 7)',
    );
    expect(await full()).toMatchObject({ kind: 'unready' });
  });

  for (const tier of ['fast', 'proof'] as const)
    it(`${tier}: that sees every other row gives none, and says how many it saw`, async () => {
      await plant(HALF[0], HALF[1]);
      expect(await full(tier)).toEqual({
        kind: 'unready',
        why: expect.stringMatching(/^12500 rows were compared, and at least 25000 were there/),
      });
    });

  it('that sees none gives none, and one row is enough', async () => {
    await plant(HALF[0], '(v_l1 IS NULL OR (p."id") > (v_l1)) AND p.id <> 25000');
    expect(await full()).toMatchObject({ why: expect.stringMatching(/^24999 rows were compared/) });
    await plant(HALF[0], 'false');
    expect(await full()).toMatchObject({ why: expect.stringMatching(/^0 rows were compared/) });
  });

  it('negative control: without the count it would have said equal', async () => {
    const blind = edited([
      ['verify', 'v_rows < v_pass.counted_rows', 'false'],
      ['verify', /\(v_l1 IS NULL OR \([pt]\."id"\) > /g, '(false AND (1) > '],
    ]);
    await tamper(db, plane.connection(), WIDE, blind);
    expect(await full()).toMatchObject({ kind: 'verified', result: { score: 1, rowsCompared: 0, divergences: 0 } });
  });

  it('counts what was there all the time, so writes meanwhile are no alarm', async () => {
    await plane.verify('wide', 1, 0, { tier: 'fast', scope: 'full' });
    const writer = db.connect();
    let over = false;
    const writing = (async () => {
      for (let i = 0; !over; i += 1)
        await writer.unsafe(`UPDATE wide SET v = 'y${i}' WHERE id BETWEEN ${(i * 50) % 20000} AND ${(i * 50) % 20000} + 50; DELETE FROM wide WHERE id = ${20_000 + (i % 5_000)};
          INSERT INTO wide SELECT ${30_000 + i}, 'new'; INSERT INTO wide VALUES (${20_000 + (i % 5_000)}, 'again') ON CONFLICT DO NOTHING`);
    })();
    const seen: unknown[] = [];
    for (let pass = 0; pass < 4; pass += 1) seen.push((await full()).kind);
    over = true;
    await writing;
    expect(seen).toEqual(Array(4).fill('verified'));
    await db.sql.unsafe('VACUUM (FREEZE) wide');
    await plane.settle('wide', 1);
    expect(await full()).toMatchObject({ kind: 'verified' });
    await db.sql.unsafe("DELETE FROM wide WHERE id > 25000; UPDATE wide SET v = 'x'");
  });
});

describe('a key domain with a default', () => {
  it.each([
    ['uuid', 'CREATE DOMAIN pk AS uuid DEFAULT gen_random_uuid()', 'gen_random_uuid()'],
    ['uuid not null', 'CREATE DOMAIN pk AS uuid DEFAULT gen_random_uuid() NOT NULL', 'gen_random_uuid()'],
    ['over a domain', 'CREATE DOMAIN code AS integer DEFAULT 0 NOT NULL; CREATE DOMAIN pk AS code DEFAULT 5', 'i'],
    ['a text', "CREATE DOMAIN pk AS varchar(9) DEFAULT 'm' NOT NULL", "'k' || i"],
  ])('%s: every row is compared, and TRUNCATE goes through', async (_, domain, value) => {
    await db.sql.unsafe(`DROP TABLE IF EXISTS d, d_v2; DROP DOMAIN IF EXISTS pk; DROP DOMAIN IF EXISTS code; ${domain};
      CREATE TABLE d (id pk PRIMARY KEY, v text); CREATE TABLE d_v2 (id pk PRIMARY KEY, v text); INSERT INTO d SELECT ${value}, 'x' FROM generate_series(1, 100) i`);
    await plane.start({ ...WIDE, id: 'd', table: { primary: 'public.d', shadow: 'public.d_v2' } });
    await plane.copy('d', 1);
    await db.sql.unsafe("SET crossfade.writing = 'on'; UPDATE d_v2 SET v = 'wrong'; RESET crossfade.writing");
    expect(await plane.verify('d', 1, 0)).toMatchObject({ result: { rowsCompared: 100, divergences: 100, score: 0 } });
    await db.sql.unsafe('TRUNCATE d');
    await plane.settle('d', 1);
    expect([...(await db.sql.unsafe('SELECT FROM d_v2'))]).toEqual([]);
    await plane.forget('d');
  });
});
