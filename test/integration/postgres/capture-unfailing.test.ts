/** Capture never fails a statement of the application, whatever others did to the table, to the outbox, or to our functions. */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';

let db: OwnDatabase;
let plane: TestPlane;
/** A session of the application that has used every plan of capture before. */
let warm: postgres.Sql;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  warm = db.connect();
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const run = (sql: string) => db.sql.unsafe(sql).simple();
const cutoverOf = (id: string): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2` },
});
const marks = async (id: string) =>
  Number(
    (
      await db.sql.unsafe(
        `SELECT (SELECT count(*) FROM crossfade.outbox_${id} WHERE op = 'S') + (SELECT count(*) FROM crossfade.missed WHERE cutover = '${id}') AS n`,
      )
    )[0]!.n,
  );
const keysOf = async (id: string) =>
  (await db.sql.unsafe(`SELECT op, k1 FROM crossfade.outbox_${id} ORDER BY seq`)).map(
    ({ op, k1 }) => `${op}${k1 ?? ''}`,
  );
const same = async (id: string) =>
  expect(await differences(db, `SELECT id::bigint, v FROM ${id}`, `SELECT id::bigint, v FROM ${id}_v2`)).toEqual([]);

/** A table with ten rows, copied and equal, and a session that has written it. */
async function begin(id: string, key = 'integer', shadowKey = 'bigint'): Promise<void> {
  await run(`CREATE TABLE ${id} (id ${key} PRIMARY KEY, v text); CREATE TABLE ${id}_v2 (id ${shadowKey} PRIMARY KEY, v text);
    INSERT INTO ${id} SELECT i::text::${key}, 'x' FROM generate_series(1, 10) i`);
  await plane.start(cutoverOf(id));
  await plane.copy(id, 1);
  await warm
    .unsafe(
      `INSERT INTO ${id} VALUES ('11', 'w'); UPDATE ${id} SET v = 'w2' WHERE id = '11'; DELETE FROM ${id} WHERE id = '11'`,
    )
    .simple();
  await plane.settle(id, 1);
}

/** Applies what there is, sweeps as long as there is something to sweep, and applies what the sweep found. */
async function catchUp(id: string, epoch = 1): Promise<void> {
  await plane.settle(id, epoch);
  await plane.copy(id, epoch);
  await plane.settle(id, epoch);
}

/** Three writes by each of two sessions, one of them new: none of them may fail. */
async function writeAll(id: string, key = 'id'): Promise<void> {
  const cold = db.connect();
  for (const [session, n] of [
    [warm, 20],
    [cold, 30],
  ] as const) {
    await session.unsafe(`INSERT INTO ${id} (${key}, v) VALUES ('${n}', 'new'), ('${n + 1}', 'new')`);
    await session.unsafe(`UPDATE ${id} SET v = 'changed' WHERE ${key} = '${n / 10}'`);
    await session.unsafe(`UPDATE ${id} SET ${key} = '${n + 5}' WHERE ${key} = '${n + 1}'`);
    await session.unsafe(`DELETE FROM ${id} WHERE ${key} = '${n / 10 + 3}'`);
  }
  await cold.end();
}

describe('what others do to the key', () => {
  it('a renamed column is found by its number, and the hints name the keys', async () => {
    await begin('renamed');
    await run('ALTER TABLE renamed RENAME COLUMN id TO ident');
    await writeAll('renamed', 'ident');
    expect(await marks('renamed')).toBe(0);
    expect(await keysOf('renamed')).toEqual([
      'K20',
      'K21',
      'K2',
      'D21',
      'K25',
      'D5',
      'K30',
      'K31',
      'K3',
      'D31',
      'K35',
      'D6',
    ]);
    await run('ALTER TABLE renamed RENAME COLUMN ident TO id');
    await plane.settle('renamed', 1);
    await same('renamed');
  });

  it('two columns that change names are still read by number in a session that began before', async () => {
    await begin('swapped', 'text', 'text');
    await run(
      'ALTER TABLE swapped RENAME v TO w; ALTER TABLE swapped RENAME id TO ident; ALTER TABLE swapped ADD COLUMN v2 integer',
    );
    await warm.unsafe("UPDATE swapped SET w = 'q' WHERE ident = '3'");
    expect(await keysOf('swapped')).toEqual(['K3']);
  });

  it('a key that outgrew the outbox leaves a mark, and the sweep finds the row', async () => {
    await begin('grown');
    await run('ALTER TABLE grown ALTER id TYPE bigint');
    await writeAll('grown');
    for (const session of [warm, db.sql])
      await session.unsafe(`INSERT INTO grown VALUES (${3_000_000_000 + (session === warm ? 1 : 2)}, 'big')`);
    expect(await marks('grown')).toBe(2);
    await run('DELETE FROM grown WHERE id > 2000000000');
    await catchUp('grown');
    await same('grown');
  });

  it('a key of another type, or none at all, leaves a mark', async () => {
    await begin('odd');
    await run("ALTER TABLE odd ALTER id TYPE text USING 'k' || id");
    await warm.unsafe("INSERT INTO odd VALUES ('k99', 'new')");
    await run('ALTER TABLE odd DROP COLUMN id');
    await warm.unsafe("UPDATE odd SET v = 'gone'");
    await db.sql.unsafe("DELETE FROM odd WHERE v = 'nothing'; INSERT INTO odd VALUES ('new')").simple();
    // Ten rows in one transaction are one mark.
    expect(await marks('odd')).toBe(3);
  });

  it('a type of the application that is renamed is known by its number, too', async () => {
    await run("CREATE TYPE colour AS ENUM ('1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '20', '21')");
    await begin('typed', 'colour', 'colour');
    await run('ALTER TYPE colour RENAME TO shade');
    const cold = db.connect();
    for (const [session, key] of [
      [warm, '3'],
      [cold, '4'],
    ] as const)
      await session.unsafe(
        `UPDATE typed SET v = 'q' WHERE id = '${key}'; UPDATE typed SET id = '2${Number(key) - 3}' WHERE id = '${key}'`,
      );
    await cold.end();
    expect(await keysOf('typed')).toEqual(['K3', 'D3', 'K20', 'K4', 'D4', 'K21']);
    await run('ALTER TYPE shade RENAME TO colour');
    await plane.settle('typed', 1);
    expect(await differences(db, 'SELECT id, v FROM typed', 'SELECT id, v FROM typed_v2')).toEqual([]);
  });
});

type Act = { id: string; act: string; undo: string };
const ACTS: readonly Act[] = [
  {
    id: 'trigger_all',
    act: `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE TRIGGER t BEFORE INSERT ON crossfade.outbox1_ID FOR EACH ROW EXECUTE FUNCTION refuse(); CREATE TRIGGER t BEFORE INSERT ON crossfade.outbox_ID FOR EACH ROW EXECUTE FUNCTION refuse()`,
    undo: 'DROP FUNCTION refuse CASCADE',
  },
  {
    id: 'audited',
    act: `CREATE TABLE audit_log (row jsonb); CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit_log VALUES (to_jsonb(NEW)); RETURN NEW; END $$;
      CREATE TRIGGER t AFTER INSERT ON crossfade.outbox_ID FOR EACH ROW EXECUTE FUNCTION audit()`,
    undo: 'DROP FUNCTION audit CASCADE',
  },
  {
    id: 'half_renamed',
    act: 'ALTER TABLE crossfade.outbox1_ID RENAME TO elsewhere',
    undo: 'ALTER TABLE crossfade.elsewhere RENAME TO outbox1_ID',
  },
  {
    id: 'all_renamed',
    act: 'ALTER TABLE crossfade.outbox1_ID RENAME TO e0; ALTER TABLE crossfade.outbox_ID RENAME TO e',
    undo: 'ALTER TABLE crossfade.e0 RENAME TO outbox1_ID; ALTER TABLE crossfade.e RENAME TO outbox_ID',
  },
  {
    id: 'checked',
    act: 'ALTER TABLE crossfade.outbox_ID ADD CHECK (k1 < 0) NOT VALID',
    undo: 'ALTER TABLE crossfade.outbox_ID DROP CONSTRAINT outbox_checked_k1_check',
  },
  {
    id: 'not_null',
    act: 'ALTER TABLE crossfade.outbox_ID ADD COLUMN tenant text NOT NULL',
    undo: 'ALTER TABLE crossfade.outbox_ID DROP COLUMN tenant',
  },
  {
    id: 'secured',
    act: 'ALTER TABLE crossfade.outbox_ID ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    undo: 'ALTER TABLE crossfade.outbox_ID DISABLE ROW LEVEL SECURITY',
  },
  {
    id: 'ruled',
    act: 'CREATE RULE r AS ON INSERT TO crossfade.outbox_ID DO INSTEAD SELECT 1 / 0',
    undo: 'DROP RULE r ON crossfade.outbox_ID',
  },
  { id: 'uniquely', act: 'CREATE UNIQUE INDEX once ON crossfade.outbox_ID (op)', undo: 'DROP INDEX crossfade.once' },
  {
    id: 'computed',
    act: 'CREATE INDEX reciprocal ON crossfade.outbox_ID ((1 / (k1 - 20)))',
    undo: 'DROP INDEX crossfade.reciprocal',
  },
  { id: 'reset', act: "SELECT setval('crossfade.number_ID', 1, false)", undo: 'SELECT 1' },
  { id: 'schema_gone', act: 'ALTER SCHEMA crossfade RENAME TO moved', undo: 'ALTER SCHEMA moved RENAME TO crossfade' },
];

describe('what others do to the outbox', () => {
  it.each(ACTS)(
    '$id: every statement succeeds, and nothing is lost once it is as it was',
    async ({ id, act, undo }) => {
      await begin(id);
      await run(act.replaceAll('_ID', `_${id}`));
      await writeAll(id);
      await run(undo.replaceAll('_ID', `_${id}`));
      // Where nothing of ours was left there was no place for a mark.
      if (id === 'schema_gone') await db.sql.unsafe(`SELECT crossfade.begin_sweep('${id}', 'test')`);
      await catchUp(id);
      await same(id);
    },
  );

  it('dropped, it takes the hints with it, and the application goes on', async () => {
    await begin('dropped');
    await run('DROP TABLE crossfade.outbox_dropped CASCADE');
    await writeAll('dropped');
    await db.sql.unsafe('TRUNCATE dropped');
    expect((await db.sql.unsafe("SELECT FROM crossfade.missed WHERE cutover = 'dropped'")).length).toBe(9);
    const counted = async () =>
      Number((await db.sql.unsafe("SELECT coalesce(pg_sequence_last_value('crossfade.unrecorded'), 0) AS n"))[0]!.n);
    const before = await counted();
    await run('ALTER TABLE crossfade.missed ADD CONSTRAINT is_full CHECK (false) NOT VALID');
    await run("INSERT INTO dropped VALUES (70, 'a')");
    await run('TRUNCATE dropped');
    await run('ALTER TABLE crossfade.missed DROP CONSTRAINT is_full');
    // Where not even that is written, each change is counted.
    expect(await counted()).toBe(before + 2);
  });

  it('a mark is taken back with its savepoint, and left again after it', async () => {
    await begin('pointed');
    await run('ALTER TABLE pointed ALTER id TYPE bigint');
    await run(
      `BEGIN; SAVEPOINT s; INSERT INTO pointed VALUES (3000000000, 'a'); ROLLBACK TO s; INSERT INTO pointed VALUES (3000000001, 'b'), (3000000002, 'c'); COMMIT`,
    );
    expect(await marks('pointed')).toBe(1);
  });
});

describe('a sweep', () => {
  const step = (from: number, stage = 'completed') => ({
    fromEpoch: from,
    toEpoch: from + 1,
    stage,
    version: from + 1,
  });

  it('is asked for by a mark, finds what is changed, missing or left over, and holds promotion until it is done', async () => {
    await begin('marked');
    await run(`ALTER TABLE marked DISABLE TRIGGER ALL; UPDATE marked SET v = 'unseen' WHERE id = 1; DELETE FROM marked WHERE id = 2;
      INSERT INTO marked VALUES (50, 'unseen'); ALTER TABLE marked ENABLE ALWAYS TRIGGER crossfade_capture`);
    // Only the mark is to be seen here, not the triggers.
    await run("SELECT crossfade.record_shape('marked')");
    await run("INSERT INTO crossfade.outbox_marked (op) VALUES ('S')");
    expect(await plane.promote(cutoverOf('marked'), step(1))).toMatchObject({ kind: 'postponed' });
    await plane.settle('marked', 1);
    expect((await plane.status('marked'))!.backfill).toMatchObject({
      state: 'running',
      sweep: expect.stringMatching(/could not be read/),
    });
    expect((await plane.status('marked'))!.verification).toBeNull();
    expect(await plane.verify('marked', 1, 1)).toMatchObject({ kind: 'unready' });
    expect(await plane.promote(cutoverOf('marked'), step(1))).toMatchObject({ kind: 'postponed' });
    await catchUp('marked');
    await same('marked');
    expect(await plane.verify('marked', 1, 2)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.promote(cutoverOf('marked'), step(1))).toMatchObject({ kind: 'swapped' });
  });

  it('works after promotion as well, and holds the way back', async () => {
    await run(`ALTER TABLE marked DISABLE TRIGGER ALL; UPDATE marked SET v = 'later' WHERE id = 3; DELETE FROM marked WHERE id = 4;
      INSERT INTO marked VALUES (60, 'later'); ALTER TABLE marked ENABLE ALWAYS TRIGGER crossfade_capture`);
    await run("SELECT crossfade.record_shape('marked')");
    await run("SELECT crossfade.begin_sweep('marked', 'a test')");
    expect(await plane.revert(cutoverOf('marked'), step(2, 'rolled_back'))).toMatchObject({
      kind: 'postponed',
      why: expect.stringMatching(/sweep of both tables is not done: a test/),
    });
    await plane.copy('marked', 2);
    await plane.settle('marked', 2);
    expect(await plane.verify('marked', 2, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(await plane.revert(cutoverOf('marked'), step(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(
      [...(await db.sql.unsafe("SELECT id FROM marked WHERE v IN ('later', 'unseen') ORDER BY 1"))].map(({ id }) => id),
    ).toEqual([1, 3, 50, 60]);
  });

  it('that is not begun leaves the rows different, so these tests would notice', async () => {
    await begin('ignored');
    const owner = plane.connection();
    await tamper(db, owner, cutoverOf('ignored'), edited([['converge', 'IF v_unnamed THEN', 'IF false THEN']]));
    await run(
      'ALTER TABLE ignored DISABLE TRIGGER ALL; UPDATE ignored SET v = NULL; ALTER TABLE ignored ENABLE ALWAYS TRIGGER crossfade_capture',
    );
    await run("INSERT INTO crossfade.outbox_ignored (op) VALUES ('S')");
    await catchUp('ignored');
    expect(await differences(db, 'SELECT id::bigint, v FROM ignored', 'SELECT id, v FROM ignored_v2')).not.toEqual([]);
  });
});

describe('transaction ids', () => {
  /** How many have the hints of one UPDATE of 5,000 rows: a block that writes has one of its own. Those of the server are everybody's. */
  const taken = async (id: string) => {
    const ids = async () =>
      Number((await db.sql.unsafe(`SELECT count(DISTINCT xmin::text)::int AS x FROM crossfade.outbox_${id}`))[0]!.x);
    const before = await ids();
    await run(`UPDATE ${id} SET v = 'bulk'`);
    return (await ids()) - before;
  };

  it('are not taken for each row of a bulk update; a block around the insert would', async () => {
    await begin('bulk');
    await run("INSERT INTO bulk SELECT i, 'x' FROM generate_series(1000, 6000) i");
    expect(await taken('bulk')).toBe(1);
    await tamper(
      db,
      plane.connection(),
      cutoverOf('bulk'),
      edited([['capture', /IF v_seq IS NULL THEN/g, 'IF true THEN']]),
    );
    expect(await taken('bulk')).toBeGreaterThan(5_000);
  });
});
