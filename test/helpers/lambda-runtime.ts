/**
 * Packages as Lambda runs them: the files of one package by themselves, in a process of the runtime that AWS has for Node (its client of
 * the Runtime API, `lambda-runtime-client.ts`), with the environment that Lambda gives, and one invocation at a time. One that lasts longer than
 * it may is ended, and its process with it. Between two invocations it can be frozen, for as long as its clock is told.
 *
 * CROSSFADE_LAMBDA_NODE: the Node that they run on; default: the one of the tests. Lambda's is 22.
 * CROSSFADE_LAMBDA_CLIENT: `index.mjs` of an installation of that client, native part and all; default: the one fetched, without it.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lambdaRuntimeClient } from './lambda-runtime-client.ts';

const NATIVE = join(import.meta.dirname, 'lambda-runtime-native.mjs');
const MOVED_CLOCK = join(import.meta.dirname, 'moved-clock.mjs');
const NODE = process.env.CROSSFADE_LAMBDA_NODE || process.execPath;
const INSTALLED = process.env.CROSSFADE_LAMBDA_CLIENT;
/** As Lambda starts it: a module of the one kind is no module of the other. */
const FLAGS = ['--no-experimental-require-module', '--no-experimental-detect-module'];
const KEPT_LINES = 40;

export type Runtime = {
  /** What the function posts. @throws Error with what it, or its start, failed with, or as it died, or that it lasted too long */
  invoke(event: object, timeoutMs?: number): Promise<unknown>;
  /** What a function that streams posts, as text. */
  invokeStreaming(event: object): Promise<string>;
  /** What it has written, the last lines of it. */
  output(): readonly string[];
  /** Of its invocations. */
  ids: readonly string[];
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
  memoryMb?: number;
  /** Of its files; default: all. */
  isThere?: (file: string) => boolean;
  /** Written below its module. */
  added?: string;
}): Promise<Runtime> {
  const { functions, name, isThere = () => true, added = '' } = options;
  const root = mkdtempSync(join(tmpdir(), 'crossfade-task-'));
  const folder = join('dist/functions', name);
  mkdirSync(join(root, folder), { recursive: true });
  for (const file of readdirSync(join(functions, name)).filter((one) => one.endsWith('.mjs') && isThere(one)))
    cpSync(join(functions, name, file), join(root, folder, file));
  appendFileSync(join(root, folder, 'index.mjs'), added);
  const clockFile = join(root, 'clock');
  writeFileSync(clockFile, '0');

  let movedMs = 0;
  let next: ServerResponse | null = null;
  const queue: { id: string; event: object; timeoutMs: number }[] = [];
  let waiting: Waiting | null = null;
  let tooLong: NodeJS.Timeout | undefined;
  const ids: string[] = [];

  /** What it died of before anybody asked it for something. */
  let failed: Error | null = null;
  const fail = (error: Error) => {
    if (waiting) waiting.reject(error);
    else failed ??= error;
  };

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
      // Without it the native part of the client breaks down.
      'content-type': 'application/json',
      'lambda-runtime-deadline-ms': String(Date.now() + movedMs + one.timeoutMs),
      'lambda-runtime-invoked-function-arn': `arn:aws:lambda:eu-central-1:123456789012:function:crossfade-prod-${name}`,
    });
    next.end(JSON.stringify(one.event));
    next = null;
    tooLong = setTimeout(() => {
      fail(new Error(`Task timed out after ${(one.timeoutMs / 1_000).toFixed(2)} seconds`));
      child.kill('SIGKILL');
    }, one.timeoutMs);
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
    // An answer that has begun cannot be taken back: that it broke off stands at its end.
    const broken = request.trailers['lambda-runtime-function-error-type'];
    if (what === 'response' && waiting?.id === id && !broken) waiting?.resolve(text);
    else fail(new Error(`${name}: ${path}: ${broken ?? ''}${text}`));
  }

  const output: string[] = [];
  const child = spawn(NODE, [...FLAGS, '--import', MOVED_CLOCK, ...client()], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      TEST_MOVED_CLOCK: clockFile,
      ...lambdaEnvironment(name, options.memoryMb ?? 512),
      ...options.environment,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
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
  child.once('exit', (code, signal) => fail(new Error(`${name} ended with ${signal ?? code}: ${output.join(' | ')}`)));

  function invoke(event: object, timeoutMs = 20_000): Promise<string> {
    const id = randomUUID();
    return new Promise<string>((resolve, reject) => {
      waiting = { id, resolve, reject };
      if (failed) reject(failed);
      queue.push({ id, event, timeoutMs });
      ids.push(id);
      hand();
    }).finally(() => clearTimeout(tooLong));
  }

  return {
    invoke: async (event, timeoutMs) => JSON.parse(await invoke(event, timeoutMs)) as unknown,
    invokeStreaming: invoke,
    output: () => output,
    ids,
    residentMb: () => Number(seenOf(child, 'rss')) / 1_024,
    async frozenFor(ms, meanwhile) {
      // Lambda freezes what asks for its next invocation.
      while (!next) await new Promise(setImmediate);
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

const client = () => (INSTALLED ? [INSTALLED] : ['--import', NATIVE, lambdaRuntimeClient()]);

const lambdaEnvironment = (name: string, memoryMb: number) => ({
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
  AWS_LAMBDA_FUNCTION_NAME: `crossfade-prod-${name}`,
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  AWS_LAMBDA_LOG_FORMAT: 'JSON',
  AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/crossfade-prod-${name}`,
  AWS_LAMBDA_LOG_LEVEL: 'INFO',
  AWS_LAMBDA_LOG_STREAM_NAME: '2026/01/01/[$LATEST]4421584500000000',
  AWS_DEFAULT_REGION: 'eu-central-1',
  AWS_REGION: 'eu-central-1',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
});

const seenOf = ({ pid }: ChildProcess, what: 'rss' | 'state'): string =>
  execFileSync('ps', ['-o', `${what}=`, '-p', String(pid)], { encoding: 'utf8' });

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
