/**
 * Converge while a snapshot is held for the whole run, so that no hint that was applied can be cleaned away: its rate over 250,000
 * hints, and how large the outbox grows. Each round writes other rows: versions of one row that nobody may clean away slow every
 * reader of the tables themselves, whoever it is. With a snapshot alone, with a dump that locks every table against truncation as well, and
 * with all the hints written at once. The control is the same run with nothing held.
 *
 *   npm run bench old-snapshot [hints]     default 250,000
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { arm, forget } from '../../lib/adapters/postgres/capture/arming.ts';
import { postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { postgresCalls } from '../helpers/postgres-tables.ts';
import { processorSeconds } from './server-process.ts';
import { type Line, printTable } from './table.ts';

const HINTS = Number(process.argv[2] ?? 250_000);
const ROUNDS = 10;
const BATCH = 1_000;
const CUTOVER: TableCutover = {
  id: 'bench',
  table: { primary: 'public.old', shadow: 'public.new' },
  validation: 'disabled',
};
const FENCE = { epoch: 1, version: 1 };
const SIZE = `SELECT pg_total_relation_size('crossfade.outbox_bench') + pg_total_relation_size('crossfade.outbox1_bench') AS bytes`;

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
try {
  await installSchema(process.cwd(), server.url);
  const connect = () => postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const [sql, holder] = [connect(), connect()];
  const connection = postgresConnection({ url: server.url, clock: systemClock(), random, deadlineMs: 600_000 });
  const plane = postgresCalls({ runtime: connection, owner: connection });
  for (const [title, held, atOnce] of [
    ['nothing held', '', false],
    ['a snapshot held', 'SELECT FROM old LIMIT 1', false],
    [
      'a snapshot and, like a dump, a lock on every table held',
      'SELECT FROM crossfade.outbox_bench LIMIT 1; SELECT FROM old LIMIT 1',
      false,
    ],
    ['a snapshot held, all hints at once', 'SELECT FROM old LIMIT 1', true],
  ] as const) {
    const perRound = HINTS / ROUNDS;
    await sql.unsafe(`DROP TABLE IF EXISTS old, new; CREATE TABLE old (id integer PRIMARY KEY, v integer); CREATE TABLE new (id bigint PRIMARY KEY, v integer);
      INSERT INTO old SELECT i, 0 FROM generate_series(1, ${HINTS}) i`);
    await arm(connection, CUTOVER, FENCE);
    const mirror = { id: 'bench', stage: 'dual_write', shadowWrites: true, readPpm: 0, salt: 'bench', ...FENCE };
    await plane.mirror(mirror);
    while ((await plane.backfill('bench', 1, 50_000)).kind !== 'done');
    await sql.unsafe('VACUUM ANALYZE old, new');
    if (held !== '') await holder.unsafe(`BEGIN ISOLATION LEVEL REPEATABLE READ; ${held}`).simple();
    if (atOnce) await sql.unsafe('UPDATE old SET v = 1');
    const rates: { clock: number; cpu: number }[] = [];
    let largest = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      if (!atOnce)
        await sql.unsafe(`UPDATE old SET v = 1 WHERE id > ${round * perRound} AND id <= ${(round + 1) * perRound}`);
      const [runtime] = await connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const [started, before] = [performance.now(), processorSeconds(runtime!.pid)];
      for (let applied = 0; applied < perRound; ) {
        const step = await plane.converge('bench', 1, BATCH);
        if (step.kind !== 'converged' || step.claimed === 0) break;
        applied += step.claimed;
      }
      if (!atOnce) await plane.converge('bench', 1, BATCH);
      rates.push({
        clock: perRound / ((performance.now() - started) / 1000),
        cpu: perRound / (processorSeconds(runtime!.pid) - before),
      });
      largest = Math.max(largest, Number((await sql.unsafe(SIZE))[0]!.bytes));
    }
    const [first, last] = [rates[0]!, rates.at(-1)!];
    const lines: Line[] = [
      { what: `first ${perRound}`, value: first.clock, unit: 'hints/s' },
      { what: `last ${perRound}`, value: last.clock, unit: 'hints/s', ratioTo: `first ${perRound}` },
      { what: `first ${perRound}, processor time`, value: first.cpu, unit: 'hints/s' },
      {
        what: `last ${perRound}, processor time`,
        value: last.cpu,
        unit: 'hints/s',
        ratioTo: `first ${perRound}, processor time`,
      },
      { what: 'outbox at most', value: largest / 1024 ** 2, unit: 'MiB' },
    ];
    printTable(`${HINTS.toLocaleString('en-US')} hints, ${title}`, lines);
    if (held !== '') await holder.unsafe('COMMIT');
    await forget(connection, 'bench', FENCE);
  }
  await Promise.all([sql.end(), holder.end(), connection.close()]);
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
