/** The server that `npm start` and the tests run: it starts anywhere, keeps its data, and never outlives its parent. */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresOptions, startPostgres } from '../../../infra/local/postgres.ts';
import { checkPassable } from '../../../infra/local/postgres-directory.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

/** Making a database cluster takes a second of both cores: what needs no fresh one uses that of the test before. */
const SHARED = 'shared';
let folder: string;
const running: { stop(): Promise<void> }[] = [];
const parents: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'crossfade-local-'));
  chmodSync(folder, 0o755);
});
afterEach(async () => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL');
  await Promise.all(running.splice(0).map((server) => server.stop()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function started(directory: string, options: Omit<PostgresOptions, 'directory'> = {}) {
  const server = await startPostgres({ directory, durable: false, ...options });
  running.push(server);
  return server;
}

async function ask(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, fetch_types: false });
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a local Postgres', () => {
  it('listens on this machine only, in UTF-8, and stops although a client is connected', async () => {
    const server = await started(join(folder, SHARED));
    const [seen] = await ask(
      server.url,
      `SELECT current_setting('listen_addresses') AS listens, current_setting('unix_socket_directories') AS sockets,
        current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
        current_setting('max_connections') AS connections, current_setting('shared_buffers') AS buffers,
        (SELECT datcollate FROM pg_database WHERE datname = current_database()) AS collation`,
    );
    expect(seen).toEqual({
      listens: '127.0.0.1',
      sockets: '',
      encoding: 'UTF8',
      fsync: 'off',
      connections: '300',
      buffers: '64MB',
      collation: 'C.UTF-8',
    });
    const client = postgres(server.url, { max: 1, fetch_types: false });
    await client`SELECT 1`;
    await server.stop();
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    await client.end({ timeout: 0 });
  });

  it('is durable when asked, and keeps its data over a stop and over a kill', async () => {
    const directory = join(folder, 'kept');
    const first = await started(directory, { durable: true });
    expect(await ask(first.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    await ask(first.url, 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)');
    await first.stop();
    const second = await started(directory, { durable: true });
    await ask(second.url, 'INSERT INTO kept VALUES (2)');
    process.kill(second.pid, 'SIGKILL');
    const third = await started(directory, { durable: true });
    expect(await ask(third.url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 2 }]);
  });

  it('starts over a postmaster.pid whose number belongs to a stranger by now', async () => {
    const directory = join(folder, SHARED);
    const first = await started(directory);
    const left = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8');
    await first.stop();
    writeFileSync(join(directory, 'data', 'postmaster.pid'), left.replace(/^\d+/, String(process.pid)));
    const second = await started(directory);
    expect(await ask(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says who uses its directory', async () => {
    const directory = join(folder, SHARED);
    const first = await started(directory);
    await expect(started(directory, { releasedWithinMs: 500 })).rejects.toThrow(
      `Another Postgres (process ${first.pid}) uses`,
    );
    expect(isAlive(first.pid)).toBe(true);
  });

  it('says that its port is taken', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    await expect(started(join(folder, SHARED), { port })).rejects.toThrow(/Another program listens there/);
    await new Promise((resolve) => other.close(resolve));
  });

  it('says which parent directory its user cannot pass through', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(join(closed, 'below'), { recursive: true });
    chmodSync(closed, 0o700);
    const stranger = { uid: 64_001, gid: 64_001 };
    expect(() => checkPassable(join(closed, 'below', 'data'), stranger)).toThrow(`cannot pass through ${closed} to`);
    if (isRoot) await expect(started(join(closed, 'below'))).rejects.toThrow(`cannot pass through ${closed} to`);
    chmodSync(closed, 0o711);
    expect(() => checkPassable(join(closed, 'below', 'data'), stranger)).not.toThrow();
  });

  it('wants an absolute directory', async () => {
    await expect(started('relative/path')).rejects.toThrow(/absolute path/);
  });
});

describe('the end of the parent', () => {
  let script: (then: string) => string;

  beforeAll(async () => {
    const module = join(folder, 'postgres.mjs');
    await build({
      entryPoints: [new URL('../../../infra/local/postgres.ts', import.meta.url).pathname],
      outfile: module,
      bundle: true,
      format: 'esm',
      platform: 'node',
      // The bundle lies outside of the project and must find the binaries all the same.
      define: { 'import.meta.url': JSON.stringify(import.meta.url) },
    });
    script = (then) => `import { startPostgres } from ${JSON.stringify(module)};
      const server = await startPostgres({ directory: process.argv[1], durable: false });
      process.stdout.write(JSON.stringify({ pid: server.pid, url: server.url }) + '\\n');
      ${then}`;
  });

  async function parentWithServer(name: string, then: string, user: { uid?: number; gid?: number } = {}) {
    const directory = join(folder, name);
    mkdirSync(directory, { recursive: true });
    if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script(then), directory], {
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: folder,
      ...user,
    });
    parents.push(parent);
    const line = await new Promise<string>((resolve, reject) => {
      parent.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      parent.once('exit', (code) => reject(new Error(`The parent ended with ${code} before its server was up.`)));
    });
    return { parent, ...(JSON.parse(line) as { pid: number; url: string }) };
  }

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('by %s takes the server with it', async (signal) => {
    const { parent, pid } = await parentWithServer(SHARED, 'setInterval(() => {}, 1_000);');
    expect(isAlive(pid)).toBe(true);
    parent.kill(signal);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });

  it.each([
    ['an uncaught error', "throw new Error('on purpose, by a test');"],
    ['nothing left to do', ''],
  ])('by %s takes the server with it', async (_, then) => {
    const { pid } = await parentWithServer(SHARED, then);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });

  it('comes to an ordinary user as it does to root', async () => {
    const user = isRoot ? NOBODY : {};
    const { parent, pid, url } = await parentWithServer('ordinary', 'setInterval(() => {}, 1_000);', user);
    expect(await ask(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});
