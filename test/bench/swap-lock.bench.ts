/**
 * How long a promotion and its way back hold their locks on the distribution's Postgres as it is installed, which compiles
 * what it takes for expensive (jit), under pgbench in the simple, the extended and the prepared protocol: median and worst,
 * the worst statement of the application, and how many failed. Each transaction of pgbench is one statement.
 * Then what a promotion costs the application that cannot happen, since a reader stays open: statements a second while it is asked
 * for again and again, each call a second after the last one, against those before. A tick asks once a minute.
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
import { type PgConnection, postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import { debianBinaries } from '../helpers/debian-postgres.ts';
import { postgresCalls } from '../helpers/postgres-tables.ts';
import type { TableCalls } from '../helpers/table-ports.ts';
import { CLIENT, followClient, makeClientTable, pause, startClient, swapClient, swapStep } from './client-table.ts';
import { median } from './table.ts';

const SWAPS = Number(process.argv[2] ?? 30);
const ROWS = Number(process.argv[3] ?? 20_000);
const CLIENTS = 6;
const PROTOCOLS = ['simple', 'extended', 'prepared'] as const;
/** Of pgbench, once there and back. */
const SECONDS = 4;
const BETWEEN_MS = 700;
const READER_SECONDS = 30;
const BEFORE_SECONDS = 10;
/** Of the statements a second before, at least. */
const WANTED_RATE = 0.75;
const WANTED = { medianMs: 50, worstMs: 150, statementMs: 250 };
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
const connections: PgConnection[] = [];
try {
  await installSchema(process.cwd(), server.url);
  const open = () => {
    const made = postgresConnection({ url: server.url, clock: systemClock(), random });
    connections.push(made);
    return made;
  };
  const plane = postgresCalls({ runtime: open(), owner: open() });
  const follower = postgresCalls({ runtime: open(), owner: open() });
  const version = await makeClientTable(server.url, ROWS);
  const files = STATEMENTS.map((statement, i) => {
    const file = join(directory, `statement-${i}.sql`);
    writeFileSync(file, `\\set id random(1, ${ROWS})\n\\set value random(1, 1000)\n${statement}\n`);
    return file;
  });
  const epoch = { now: 0 };
  const lines: Line[] = [];
  for (const protocol of PROTOCOLS) lines.push(await measure({ plane, follower, epoch, files, binaries }, protocol));
  print(lines, version);
  printPending(await measurePending({ plane, follower, epoch, files, binaries }));
} finally {
  await Promise.all(connections.map((made) => made.close()));
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

type Bench = {
  plane: TableCalls;
  follower: TableCalls;
  epoch: { now: number };
  files: readonly string[];
  binaries: string;
};

async function measure(bench: Bench, protocol: string): Promise<Line> {
  const { plane, epoch } = bench;
  const line: Line = { protocol, held: [], statements: 0, worstMs: 0, failed: [] };
  const running = { yes: true };
  const following = followClient(bench.follower, epoch, running);
  while (line.held.length < SWAPS) {
    await startClient(plane, epoch);
    const application = pgbench(bench, protocol);
    for (const act of ['promote', 'revert'] as const) {
      await pause(BETWEEN_MS);
      if (application.over()) throw new Error('pgbench had ended before the swap: the figures say nothing');
      line.held.push(await swapClient(plane, epoch, act));
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

type Application = {
  over(): boolean;
  /** `atMs`: when each statement ended, as Date.now() has it. */
  seen(): Promise<{ latenciesMs: number[]; atMs: number[]; failed: string[] }>;
};

/** A client of pgbench ends at its first error, and says so. */
function pgbench({ files, binaries: folder }: Bench, protocol: string, seconds = SECONDS): Application {
  const home = mkdtempSync(join(directory, 'pgbench-'));
  const { hostname, port, username, password, pathname } = new URL(server.url);
  const where = ['-h', hostname, '-p', port, '-U', username];
  const how = ['-n', '-M', protocol, '-c', String(CLIENTS), '-T', String(seconds), '-l', '--log-prefix=log'];
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
      const words = records.map((record) => record.split(' ').map(Number));
      const latenciesMs = words.map((one) => one[2]! / 1_000);
      const atMs = words.map((one) => one[4]! * 1_000 + one[5]! / 1_000);
      return { latenciesMs, atMs, failed: lines.filter((text) => /error|aborted/i.test(text)) };
    },
  };
}

type Pending = {
  before: number;
  during: number;
  worstBeforeMs: number;
  worstMs: number;
  calls: number;
  failed: string[];
};

async function measurePending(bench: Bench): Promise<Pending> {
  const { plane, epoch } = bench;
  const running = { yes: true };
  const following = followClient(bench.follower, epoch, running);
  await startClient(plane, epoch);
  const reader = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const application = pgbench(bench, 'prepared', BEFORE_SECONDS + READER_SECONDS + 3);
  await pause(1_000);
  const began = Date.now();
  await reader.unsafe('BEGIN; SELECT FROM client LIMIT 1').simple();
  await pause((BEFORE_SECONDS - 1) * 1_000);
  const asked = Date.now();
  let calls = 0;
  while (Date.now() - asked < READER_SECONDS * 1_000) {
    calls += 1;
    const result = await plane.promote(CLIENT, swapStep(epoch, 'promote'));
    if (result.kind !== 'postponed') throw new Error(`not held up by a reader: ${JSON.stringify(result)}`);
    await pause(1_000);
  }
  const ended = Date.now();
  await reader.unsafe('COMMIT');
  await reader.end();
  const { latenciesMs, atMs, failed } = await application.seen();
  running.yes = false;
  await following;
  const within = (from: number, to: number) => {
    const taken = latenciesMs.filter((_, i) => atMs[i]! >= from && atMs[i]! < to);
    return { rate: taken.length / ((to - from) / 1_000), worstMs: taken.reduce((most, one) => Math.max(most, one), 0) };
  };
  const [before, during] = [within(began, asked), within(asked, ended)];
  return {
    before: before.rate,
    during: during.rate,
    worstBeforeMs: before.worstMs,
    worstMs: during.worstMs,
    calls,
    failed,
  };
}

function printPending({ before, during, worstBeforeMs, worstMs, calls, failed }: Pending): void {
  const whole = (value: number) => Math.round(value).toLocaleString('en-US');
  console.log(`\nA reader stays open for ${READER_SECONDS} s while promotion is asked for ${calls} times, prepared protocol
  statements/s before ${whole(before)}, meanwhile ${whole(during)}: ${(during / before).toFixed(2)} ×
  worst statement before ${whole(worstBeforeMs)} ms, meanwhile ${whole(worstMs)} ms; failed ${failed.length}`);
  if (during < WANTED_RATE * before || worstMs > WANTED.statementMs || failed.length > 0) process.exitCode = 1;
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
