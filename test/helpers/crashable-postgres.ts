/** A Postgres of one's own that can be killed like a machine that loses its power, and started again on what is left. */

import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { type LocalPostgres, startPostgres } from '../../infra/local/postgres.ts';

const GONE_WITHIN_MS = 30_000;

export type CrashableServer = {
  /** Of the database `postgres`, a superuser's. */
  url: string;
  crashes(): number;
  /** SIGKILL for every process of the server; resolves when all of them are gone. */
  crash(): Promise<void>;
  /** Starts on the same directory and port; resolves when crash recovery is done. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Every commit is in the log before it is acknowledged.
 * @param options.durable false: the log is handed to the system, which outlives its processes, and not to the disk
 */
export async function crashableServer({ durable = true } = {}): Promise<CrashableServer> {
  const directory = await mkdtemp(join(tmpdir(), 'crossfade-crash-'));
  let server: LocalPostgres = await startPostgres({ directory, durable });
  const { url } = server;
  if (!durable) await commitsToSystem(url);
  const port = Number(new URL(url).port);
  let crashes = 0;
  return {
    url,
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
      server = await startPostgres({ directory, port, durable });
    },
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A server that is not durable acknowledges commits which only its own memory holds; roles may say otherwise. */
async function commitsToSystem(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false });
  await sql.unsafe('ALTER ROLE CURRENT_USER SET synchronous_commit = on');
  await sql.end();
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
