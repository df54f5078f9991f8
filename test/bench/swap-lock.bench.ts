/**
 * How long a promotion and its way back hold their locks on the distribution's Postgres as it is installed, which compiles
 * what it takes for expensive (jit), under pgbench in the simple, the extended and the prepared protocol: median and worst,
 * the worst statement of the application, and how many failed. Each transaction of pgbench is one statement.
 *
 *   npm run bench swap-lock [swaps] [rows]     default 30 of each protocol, 20,000
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { postgresDataPlane } from '../../lib/adapters/postgres/data-plane.ts';
import { type PgGateway, postgresGateway } from '../../lib/adapters/postgres/gateway.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import type { DataPlane, TableCutover } from '../../lib/ports.ts';
import { debianBinaries } from '../helpers/debian-postgres.ts';
import { median } from './table.ts';

const SWAPS = Number(process.argv[2] ?? 30);
const ROWS = Number(process.argv[3] ?? 20_000);
const CLIENTS = 6;
const PROTOCOLS = ['simple', 'extended', 'prepared'] as const;
/** Of pgbench, once there and back. */
const SECONDS = 4;
const BETWEEN_MS = 700;
const WANTED = { medianMs: 50, worstMs: 150, statementMs: 250 };
const CUTOVER: TableCutover = {
  id: 'client',
  table: { primary: 'public.client', shadow: 'public.client_v2' },
  validation: 'strict',
};
const COLUMNS = `name text NOT NULL, email varchar(80), age int, balance numeric(12,2), active boolean,
  born date, seen timestamptz, tags text[], doc jsonb, code uuid, note text, depot int REFERENCES depot`;
const STATEMENTS = [
  'UPDATE client SET age = :value WHERE id = :id;',
  "INSERT INTO client (id, name, age, depot) VALUES (:id + 10000000, 'n', :value, 1) ON CONFLICT (id) DO UPDATE SET age = excluded.age;",
  'UPDATE client SET balance = :value * 1.25, seen = now() WHERE id = :id;',
  'SELECT name, balance FROM client WHERE id = :id;',
  'DELETE FROM client WHERE id = :id + 10000000;',
];

type Line = { protocol: string; held: number[]; statements: number; worstMs: number; failed: string[] };

const binaries = debianBinaries();
if (binaries === null) {
  console.log("The distribution's Postgres is not installed: sudo apt-get install postgresql");
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres'), binaries });
const gateways: PgGateway[] = [];
try {
  await installSchema(process.cwd(), server.url);
  const open = () => {
    const made = postgresGateway({ url: server.url, clock: systemClock(), random });
    gateways.push(made);
    return made;
  };
  const plane = postgresDataPlane({ runtime: open(), owner: open() });
  const follower = postgresDataPlane({ runtime: open(), owner: open() });
  const version = await prepare();
  const files = STATEMENTS.map((statement, i) => {
    const file = join(directory, `statement-${i}.sql`);
    writeFileSync(file, `\\set id random(1, ${ROWS})\n\\set value random(1, 1000)\n${statement}\n`);
    return file;
  });
  const epoch = { now: 0 };
  const lines: Line[] = [];
  for (const protocol of PROTOCOLS) lines.push(await measure({ plane, follower, epoch, files, binaries }, protocol));
  print(lines, version);
} finally {
  await Promise.all(gateways.map((made) => made.close()));
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function prepare(): Promise<string> {
  const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  await sql.unsafe(`CREATE TABLE depot (id int PRIMARY KEY); INSERT INTO depot VALUES (1);
    CREATE TABLE client (id int PRIMARY KEY, ${COLUMNS}); CREATE INDEX ON client (email); CREATE VIEW active_client AS SELECT id, name FROM client WHERE active;
    INSERT INTO client SELECT i, 'name ' || i, 'u' || i || '@example.com', i % 90, i * 1.25, i % 2 = 0, date '1970-01-01' + i % 9000,
      now(), ARRAY['a', 'b' || i % 7], jsonb_build_object('n', i), gen_random_uuid(), repeat('x', 40), 1 FROM generate_series(1, ${ROWS}) i;
    CREATE TABLE bill (client int REFERENCES client); CREATE INDEX ON bill (client);
    CREATE TABLE client_v2 (id bigint PRIMARY KEY, ${COLUMNS}); CREATE INDEX ON client_v2 (email); ANALYZE`);
  const [row] = await sql.unsafe(
    "SELECT current_setting('server_version') || ', jit ' || current_setting('jit') || CASE WHEN pg_jit_available() THEN ' with' ELSE ' without' END || ' LLVM' AS version",
  );
  await sql.end();
  return row!.version;
}

type Bench = {
  plane: DataPlane;
  follower: DataPlane;
  epoch: { now: number };
  files: readonly string[];
  binaries: string;
};

async function measure(bench: Bench, protocol: string): Promise<Line> {
  const { plane, epoch } = bench;
  const line: Line = { protocol, held: [], statements: 0, worstMs: 0, failed: [] };
  const running = { yes: true };
  const following = follow(bench.follower, epoch, running);
  while (line.held.length < SWAPS) {
    await start(plane, epoch);
    const application = pgbench(bench, protocol);
    for (const act of ['promote', 'revert'] as const) {
      await pause(BETWEEN_MS);
      if (application.over()) throw new Error('pgbench had ended before the swap: the figures say nothing');
      line.held.push(await swapped(plane, epoch, act));
    }
    const seen = await application.seen();
    line.statements += seen.latenciesMs.length;
    line.worstMs = Math.max(line.worstMs, ...seen.latenciesMs);
    line.failed.push(...seen.failed);
  }
  running.yes = false;
  await following;
  return line;
}

async function swapped(plane: DataPlane, epoch: { now: number }, act: 'promote' | 'revert'): Promise<number> {
  const stage = act === 'promote' ? 'completed' : 'rolled_back';
  const step = { fromEpoch: epoch.now, toEpoch: epoch.now + 1, stage, version: epoch.now + 1 };
  for (let calls = 1; ; calls += 1) {
    const result = await plane[act](CUTOVER, step);
    if (result.kind === 'swapped') {
      epoch.now += 1;
      return result.lockHeldMs;
    }
    if (result.kind !== 'postponed' || calls === 10) throw new Error(`not swapped: ${JSON.stringify(result)}`);
  }
}

async function start(plane: DataPlane, epoch: { now: number }): Promise<void> {
  const next = epoch.now + 1;
  await plane.arm(CUTOVER, { epoch: next, version: next });
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
async function follow(plane: DataPlane, epoch: { now: number }, running: { yes: boolean }): Promise<void> {
  while (running.yes) {
    const result = await plane.converge('client', epoch.now, 1_000).catch(() => null);
    if (result?.kind !== 'converged' || result.claimed === 0) await pause(5);
  }
}

type Application = { over(): boolean; seen(): Promise<{ latenciesMs: number[]; failed: string[] }> };

/** A client of pgbench ends at its first error, and says so. */
function pgbench({ files, binaries: folder }: Bench, protocol: string): Application {
  const home = mkdtempSync(join(directory, 'pgbench-'));
  const { hostname, port, username, password, pathname } = new URL(server.url);
  const where = ['-h', hostname, '-p', port, '-U', username];
  const how = ['-n', '-M', protocol, '-c', String(CLIENTS), '-T', String(SECONDS), '-l', '--log-prefix=log'];
  const scripts = files.flatMap((file) => ['-f', file]);
  const child: ChildProcess = spawn(join(folder, 'pgbench'), [...where, ...how, ...scripts, pathname.slice(1)], {
    cwd: home,
    env: { ...process.env, PGPASSWORD: password },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  child.stderr!.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    over: () => child.exitCode !== null,
    async seen() {
      await ended;
      const logs = readdirSync(home).map((name) => readFileSync(join(home, name), 'utf8'));
      const records = logs.flatMap((text) => text.split('\n').filter(Boolean));
      const latenciesMs = records.map((record) => Number(record.split(' ')[2]) / 1_000);
      return { latenciesMs, failed: lines.filter((text) => /error|aborted/i.test(text)) };
    },
  };
}

function print(lines: readonly Line[], version: string): void {
  console.log(
    `\n${ROWS.toLocaleString('en-US')} rows of 13 columns, pgbench with ${CLIENTS} clients, ${SWAPS} swaps each, PostgreSQL ${version}, fsync on`,
  );
  const cells = (words: readonly string[]) =>
    `  ${words[0]!.padEnd(10)}${words
      .slice(1)
      .map((one) => one.padStart(19))
      .join('')}`;
  console.log(cells(['protocol', 'lock held, median', 'lock held, worst', 'worst statement', 'statements', 'failed']));
  for (const { protocol, held, worstMs, statements, failed } of lines) {
    const figures = [median(held), Math.max(...held), worstMs].map((value) => `${value.toFixed(1)} ms`);
    console.log(cells([protocol, ...figures, statements.toLocaleString('en-US'), String(failed.length)]));
    for (const text of new Set(failed)) console.log(`    failed: ${text}`);
    const slow = median(held) > WANTED.medianMs || Math.max(...held) > WANTED.worstMs || worstMs > WANTED.statementMs;
    if (slow || failed.length > 0) process.exitCode = 1;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
