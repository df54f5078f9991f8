/**
 * What a step takes of memory must not grow with the table. The flows of the functions copy a table, converge a tenth of it
 * and verify it; printed is the memory of this process after the first step and at its highest, as the system counted it, and that of
 * the processes of Postgres.
 *
 *   npm run bench memory                                  1,000,000 rows
 *   npm run bench memory partitions                       into a shadow of twelve partitions
 *   npm run bench memory remote                           into a shadow on another server
 *   CROSSFADE_BENCH_ROWS=10000000 npm run bench memory    some ten minutes, 4 GB of disk
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { rowStreams } from '../../lib/adapters/postgres/connection/row-streams.ts';
import { withRemote } from '../../lib/adapters/postgres/remote/tables.ts';
import { postgresTables } from '../../lib/adapters/postgres/tables.ts';
import { random, systemClock, systemIds } from '../../lib/adapters/system.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { NORMAL_SWITCHES } from '../../lib/core/cutover/cutover.ts';
import { backfillAll } from '../../lib/flows/rows/backfill.ts';
import { converge, stateNow } from '../../lib/flows/rows/converge.ts';
import { verifyAll } from '../../lib/flows/rows/verify.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { largestChildMegabytes, peakMegabytes } from './server-process.ts';
import { printTable } from './table.ts';

const ROWS = Number(process.env.CROSSFADE_BENCH_ROWS ?? 1_000_000);
const HINTS = ROWS / 10;
const PARTITIONED = process.argv[2] === 'partitions';
const REMOTE = process.argv[2] === 'remote';
const PARTITIONS = Array.from(
  { length: 12 },
  (_, n) => `CREATE TABLE wide_v2_${n} PARTITION OF wide_v2 FOR VALUES WITH (MODULUS 12, REMAINDER ${n})`,
).join('; ');
/** A function has 512. */
const LIMIT_MB = 128;
/** As long as a function may work. */
const RUN_MS = 50_000;
const MB = 1024 * 1024;

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const start = (name: string) => startPostgres({ directory: join(directory, name), durable: false });
const server = await start('postgres');
const other = REMOTE ? await start('other') : server;
try {
  for (const { url } of new Set([server, other])) await installSchema(process.cwd(), url);
  const [sql, there] = [server, other].map(({ url }) =>
    postgres(url, { max: 1, fetch_types: false, onnotice: () => {} }),
  );
  const clock = systemClock();
  const options = (url: string) => ({ url, clock, random, deadlineMs: 600_000 });
  const connection = postgresConnection(options(server.url));
  const shadow = { connection: postgresConnection(options(other.url)), streams: rowStreams(options(other.url)) };
  const roles = { runtime: connection, owner: connection };
  const table = { primary: 'public.wide', shadow: 'public.wide_v2', ...(REMOTE ? { connection: 'other' } : {}) };
  const cutover: TableCutover & { kind: 'table' } = { id: 'memory', kind: 'table', table, validation: 'strict' };
  const remote = { cutover, clock, ids: systemIds(), primary: roles, streams: rowStreams(options(server.url)), shadow };
  const plane = REMOTE ? withRemote(postgresTables(roles), [remote]) : postgresTables(roles);
  const columns = '(id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2), at timestamptz, doc jsonb)';
  await sql!.unsafe(
    `CREATE TABLE wide ${columns};
     INSERT INTO wide SELECT i, 'name ' || i, i * 1.25, now(), jsonb_build_object('n', i) FROM generate_series(1, ${ROWS}) i; ANALYZE wide`,
  );
  await there!.unsafe(
    `CREATE TABLE wide_v2 ${PARTITIONED ? `${columns} PARTITION BY HASH (id); ${PARTITIONS}` : columns}`,
  );
  const fence = { epoch: 1, version: 1 };
  await plane.capture.arm(cutover, fence);
  await plane.switches.mirror({
    id: 'memory',
    ...fence,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 'memory',
  });
  const peak = { first: 0, session: 0 };
  const look = () => {
    peak.first ||= process.memoryUsage.rss() / MB;
    peak.session = Math.max(peak.session, largestChildMegabytes(server.pid), largestChildMegabytes(other.pid));
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
  await sql!.unsafe(`UPDATE wide SET amount = amount + 1 WHERE id <= ${HINTS}`);
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

  const highest = peakMegabytes(process.pid);
  const where = PARTITIONED ? ', twelve partitions' : REMOTE ? ', two servers' : '';
  printTable(`${ROWS.toLocaleString('en-US')} rows of 5 columns${where}, at most ${LIMIT_MB} MB`, [
    { what: 'backfill, as a function runs it', value: rates[0]!, unit: 'rows/s' },
    { what: 'converge, strict', value: rates[1]!, unit: 'hints/s' },
    { what: 'first verification', value: rates[2]!, unit: 'rows/s' },
    { what: 'memory after the first step', value: peak.first, unit: 'MB' },
    { what: 'highest memory', value: highest, unit: 'MB', ratioTo: 'memory after the first step' },
    { what: 'highest of a process of Postgres', value: peak.session, unit: 'MB' },
  ]);
  if (!(highest <= LIMIT_MB)) process.exitCode = 1;
  for (const one of [sql!, there!]) await one.end();
  for (const one of [connection, remote.streams, shadow.connection, shadow.streams]) await one.close();
} finally {
  for (const one of new Set([server, other])) await one.stop();
  rmSync(directory, { recursive: true, force: true });
}
