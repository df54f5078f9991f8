/** Inline mode: the application's transaction writes the shadow itself, under the rules of converge, and never waits for us. */

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConvergeResult } from '../../../lib/ports/converging.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { dawdling, type Edit, edited, SQL_FAULTS } from '../../helpers/sql-plants.ts';

let db: OwnDatabase;
let plane: TestPlane;

const cutoverOf = (id: string, rollbackOnShadowFailure: boolean): TableCutover => ({
  id,
  validation: 'strict',
  table: {
    primary: `public.${id}`,
    shadow: `public.${id}_v2`,
    columns: { label: { from: 'name' } },
    mode: 'inline',
    rollbackOnShadowFailure,
  },
});
const SOFT = cutoverOf('soft', false);
const HARD = cutoverOf('hard', true);

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  for (const cutover of [SOFT, HARD]) {
    const { id } = cutover;
    await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, name text, mark integer UNIQUE);
      CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, label text CHECK (label <> 'bad'), mark integer UNIQUE, added text DEFAULT 'new')`);
    await plane.start(cutover);
    await plane.copy(id, 1);
  }
});
beforeEach(async () => {
  for (const { id } of [SOFT, HARD]) {
    await db.sql.unsafe(`DELETE FROM ${id}; INSERT INTO ${id} VALUES (1, 'a'), (2, 'b'), (3, 'c')`);
    await plane.settle(id, 1);
    await db.sql.unsafe(`DELETE FROM crossfade.inline_failure WHERE cutover = '${id}'`);
  }
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const hints = async (id: string) =>
  (await db.sql.unsafe(`SELECT op, k1 FROM crossfade.outbox_${id} ORDER BY seq`)).map((hint) => [hint.op, hint.k1]);
const differing = (id: string) =>
  differences(db, `SELECT id::bigint, name, mark FROM ${id}`, `SELECT id, label, mark FROM ${id}_v2`);
const same = async (id: string) => expect(await differing(id)).toEqual([]);

type Change = { op: 'put' | 'rename' | 'move' | 'drop'; key: number; to: number };
const change = fc.record({
  op: fc.constantFrom<Change['op'][]>('put', 'rename', 'move', 'drop'),
  key: fc.integer({ min: 1, max: 5 }),
  to: fc.integer({ min: 1, max: 5 }),
});
const sqlOf = ({ op, key, to }: Change): string =>
  ({
    put: `INSERT INTO soft VALUES (${key}, 'n${to}') ON CONFLICT (id) DO UPDATE SET name = 'u${to}'`,
    rename: `UPDATE soft SET name = 'r${to}' WHERE id BETWEEN ${key} AND ${to}`,
    move: `UPDATE soft SET id = ${to} WHERE id = ${key} AND NOT EXISTS (SELECT FROM soft s WHERE s.id = ${to})`,
    drop: `DELETE FROM soft WHERE id = ${key}`,
  })[op];

describe('I1 a transaction and its shadow', () => {
  it('commit together or not at all, whatever was changed: nothing is left to apply', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), async (changes, commits) => {
        await db.sql.unsafe(`BEGIN; ${changes.map(sqlOf).join('; ')}; ${commits ? 'COMMIT' : 'ROLLBACK'}`);
        expect(await hints('soft')).toEqual([]);
        await same('soft');
      }),
      { numRuns: 30 },
    );
    const { inlineFailures, foreignWrites } = (await plane.status('soft'))!;
    expect([Number(inlineFailures), Number(foreignWrites)]).toEqual([0, 0]);
    expect(await plane.verify('soft', 1, 1)).toMatchObject({ result: { divergences: 0 } });
  });

  it('a row that comes back under its key is another one there, too', async () => {
    await db.sql.unsafe("UPDATE soft_v2 SET added = 'old' WHERE id = 1; DELETE FROM soft WHERE id = 1");
    await db.sql.unsafe("INSERT INTO soft VALUES (1, 'again')");
    expect([...(await db.sql.unsafe('SELECT label, added FROM soft_v2 WHERE id = 1'))]).toEqual([
      { label: 'again', added: 'new' },
    ]);
  });

  it('needs no right of the writer on anything but the primary', async () => {
    const writer = `inline_writer_${db.name}`;
    await db.sql.unsafe(`CREATE ROLE ${writer}; GRANT SELECT, UPDATE ON soft TO ${writer}`);
    await db.sql.unsafe(`SET ROLE ${writer}`);
    await db.sql.unsafe("UPDATE soft SET name = 'w' WHERE id = 1");
    await db.sql.unsafe(`RESET ROLE; DROP OWNED BY ${writer}; DROP ROLE ${writer}`);
    expect(await hints('soft')).toEqual([]);
    await same('soft');
  });

  it("somebody else's write of the shadow is still seen, in the same transaction as well", async () => {
    await db.sql.unsafe("BEGIN; UPDATE hard SET name = 'x' WHERE id = 1; UPDATE hard_v2 SET added = 'y'; COMMIT");
    expect(Number((await plane.status('hard'))!.foreignWrites)).toBe(3);
  });
});

describe('I15 a row that the shadow does not take', () => {
  it('leaves a hint and is counted while the write goes on', async () => {
    await db.sql.unsafe("UPDATE soft SET name = 'bad' WHERE id = 1; UPDATE soft SET name = 'bad' WHERE id < 3");
    expect(await hints('soft')).toEqual([
      ['K', 1],
      ['K', 1],
      ['K', 2],
    ]);
    expect(Number((await plane.status('soft'))!.inlineFailures)).toBe(3);
    const seen = await db.sql.unsafe(
      "SELECT key, sqlstate, times::int FROM crossfade.inline_failure WHERE cutover = 'soft' ORDER BY key",
    );
    expect([...seen]).toEqual([
      { key: '{"id": 1}', sqlstate: '23514', times: 2 },
      { key: '{"id": 2}', sqlstate: '23514', times: 1 },
    ]);
    await db.sql.unsafe("UPDATE soft SET name = 'good' WHERE id < 3");
    await plane.settle('soft', 1);
    await same('soft');
  });

  it('fails the write with rollbackOnShadowFailure, under its own SQLSTATE and with the key; neither table is changed', async () => {
    const failed = db.sql.unsafe("UPDATE hard SET name = 'bad' WHERE id = 2");
    await expect(failed).rejects.toMatchObject({
      code: '23514',
      message: expect.stringMatching(/^the shadow of cutover hard does not take the row \{"id": 2\}: /),
      hint: expect.stringMatching(/rollbackOnShadowFailure/),
    });
    expect(await hints('hard')).toEqual([]);
    expect(await db.sql.unsafe("SELECT FROM hard WHERE name = 'bad'")).toHaveLength(0);
    await same('hard');
  });

  it('does not fail it for a unique value that another key will let go as soon as its hint is applied', async () => {
    await db.sql.unsafe('UPDATE hard SET mark = id');
    await db.sql.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; DELETE FROM hard WHERE id = 1; COMMIT');
    await db.sql.unsafe('UPDATE hard SET mark = 1 WHERE id = 2');
    expect(await hints('hard')).toEqual([
      ['D', 1],
      ['K', 2],
    ]);
    await plane.settle('hard', 1);
    await same('hard');
    await db.sql.unsafe('ALTER TABLE hard DROP CONSTRAINT hard_mark_key');
    await expect(db.sql.unsafe('UPDATE hard SET mark = 1 WHERE id = 3')).rejects.toMatchObject({ code: '23505' });
    await db.sql.unsafe('ALTER TABLE hard ADD UNIQUE (mark)');
  });
});

describe('I2 what cannot be done at once is left as a hint', () => {
  it('under a snapshot that is not renewed, and after TRUNCATE', async () => {
    await db.sql.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE soft SET name = 'x' WHERE id = 1; COMMIT");
    expect(await hints('soft')).toEqual([['K', 1]]);
    await db.sql.unsafe('TRUNCATE soft');
    expect(await hints('soft')).toEqual([
      ['K', 1],
      ['T', null],
    ]);
    await plane.settle('soft', 1);
    await same('soft');
  });

  it('while writes to shadows are off; whoever knows an older switch changes nothing', async () => {
    await plane.switchInline('soft', { version: 5, enabled: false });
    await plane.switchInline('soft', { version: 4, enabled: true });
    await db.sql.unsafe("UPDATE soft SET name = 'x' WHERE id = 1");
    expect(await hints('soft')).toEqual([['K', 1]]);
    await plane.switchInline('soft', { version: 6, enabled: true });
    await db.sql.unsafe("UPDATE soft SET name = 'y' WHERE id = 1");
    expect(await hints('soft')).toEqual([['K', 1]]);
    await same('soft');
  });

  it('while somebody holds the row of the shadow: the application waits 100 ms, not for ever, also with rollbackOnShadowFailure', async () => {
    const other = db.connect();
    await other.unsafe('BEGIN; SELECT FROM hard_v2 WHERE id = 1 FOR UPDATE');
    const began = Date.now();
    await db.sql.unsafe("UPDATE hard SET name = 'x' WHERE id = 1");
    expect(Date.now() - began).toBeLessThan(900);
    await other.unsafe('COMMIT');
    expect(await hints('hard')).toEqual([['K', 1]]);
    await plane.settle('hard', 1);
    await same('hard');
  });

  it('and an open transaction holds up the hints of its own keys only', async () => {
    await db.sql.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE soft SET name = 'x'; COMMIT");
    const other = db.connect();
    await other.unsafe("BEGIN; UPDATE soft SET name = 'y' WHERE id = 1");
    expect(await plane.converge('soft', 1, 100)).toMatchObject({ kind: 'converged', claimed: 2 });
    expect(await hints('soft')).toEqual([['K', 1]]);
    await other.unsafe('COMMIT');
    await plane.settle('soft', 1);
    await same('soft');
  });

  /** An applier has read the row and lingers; the application changes it meanwhile. */
  async function meeting(fault: readonly Edit[] = []): Promise<unknown[]> {
    await db.sql.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE soft SET name = 'first' WHERE id = 1; COMMIT");
    const owner = plane.connection();
    await tamper(db, owner, SOFT, edited([...dawdling(0.4), ...fault]));
    const applier = owner.call<{ r: ConvergeResult }>('SELECT crossfade.converge_soft(1, 10) AS r');
    const naps = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    await eventually(async () => (await db.sql.unsafe(naps)).length === 1, 'the applier lingers');
    // The application itself does not linger.
    const [apply] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.apply_soft'::regproc) AS made");
    await db.sql.unsafe(apply!.made.replace('pg_sleep(0.4)', 'pg_sleep(0)'));
    await db.sql.unsafe("UPDATE soft SET name = 'second' WHERE id = 1");
    expect((await applier)[0]!.r).toMatchObject({ claimed: 1 });
    await tamper(db, owner, SOFT, edited([], ['apply', 'inline', 'converge']));
    await plane.settle('soft', 1);
    return differing('soft');
  }

  it('while an applier has the key', async () => {
    expect(await meeting()).toEqual([]);
  });

  it('without the lock of the key the applier would write what it read before, so this test would notice', async () => {
    expect(await meeting(SQL_FAULTS['lock of the key, inline'])).not.toEqual([]);
  });
});

describe('I12 the way there and back', () => {
  const swap = (fromEpoch: number, stage: string) => ({
    fromEpoch,
    toEpoch: fromEpoch + 1,
    stage,
    version: fromEpoch + 1,
  });

  it('is previewed: what is streamed all the same is said, and a constraint that is checked at commit is refused', async () => {
    const { items, ok } = await plane.preview(SOFT);
    expect(ok).toBe(true);
    expect(items.find(({ kind }) => kind === 'inline mode')!.text).toMatch(/counted.*TRUNCATE.*SERIALIZABLE.*streamed/);
    await db.sql.unsafe('ALTER TABLE soft_v2 ADD CONSTRAINT late UNIQUE (label) DEFERRABLE INITIALLY DEFERRED');
    expect((await plane.preview(SOFT)).items).toContainEqual(
      expect.objectContaining({ action: 'refuse', kind: 'inline mode' }),
    );
    await expect(plane.arm(SOFT)).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/late.*deferrable/),
    });
    await db.sql.unsafe('ALTER TABLE soft_v2 DROP CONSTRAINT late');
  });

  it('the old table follows streamed, since the table in use must not depend on it; then inline again', async () => {
    expect(await plane.promote(HARD, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    await db.sql.unsafe("UPDATE hard SET label = 'new' WHERE id = 1");
    expect(await hints('hard')).toEqual([['K', '1']]);
    await plane.settle('hard', 2);
    expect(await plane.revert(HARD, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect([...(await db.sql.unsafe('SELECT name FROM hard WHERE id = 1'))]).toEqual([{ name: 'new' }]);
    await plane.start(HARD, 4);
    await plane.copy('hard', 4);
    await plane.settle('hard', 4);
    await db.sql.unsafe("UPDATE hard SET name = 'inline' WHERE id = 1");
    expect(await hints('hard')).toEqual([]);
    await same('hard');
    await plane.forget('hard');
    expect([...(await db.sql.unsafe("SELECT proname FROM pg_proc WHERE proname ~ '_hard$'"))]).toEqual([]);
  });
});
