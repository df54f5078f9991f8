/**
 * Packages as Lambda runs them: the files of one package by themselves, a process that speaks the Runtime API, a clean environment,
 * and one invocation at a time. Between two invocations it can be frozen, for as long as its clock is told.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHILD = join(import.meta.dirname, 'lambda-runtime-child.mjs');
const MOVED_CLOCK = join(import.meta.dirname, 'moved-clock.mjs');
const KEPT_LINES = 10;

export type Runtime = {
  /** What the function posts. @throws Error with what it, or its start, failed with, or as it died */
  invoke(event: object, timeoutMs?: number): Promise<unknown>;
  /** What a function that streams posts, as text. */
  invokeStreaming(event: object): Promise<string>;
  /** Memory of its process, as it is now. */
  residentMb(): number;
  /** SIGSTOP, `meanwhile`, SIGCONT. Its wall clock is `ms` further then; its monotonic clock is not, as in a frozen Lambda. */
  frozenFor(ms: number, meanwhile: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
};

type Waiting = { id: string; resolve(text: string): void; reject(error: Error): void };

/** @param functions directory of the bundles; of them the package has the modules alone, as its patterns say */
export async function startRuntime(options: {
  functions: string;
  name: string;
  environment: Readonly<Record<string, string>>;
  /** Of its files; default: all. */
  isThere?: (file: string) => boolean;
}): Promise<Runtime> {
  const { functions, name, isThere = () => true } = options;
  const root = mkdtempSync(join(tmpdir(), 'crossfade-task-'));
  const folder = join('dist/functions', name);
  mkdirSync(join(root, folder), { recursive: true });
  for (const file of readdirSync(join(functions, name)).filter((one) => one.endsWith('.mjs') && isThere(one)))
    cpSync(join(functions, name, file), join(root, folder, file));
  const clockFile = join(root, 'clock');
  writeFileSync(clockFile, '0');

  let movedMs = 0;
  let next: ServerResponse | null = null;
  const queue: { id: string; event: object; timeoutMs: number }[] = [];
  let waiting: Waiting | null = null;

  const server = createServer((request, response) => {
    void serve(request, response);
  });
  // A connection is kept for as long as an invocation lasts.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function hand(): void {
    const one = next && queue.shift();
    if (!one || !next) return;
    next.writeHead(200, {
      'lambda-runtime-aws-request-id': one.id,
      'lambda-runtime-deadline-ms': String(Date.now() + movedMs + one.timeoutMs),
      'lambda-runtime-invoked-function-arn': `arn:aws:lambda:eu-central-1:123456789012:function:crossfade-prod-${name}`,
    });
    next.end(JSON.stringify(one.event));
    next = null;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.replace('/2018-06-01/runtime/', '');
    if (path === 'invocation/next') {
      next = response;
      hand();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString();
    response.writeHead(202).end();
    const [, id, what] = /^invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (what === 'response' && waiting?.id === id) waiting?.resolve(text);
    else waiting?.reject(new Error(`${name}: ${path}: ${text}`));
  }

  const output: string[] = [];
  const child = spawn(process.execPath, ['--import', MOVED_CLOCK, CHILD], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      ...options.environment,
      TEST_MOVED_CLOCK: clockFile,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      AWS_LAMBDA_FUNCTION_NAME: `crossfade-prod-${name}`,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      LAMBDA_TASK_ROOT: root,
      _HANDLER: `${folder}/index.handler`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output.push(...chunk.toString().split('\n').filter(Boolean));
      output.splice(0, Math.max(0, output.length - KEPT_LINES));
    });
  child.once('exit', (code, signal) =>
    waiting?.reject(new Error(`${name} ended with ${signal ?? code}: ${output.join(' | ')}`)),
  );

  const invoke = (event: object, timeoutMs = 20_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const id = randomUUID();
      waiting = { id, resolve, reject };
      queue.push({ id, event, timeoutMs });
      hand();
    });

  return {
    invoke: async (event, timeoutMs) => JSON.parse(await invoke(event, timeoutMs)) as unknown,
    invokeStreaming: invoke,
    residentMb: () => Number(seenOf(child, 'rss')) / 1_024,
    async frozenFor(ms, meanwhile) {
      child.kill('SIGSTOP');
      while (!/^T/.test(seenOf(child, 'state')));
      await meanwhile();
      movedMs += ms;
      writeFileSync(clockFile, String(movedMs));
      child.kill('SIGCONT');
    },
    async stop() {
      await ended(child);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const seenOf = ({ pid }: ChildProcess, what: 'rss' | 'state'): string =>
  execFileSync('ps', ['-o', `${what}=`, '-p', String(pid)], { encoding: 'utf8' });

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
