/**
 * What a step takes of memory must not grow with the table. The flows of the functions copy a table, converge a tenth of it
 * and verify it; printed is the memory of this process after the first step and at its highest, and that of its session in
 * Postgres.
 *
 *   npm run bench memory                                  1,000,000 rows
 *   npm run bench memory partitions                       into a shadow of twelve partitions
 *   CROSSFADE_BENCH_ROWS=10000000 npm run bench memory    some ten minutes, 4 GB of disk
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { arm } from '../../lib/adapters/postgres/capture/arming.ts';
import { postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { postgresTables } from '../../lib/adapters/postgres/tables.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { NORMAL_SWITCHES } from '../../lib/core/cutover/cutover.ts';
import { backfillAll } from '../../lib/flows/rows/backfill.ts';
import { converge, stateNow } from '../../lib/flows/rows/converge.ts';
import { verifyAll } from '../../lib/flows/rows/verify.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { ownMegabytes } from './server-process.ts';
import { printTable } from './table.ts';

const ROWS = Number(process.env.CROSSFADE_BENCH_ROWS ?? 1_000_000);
const HINTS = ROWS / 10;
const PARTITIONED = process.argv[2] === 'partitions';
const PARTITIONS = Array.from(
  { length: 12 },
  (_, n) => `CREATE TABLE wide_v2_${n} PARTITION OF wide_v2 FOR VALUES WITH (MODULUS 12, REMAINDER ${n})`,
).join('; ');
const LIMIT_MB = 150;
/** As long as a function may work. */
const RUN_MS = 50_000;
const MB = 1024 * 1024;

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
try {
  await installSchema(process.cwd(), server.url);
  const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const clock = systemClock();
  const connection = postgresConnection({ url: server.url, clock, random, deadlineMs: 600_000 });
  const plane = postgresTables({ runtime: connection, owner: connection });
  const cutover: TableCutover & { kind: 'table' } = {
    id: 'memory',
    kind: 'table',
    table: { primary: 'public.wide', shadow: 'public.wide_v2' },
    validation: 'strict',
  };
  await sql.unsafe(
    `CREATE TABLE wide (id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2), at timestamptz, doc jsonb);
     INSERT INTO wide SELECT i, 'name ' || i, i * 1.25, now(), jsonb_build_object('n', i) FROM generate_series(1, ${ROWS}) i;
     CREATE TABLE wide_v2 (LIKE wide INCLUDING ALL) ${PARTITIONED ? `PARTITION BY HASH (id); ${PARTITIONS}` : ''}; ANALYZE wide`,
  );
  const fence = { epoch: 1, version: 1 };
  await arm(connection, cutover, fence);
  await plane.switches.mirror({
    id: 'memory',
    ...fence,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 'memory',
  });
  const [session] = await connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');

  const peak = { node: 0, first: 0, session: 0 };
  const look = () => {
    const rss = process.memoryUsage().rss / MB;
    peak.node = Math.max(peak.node, rss);
    peak.first ||= rss;
    peak.session = Math.max(peak.session, ownMegabytes(session!.pid));
  };
  const watched = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get:
        (target, name) =>
        async (...args: unknown[]) => {
          const step = await (target as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]!(...args);
          look();
          return step;
        },
    });
  const state = { id: 'memory', stageKind: 'dual_write', epoch: 1, enteredAtMs: 0, switches: NORMAL_SWITCHES };
  // The flows read no more of the state than this.
  const ports = {
    clock,
    ids: { next: () => 'memory' },
    state: { readCutover: async () => state, readSystem: async () => ({ shadowWritesEnabled: true }) },
    copying: watched(plane.copying),
    converging: watched(plane.converging),
    verifying: watched(plane.verifying),
    inspecting: plane.inspecting,
    log: { event: () => {}, failure: (_: string, error: unknown) => console.error(error) },
  } as unknown as Ports;

  const declarations = [cutover as unknown as CutoverDeclaration];
  const deadline = () => clock.monotonicMs() + RUN_MS;
  const rates: number[] = [];
  const timed = async (rows: number, run: () => Promise<boolean>) => {
    const startedMs = clock.monotonicMs();
    while (!(await run()));
    rates.push((rows / (clock.monotonicMs() - startedMs)) * 1_000);
  };
  await timed(ROWS, async () =>
    (await backfillAll(ports, declarations, deadline())).every((run) => run.state === 'done'),
  );
  await sql.unsafe(`UPDATE wide SET amount = amount + 1 WHERE id <= ${HINTS}`);
  await timed(
    HINTS,
    async () =>
      !(await converge(ports, 'memory', { deadlineMs: deadline(), turnMs: RUN_MS, now: stateNow(ports) })).outOfTime,
  );
  await timed(ROWS, async () =>
    (await verifyAll(ports, declarations, deadline())).every((run) => run.result !== undefined),
  );
  const last = (await plane.inspecting.status('memory'))?.verification;
  if (last?.divergences !== 0) throw new Error(`the tables differ: ${JSON.stringify(last)}`);

  printTable(
    `${ROWS.toLocaleString('en-US')} rows of 5 columns${PARTITIONED ? ', twelve partitions' : ''}, at most ${LIMIT_MB} MB`,
    [
      { what: 'backfill, as a function runs it', value: rates[0]!, unit: 'rows/s' },
      { what: 'converge, strict', value: rates[1]!, unit: 'hints/s' },
      { what: 'first verification', value: rates[2]!, unit: 'rows/s' },
      { what: 'memory after the first step', value: peak.first, unit: 'MB' },
      { what: 'highest memory', value: peak.node, unit: 'MB', ratioTo: 'memory after the first step' },
      { what: 'highest of its session in Postgres', value: peak.session, unit: 'MB' },
    ],
  );
  if (peak.node > LIMIT_MB) process.exitCode = 1;
  await sql.end();
  await connection.close();
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
