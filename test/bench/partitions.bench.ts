/**
 * Copy and verification of a shadow by month beside those of a plain one, in turns in this one run, and one INSERT … SELECT into the same
 * partitions. Beside the time on the clock stands the processor time of the server's process, which neighbours on the machine change less.
 *
 *   npm run bench partitions [rows]     default 1,000,000
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
import { postgresCalls } from '../helpers/postgres-tables.ts';
import { processorSeconds } from './server-process.ts';
import { type Line, median, printTable } from './table.ts';

/** Rows a second on the clock, and a second of processor time. */
type Rate = { clock: number; cpu: number };

const ROWS = Number(process.argv[2] ?? 1_000_000);
const CHUNK = 20_000;
const ROUNDS = 3;
const SHADOWS = ['plain', 'by_month'] as const;
const COLUMNS = 'id bigint NOT NULL, placed_on date NOT NULL, customer_id integer, amount numeric(12, 2), note text';
const byMonth = (
  name: string,
) => `CREATE TABLE ${name} (${COLUMNS}, PRIMARY KEY (id, placed_on)) PARTITION BY RANGE (placed_on);
  DO $$ BEGIN FOR n IN 0 .. 11 LOOP EXECUTE format('CREATE TABLE ${name}_%s PARTITION OF ${name} FOR VALUES FROM (%L) TO (%L)', n,
    date '2026-01-01' + make_interval(months => n), date '2026-01-01' + make_interval(months => n + 1)); END LOOP; END $$;`;

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
try {
  await installSchema(process.cwd(), server.url);
  const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const connection = postgresConnection({ url: server.url, clock: systemClock(), random, deadlineMs: 600_000 });
  const plane = postgresCalls({ runtime: connection, owner: connection });
  await sql.unsafe(`CREATE TABLE orders (${COLUMNS}, PRIMARY KEY (id));
    INSERT INTO orders SELECT n, date '2026-01-01' + (n % 365)::integer, n % 1000, n * 1.25, 'order ' || n FROM generate_series(1, ${ROWS}) n;
    CREATE TABLE plain (LIKE orders INCLUDING ALL); ${byMonth('by_month')} ${byMonth('at_once')}`);
  await sql.unsafe('VACUUM ANALYZE orders');
  const [own] = await sql.unsafe('SELECT pg_backend_pid() AS pid');
  const [runtime] = await connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');

  const rates = new Map<string, Rate[]>();
  const measured = async (what: string, pid: number, work: () => Promise<unknown>) => {
    const [started, before] = [performance.now(), processorSeconds(pid)];
    await work();
    const rate = {
      clock: ROWS / ((performance.now() - started) / 1000),
      cpu: ROWS / (processorSeconds(pid) - before),
    };
    rates.set(what, [...(rates.get(what) ?? []), rate]);
  };
  const copy = async (epoch: number) => {
    while ((await plane.backfill('bench', epoch, CHUNK)).kind !== 'done');
  };
  const verify = async (epoch: number) => {
    for (;;) {
      const step = await plane.verify('bench', epoch, 1, { tier: 'fast' });
      if (step.kind !== 'verified') continue;
      if (step.result.divergences > 0) throw new Error('the tables differ');
      return;
    }
  };

  let epoch = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await sql.unsafe('TRUNCATE at_once');
    await measured('one INSERT … SELECT into the months', own!.pid, () =>
      sql.unsafe('INSERT INTO at_once SELECT * FROM orders'),
    );
    for (const shadow of SHADOWS) {
      epoch += 1;
      const fence = { epoch, version: epoch };
      await sql.unsafe(`TRUNCATE ${shadow}`);
      await arm(
        connection,
        { id: 'bench', table: { primary: 'public.orders', shadow: `public.${shadow}` }, validation: 'disabled' },
        fence,
      );
      await plane.mirror({ id: 'bench', ...fence, stage: 'dual_write', shadowWrites: true, readPpm: 0, salt: 'bench' });
      await measured(`copy, ${shadow}`, runtime!.pid, () => copy(epoch));
      await sql.unsafe(`VACUUM ANALYZE ${shadow}`);
      // The first pass cuts the segments.
      await verify(epoch);
      await measured(`verification, ${shadow}`, runtime!.pid, () => verify(epoch));
      await forget(connection, 'bench', fence);
    }
  }

  const line = (what: string, ratioTo?: string): Line[] =>
    (['clock', 'cpu'] as const).map((kind) => {
      const named = (name: string) => (kind === 'clock' ? name : `${name}, processor time`);
      const value = median(rates.get(what)!.map((rate) => rate[kind]));
      return { what: named(what), value, unit: 'rows/s', ...(ratioTo ? { ratioTo: named(ratioTo) } : {}) };
    });
  printTable(`${ROWS.toLocaleString('en-US')} rows of 5 columns, 12 months, PostgreSQL 18, fsync off`, [
    ...line('one INSERT … SELECT into the months'),
    ...line('copy, plain'),
    ...line('copy, by_month', 'one INSERT … SELECT into the months'),
    ...line('verification, plain'),
    ...line('verification, by_month', 'verification, plain'),
  ]);
  const against = (kind: 'clock' | 'cpu') =>
    median(rates.get('copy, by_month')!.map((rate) => rate[kind])) /
    median(rates.get('copy, plain')!.map((rate) => rate[kind]));
  console.log(
    `  copy by month against plain: ${against('clock').toFixed(2)} ×, in processor time ${against('cpu').toFixed(2)} ×`,
  );
  await sql.end();
  await connection.close();
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
