/** I7 verification reports a divergence if and only if there is one, also while the application writes. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationResult } from '../../../lib/core/gates/table-status.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { asGenerated, edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

let db: OwnDatabase;
let plane: TestPlane;

const SAMPLE: TableCutover = {
  id: 'sample',
  validation: 'strict',
  table: {
    primary: 'public.sample',
    shadow: 'public.sample_v2',
    columns: { label: { from: 'name' }, doubled: { sql: 'price * 2' } },
  },
};
const ROWS = 400;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`
    CREATE TABLE sample (id integer PRIMARY KEY, name text, note text, price numeric, ratio float8, at timestamptz, doc json, tags text[], raw bytea);
    CREATE TABLE sample_v2 (id bigint PRIMARY KEY, label text, note text, price numeric, doubled numeric, ratio float8, at timestamptz, doc json,
      tags text[], raw bytea);
    INSERT INTO sample SELECT i, 'n' || i, CASE WHEN i % 3 = 0 THEN NULL ELSE '' END, i + 0.50, i, '2026-01-01 00:00:00.123456+00', '{"a": 1.0}',
      ARRAY['x', NULL, i::text], decode('00ff', 'hex') FROM generate_series(1, ${ROWS}) i`);
  await plane.start(SAMPLE);
  await plane.copy('sample', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

async function verify(atMs = 1): Promise<VerificationResult> {
  const verified = await plane.verify('sample', 1, atMs);
  if (verified.kind !== 'verified') throw new Error(JSON.stringify(verified));
  return verified.result;
}

/** Injects, looks, repairs and looks again. */
async function seen(injection: string): Promise<VerificationResult> {
  await db.sql.unsafe(injection);
  const result = await verify();
  const { enqueued } = await plane.repair('sample');
  expect(enqueued).toBe(result.divergences);
  await plane.settle('sample', 1);
  expect(await verify()).toMatchObject({ divergences: 0, score: 1, samples: [] });
  return result;
}

describe('I7 every kind of divergence is found and named', () => {
  it('equal tables have none, and every row was compared', async () => {
    expect(await verify(1234)).toEqual({ rowsCompared: ROWS, divergences: 0, score: 1, atMs: 1234, samples: [] });
    expect((await plane.status('sample'))!.verification).toEqual({
      rowsCompared: ROWS,
      divergences: 0,
      score: 1,
      atMs: 1234,
      samples: [],
    });
  });

  const CASES: readonly (readonly [string, string, readonly string[]])[] = [
    ['a changed value', "UPDATE sample_v2 SET label = 'other' WHERE id = 7", ['label']],
    ['NULL for an empty text', 'UPDATE sample_v2 SET note = NULL WHERE id = 7', ['note']],
    ['an empty text for NULL', "UPDATE sample_v2 SET note = '' WHERE id = 9", ['note']],
    ['another scale of the same number', 'UPDATE sample_v2 SET price = 7.5 WHERE id = 7', ['price']],
    [
      'minus zero',
      "UPDATE sample SET ratio = 0 WHERE id = 7; DELETE FROM crossfade.outbox_sample; UPDATE sample_v2 SET ratio = '-0' WHERE id = 7",
      ['ratio'],
    ],
    ['one microsecond', "UPDATE sample_v2 SET at = at + interval '1 microsecond' WHERE id = 7", ['at']],
    ['a computed column', 'UPDATE sample_v2 SET doubled = doubled + 1 WHERE id = 7', ['doubled']],
    ['another spelling of the same json', `UPDATE sample_v2 SET doc = '{"a":1.0}' WHERE id = 7`, ['doc']],
    ['an array element', "UPDATE sample_v2 SET tags[2] = '' WHERE id = 7", ['tags']],
    ['a byte', "UPDATE sample_v2 SET raw = decode('00fe', 'hex') WHERE id = 7", ['raw']],
    ['several columns', "UPDATE sample_v2 SET label = 'x', price = 0 WHERE id = 7", ['label', 'price']],
  ];
  for (const [what, injection, columns] of CASES) {
    it(what, async () => {
      const result = await seen(injection);
      const key = injection.includes('id = 9') ? '{"id": 9}' : '{"id": 7}';
      expect(result).toMatchObject({ rowsCompared: ROWS, divergences: 1, samples: [{ key, columns }] });
      expect(result.score).toBeCloseTo(1 - 1 / ROWS, 10);
    });
  }

  it('values that two rows have swapped, which a sum of row hashes may not see', async () => {
    const result = await seen(
      `UPDATE sample_v2 a SET label = b.label FROM sample_v2 b WHERE a.id IN (7, 8) AND b.id = 15 - a.id`,
    );
    expect(result.divergences).toBe(2);
  });

  it('a row that is missing', async () => {
    expect(await seen('DELETE FROM sample_v2 WHERE id = 7')).toMatchObject({
      divergences: 1,
      samples: [{ key: '{"id": 7}', columns: [] }],
    });
  });

  it('a row that is too many', async () => {
    expect(await seen('INSERT INTO sample_v2 (id) VALUES (12345)')).toMatchObject({
      divergences: 1,
      samples: [{ key: '{"id": 12345}', columns: [] }],
    });
  });

  it('counts all, shows twenty', async () => {
    const result = await seen('UPDATE sample_v2 SET price = -price WHERE id <= 50');
    expect(result.divergences).toBe(50);
    expect(result.samples).toHaveLength(20);
    expect(result.score).toBeCloseTo(1 - 50 / ROWS, 10);
  });
});

describe('I7 no false alarm', () => {
  it('a key with an un-applied hint is late, not wrong', async () => {
    await db.sql.unsafe(
      "UPDATE sample SET name = 'new' WHERE id <= 5; DELETE FROM sample WHERE id = 6; INSERT INTO sample (id) VALUES (5000)",
    );
    expect(await verify()).toMatchObject({ divergences: 0, rowsCompared: ROWS });
    await plane.settle('sample', 1);
    expect(await verify()).toMatchObject({ divergences: 0 });
  });

  it('a key in quarantine is counted there', async () => {
    await db.sql.unsafe(
      `ALTER TABLE sample_v2 ADD CONSTRAINT kind CHECK (label <> 'bad'); UPDATE sample SET name = 'bad' WHERE id = 7`,
    );
    await plane.converge('sample', 1, 10);
    await db.sql.unsafe('UPDATE crossfade.outbox_sample SET attempts = 4, not_before = NULL');
    await plane.settle('sample', 1);
    expect((await plane.status('sample'))!.quarantined).toBe(1);
    expect(await verify()).toMatchObject({ divergences: 0 });
    await db.sql.unsafe("UPDATE sample SET name = 'n7' WHERE id = 7; ALTER TABLE sample_v2 DROP CONSTRAINT kind");
    await plane.settle('sample', 1);
  });

  /** Verifies again and again while the application writes and appliers run. */
  async function underWrites(passes: number): Promise<number> {
    const writer = db.connect();
    const connection = plane.connection();
    let stop = false;
    const writing = (async () => {
      for (let i = 0; !stop; i += 1) {
        const id = (i * 37) % 600;
        await writer.unsafe(`INSERT INTO sample (id, name) VALUES (${id}, 'w${i}') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
          DELETE FROM sample WHERE id = ${(i * 53) % 600} AND id > 400; UPDATE sample SET price = price + 1 WHERE id = ${(i * 11) % 400}`);
      }
    })();
    const applying = (async () => {
      while (!stop) await connection.call('SELECT crossfade.converge_sample(1, 5)');
    })();
    let alarms = 0;
    for (let i = 0; i < passes; i += 1) alarms += (await verify()).divergences;
    stop = true;
    await Promise.all([writing, applying]);
    return alarms;
  }

  it('under writes every pass is clean', async () => {
    expect(await underWrites(60)).toBe(0);
  });

  it('without subtracting hints there are alarms, so this test would notice', async () => {
    await tamper(db, plane.connection(), SAMPLE, edited(SQL_FAULTS['hints that wait']));
    expect(await underWrites(60)).toBeGreaterThan(0);
    await tamper(db, plane.connection(), SAMPLE, { verify: asGenerated });
    await plane.settle('sample', 1);
    expect(await verify()).toMatchObject({ divergences: 0 });
  });

  it('under writes an injected divergence is found all the same', async () => {
    await db.sql.unsafe("UPDATE sample_v2 SET label = 'silent' WHERE id = 3; DELETE FROM crossfade.outbox_sample");
    const quiet = await verify();
    expect(quiet.samples.map(({ key }) => key)).toContain('{"id": 3}');
    await plane.repair('sample');
    await plane.settle('sample', 1);
  });
});

describe('strict validation after each write', () => {
  it('finds what a trigger on the shadow changed behind our back', async () => {
    await db.sql.unsafe(`CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.label := 'meddled'; RETURN NEW; END $$;
      CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON sample_v2 FOR EACH ROW EXECUTE FUNCTION meddle();
      UPDATE sample SET name = 'fine' WHERE id IN (10, 11)`);
    expect(await plane.converge('sample', 1, 10)).toMatchObject({ checked: 2, mismatched: 2 });
    await db.sql.unsafe('DROP TRIGGER meddle ON sample_v2');
    await plane.repair('sample');
    expect(await plane.settle('sample', 1)).toMatchObject({ mismatched: 0 });
  });
});

describe('what verification needs', () => {
  it('the backfill must be done', async () => {
    await db.sql.unsafe(
      'CREATE TABLE early (id integer PRIMARY KEY); CREATE TABLE early_v2 (id integer PRIMARY KEY); INSERT INTO early VALUES (1)',
    );
    await plane.start({
      id: 'early',
      validation: 'strict',
      table: { primary: 'public.early', shadow: 'public.early_v2' },
    });
    expect(await plane.verify('early', 1, 1)).toMatchObject({
      kind: 'unready',
      why: expect.stringMatching(/backfill/),
    });
    await plane.copy('early', 1);
    expect(await plane.verify('early', 1, 1)).toMatchObject({
      kind: 'verified',
      result: { rowsCompared: 1, divergences: 0 },
    });
  });

  it('two empty tables are consistent; an empty primary beside a full shadow is not', async () => {
    await db.sql.unsafe('DELETE FROM early');
    await plane.settle('early', 1);
    expect(await plane.verify('early', 1, 1)).toMatchObject({ result: { rowsCompared: 0, score: 1 } });
    await db.sql.unsafe('INSERT INTO early_v2 VALUES (5)');
    expect(await plane.verify('early', 1, 1)).toMatchObject({ result: { rowsCompared: 0, divergences: 1, score: 0 } });
  });
});
