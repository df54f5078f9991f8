/**
 * Promotion and its way back under six writing clients, in the simple, the extended and the prepared protocol: how long the
 * locks were held, as the database measured it, how long a client waited at most, and how many statements failed. The
 * table has 13 mixed columns, a foreign key in and one out, an index and a view.
 *
 *   npm run bench promotion [rows]     default 100,000
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';
import { type PgConnection, postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import { postgresCalls } from '../helpers/postgres-tables.ts';
import type { TableCalls } from '../helpers/table-ports.ts';
import { followClient, makeClientTable, pause, startClient, swapClient } from './client-table.ts';
import { median } from './table.ts';

const ROWS = Number(process.argv[2] ?? 100_000);
const CLIENTS = 6;
/** There and back, per protocol. */
const ROUNDS = 4;
const BETWEEN_MS = 300;
const LIMIT_MS = 50;

type Send = (sql: postgres.Sql, text: string, key: number, value: number) => Promise<unknown>;
const PROTOCOLS: Readonly<Record<string, Send>> = {
  simple: (sql, text, key, value) =>
    sql.unsafe(text.replaceAll('$1', String(key)).replaceAll('$2', String(value))).simple(),
  extended: (sql, text, key, value) => sql.unsafe(text, [key, value], { prepare: false }),
  prepared: (sql, text, key, value) => sql.unsafe(text, [key, value], { prepare: true }),
};
const STATEMENTS = [
  'UPDATE client SET age = $2::int WHERE id = $1::int',
  `WITH c AS (INSERT INTO client (id, name, age, depot) VALUES ($1::int + 10000000, 'n', $2::int, 1) ON CONFLICT (id) DO UPDATE SET age = $2::int RETURNING id)
    INSERT INTO bill (client) SELECT id FROM c`,
  'UPDATE client SET balance = $2::int * 1.25, seen = now() WHERE id = $1::int',
  'DELETE FROM bill WHERE client = $1::int + 10000000 AND $2::int IS NOT NULL',
  'DELETE FROM client WHERE id = $1::int + 10000000 AND $2::int IS NOT NULL',
];

type Seen = { statements: number; failures: string[]; longestMs: number };
type Line = { protocol: string; held: number[]; seen: Seen };

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
chmodSync(directory, 0o711);
const server = await startPostgres({ directory: join(directory, 'postgres') });
const connections: PgConnection[] = [];
try {
  await installSchema(process.cwd(), server.url);
  const open = () => {
    const made = postgresConnection({ url: server.url, clock: systemClock(), random, deadlineMs: 600_000 });
    connections.push(made);
    return made;
  };
  const plane = postgresCalls({ runtime: open(), owner: open() });
  const follower = postgresCalls({ runtime: open(), owner: open() });
  await makeClientTable(server.url, ROWS);
  const lines: Line[] = [];
  const epoch = { now: 0 };
  for (const protocol of Object.keys(PROTOCOLS)) lines.push(await measure(plane, follower, epoch, protocol));
  print(lines);
  const worst = Math.max(...lines.flatMap(({ held }) => held));
  const failures = lines.flatMap(({ seen }) => seen.failures);
  for (const failure of new Set(failures)) console.log(`  failed: ${failure}`);
  if (failures.length > 0 || worst > LIMIT_MS) process.exitCode = 1;
} finally {
  await Promise.all(connections.map((made) => made.close()));
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function measure(
  plane: TableCalls,
  follower: TableCalls,
  epoch: { now: number },
  protocol: string,
): Promise<Line> {
  const seen: Seen = { statements: 0, failures: [], longestMs: 0 };
  const running = { yes: true };
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i, PROTOCOLS[protocol]!, seen, running));
  const following = followClient(follower, epoch, running);
  const held: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await startClient(plane, epoch);
    for (const act of ['promote', 'revert'] as const) {
      await pause(BETWEEN_MS);
      held.push(await swapClient(plane, epoch, act));
    }
  }
  running.yes = false;
  await Promise.all([...clients, following]);
  return { protocol, held, seen };
}

/** Each has rows of its own, so that a statement only ever waits for Crossfade. */
async function client(index: number, send: Send, seen: Seen, running: { yes: boolean }): Promise<void> {
  const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  for (let i = 0; running.yes; i += 1) {
    const key = 1 + ((Math.floor(i / STATEMENTS.length) * CLIENTS + index) % ROWS);
    const began = performance.now();
    await send(sql, STATEMENTS[i % STATEMENTS.length]!, key, i % 1_000).catch((error: unknown) => {
      seen.failures.push(error instanceof Error ? error.message : String(error));
    });
    seen.statements += 1;
    seen.longestMs = Math.max(seen.longestMs, performance.now() - began);
  }
  await sql.end();
}

function print(lines: readonly Line[]): void {
  console.log(
    `\n${ROWS.toLocaleString('en-US')} rows of 13 columns, ${CLIENTS} writing clients, ${ROUNDS} × there and back each, PostgreSQL 18, fsync on`,
  );
  const cells = (words: readonly string[]) =>
    `  ${words[0]!.padEnd(10)}${words
      .slice(1)
      .map((one) => one.padStart(20))
      .join('')}`;
  console.log(cells(['protocol', 'lock held, median', 'lock held, most', 'longest statement', 'statements', 'failed']));
  for (const { protocol, held, seen } of lines) {
    const figures = [median(held), Math.max(...held), seen.longestMs].map((value) => `${value.toFixed(1)} ms`);
    console.log(cells([protocol, ...figures, seen.statements.toLocaleString('en-US'), String(seen.failures.length)]));
  }
}
