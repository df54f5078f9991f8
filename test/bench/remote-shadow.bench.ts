/**
 * A shadow in another cluster, from the distribution's Postgres to the embedded one: the copy against COPY through a pipe and against
 * `pg_dump | psql` in the same run, converge in batches of the shadow writer, and verification. What ranges side by side could gain is
 * what two pipes gain over one.
 *
 *   npm run bench remote-shadow [rows] [hints]     default 400,000 and 60,000
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
import { FIRST_ROWS, nextChunk } from '../../lib/core/table/chunks.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { debianBinaries } from '../helpers/debian-postgres.ts';
import { tableCalls } from '../helpers/table-ports.ts';
import { peakMegabytes, processorSeconds } from './server-process.ts';
import { type Line, printTable } from './table.ts';

const ROWS = Number(process.argv[2] ?? 400_000);
const HINTS = Number(process.argv[3] ?? 60_000);
/** Of the shadow writer. */
const BATCH = 500;
const CUTOVER: TableCutover = {
  id: 'bench',
  table: { primary: 'public.orders', shadow: 'public.orders', connection: 'new' },
  validation: 'strict',
};
const COLUMNS = `(id integer PRIMARY KEY, customer bigint, code varchar(40), price numeric(12,2), amount integer, placed timestamptz,
  paid boolean, note text, tags text[], doc jsonb, ref uuid, day date)`;
const FILLED = `INSERT INTO orders SELECT i, i % 1000, 'code ' || i, i / 7.0, i % 90, timestamptz '2024-01-01' + i * interval '1 minute', i % 2 = 0,
  repeat('n', i % 60), ARRAY['a', 'b'], jsonb_build_object('i', i), md5(i::text)::uuid, date '2024-01-01' + i % 365 FROM generate_series(1, ${ROWS}) i`;

const binaries = debianBinaries();
if (binaries === null) throw new Error("The distribution's Postgres is not installed: sudo apt-get install postgresql");
const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const primary = await startPostgres({ directory: join(directory, 'primary'), durable: false, binaries });
const shadow = await startPostgres({ directory: join(directory, 'shadow'), durable: false });
const clock = systemClock();
const connect = (url: string) => postgresConnection({ url, clock, random, deadlineMs: 60_000 });
const streams = (url: string) => rowStreams({ url, clock, random });
const perSecond = (count: number, startedMs: number) => count / ((performance.now() - startedMs) / 1000);
try {
  await Promise.all([installSchema(process.cwd(), primary.url), installSchema(process.cwd(), shadow.url)]);
  const [here, there] = [primary, shadow].map(({ url }) =>
    postgres(url, { max: 1, fetch_types: false, onnotice: () => {} }),
  );
  await here!.unsafe(`CREATE TABLE orders ${COLUMNS}; ${FILLED}`).simple();
  await here!.unsafe('VACUUM ANALYZE orders');
  await there!
    .unsafe(
      `CREATE TABLE orders ${COLUMNS.replace('id integer', 'id bigint')}; CREATE TABLE piped (LIKE orders INCLUDING ALL)`,
    )
    .simple();
  const [runtime, owner] = [connect(primary.url), connect(primary.url)];
  const database = { connection: connect(shadow.url), streams: streams(shadow.url) };
  const remote = {
    cutover: CUTOVER,
    clock,
    ids: systemIds(),
    primary: { runtime, owner },
    streams: streams(primary.url),
    shadow: database,
  };
  const plane = tableCalls(withRemote(postgresTables(remote.primary), [remote]));

  const program = (name: string) => join(binaries, name);
  const psql = `${program('psql')} -X -q -v ON_ERROR_STOP=1`;
  const pipe = (rows: string) =>
    `${psql} "${primary.url}" -c 'COPY ${rows} TO STDOUT' | ${psql} "${shadow.url}" -c 'COPY piped FROM STDIN'`;
  const half = (condition: string) => pipe(`(SELECT * FROM orders WHERE id ${condition} ${ROWS / 2})`);
  const shell = async (command: string) => {
    const [status] = await once(
      spawn('bash', ['-o', 'pipefail', '-c', command], { stdio: ['ignore', 'ignore', 'inherit'] }),
      'exit',
    );
    if (status !== 0) throw new Error(`${command} ended with ${status}`);
  };
  const timed = async (...commands: readonly string[]) => {
    const startedMs = performance.now();
    await Promise.all(commands.map(shell));
    return perSecond(ROWS, startedMs);
  };
  const pipedBefore = await timed(pipe('orders'));
  await there!`TRUNCATE piped`;
  const byTwoPipes = await timed(half('<='), half('>'));
  await there!`CREATE DATABASE dumped`;
  const dumped = new URL(shadow.url);
  dumped.pathname = '/dumped';
  const byDump = await timed(`${program('pg_dump')} --table=orders "${primary.url}" | ${psql} "${dumped}"`);

  await plane.arm(CUTOVER, { epoch: 1, version: 1 });
  await plane.mirror({
    id: 'bench',
    epoch: 1,
    version: 1,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 'bench',
  });
  const copying = performance.now();
  for (let rows = FIRST_ROWS; ; ) {
    const step = await plane.backfill('bench', 1, rows);
    if (step.kind === 'done') break;
    if (step.kind !== 'copied') throw new Error(`copy: ${step.kind}`);
    rows = nextChunk(rows, step.tookMs);
  }
  const copied = perSecond(ROWS, copying);
  await there!`TRUNCATE piped`;
  // The log and the files of the servers have grown meanwhile: what comes later is slower, whoever writes it.
  const byPipe = (pipedBefore + (await timed(pipe('orders')))) / 2;

  await here!.unsafe(`UPDATE orders SET price = price + 1 WHERE id <= ${HINTS}`);
  const pids = await Promise.all(
    [runtime!, database.connection].map(
      async (one) => (await one.call<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]!.pid,
    ),
  );
  const spent = () => pids.reduce((sum, pid) => sum + processorSeconds(pid), process.cpuUsage().user / 1e6);
  const spentBefore = spent();
  const converging = performance.now();
  let applied = 0;
  while (applied < HINTS) {
    const step = await plane.converge('bench', 1, BATCH);
    if (step.kind !== 'converged' || step.claimed === 0) break;
    applied += step.claimed;
  }
  const converged = perSecond(applied, converging);
  const byProcessor = applied / (spent() - spentBefore);

  const verifying = performance.now();
  for (;;) {
    const step = await plane.verify('bench', 1, Date.now());
    if (step.kind === 'running') continue;
    if (step.kind !== 'verified' || step.result.divergences > 0)
      throw new Error(`verification: ${JSON.stringify(step)}`);
    break;
  }
  const verified = perSecond(ROWS, verifying);
  const lines: Line[] = [
    { what: 'COPY through a pipe', value: byPipe, unit: 'rows/s' },
    {
      what: 'COPY through two pipes, half of the rows each',
      value: byTwoPipes,
      unit: 'rows/s',
      ratioTo: 'COPY through a pipe',
    },
    { what: 'pg_dump | psql', value: byDump, unit: 'rows/s', ratioTo: 'COPY through a pipe' },
    { what: 'copy', value: copied, unit: 'rows/s', ratioTo: 'COPY through a pipe' },
    { what: 'copy, beside the dump', value: copied, unit: 'rows/s', ratioTo: 'pg_dump | psql' },
    { what: `converge, ${BATCH} hints a batch`, value: converged, unit: 'hints/s' },
    { what: 'converge, a second of processor on all three', value: byProcessor, unit: 'hints/s' },
    { what: 'verification', value: verified, unit: 'rows/s' },
    { what: 'memory of this process', value: peakMegabytes(process.pid), unit: 'MiB' },
  ];
  printTable(`${ROWS.toLocaleString('en-US')} rows of 12 columns, wanted: 0.6 and 8,000 hints/s`, lines);
  await Promise.all([
    here!.end(),
    there!.end(),
    runtime.close(),
    owner.close(),
    database.connection.close(),
    database.streams.close(),
  ]);
} finally {
  await primary.stop();
  await shadow.stop();
  rmSync(directory, { recursive: true, force: true });
}
