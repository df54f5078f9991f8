/**
 * The embeddings of aidis where pgvector is: the same scripts, data plane and generated SQL as in aidis.test.ts, which runs
 * on a server without it and so shows the other way, a domain over `real[]`.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { aidisCutovers } from '../../../infra/examples/aidis/cutovers.ts';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { migrate } from '../../../lib/adapters/postgres/migrations/migrate.ts';
import { readMigrations } from '../../../lib/adapters/postgres/migrations/migration-files.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { aidisScript } from '../../helpers/aidis.ts';
import { pgliteConnection } from '../../helpers/pglite-connection.ts';
import { postgresCalls } from '../../helpers/postgres-tables.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const EPOCH = 1;
const ROWS = 40;
const COLUMNS =
  'id, project_id, session_id, context_type::text, content, embedding::real[], relevance_score, tags, metadata, created_at';

let connection: PgConnection;
let plane: TableCalls;

beforeAll(async () => {
  connection = await pgliteConnection();
  plane = postgresCalls({ runtime: connection, owner: connection });
  await migrate(connection, readMigrations(new URL('../../../migrations', import.meta.url).pathname));
  await connection.script(aidisScript('primary'));
  await connection.script(`
    INSERT INTO projects (id, name) VALUES (md5('p')::uuid, 'one');
    INSERT INTO contexts (id, project_id, context_type, content, embedding, created_at)
    SELECT md5('c' || n)::uuid, md5('p')::uuid, 'code', 'context ' || n,
      CASE WHEN n % 10 > 0 THEN ARRAY(SELECT sin(n * d)::real FROM generate_series(1, 1536) d) END, timestamptz '2025-01-01 00:00:00+00'
    FROM generate_series(1, ${ROWS}) n`);
  await connection.script(aidisScript('shadow'));
});
afterAll(() => connection.close());

const one = async <Row extends object>(statement: string) => (await connection.call<Row>(statement))[0]!;

async function settled(): Promise<void> {
  for (;;) {
    const result = await plane.converge('contexts', EPOCH, 100);
    if (result.kind !== 'converged') throw new Error(JSON.stringify(result));
    expect(result.mismatched).toBe(0);
    if (result.claimed === 0) return;
  }
}

/** Rows that only one side has, both ways. */
const differing = () => {
  const [primary, shadow] = ['contexts', 'contexts_shadow'].map((name) => `SELECT ${COLUMNS} FROM ${name}`);
  return connection.call(`(${primary} EXCEPT ALL ${shadow}) UNION ALL (${shadow} EXCEPT ALL ${primary})`);
};

it('makes the column a vector of 1536 dimensions with an ivfflat index of cosine distance, and no domain', async () => {
  expect(
    await one(`SELECT format_type(a.atttypid, a.atttypmod) AS type, to_regtype('embedding_1536') IS NULL AS bare
      FROM pg_attribute a WHERE a.attrelid = 'contexts_shadow'::regclass AND a.attname = 'embedding'`),
  ).toEqual({ type: 'vector(1536)', bare: true });
  expect(
    await one(`SELECT m.amname AS method, o.opcname AS operators, c.reloptions AS options
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam JOIN pg_opclass o ON o.oid = i.indclass[0]
      WHERE c.relname = 'contexts_shadow_embedding_idx' AND i.indrelid = 'contexts_shadow'::regclass AND i.indisvalid`),
  ).toEqual({ method: 'ivfflat', operators: 'vector_cosine_ops', options: ['lists=100'] });
});

it('refuses nothing in the preview, copies what is there and converges what is written, to the last bit', async () => {
  const cutover = defineCutovers(aidisCutovers).find(({ id }) => id === 'contexts') as TableCutover & { id: string };
  expect((await plane.preview(cutover)).items.filter(({ action }) => action === 'refuse')).toEqual([]);
  expect(await plane.arm(cutover, { epoch: EPOCH, version: 1 })).toEqual({ kind: 'armed' });
  expect(
    await plane.mirror({
      id: 'contexts',
      epoch: EPOCH,
      version: 1,
      stage: 'dual_write',
      shadowWrites: true,
      readPpm: 0,
      salt: 'contexts',
    }),
  ).toEqual({ kind: 'written' });
  while ((await plane.backfill('contexts', EPOCH, 15)).kind === 'copied');
  expect(await differing()).toEqual([]);
  expect(await one('SELECT count(*)::int AS rows, count(embedding)::int AS embedded FROM contexts_shadow')).toEqual({
    rows: ROWS,
    embedded: ROWS - ROWS / 10,
  });

  await connection.script(`
    UPDATE contexts SET embedding = ARRAY(SELECT cos(d)::real FROM generate_series(1, 1536) d) WHERE id <= md5('c3')::uuid;
    UPDATE contexts SET embedding = NULL WHERE id = md5('c5')::uuid;
    DELETE FROM contexts WHERE id = md5('c7')::uuid;
    INSERT INTO contexts (id, project_id, context_type, content, embedding)
      SELECT md5('new')::uuid, project_id, 'code', 'new', embedding FROM contexts WHERE id = md5('c1')::uuid`);
  expect(await differing()).not.toEqual([]);
  await settled();
  expect(await differing()).toEqual([]);
  expect(await plane.verify('contexts', EPOCH, 0, { tier: 'proof' })).toMatchObject({
    kind: 'verified',
    result: { rowsCompared: ROWS, divergences: 0 },
  });
});

it('sees a number of an embedding that differs in its last bit, and repairs it', async () => {
  await connection.script(`
    UPDATE contexts_shadow SET embedding = (ARRAY[(embedding::real[])[1] + 1e-6] || (embedding::real[])[2:])::vector WHERE id = md5('c1')::uuid`);
  expect(await plane.verify('contexts', EPOCH, 0)).toMatchObject({
    result: { divergences: 1, samples: [{ columns: ['embedding'] }] },
  });
  expect(await plane.repair('contexts')).toEqual({ enqueued: 1 });
  await settled();
  expect(await differing()).toEqual([]);
});

it('holds an embedding of another length with the key and the SQLSTATE of pgvector', async () => {
  await connection.script(`UPDATE contexts SET embedding = '{0.1,0.2,0.3}' WHERE id = md5('c1')::uuid`);
  await plane.converge('contexts', EPOCH, 100);
  await connection.script('UPDATE crossfade.outbox_contexts SET attempts = 4, not_before = NULL');
  expect(await plane.converge('contexts', EPOCH, 100)).toMatchObject({ quarantined: 1 });
  expect((await plane.status('contexts'))!.quarantine).toMatchObject([
    { sqlstate: '22000', reason: 'expected 1536 dimensions, not 3' },
  ]);
});

it('answers who is nearest by the index as by reading every row', async () => {
  const nearest = (
    by: 'on' | 'off',
  ) => `SET enable_seqscan = ${by === 'on' ? 'off' : 'on'}; SET enable_indexscan = ${by}; SET ivfflat.probes = 100;
    SELECT s.id::text AS id FROM contexts_shadow s
    ORDER BY s.embedding <=> (SELECT c.embedding FROM contexts_shadow c WHERE c.id = md5('c2')::uuid), s.id LIMIT 5`;
  const query = (by: 'on' | 'off') => connection.longCall<{ id: string }>(nearest(by), 0);
  expect(await query('on')).toEqual(await query('off'));
  expect(
    JSON.stringify(await connection.longCall(nearest('on').replace('SELECT s.id', 'EXPLAIN SELECT s.id'), 0)),
  ).toContain('contexts_shadow_embedding_idx');
});
