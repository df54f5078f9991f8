/**
 * The data plane on a table of 12 mixed columns: backfill against one INSERT … SELECT, converge, verification against a
 * hash over text, and what the capture trigger costs: a single row, and statements of many. Every ratio comes from this one run. Beside the time on the clock stands
 * the processor time of the server's process, which neighbours on the machine change less.
 *
 *   npm run bench data-plane [rows]     default 1,000,000
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { arm, disarm } from '../../lib/adapters/postgres/capture/arming.ts';
import { postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { postgresCalls } from '../helpers/postgres-tables.ts';
import { processorSeconds } from './server-process.ts';
import { type Line, median, printTable } from './table.ts';

/** Rows a second on the clock, and a second of processor time. */
type Rate = { clock: number; cpu: number };

const ROWS = Number(process.argv[2] ?? 1_000_000);
const HINTS = Math.min(ROWS, 50_000);
const WRITES = 3_000;
/** Changed by one statement. */
const BULK = Math.min(ROWS, 200_000);
const BULK_ROUNDS = 3;
const PROCESSOR = ', processor time';
const HASH_OF_TEXT =
  'SELECT sum(hashtextextended(o::text, 0)) FROM old o UNION ALL SELECT sum(hashtextextended(n::text, 0)) FROM new n';
const COLUMNS = `id bigint PRIMARY KEY, name text NOT NULL, email varchar(80), age int, balance numeric(12,2), active boolean,
  born date, seen timestamptz, tags text[], doc jsonb, code uuid, note text`;
const fill = (
  from: number,
  to: number,
) => `SELECT i, 'name ' || i, 'u' || i || '@example.com', i % 90, i * 1.25, i % 2 = 0, date '1970-01-01' + i % 9000,
  now(), ARRAY['a', 'b' || i % 7], jsonb_build_object('n', i, 'k', 'v' || i % 13), gen_random_uuid(), repeat('x', 40) FROM generate_series(${from}, ${to}) i`;

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
const { chmodSync } = await import('node:fs');
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
try {
  await installSchema(process.cwd(), server.url);
  const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const connection = postgresConnection({ url: server.url, clock: systemClock(), random, deadlineMs: 600_000 });
  const plane = postgresCalls({ runtime: connection, owner: connection });
  const cutover: TableCutover = {
    id: 'bench',
    table: { primary: 'public.old', shadow: 'public.new' },
    validation: 'disabled',
  };
  await sql.unsafe(
    `CREATE TABLE old (${COLUMNS}); INSERT INTO old ${fill(1, ROWS)}; CREATE TABLE new (LIKE old INCLUDING ALL); CREATE TABLE copy (LIKE old INCLUDING ALL)`,
  );
  // As any table that has lived for a while.
  await sql.unsafe('VACUUM ANALYZE old');
  const [own] = await sql.unsafe('SELECT pg_backend_pid() AS pid');
  const [runtime] = await connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const measured = async (pid: number, count: number, work: () => Promise<unknown>): Promise<Rate> => {
    const [started, before] = [performance.now(), processorSeconds(pid)];
    await work();
    return { clock: count / ((performance.now() - started) / 1000), cpu: count / (processorSeconds(pid) - before) };
  };

  const single: Rate[] = [];
  const insertAtOnce = async () => {
    await sql.unsafe('TRUNCATE copy');
    single.push(await measured(own!.pid, ROWS, () => sql.unsafe('INSERT INTO copy SELECT * FROM old')));
  };
  await insertAtOnce();
  await arm(connection, cutover, { epoch: 1, version: 1 });
  await plane.mirror({
    id: 'bench',
    epoch: 1,
    version: 1,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 'bench',
  });
  const backfill = await measured(runtime!.pid, ROWS, async () => {
    for (
      let rows = 20_000, step = await plane.backfill('bench', 1, rows);
      step.kind !== 'done';
      step = await plane.backfill('bench', 1, rows)
    ) {
      if (step.kind === 'copied' && step.tookMs < 20) rows = Math.min(50_000, rows * 2);
    }
  });
  await insertAtOnce();
  await sql.unsafe('DROP TABLE copy');
  await sql.unsafe(`UPDATE old SET age = age + 1 WHERE id <= ${HINTS}`);
  const converge = await measured(runtime!.pid, HINTS, drain);
  // The first pass cuts the segments; those that follow compare what is there. In turns, so that both see the same machine.
  await verifyAll('fast');
  await sql.unsafe('VACUUM ANALYZE old');
  await sql.unsafe('VACUUM ANALYZE new');
  // Verification is one process, so the hash over text is, too.
  await sql.unsafe('SET max_parallel_workers_per_gather = 0');
  const [fast, text]: [Rate[], Rate[]] = [[], []];
  for (let round = 0; round < 3; round += 1) {
    fast.push(await measured(runtime!.pid, ROWS, () => verifyAll('fast')));
    text.push(await measured(own!.pid, ROWS, () => sql.unsafe(HASH_OF_TEXT)));
  }
  const proof = await measured(runtime!.pid, ROWS, () => verifyAll('proof'));
  const { untriggered, captured } = await writesPerSecond(sql);
  const bulk = await bulkStatements();
  await disarm(connection, 'bench', { epoch: 1, version: 1 });
  printTable(`${ROWS.toLocaleString('en-US')} rows of 12 columns, PostgreSQL 18, fsync off`, [
    ...lines('one INSERT … SELECT', middle(single), 'rows'),
    ...lines('backfill', backfill, 'rows', 'one INSERT … SELECT'),
    ...lines('converge', converge, 'hints'),
    ...lines('hash over text, one process', middle(text), 'rows'),
    ...lines('verification', middle(fast), 'rows', 'hash over text, one process'),
    ...lines('verification, proof tier', proof, 'rows', 'hash over text, one process'),
    { what: 'single-row writes without capture', value: untriggered, unit: 'writes/s' },
    { what: 'with capture', value: captured, unit: 'writes/s', ratioTo: 'single-row writes without capture' },
    ...bulk,
  ]);
  await sql.end();
  await connection.close();

  /** In turns without capture and with it, so that both see the same machine. Nobody applies the hints meanwhile. */
  async function bulkStatements(): Promise<Line[]> {
    const [place] = await sql.unsafe("SELECT current_setting('data_directory') || '/bench.copy' AS file");
    await sql.unsafe(`COPY (${fill(ROWS + BULK + 1, ROWS + 2 * BULK)}) TO '${place!.file}'`);
    const statements: Readonly<Record<string, string>> = {
      UPDATE: `UPDATE old SET age = age + 1 WHERE id <= ${BULK}`,
      'INSERT … SELECT': `INSERT INTO old ${fill(ROWS + 1, ROWS + BULK)}`,
      COPY: `COPY old FROM '${place!.file}'`,
      DELETE: `DELETE FROM old WHERE id > ${ROWS + BULK}`,
    };
    const rates = new Map<string, Rate[]>();
    const name = (verb: string) => `one ${verb} of ${BULK.toLocaleString('en-US')} rows without capture`;
    for (let round = 0; round < BULK_ROUNDS; round += 1) {
      for (const state of ['DISABLE', 'ENABLE ALWAYS']) {
        await sql.unsafe(`ALTER TABLE old ${state} TRIGGER crossfade_capture`);
        await sql.unsafe('TRUNCATE crossfade.outbox_bench, crossfade.outbox1_bench');
        await sql.unsafe('VACUUM old');
        for (const [verb, text] of Object.entries(statements)) {
          const what = state === 'DISABLE' ? name(verb) : `${verb} with capture`;
          const rate = await measured(own!.pid, BULK, () => sql.unsafe(text));
          rates.set(what, [...(rates.get(what) ?? []), rate]);
        }
        await sql.unsafe(`DELETE FROM old WHERE id > ${ROWS}`);
      }
    }
    return Object.keys(statements).flatMap((verb) => [
      ...lines(name(verb), middle(rates.get(name(verb))!), 'rows'),
      ...lines(`${verb} with capture`, middle(rates.get(`${verb} with capture`)!), 'rows', name(verb)),
    ]);
  }

  async function verifyAll(tier: 'fast' | 'proof'): Promise<void> {
    for (;;) {
      const step = await plane.verify('bench', 1, 1, { tier });
      if (step.kind === 'verified') {
        if (step.result.divergences > 0) throw new Error('the tables differ');
        return;
      }
    }
  }

  async function drain(): Promise<void> {
    for (;;) {
      const result = await plane.converge('bench', 1, 5_000);
      if (result.kind === 'stale' || result.remaining === 0) return;
    }
  }
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

function middle(rates: readonly Rate[]): Rate {
  return { clock: median(rates.map(({ clock }) => clock)), cpu: median(rates.map(({ cpu }) => cpu)) };
}

function lines(what: string, rate: Rate, of: string, ratioTo?: string): Line[] {
  const ratio = (suffix: string) => (ratioTo === undefined ? {} : { ratioTo: `${ratioTo}${suffix}` });
  const ofProcessor = { what: `${what}${PROCESSOR}`, value: rate.cpu, unit: `${of}/s`, ...ratio(PROCESSOR) };
  const onTheClock = { what, value: rate.clock, unit: `${of}/s`, ...ratio('') };
  return Number.isFinite(rate.cpu) ? [onTheClock, ofProcessor] : [onTheClock];
}

/** Medians of thirty short rounds of single-row updates, one statement each; with and without capture in turn, so that both see the same machine. */
async function writesPerSecond(sql: postgres.Sql): Promise<{ untriggered: number; captured: number }> {
  const rates = { DISABLE: [] as number[], 'ENABLE ALWAYS': [] as number[] };
  for (let round = 0; round < 30; round += 1) {
    for (const state of ['DISABLE', 'ENABLE ALWAYS'] as const) {
      await sql.unsafe(`ALTER TABLE old ${state} TRIGGER crossfade_capture`);
      const started = performance.now();
      for (let i = 0; i < WRITES / 15; i += 1)
        await sql`UPDATE old SET age = ${i} WHERE id = ${1 + ((i * 7919) % ROWS)}`;
      rates[state].push(WRITES / 15 / ((performance.now() - started) / 1000));
    }
  }
  return { untriggered: median(rates.DISABLE), captured: median(rates['ENABLE ALWAYS']) };
}
