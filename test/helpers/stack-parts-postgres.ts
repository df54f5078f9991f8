/** A Postgres of one's own that can be killed like a machine that loses its power, and started again on what is left. */

import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { CREATE_TWIN } from '../../infra/examples/chinook/statements.ts';
import { chinookScript } from '../../infra/local/demo-database.ts';
import { installSchema } from '../../infra/local/install-schema.ts';
import { type LocalPostgres, startPostgres } from '../../infra/local/postgres.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EXAMPLE = join(ROOT, 'infra', 'examples', 'chinook');
const GONE_WITHIN_MS = 10_000;

export type CrashablePostgres = {
  /** Of the database `chinook`. */
  url: string;
  crashes(): number;
  /** SIGKILL for every process of the server; resolves when the postmaster is gone. */
  crash(): Promise<void>;
  /** Starts on the same directory and port; resolves when crash recovery is done. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** Chinook, the new shape of its customers, their twin and schema `crossfade`. Durable: every commit is on disk. */
export async function crashablePostgres(): Promise<CrashablePostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'crossfade-crash-'));
  let server: LocalPostgres = await startPostgres({ directory, durable: true });
  const port = Number(new URL(server.url).port);
  const url = new URL(server.url);
  url.pathname = '/chinook';
  let crashes = 0;
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await run(server.url, 'CREATE DATABASE chinook');
    await run(url.href, chinookScript(), readFileSync(join(EXAMPLE, 'shadow.sql'), 'utf8'), CREATE_TWIN);
    await installSchema(ROOT, url.href);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: url.href,
    crashes: () => crashes,
    async crash() {
      crashes += 1;
      const { pid } = server;
      // Its children before and after: one that is just being forked must not be missed.
      const children = childrenOf(pid);
      process.kill(pid, 'SIGKILL');
      for (const child of children) kill(child);
      await untilGone([pid, ...children]);
    },
    async restart() {
      server = await startPostgres({ directory, port, durable: true });
    },
    stop,
  };
}

async function run(url: string, ...scripts: string[]): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    for (const script of scripts) await sql.unsafe(script);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Linux shows them; elsewhere they notice the postmaster's death by themselves. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (pids.some(isRunning)) {
    if (Date.now() > deadline)
      throw new Error(`Processes of the killed Postgres are still there: ${pids.filter(isRunning)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A zombie that nobody has reaped yet is gone, too: it holds nothing. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
