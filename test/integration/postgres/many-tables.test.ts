/**
 * Many tables asked for at once: each answer is what the table says when it is asked alone, whatever others have done to some of
 * them, and what differs in one hides nothing in another.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { seeded } from '../../property/samples.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TABLES = 14;
const NEWEST = { epoch: 1_000_000, version: 1_000_000 };
const ids = Array.from({ length: TABLES }, (_, n) => `t_${n}`);

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await sql(
    'CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$; CREATE SCHEMA aside',
  );
  for (const id of ids) await made(id);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

async function made(id: string): Promise<void> {
  await sql(`DROP TABLE IF EXISTS ${id}, ${id}_v2, ${id}_v3, aside.${id} CASCADE;
    CREATE TABLE ${id} (id integer PRIMARY KEY, total integer NOT NULL DEFAULT 0 CHECK (twice(total) > -99), note text);
    CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, total integer NOT NULL DEFAULT 0, note text);
    INSERT INTO ${id} SELECT i, i, 'n' || i FROM generate_series(1, 5) i`);
  await plane.start({ id, validation: 'strict', table: { primary: `public.${id}`, shadow: `public.${id}_v2` } });
  await plane.copy(id, 1);
  await plane.settle(id, 1);
}

/** Acts of others, and of the application, on one table. */
const ACTS: readonly [string, (id: string) => string][] = [
  ['nothing', () => 'SELECT'],
  ['a write that waits', (id) => `UPDATE ${id} SET total = total + 1`],
  ['a trigger that is off', (id) => `ALTER TABLE ${id} DISABLE TRIGGER crossfade_capture`],
  [
    'a trigger that was off and on again',
    (id) => `ALTER TABLE ${id} DISABLE TRIGGER USER; ALTER TABLE ${id} ENABLE ALWAYS TRIGGER crossfade_capture`,
  ],
  ['a trigger that is gone', (id) => `DROP TRIGGER crossfade_guard ON ${id}_v2`],
  ['another body of our function', (id) => `ALTER FUNCTION crossfade.capture_${id}() SET work_mem = '1MB'`],
  ['row security', (id) => `ALTER TABLE ${id} FORCE ROW LEVEL SECURITY`],
  ['another owner', (id) => `ALTER TABLE ${id} OWNER TO pg_monitor`],
  ['another name', (id) => `ALTER TABLE ${id}_v2 RENAME TO ${id}_v3`],
  ['another schema', (id) => `ALTER TABLE ${id} SET SCHEMA aside`],
  ['another column', (id) => `ALTER TABLE ${id} ADD COLUMN discount numeric`],
  ['a column that is gone', (id) => `ALTER TABLE ${id}_v2 DROP COLUMN note`],
  ['values written past every trigger', (id) => `ALTER TABLE ${id} ALTER note TYPE text USING upper(note)`],
  ['a rule', (id) => `CREATE RULE quiet AS ON DELETE TO ${id}_v2 DO INSTEAD NOTHING`],
  ['a table that is gone', (id) => `DROP TABLE ${id}_v2`],
  ['a child', (id) => `CREATE TABLE child_${id} () INHERITS (${id})`],
  ['a grant', (id) => `GRANT SELECT ON ${id} TO PUBLIC`],
];

/** But for what passes by itself. */
const lasting = (status: TableStatus | null | undefined) => {
  if (!status) return null;
  const { connections: _, ...rest } = status;
  return { ...rest, lagMs: Math.sign(status.lagMs) };
};

/** As the functions say it that look at one table, without any short cut. */
async function alone(id: string): Promise<TableStatus> {
  const [row] = await sql(
    `SELECT crossfade.table_status('${id}') || crossfade.shape_status('${id}') || crossfade.not_verified('${id}') AS status`,
  );
  return row!.status as TableStatus;
}

async function agree(subset: readonly string[]): Promise<void> {
  const together = await plane.statuses(subset);
  for (const id of subset) expect(lasting(together.get(id)), id).toEqual(lasting(await alone(id)));
  expect([...together.keys()].sort()).toEqual([...new Set(subset)].sort());
}

const dueOf = async () => {
  const all = await plane.statuses(ids);
  return ids.filter((id) => all.get(id)!.shape?.due);
};

async function madeAgain(which: readonly string[]): Promise<void> {
  for (const id of which) {
    await plane.forget(id);
    await made(id);
  }
}

describe('each act on one of many tables', () => {
  const HARMLESS = ['nothing', 'a write that waits', 'a grant'];
  const SEEN = ACTS.filter(([what]) => !HARMLESS.includes(what));
  beforeEach(async () => {
    await madeAgain(await dueOf());
    expect(await dueOf()).toEqual([]);
  });

  it.each(SEEN)('%s is seen in one question, and of that table alone', async (_what, act) => {
    await sql(act('t_3'));
    expect(await dueOf()).toEqual(['t_3']);
  });

  it('another name of a function that all their constraints call is seen of all of them, without a change of theirs', async () => {
    await sql('ALTER FUNCTION twice(integer) RENAME TO doubled');
    expect(await dueOf()).toEqual(ids);
    await sql('ALTER FUNCTION doubled(integer) RENAME TO twice');
    expect(await dueOf()).toEqual([]);
  });

  it('a change that could be written nowhere is seen of all of them', async () => {
    await sql("SELECT nextval('crossfade.unrecorded')");
    expect(await dueOf()).toEqual(ids);
    for (const id of ids) await plane.watch(id, NEWEST);
    await agree(ids);
    await madeAgain(ids);
  });

  it('their progress and their alerts ask each of them for its status once', async () => {
    const session = await db.sql.reserve();
    const asked = async (question: string) => {
      await session.unsafe("SET track_functions = 'all'");
      await session.unsafe('SELECT pg_stat_reset()');
      await session.unsafe(question);
      await session.unsafe('SELECT pg_stat_force_next_flush()');
      const [row] = await session.unsafe(
        "SELECT calls::int FROM pg_stat_user_functions WHERE schemaname = 'crossfade' AND funcname = 'table_status'",
      );
      await session.unsafe('RESET track_functions');
      return row!.calls;
    };
    expect(await asked('TABLE crossfade.progress')).toBe(TABLES);
    expect(await asked("SELECT * FROM crossfade.progress WHERE cutover = 't_3'")).toBe(1);
    // As it was: every part of the status is the call again.
    const [{ text }] = await session.unsafe<[{ text: string }]>("SELECT pg_get_viewdef('crossfade.progress') AS text");
    const before = text.replace(/\s+OFFSET 0/, '');
    expect(before).not.toBe(text);
    expect(await asked(before)).toBeGreaterThan(10 * TABLES);
    session.release();
  });

  /** What the question of many must compare, each left out of the function in turn. */
  it.each([
    ['the shape', ' AND n.shape = s.armed', 'row security'],
    ['our triggers and functions', ' AND k.capture = s.capture', 'a trigger that is off'],
    ['the versions of columns', ' AND t.stamps = s.stamps', 'values written past every trigger'],
  ])('negative control: without %s it is blind', async (_what, compared, named) => {
    const [definition] = await sql("SELECT pg_get_functiondef('crossfade.statuses(text[])'::regprocedure) AS text");
    const whole = definition!.text as string;
    expect(whole).toContain(compared);
    await sql(whole.replace(compared, ''));
    try {
      await sql(ACTS.find(([what]) => what === named)![1]('t_3'));
      await expect(agree(ids)).rejects.toThrow('t_3');
    } finally {
      await sql(whole);
    }
    await agree(ids);
  });
});

describe(`many tables at once, seed ${SEED}`, () => {
  it('say what each says alone, for any subset, after any acts on some of them', async () => {
    const random = seeded(SEED);
    for (const id of ids.slice(2)) {
      const [what, act] = ACTS[Math.floor(random() * ACTS.length)]!;
      await sql(act(id)).catch((error: Error) => {
        throw new Error(`${what} of ${id}: ${error.message}`);
      });
      const subset = ids.filter((other) => other === id || random() < 0.3);
      await agree(subset);
      if (random() < 0.3) await plane.watch(id, NEWEST);
      await agree(subset);
    }
    await agree(ids);
    await plane.disarm('t_0');
    await plane.forget('t_1');
    await agree(ids);
  });
});
