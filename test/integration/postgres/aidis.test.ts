/** The example aidis from end to end: five tables that refer to each other, one after the other, and back. */

import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AIDIS_TABLES, aidisCrossing, aidisScript, type Crossing, statementsFor } from '../../helpers/aidis.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;
let crossing: Crossing;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  crossing = aidisCrossing(plane.ports);
  for (const script of ['primary', 'seed', 'shadow'] as const) await db.sql.unsafe(aidisScript(script));
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Columns as text, in the words of the old shape; embeddings and numbers look alike in both. */
const COLUMNS: Readonly<Record<string, string>> = {
  projects:
    'id, name::text, description, status::text, git_repo_url, root_directory, head_commit::text, tags, metadata, created_at, updated_at',
  sessions:
    'id, project_id, agent_type::text, status::text, started_at, ended_at, duration_ms::bigint, tokens_used::bigint, productivity_score, head_commit::text, summary, metadata',
  tasks:
    'id, project_id, session_id, title::text, description, status::text, priority::text, assigned_to::text, depends_on, progress::int, estimate_minutes, tags, metadata, created_at, completed_at',
  analytics_events:
    'event_id, actor::text, project_id, session_id, context_id, event_type::text, status::text, duration_ms::bigint, tokens_used::bigint, $feedback::int, head_commit::text, tags, payload, occurred_at',
  contexts:
    'id, project_id, session_id, context_type::text, content, embedding::real[], relevance_score, tags, metadata, created_at',
};
const select = (table: string, name: string, shape: 'old' | 'new') =>
  `SELECT ${COLUMNS[table]!.replace('$feedback', shape === 'old' ? 'user_feedback' : 'feedback')} FROM ${name}`;
const count = async (name: string) => (await db.sql.unsafe(`SELECT count(*)::int AS n FROM ${name}`))[0]!.n as number;

/** Statements that are valid in both shapes, as an application writes them while its tables cross over. */
const write = (marker: string) =>
  db.sql.unsafe(`
  INSERT INTO projects (id, name, status) VALUES (md5('${marker}')::uuid, 'written ${marker}', 'active');
  INSERT INTO sessions (id, project_id, tokens_used) VALUES (md5('${marker}')::uuid, md5('${marker}')::uuid, 12);
  INSERT INTO tasks (id, project_id, session_id, title, depends_on) VALUES (md5('${marker}')::uuid, md5('${marker}')::uuid, md5('${marker}')::uuid, 'task ${marker}', '{}');
  INSERT INTO contexts (id, project_id, session_id, context_type, content, embedding)
    SELECT md5('${marker}')::uuid, md5('${marker}')::uuid, md5('${marker}')::uuid, 'code', 'said ${marker}', c.embedding FROM contexts c WHERE c.embedding IS NOT NULL ORDER BY c.id LIMIT 1;
  INSERT INTO analytics_events (actor, project_id, event_type, payload) VALUES ('human', md5('${marker}')::uuid, 'search', '{"marker": "${marker}"}');
  UPDATE tasks SET progress = (progress + 1) % 101 WHERE id IN (SELECT id FROM tasks ORDER BY id LIMIT 40);
  UPDATE sessions SET summary = '${marker}' WHERE id IN (SELECT id FROM sessions ORDER BY id LIMIT 20);
  DELETE FROM projects WHERE id = (SELECT min(id::text)::uuid FROM projects WHERE name NOT LIKE 'written%' AND id::text NOT LIKE 'bad%')`);

async function settled(table: string, epoch: number): Promise<void> {
  expect((await plane.settle(table, epoch)).mismatched).toBe(0);
}

/** Keys that do not fit are given their last try at once: the pauses between tries are tested elsewhere. */
async function impatient(table: string): Promise<void> {
  const { epoch } = (await crossing.ports.state.readCutover(table))!;
  await plane.converge(table, epoch, 5_000);
  await db.sql.unsafe(`UPDATE crossfade.outbox_${table} SET attempts = 4, not_before = NULL`);
  await plane.settle(table, epoch);
}

const QUARANTINED: Readonly<Record<string, readonly [key: string, sqlstate: string][]>> = {
  projects: [
    ['bad00000-0000-4000-8000-000000000001', '23505'],
    ['bad00000-0000-4000-8000-000000000002', '23514'],
  ],
  sessions: [
    ['bad00000-0000-4000-8000-000000000001', '23514'],
    ['bad00000-0000-4000-8000-000000000002', '23514'],
  ],
  tasks: [
    ['bad00000-0000-4000-8000-000000000001', '23514'],
    ['bad00000-0000-4000-8000-000000000002', '23514'],
  ],
  analytics_events: [
    ['900001', '23514'],
    ['900002', '23514'],
  ],
  contexts: [
    ['bad00000-0000-4000-8000-000000000001', '23514'],
    ['bad00000-0000-4000-8000-000000000002', '23514'],
  ],
};

describe('the example aidis', () => {
  let before: string[];

  it('has at least 5,000 rows, the same ones in every database', async () => {
    const counts = await Promise.all(AIDIS_TABLES.map(count));
    expect(counts.reduce((a, b) => a + b)).toBe(6_160);
    const [row] = await db.sql
      .unsafe(`SET TIME ZONE 'UTC'; SET extra_float_digits = 1;
      SELECT md5(string_agg(h, '' ORDER BY h)) AS hash FROM (${AIDIS_TABLES.map((t) => `SELECT md5(x::text) AS h FROM ${t} x`).join(' UNION ALL ')}) r`)
      .then((results) => (results as unknown as { hash: string }[][]).at(-1)!);
    expect(row!.hash).toBe('429740891a8e89ba67f653c499425993');
    before = await catalog();
  });

  it('has, without pgvector, embeddings of a domain over real[] of that length', async () => {
    const [column] =
      await db.sql.unsafe(`SELECT format_type(a.atttypid, a.atttypmod) AS type, format_type(t.typbasetype, -1) AS of, t.typtype
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'contexts_shadow'::regclass AND a.attname = 'embedding'`);
    expect(column).toEqual({ type: 'embedding_1536', of: 'real[]', typtype: 'd' });
    await expect(db.sql.unsafe(`SELECT array_fill(0, ARRAY[1535])::embedding_1536`)).rejects.toMatchObject({
      code: '23514',
    });
  });

  it('is named in the recommended order, with a preview for each table that refuses nothing', async () => {
    expect(AIDIS_TABLES).toEqual(['projects', 'sessions', 'tasks', 'analytics_events', 'contexts']);
    await db.sql.unsafe(aidisScript('violations'));
    for (const { id, table, validation } of crossing.declarations as never as {
      id: string;
      table: never;
      validation: never;
    }[]) {
      const preview = await plane.preview({ id, table, validation });
      expect(preview.items.filter(({ action }) => action === 'refuse')).toEqual([]);
    }
  });

  describe.each(AIDIS_TABLES)('%s', (table) => {
    it('is held while rows break a constraint of the new shape: each is named with its SQLSTATE', async () => {
      await crossing.command(table, { type: 'start' });
      await crossing.minute(table);
      await impatient(table);
      const status = (await plane.status(table))!;
      expect(
        status.quarantine.map(({ key, sqlstate }) => [
          Object.values(JSON.parse(key) as object)[0].toString(),
          sqlstate,
        ]),
      ).toEqual(QUARANTINED[table]);
      expect(
        status.quarantine.every(
          ({ reason }) => reason.includes(`${table}_shadow`) || reason.includes('embedding_1536'),
        ),
      ).toBe(true);
      expect((await plane.progress([table])).get(table)).toMatchObject({ quarantined: 2 });
      expect(await plane.consistency(table)).toMatchObject({ diverged: 0, quarantined: 2, errors: [] });
      for (let i = 0; i < 4; i += 1) await crossing.minute(table);
      expect(await crossing.stageOf(table)).toBe('dual_write');
      await expect(crossing.command(table, { type: 'advance' })).rejects.toMatchObject({
        code: 'held',
        details: { reasons: expect.arrayContaining([expect.objectContaining({ code: 'quarantine', value: 2 })]) },
      });
    });

    it('goes on once they are repaired, up to its full share, while the application writes', async () => {
      await db.sql.unsafe(statementsFor(aidisScript('repair'), table));
      await crossing.until(table, 'half_50');
      await write(`${table} half`);
      await crossing.until(table, 'full_100');
      expect(await differences(db, select(table, table, 'old'), select(table, `${table}_shadow`, 'new'))).toEqual([]);
      for (let i = 0; i < 4; i += 1) await crossing.minute(table);
    });

    it('is promoted, and loses nothing', async () => {
      await write(`${table} before`);
      await crossing.command(table, { type: 'complete', confirm: table });
      // Where a lock is not to be had in time, the next ticks go on.
      for (let i = 0; i < 5 && (await crossing.ports.state.readCutover(table))?.pending; i += 1)
        await crossing.minute(table);
      expect(await crossing.ports.state.readCutover(table)).toMatchObject({ stage: 'completed', pending: null });
      await write(`${table} after`);
      const { epoch } = (await crossing.ports.state.readCutover(table))!;
      await settled(table, epoch);
      expect(await differences(db, select(table, `${table}_old`, 'old'), select(table, table, 'new'))).toEqual([]);
    });
  });

  it('all five are rolled back, the last one first: every row is there and everything has its old name', async () => {
    await write('all promoted');
    const rows = Object.fromEntries(
      await Promise.all(AIDIS_TABLES.map(async (table) => [table, await count(table)] as const)),
    );
    for (const table of [...AIDIS_TABLES].reverse()) {
      const { epoch } = (await crossing.ports.state.readCutover(table))!;
      await settled(table, epoch);
      const { answer } = await crossing.command(table, { type: 'rollback', reason: 'the example takes the way back' });
      expect(answer).toMatchObject({ stage: 'rolled_back', pending: null });
      expect(await count(table)).toBe(rows[table]);
      expect(await count(`${table}_shadow`)).toBe(rows[table]);
    }
    for (const table of AIDIS_TABLES)
      expect(await differences(db, select(table, table, 'old'), select(table, `${table}_shadow`, 'new'))).toEqual([]);
    const after = await catalog();
    expect([after.filter((line) => !before.includes(line)), before.filter((line) => !after.includes(line))]).toEqual([
      [],
      [],
    ]);
    // A pass of verification reads every row as the new shape, and cannot while one of them is no embedding of it.
    const others = crossing.failures.filter(
      (failure) => !/verify_failed.*embedding_1536_check/s.test(inspect(failure)),
    );
    expect(others).toEqual([]);
  });

  /** Names, types, constraints, indexes and triggers, as they look from outside. */
  async function catalog(): Promise<string[]> {
    const rows = await db.sql.unsafe(`
      SELECT format('%s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) AS line
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL SELECT format('%s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace
      UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT format('%s %s', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`);
    return rows.map(({ line }) => line as string);
  }
});
