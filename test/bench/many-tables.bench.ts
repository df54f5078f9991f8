/**
 * Many small tables under one Crossfade: the whole local stack (Postgres, the DynamoDB engine and its stream, the deployed
 * handlers, their schedules), every table with a cutover in dual_write, and one writer of 400 statements a second over all of
 * them. Prints how old the oldest change gets, as the database says it, first by themselves, then while every command is given
 * one after the other without a pause, and how long each command takes over HTTP.
 *
 *   npm run bench many-tables [tables] [seconds] [statements a second]     default 200, 60 and 400
 *
 * One table in ten gets half of the statements. Ends with 1 when a lag of the first part, or a command, is above 5 s.
 */

import { randomUUID } from 'node:crypto';
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { compose } from '../../lib/compose/ports.ts';
import { type CutoverDeclaration, initialState } from '../../lib/core/cutover/cutover.ts';
import { decide } from '../../lib/core/stage/decide.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { withConcurrencyLimit } from '../../lib/flows/calls/concurrency-limit.ts';
import { commit } from '../../lib/flows/control/commit.ts';
import { type Line, median, printTable } from './table.ts';

const [TABLES = 200, SECONDS = 60, RATE = 400] = process.argv.slice(2, 5).map(Number);
const ROWS = 100;
const WANTED_MS = 5_000;
/** A look at 200 outboxes takes the server some 60 ms: more often it would measure itself. */
const LOOK_EVERY_MS = 1_000;
/** The first of six in a row. */
const FIRST_PORT = 24_300;
const BURST_MS = 50;
const ARMED_WITHIN_MS = 600_000;
const NOBODY = { actor: 'bench', emergencyStop: false };
const ids = Array.from({ length: TABLES }, (_, n) => `t_${n}`);
const cutovers = defineCutovers(
  ids.map((id) => ({ id, kind: 'table' as const, primary: `public.${id}`, shadow: `public.${id}_v2` })),
);

type Lag = { lagMs: number; tables: number };
type Timed = { what: string; tookMs: number; status: number | string };

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres') });
const sql = postgres(server.url, { max: 2, fetch_types: false, onnotice: () => {} });
let stack: Stack | undefined;
try {
  await makeTables();
  await installSchema(process.cwd(), server.url);
  stack = await startStack({
    root: process.cwd(),
    port: FIRST_PORT,
    speed: 1,
    cutovers,
    database: async () => ({ runtimeUrl: server.url, ownerUrl: server.url, stop: async () => {} }),
    say: (line) => console.log(line),
  });
  await run(stack);
} finally {
  await stack?.stop();
  await sql.end({ timeout: 1 });
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function run(on: Stack): Promise<void> {
  await startAll(on);
  console.log(
    `${TABLES} tables are armed and copied; ${RATE} statements a second for ${SECONDS} s; load ${loadavg()[0]!.toFixed(1)}`,
  );
  const running = { yes: true };
  const written = write(running);
  const alone = { yes: true };
  const aloneLags = watchLag(alone);
  await pause(SECONDS * 1_000);
  alone.yes = false;
  const quiet = await aloneLags;
  const lags = watchLag(running);
  const timed = await commands(on, SECONDS);
  running.yes = false;
  const [statements, busy] = [await written, await lags];
  timed.push(...(await lastCommands(on)));
  print(statements, { quiet, busy }, timed, on);
}

async function makeTables(): Promise<void> {
  for (const id of ids)
    await sql.unsafe(`CREATE TABLE ${id} (id int PRIMARY KEY, name text NOT NULL, amount numeric(12,2), seen timestamptz);
      CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2), seen timestamptz);
      INSERT INTO ${id} SELECT i, 'name ' || i, i, now() FROM generate_series(1, ${ROWS}) i`);
  await sql.unsafe('ANALYZE');
}

/** Through the state machine and the store; the ticks arm what they find there, and the schedules copy it. */
async function startAll({ settings, functions }: Stack): Promise<void> {
  const { ports } = compose(settings.environment);
  const start = async (declaration: CutoverDeclaration) => {
    const by = { ...NOBODY, nowMs: Date.now() };
    const decision = decide(initialState(declaration), { type: 'start', plan: declaration.plan }, by);
    if (decision.kind === 'refused') throw new Error(decision.message);
    await commit(ports, initialState(declaration), decision, by);
  };
  await withConcurrencyLimit(cutovers, 4, start);
  const endMs = Date.now() + ARMED_WITHIN_MS;
  for (let ready = 0; ready < TABLES; ) {
    if (Date.now() > endMs) throw new Error(`only ${ready} tables are armed and copied`);
    await functions.invoke('tick', { source: 'crossfade.local' }).catch((error) => console.log(String(error)));
    const [row] =
      await sql.unsafe(`SELECT count(*)::int AS ready FROM crossfade.cutover c JOIN crossfade.backfill b ON b.cutover = c.id
      WHERE c.direction = 'forward' AND b.state = 'done'`);
    ready = row!.ready;
    console.log(`  ${ready} ready`);
  }
}

/** So many statements a second, in bursts, one at a time, half of them on a tenth of the tables. */
async function write(running: { yes: boolean }): Promise<number> {
  const writer = postgres(server.url, { max: 1, fetch_types: false });
  const startedMs = performance.now();
  let statements = 0;
  while (running.yes) {
    const due = ((performance.now() - startedMs) / 1_000) * RATE;
    for (; statements < due; statements += 1) {
      const n = statements % 2 === 0 ? statements % TABLES : (statements * 7) % Math.max(1, Math.floor(TABLES / 10));
      await writer.unsafe(`UPDATE t_${n} SET amount = amount + 1, seen = now() WHERE id = ${1 + (statements % ROWS)}`);
    }
    await pause(BURST_MS);
  }
  await writer.end({ timeout: 1 });
  return statements;
}

/** Of the table that is furthest behind, and how many tables wait. */
async function watchLag(running: { yes: boolean }): Promise<Lag[]> {
  const seen: Lag[] = [];
  while (running.yes) {
    const [row] = await sql.unsafe(
      'SELECT coalesce(max(lag_ms), 0)::int AS lag, count(*)::int AS tables FROM crossfade.waiting()',
    );
    seen.push({ lagMs: row!.lag, tables: row!.tables });
    await pause(LOOK_EVERY_MS);
  }
  return seen;
}

/** Over and over while the writer runs. */
async function commands(on: Stack, seconds: number): Promise<Timed[]> {
  const endMs = Date.now() + seconds * 1_000;
  const timed: Timed[] = [];
  while (Date.now() < endMs) {
    const id = ids[timed.length % TABLES]!;
    for (const [what, path] of [
      ['status of all', '/v1/cutovers'],
      ['status of one', `/v1/cutovers/${id}`],
      ['report', '/v1/report?hours=24'],
      ['progress of all', '/v1/progress'],
      ['dashboard', '/dashboard/data'],
      ['preview of one', `/v1/cutovers/${id}/preview`],
      ['health of one', `/v1/cutovers/${id}/health`],
    ] as const)
      timed.push(await ask(on, what, 'GET', path));
    timed.push(await ask(on, 'verify one', 'POST', `/v1/cutovers/${id}/verify`, {}));
    timed.push(await command(on, 'pause', id, {}), await command(on, 'resume', id, {}));
    timed.push(
      await timing('tick', async () => {
        await on.functions.invoke('tick', { source: 'crossfade.local' });
        return 200;
      }),
    );
  }
  return timed;
}

async function lastCommands(on: Stack): Promise<Timed[]> {
  const reason = 'bench';
  return [
    await command(on, 'rollback of one', ids[0]!, { reason }),
    await ask(on, 'audit of all', 'GET', '/v1/audit/verification'),
    await ask(on, 'rollback-system', 'POST', '/v1/system/rollback', { confirm: 'system', reason }),
    await timing('tick after it', async () => {
      await on.functions.invoke('tick', { source: 'crossfade.local' });
      return 200;
    }),
    await ask(on, 'status of all, rolled back', 'GET', '/v1/cutovers'),
    await ask(on, 'emergency stop', 'POST', '/v1/system/emergency-stop', { reason }),
  ];
}

async function command(on: Stack, name: string, id: string, body: object): Promise<Timed> {
  const seen = await fetch(`${on.settings.apiUrl}/v1/cutovers/${id}`, {
    headers: { authorization: `Bearer ${on.token()}` },
  });
  const { version } = (await seen.json()) as { version: number };
  const path = `/v1/cutovers/${id}/${name.split(' ')[0]}`;
  return ask(on, name, 'POST', path, body, { 'if-match': `"${version}"` });
}

function ask(
  on: Stack,
  what: string,
  method: string,
  path: string,
  body?: object,
  more: Record<string, string> = {},
): Promise<Timed> {
  return timing(what, async () => {
    const response = await fetch(on.settings.apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${on.token()}`,
        ...(body ? { 'content-type': 'application/json', 'idempotency-key': randomUUID() } : {}),
        ...more,
      },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (process.env.CROSSFADE_BENCH_LOG)
      appendFileSync(
        process.env.CROSSFADE_BENCH_LOG,
        `${what} ${response.status} ${text.length} ${text.slice(0, 300)}\n`,
      );
    return response.status;
  });
}

async function timing(what: string, work: () => Promise<number>): Promise<Timed> {
  const startedMs = performance.now();
  const status = await work().catch((error: Error) => error.message.slice(0, 80));
  return { what, tookMs: performance.now() - startedMs, status };
}

function print(
  statements: number,
  seen: Readonly<Record<'quiet' | 'busy', readonly Lag[]>>,
  timed: readonly Timed[],
  on: Stack,
): void {
  const lagsOf = (when: 'quiet' | 'busy') => seen[when].map(({ lagMs }) => lagMs);
  const lagLines = (when: 'quiet' | 'busy', what: string): Line[] => [
    { what: `${what}: lag, median`, value: median(lagsOf(when)) / 1_000, unit: 's' },
    { what: `${what}: lag, worst`, value: Math.max(...lagsOf(when)) / 1_000, unit: `s, wanted ${WANTED_MS / 1_000}` },
    { what: `${what}: tables that wait, median`, value: median(seen[when].map(({ tables }) => tables)), unit: '' },
  ];
  const lines: Line[] = [
    { what: 'statements of the application', value: statements, unit: '' },
    ...lagLines('quiet', 'writes only'),
    ...lagLines('busy', 'every command without a pause'),
  ];
  for (const what of new Set(timed.map((one) => one.what))) {
    const those = timed.filter((one) => one.what === what);
    const failed = those.filter(({ status }) => typeof status !== 'number' || status >= 300);
    const took = those.map(({ tookMs }) => tookMs / 1_000);
    const why = failed.length > 0 ? `, ${failed.length} FAILED: ${failed[0]!.status}` : '';
    lines.push({
      what,
      value: median(took),
      unit: `s, at most ${Math.max(...took).toPrecision(3)}, of ${those.length}${why}`,
    });
  }
  printTable(`${TABLES} tables, load ${loadavg()[0]!.toFixed(1)}`, lines);
  for (const failure of new Set(on.metronome.failures())) console.log(`  schedule: ${failure}`);
  const slow = timed.some(({ tookMs, status }) => tookMs > WANTED_MS || typeof status !== 'number' || status >= 300);
  if (slow || Math.max(...lagsOf('quiet')) > WANTED_MS) process.exitCode = 1;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
