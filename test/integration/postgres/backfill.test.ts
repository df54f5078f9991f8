/** I16 backfill: never overwrites, never locks an application row, resumes after anything, leaves no ghost. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { type Edit, edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

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
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, columns: { label: { from: 'name' } } },
});
const same = async (id: string) =>
  expect(await differences(db, `SELECT id::bigint, name FROM ${id}`, `SELECT id, label FROM ${id}_v2`)).toEqual([]);

async function tables(id: string, rows: number): Promise<TableCutover> {
  await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, name text CHECK (name <> '')); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, label varchar(20));
    INSERT INTO ${id} SELECT i * 3, 'n' || i FROM generate_series(1, ${rows}) i`);
  return cutoverOf(id);
}

describe('I16 copying', () => {
  it('copies every row in chunks, says how far it is, and ends', async () => {
    await plane.start(await tables('plain', 2_500));
    expect(await plane.backfill('plain', 1, 1_000)).toMatchObject({
      kind: 'copied',
      rows: 1_000,
      rowsDone: 1_000,
      rowsTotal: 2_500,
    });
    expect((await plane.status('plain'))!.backfill).toMatchObject({ state: 'running', rowsDone: 1_000 });
    expect(await plane.copy('plain', 1, 1_000)).toBe(2_500);
    expect(await plane.backfill('plain', 1, 1_000)).toEqual({ kind: 'done', rowsDone: 2_500 });
    expect((await plane.status('plain'))!.backfill).toMatchObject({ state: 'done', rowsDone: 2_500 });
    expect((await plane.status('plain'))!.outboxRows).toBe(0);
    await same('plain');
  });

  it('is rehearsed with the columns, constraints and indexes of the shadow, and leaves no trace', async () => {
    const dry = await tables('dry', 3_000);
    await db.sql.unsafe(`CREATE SEQUENCE dry_count; ALTER TABLE dry_v2 ADD born bigint NOT NULL DEFAULT nextval('dry_count'),
      ADD seen bigint GENERATED ALWAYS AS IDENTITY, ADD size integer GENERATED ALWAYS AS (length(label)) STORED; CREATE INDEX ON dry_v2 (label)`);
    const traces = async () =>
      (
        await db.sql.unsafe(`SELECT (SELECT count(*)::int FROM dry_v2) AS rows, (SELECT is_called FROM dry_count) AS counted,
          (SELECT count(*)::int FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace OR relname ~ 'rehearsal') AS relations`)
      )[0]!;
    const before = await traces();
    expect(before).toMatchObject({ rows: 0, counted: false });
    const { sourceRows, sample } = await plane.rehearse(dry);
    expect([sourceRows, sample.rows]).toEqual([3_000, 2_000]);
    expect(sample.tookMs).toBeGreaterThan(0);
    await db.sql.unsafe("ALTER TABLE dry_v2 ADD CONSTRAINT short CHECK (label <> 'n1')");
    const unfit = await plane.rehearse(dry);
    expect(unfit.sample).toMatchObject({
      rows: 0,
      tookMs: null,
      why: expect.stringMatching(/^a row.* SQLSTATE 23514/),
    });
    expect(await traces()).toEqual(before);
  });

  describe('with indexes that are built after it', () => {
    const indexes = async () =>
      (
        await db.sql.unsafe(`SELECT indexdef, obj_description(format('%I.%I', schemaname, indexname)::regclass) AS said
          FROM pg_indexes WHERE tablename = 'late_v2' ORDER BY 1`)
      ).map((row) => ({ ...row }));
    const aside = async () => (await plane.status('late'))!.indexesAside;
    const build = async () => {
      for (;;) {
        const step = await plane.buildIndex('late', 5_000);
        expect(step.kind).toBe('built');
        if (step.left === 0) return;
      }
    };
    const late = (): TableCutover => ({
      ...cutoverOf('late'),
      table: { ...cutoverOf('late').table, indexesAfterCopy: true },
    });
    let before: object[];

    it('takes off what is not unique, counts as running until all are back as they were, and is not promoted before', async () => {
      await tables('late', 300);
      await db.sql.unsafe(`CREATE INDEX late_label ON late_v2 (label) WHERE label <> 'n1'; CREATE UNIQUE INDEX late_once ON late_v2 (label, id);
        CREATE INDEX late_length ON late_v2 USING hash (length(label)); COMMENT ON INDEX late_length IS 'for the report'`);
      before = await indexes();
      await plane.start(late());
      expect(await aside()).toBe(2);
      expect(await indexes()).toHaveLength(before.length - 2);
      expect(await plane.copy('late', 1)).toBe(300);
      expect((await plane.status('late'))!.backfill).toMatchObject({ state: 'running', rowsDone: 300 });
      const step = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
      expect(await plane.promote(late(), step)).toMatchObject({
        kind: 'postponed',
        why: expect.stringMatching(/late_label/),
      });
      const items = (await plane.preview(late())).items.filter(
        ({ kind, action }) => kind === 'index' && action === 'rebuild',
      );
      expect(items.map(({ object }) => object)).toEqual(['public.late_label', 'public.late_length']);
      await build();
      expect(await indexes()).toEqual(before);
      expect((await plane.status('late'))!.backfill.state).toBe('done');
    });

    it('finishes what was broken off half way, and what was built but not noted', async () => {
      await plane.start(late(), 2);
      await db.sql.unsafe(`CREATE INDEX late_label ON late_v2 (label) WHERE label <> 'n1'; CREATE INDEX late_length ON late_v2 USING hash (length(label));
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'late_label'::regclass`);
      await plane.copy('late', 2);
      await build();
      expect(await indexes()).toEqual(before);
    });

    it('leaves the server at work when its time is over; the next call finds it so', async () => {
      await plane.start(late(), 3);
      await plane.copy('late', 3);
      const other = db.connect();
      await other.unsafe('BEGIN; INSERT INTO late_v2 VALUES (1, NULL)');
      expect(await plane.buildIndex('late', 1)).toMatchObject({ kind: 'building', name: 'late_label', left: 2 });
      expect(await plane.buildIndex('late', 1)).toMatchObject({ kind: 'building', left: 2 });
      await other.unsafe('ROLLBACK');
      await eventually(async () => (await plane.buildIndex('late', 5_000)).kind === 'built', 'the index is there');
      await build();
      expect(await indexes()).toEqual(before);
    });

    it('gives them back when the cutover is forgotten', async () => {
      await plane.start(late(), 4);
      await plane.disarm('late');
      await plane.forget('late');
      expect(await indexes()).toEqual(before);
      expect(await db.sql.unsafe('SELECT FROM crossfade.index_aside')).toHaveLength(0);
    });
  });

  it('is undone on demand: the shadow goes with everything of ours, once nothing follows and nothing needs it', async () => {
    const gone = await tables('gone', 3);
    const asked = () => plane.removeShadow(gone, { epoch: 9, version: 9 });
    const left = async () =>
      (
        await db.sql.unsafe("SELECT relname FROM pg_class WHERE relname ~ 'gone' AND relkind IN ('r', 'v') ORDER BY 1")
      ).map(({ relname }) => relname);
    await plane.arm(gone, { epoch: 1, version: 1 });
    await plane.fence('gone', 1);
    await plane.copy('gone', 1);
    expect(await asked()).toMatchObject({ kind: 'refused', why: expect.stringMatching(/still keeps/) });
    await plane.disarm('gone', { epoch: 2, version: 2 });
    await db.sql.unsafe('CREATE VIEW gone_seen AS SELECT * FROM gone_v2');
    expect(await asked()).toMatchObject({ kind: 'refused', why: expect.stringMatching(/view public\.gone_seen/) });
    await db.sql.unsafe('DROP VIEW gone_seen');
    expect(await plane.removeShadow(gone, { epoch: 1, version: 1 })).toMatchObject({ kind: 'stale' });
    expect(await left()).toContain('gone_v2');
    expect([await asked(), await asked()]).toEqual([{ kind: 'removed' }, { kind: 'already' }]);
    expect(await left()).toEqual(['gone']);
    expect(await db.sql.unsafe('SELECT FROM gone')).toHaveLength(3);
  });

  it('an empty table is done at once', async () => {
    await plane.start(await tables('empty', 0));
    expect(await plane.backfill('empty', 1, 10)).toEqual({ kind: 'done', rowsDone: 0 });
  });

  it('ends although the application inserts faster than it copies', async () => {
    await plane.start(await tables('growing', 50));
    for (let i = 0; i < 50; i += 1) {
      await db.sql.unsafe(
        `INSERT INTO growing SELECT g, 'x' FROM generate_series(${10_000 + i * 100}, ${10_099 + i * 100}) g`,
      );
      if ((await plane.backfill('growing', 1, 10)).kind === 'done') break;
      // 150 rows were there when the bound was frozen.
      expect(i).toBeLessThan(16);
    }
    await plane.settle('growing', 1);
    await same('growing');
  });

  it('does not wait for a locked row, and does not lock any', async () => {
    await plane.start(await tables('held', 100));
    const other = db.connect();
    await other.begin(async (sql) => {
      await sql.unsafe("UPDATE held SET name = 'mine' WHERE id = 30");
      expect(await plane.copy('held', 1, 40)).toBe(100);
    });
    const [{ label }] = (await db.sql.unsafe('SELECT label FROM held_v2 WHERE id = 30')) as unknown as [
      { label: string },
    ];
    expect(label).toBe('n10');
    await plane.settle('held', 1);
    await same('held');
  });

  it('never overwrites what converge has written in the meantime', async () => {
    await plane.start(await tables('newer', 100));
    await db.sql.unsafe("UPDATE newer SET name = 'changed' WHERE id = 150");
    await plane.settle('newer', 1);
    await db.sql.unsafe("UPDATE newer_v2 SET label = 'sentinel' WHERE id = 150");
    await plane.copy('newer', 1, 7);
    const [{ label }] = (await db.sql.unsafe('SELECT label FROM newer_v2 WHERE id = 150')) as unknown as [
      { label: string },
    ];
    expect(label).toBe('sentinel');
  });

  it('a second runner finds the cursor taken', async () => {
    await plane.start(await tables('two', 100));
    const other = db.connect();
    await other.begin(async (sql) => {
      await sql.unsafe('SELECT crossfade.backfill_two(1, 10)');
      expect(await plane.backfill('two', 1, 10)).toEqual({ kind: 'busy' });
    });
    expect(await plane.backfill('two', 1, 10)).toMatchObject({ kind: 'copied', rowsDone: 20 });
  });

  // At each named moment: breakpoints.test.ts.
  it('a runner that is killed anywhere leaves a copy that can be resumed', async () => {
    await plane.start(await tables('killed', 1_000));
    const killer = db.connect();
    let kills = 0;
    for (let done = false; !done; ) {
      const step = plane.backfill('killed', 1, 100);
      if (kills < 6) {
        const hit =
          await killer.unsafe(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${db.name}'
          AND query LIKE '%backfill_killed%' AND pid <> pg_backend_pid()`);
        kills += hit.length;
      }
      done = (await step).kind === 'done';
    }
    expect(kills).toBeGreaterThan(0);
    await plane.settle('killed', 1);
    await same('killed');
    expect((await plane.status('killed'))!.backfill.rowsDone).toBe(1_000);
  });

  it('a row that does not fit sends its chunk through converge: the rest arrives', async () => {
    await db.sql.unsafe(`CREATE TABLE misfit (id integer PRIMARY KEY, name text); CREATE TABLE misfit_v2 (id bigint PRIMARY KEY, label varchar(20));
      INSERT INTO misfit SELECT i, CASE WHEN i = 77 THEN repeat('x', 21) ELSE 'n' || i END FROM generate_series(1, 200) i`);
    await plane.start(cutoverOf('misfit'));
    await plane.copy('misfit', 1, 50);
    expect((await plane.status('misfit'))!.outboxRows).toBe(50);
    await plane.converge('misfit', 1, 500);
    const [{ rows }] = (await db.sql.unsafe('SELECT count(*)::int AS rows FROM misfit_v2')) as unknown as [
      { rows: number },
    ];
    expect(rows).toBe(199);
    await db.sql.unsafe('UPDATE crossfade.outbox_misfit SET attempts = 4, not_before = NULL');
    await plane.settle('misfit', 1);
    expect((await plane.status('misfit'))!.quarantine).toMatchObject([{ key: '{"id": 77}', sqlstate: '22001' }]);
  });
});

describe('I3 ghosts', () => {
  it('rows that were in the shadow before are compared, completed and removed', async () => {
    const cutover = await tables('used', 300);
    await db.sql.unsafe(
      `INSERT INTO used_v2 VALUES (3, 'wrong'), (6, 'n2'), (4, 'ghost inside'), (-5, 'ghost below'), (99999, 'ghost above')`,
    );
    await plane.start(cutover);
    await plane.copy('used', 1, 64);
    await plane.settle('used', 1);
    await same('used');
  });

  it('keys that sort differently on both sides leave no ghost either', async () => {
    await db.sql.unsafe(`CREATE TABLE sorted (id text PRIMARY KEY, name text); CREATE TABLE sorted_v2 (id integer PRIMARY KEY, label text);
      INSERT INTO sorted SELECT i::text, 'n' || i FROM generate_series(1, 200) i; INSERT INTO sorted_v2 VALUES (1000, 'ghost'), (15, 'wrong')`);
    await plane.start(cutoverOf('sorted'));
    await plane.copy('sorted', 1, 30);
    await plane.settle('sorted', 1);
    expect(await differences(db, 'SELECT id::integer, name FROM sorted', 'SELECT id, label FROM sorted_v2')).toEqual(
      [],
    );
  });

  /**
   *   copy      read 1..n ───────────────(not committed yet)──────────── commit
   *   others              delete 30, converge it: nothing to delete yet
   */
  async function deletedWhileCopied(id: string, fault: readonly Edit[] = []): Promise<void> {
    const cutover = await tables(id, 20);
    await plane.start(cutover);
    await tamper(db, plane.connection(), cutover, edited(fault));
    const copier = db.connect();
    await copier.begin(async (sql) => {
      await sql.unsafe(`SELECT crossfade.backfill_${id}(1, 100)`);
      await db.sql.unsafe(`DELETE FROM ${id} WHERE id = 30`);
      expect(await plane.converge(id, 1, 10)).toMatchObject({ claimed: 1, deleted: 0 });
    });
    await plane.copy(id, 1, 100);
    await plane.settle(id, 1);
  }

  it('a row that is deleted while it is being copied does not come back', async () => {
    await deletedWhileCopied('ghost');
    await same('ghost');
  });

  it('without the sweep it does, so this test would notice', async () => {
    await deletedWhileCopied('haunted', SQL_FAULTS['ghost sweep']);
    expect(await db.sql.unsafe('SELECT id::int FROM haunted_v2 WHERE id = 30')).toHaveLength(1);
    await expect(same('haunted')).rejects.toThrow();
  });

  it('a change that is applied while its row is being copied is not undone', async () => {
    await plane.start(await tables('race', 20));
    const copier = db.connect();
    let converged: Promise<unknown> | undefined;
    await copier.begin(async (sql) => {
      await sql.unsafe('SELECT crossfade.backfill_race(1, 100)');
      await db.sql.unsafe("UPDATE race SET name = 'newer' WHERE id = 30");
      // Waits for the copier's row, which is not committed yet.
      converged = plane.converge('race', 1, 10);
      converged.catch(() => {});
      await eventually(async () => {
        const waiting = await db.sql.unsafe(
          "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%converge_race%'",
        );
        return waiting.length > 0;
      }, 'converge waits for the copied row');
    });
    await converged;
    await plane.copy('race', 1, 100);
    await plane.settle('race', 1);
    await same('race');
  });
});
