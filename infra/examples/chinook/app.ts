/**
 * An application with customers: it inserts, updates, deletes and reads them the whole time. It knows nothing of
 * Crossfade, except that its reads ask the SDK for a side and tell it how they went.
 *
 * Every write makes the same change to `customer_twin`, a table that is never migrated, in the same statement. Whatever
 * the migration would lose or corrupt shows as a difference between the two.
 *
 * Talks to its parent over IPC: sends `{ type: 'stats', … }` twice a second, takes `pause`, `resume` and `stop`.
 */

import postgres from 'postgres';
import { agentSource, createClient, httpSink } from '../../../lib/client/index.ts';
import { type AppSettings, type AppStats, emptyStats } from './app-protocol.ts';
import { OLD_SHAPE, READ_NEW, READ_OLD } from './statements.ts';

const settings = JSON.parse(process.env.CHINOOK_APP ?? '{}') as AppSettings;
const sql = postgres(settings.databaseUrl, {
  max: 6,
  prepare: settings.prepare,
  fetch_types: false,
  onnotice: () => {},
});
/** The new code path has connections of its own: what kills them must not reach the rest of the application. */
const newSql = postgres(settings.databaseUrl, {
  max: 3,
  prepare: settings.prepare,
  fetch_types: false,
  onnotice: () => {},
});
let token = settings.token;
const client = createClient({
  flags: agentSource({ ...settings.flags, pollMs: 0 }),
  outcomes: httpSink({ url: settings.apiUrl, token: () => token }),
  now: () => Math.floor(settings.clockOriginMs + (Date.now() - settings.clockOriginMs) * settings.clockSpeed),
  maxFlagAgeMs: settings.maxFlagAgeMs,
  flushIntervalMs: 400,
  // The stack says what it is about itself: before its first flags there are none.
  onProblem: () => {},
});

const FIRST_OWN_ID = 1_000;
const VISITORS = 20_000;
/** Every fifth visitor is a large tenant, whose page looks up eight customers one after the other: slower for ever, on either side. */
const LARGE_TENANT = 5;
const CUSTOMERS_OF_LARGE = 8;
/** Enough to be proven soon, and seldom half of twenty, at which the SDK would leave the shadow before the gates have spoken. */
const FAULT_SHARE = 0.1;
const READERS = 6;
const WRITERS = 2;

const stats: AppStats = emptyStats();
let paused = false;
let stopping = false;
let writing = 0;
let nextId = FIRST_OWN_ID;
const ownIds: number[] = [];

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const CITIES = ['Zürich', 'São Paulo', 'Kraków', 'Tromsø', 'Nagoya 名古屋', 'Québec', 'Reykjavík', 'Łódź'] as const;

// ---------------------------------------------------------------------------------------------------------- reads

async function read(): Promise<void> {
  const visitor = Math.floor(Math.random() * VISITORS);
  const ids = Array.from({ length: visitor % LARGE_TENANT === 0 ? CUSTOMERS_OF_LARGE : 1 }, someId);
  const { side, slice } = client.route('customer', { key: `visitor-${visitor}` });
  stats.reads += 1;
  if (side === 'primary') {
    await timed('primary', slice, () => readOld(ids)).catch(failed);
    return;
  }
  stats.shadowReads += 1;
  stats.lastShadowReadMs = Date.now();
  try {
    await timed('shadow', slice, () => readNew(ids));
  } catch {
    // The new path failed: the caller gets its answer from the old one, and never notices.
    stats.fallbacks += 1;
    await readOld(ids).catch(failed);
  }
}

const someId = () => (Math.random() < 0.5 || ownIds.length === 0 ? 1 + Math.floor(Math.random() * 59) : pick(ownIds));

async function readOld(ids: readonly number[]): Promise<void> {
  for (const id of ids) await sql.unsafe(READ_OLD, [id]);
}

/** The new code path, with the fault that the demonstration was asked to inject into it. */
async function readNew(ids: readonly number[]): Promise<void> {
  if (settings.fault && Math.random() < FAULT_SHARE) {
    stats.firstFaultMs ??= Date.now();
    if (settings.fault === 'errors') throw new Error('a bug in the new code path');
    if (settings.fault === 'latency') await newSql`SELECT pg_sleep(0.5)`;
    if (settings.fault === 'crash') await newSql`SELECT pg_terminate_backend(pg_backend_pid())`;
  }
  for (const id of ids) await newSql.unsafe(READ_NEW, [id]);
}

async function timed(
  side: 'primary' | 'shadow',
  slice: number | null,
  operation: () => Promise<unknown>,
): Promise<void> {
  const startedMs = performance.now();
  let success = false;
  try {
    await operation();
    success = true;
  } finally {
    client.record({ cutover: 'customer', side, slice, latencyMs: performance.now() - startedMs, success });
  }
}

// --------------------------------------------------------------------------------------------------------- writes

/** Statements name only columns that exist in both shapes, so they are right before and after promotion. */
async function write(): Promise<void> {
  const dice = Math.random();
  stats.writes += 1;
  const startedMs = performance.now();
  try {
    if (dice < 0.3 || ownIds.length < 20) await insert();
    else if (dice < 0.85) await update();
    else await remove();
  } catch (error) {
    failed(error);
  }
  stats.slowestWriteMs = Math.max(stats.slowestWriteMs, performance.now() - startedMs);
}

async function insert(): Promise<void> {
  const id = nextId;
  nextId += 1;
  const values = [
    id,
    `First${id}`,
    `Last${id}`,
    pick(CITIES),
    'Chile',
    `+56 ${id}`,
    `c${id}@example.com`,
    pick([3, 4, 5]),
  ];
  await sql.unsafe(OLD_SHAPE.insert, values);
  ownIds.push(id);
}

async function update(): Promise<void> {
  const id = Math.random() < 0.3 ? 1 + Math.floor(Math.random() * 59) : pick(ownIds);
  await sql.unsafe(OLD_SHAPE.update, [
    id,
    pick(CITIES),
    `+${Math.floor(Math.random() * 1e9)}`,
    `c${id}-${stats.writes}@example.com`,
  ]);
}

async function remove(): Promise<void> {
  const [id] = ownIds.splice(Math.floor(Math.random() * ownIds.length), 1);
  if (id !== undefined) await sql.unsafe(OLD_SHAPE.delete, [id]);
}

function failed(error: unknown): void {
  stats.failed += 1;
  stats.lastFailure = error instanceof Error ? error.message : String(error);
}

// ---------------------------------------------------------------------------------------------------------- loops

async function reader(): Promise<void> {
  while (!stopping) {
    await read();
    await pause(8 + Math.random() * 8);
  }
}

async function writer(): Promise<void> {
  while (!stopping) {
    if (!paused) {
      writing += 1;
      await write();
      writing -= 1;
    }
    await pause(25 + Math.random() * 30);
  }
}

function tell(): void {
  process.send?.({ type: 'stats', stats: { ...stats, paused: paused && writing === 0 } });
}

process.on('message', (message: { type: string; token?: string }) => {
  if (message.type === 'pause') paused = true;
  if (message.type === 'resume') paused = false;
  if (message.type === 'token' && message.token) token = message.token;
  if (message.type === 'stop') stopping = true;
  tell();
});
// Without its parent there is nothing to work for.
process.on('disconnect', () => process.exit(0));

// Connected before the first visitor: a cold connection is not the new code path's latency.
await Promise.all([client.refresh(), newSql`SELECT 1`]);
const report = setInterval(tell, 250);
await Promise.all([...Array.from({ length: READERS }, reader), ...Array.from({ length: WRITERS }, writer)]);
clearInterval(report);
await client.close();
await Promise.all([sql.end({ timeout: 2 }), newSql.end({ timeout: 2 })]);
tell();
process.exit(0);
