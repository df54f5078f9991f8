/** The table that the benchmarks of promotion move: 13 mixed columns, a foreign key in and one out, an index and a view. */

import postgres from 'postgres';
import type { TableCutover } from '../../lib/ports/tables.ts';
import type { TableCalls } from '../helpers/table-ports.ts';

export const CLIENT: TableCutover = {
  id: 'client',
  table: { primary: 'public.client', shadow: 'public.client_v2' },
  validation: 'strict',
};
const COLUMNS = `name text NOT NULL, email varchar(80), age int, balance numeric(12,2), active boolean,
  born date, seen timestamptz, tags text[], doc jsonb, code uuid, note text, depot int REFERENCES depot`;

export type Epoch = { now: number };

/** @returns version of the server, and whether it compiles */
export async function makeClientTable(url: string, rows: number): Promise<string> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  await sql.unsafe(`CREATE TABLE depot (id int PRIMARY KEY); INSERT INTO depot VALUES (1);
    CREATE TABLE client (id int PRIMARY KEY, ${COLUMNS}); CREATE INDEX ON client (email); CREATE VIEW active_client AS SELECT id, name FROM client WHERE active;
    INSERT INTO client SELECT i, 'name ' || i, 'u' || i || '@example.com', i % 90, i * 1.25, i % 2 = 0, date '1970-01-01' + i % 9000,
      now(), ARRAY['a', 'b' || i % 7], jsonb_build_object('n', i), gen_random_uuid(), repeat('x', 40), 1 FROM generate_series(1, ${rows}) i;
    CREATE TABLE bill (client int REFERENCES client); CREATE INDEX ON bill (client);
    CREATE TABLE client_v2 (id bigint PRIMARY KEY, ${COLUMNS}); CREATE INDEX ON client_v2 (email); ANALYZE`);
  const [row] = await sql.unsafe(
    "SELECT current_setting('server_version') || ', jit ' || current_setting('jit') || CASE WHEN pg_jit_available() THEN ' with' ELSE ' without' END || ' LLVM' AS version",
  );
  await sql.end();
  return row!.version;
}

export async function startClient(plane: TableCalls, epoch: Epoch): Promise<void> {
  const next = epoch.now + 1;
  await plane.arm(CLIENT, { epoch: next, version: next });
  await plane.mirror({
    id: 'client',
    epoch: next,
    version: next,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 's',
  });
  epoch.now = next;
  while ((await plane.backfill('client', next, 20_000)).kind !== 'done');
}

/** What the shadow-writer does. */
export async function followClient(plane: TableCalls, epoch: Epoch, running: { yes: boolean }): Promise<void> {
  while (running.yes) {
    const result = await plane.converge('client', epoch.now, 1_000).catch(() => null);
    if (result?.kind !== 'converged' || result.claimed === 0) await pause(5);
  }
}

export function swapStep({ now }: Epoch, act: 'promote' | 'revert') {
  const stage = act === 'promote' ? 'completed' : 'rolled_back';
  return { fromEpoch: now, toEpoch: now + 1, stage, version: now + 1 };
}

/** @returns how long the locks were held, in milliseconds */
export async function swapClient(plane: TableCalls, epoch: Epoch, act: 'promote' | 'revert'): Promise<number> {
  for (let calls = 1; ; calls += 1) {
    const result = await plane[act](CLIENT, swapStep(epoch, act));
    if (result.kind === 'swapped') {
      epoch.now += 1;
      return result.lockHeldMs;
    }
    if (result.kind !== 'postponed' || calls === 10) throw new Error(`not swapped: ${JSON.stringify(result)}`);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
