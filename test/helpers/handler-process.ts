/**
 * Deployed functions as child processes: the very bundles, called like Lambda calls them, killed without warning, and
 * started anew. A host is one function with at most one instance; a call that dies with its instance is rejected.
 */

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeedBook } from './asked-deeds.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
const CHILD = join(HERE, 'handler-process-child.mjs');
const BUILD = "const { build } = await import('./infra/build.mjs'); await build({ strict: false, print: () => {} });";
const KEPT_LINES = 20;

type HostFigures = {
  calls: number;
  /** Calls that were answered, with a result or an error. */
  answers: number;
  /** Calls that the handler itself rejected. */
  errors: string[];
  kills: number;
  /** Kills that hit a call under way. */
  killedInCall: number;
  /** Instances that ended although nobody killed them. */
  deaths: string[];
  /** Calls that took longer than the function's time-out. */
  timeouts: number;
};

export type FunctionHost = {
  name: string;
  /** Starts an instance when there is none. @throws Error when the handler throws, or the instance dies in the call. */
  invoke(event: object): Promise<unknown>;
  /** SIGKILL; a new instance is started at once. False when there was none to kill. */
  kill(): boolean;
  busy(): boolean;
  figures: HostFigures;
  stop(): Promise<void>;
};

/** Builds what is stale, as `npm test` did already: two programs that found it stale would build in the same folder. */
export function buildOnce(): void {
  execFileSync(process.execPath, ['--input-type=module', '-e', BUILD], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Copies the functions of the newest build, so that nobody's next build changes them under a running test. */
export function deployedFunctions(): string {
  buildOnce();
  const copy = mkdtempSync(join(tmpdir(), 'crossfade-functions-'));
  cpSync(join(ROOT, 'dist', 'functions'), copy, { recursive: true });
  return copy;
}

type Answer = { id: number; result?: unknown; error?: string };
/** A request to DynamoDB or AppConfig: its operation and its body. */
type Asked = { asked: [operation: string, body: string] };
type Pending = { id: number; resolve(value: unknown): void; reject(error: Error): void; timer: NodeJS.Timeout };
type Instance = {
  child: ChildProcess;
  pending: Pending | null;
  killed: boolean;
  output: string[];
  gone: Promise<void>;
};

/** @param functions directory of the bundles; `name` may carry a suffix after a colon, to tell two hosts apart */
export function functionHost(options: {
  functions: string;
  name: string;
  environment: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Gets what it asks DynamoDB and AppConfig for. */
  book?: DeedBook;
}): FunctionHost {
  const { name, timeoutMs } = options;
  const bundle = join(options.functions, name.split(':')[0]!, 'index.mjs');
  const figures: HostFigures = { calls: 0, answers: 0, errors: [], kills: 0, killedInCall: 0, deaths: [], timeouts: 0 };
  let instance: Instance | null = null;
  let stopped = false;
  let nextId = 1;

  function start(): Instance {
    const child = fork(CHILD, [bundle], {
      env: { PATH: process.env.PATH, ...options.environment },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const made: Instance = {
      child,
      pending: null,
      killed: false,
      output: [],
      gone: new Promise((resolve) => child.once('exit', () => resolve())),
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        made.output.push(...chunk.toString().split('\n').filter(Boolean));
        made.output.splice(0, Math.max(0, made.output.length - KEPT_LINES));
      });
    }
    child.on('message', (message: Answer | Asked) => {
      if ('asked' in message) options.book?.note(name.split(':')[0]!, ...message.asked);
      else settle(made, message);
    });
    child.on('exit', (code, signal) => ended(made, `${name} ended with ${signal ?? code}`));
    return made;
  }

  function settle(at: Instance, { id, result, error }: Answer): void {
    const { pending } = at;
    if (pending === null || pending.id !== id) return;
    at.pending = null;
    figures.answers += 1;
    clearTimeout(pending.timer);
    if (error === undefined) {
      pending.resolve(result);
      return;
    }
    figures.errors.push(error);
    pending.reject(new Error(error));
  }

  function ended(at: Instance, how: string): void {
    if (!at.killed && !stopped) figures.deaths.push(`${how}: ${at.output.slice(-5).join(' | ')}`);
    const { pending } = at;
    at.pending = null;
    if (pending) {
      clearTimeout(pending.timer);
      pending.reject(new Error(how));
    }
    if (instance === at) instance = stopped ? null : start();
  }

  const end = (at: Instance) => {
    at.killed = true;
    at.child.kill('SIGKILL');
  };

  return {
    name,
    figures,
    busy: () => instance?.pending != null,
    invoke(event) {
      instance ??= start();
      const at = instance;
      if (at.pending) return Promise.reject(new Error(`${name} is busy: one call at a time.`));
      figures.calls += 1;
      const id = nextId;
      nextId += 1;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          figures.timeouts += 1;
          end(at);
        }, timeoutMs);
        at.pending = { id, resolve, reject, timer };
        // An instance that is dying cannot be told; its end rejects the call.
        at.child.send({ id, event, timeoutMs }, () => {});
      });
    },
    kill() {
      if (!instance || instance.killed) return false;
      figures.kills += 1;
      if (instance.pending) figures.killedInCall += 1;
      end(instance);
      return true;
    },
    async stop() {
      stopped = true;
      const at = instance;
      if (!at) return;
      end(at);
      await at.gone;
    },
  };
}

export type Schedule = {
  /** Calls that returned. */
  done(): number;
  last(): unknown;
  stop(): Promise<void>;
};

const AFTER_FAILURE_MS = 60;

/** Calls a function again and again, never twice at once, `everyMs` from beginning to beginning. */
export function schedule(host: FunctionHost, everyMs: number, event: object = {}): Schedule {
  let stopping = false;
  let done = 0;
  let last: unknown = null;
  const running = (async () => {
    while (!stopping) {
      const startedMs = performance.now();
      const ok = await host.invoke({ source: 'crossfade.local', ...event }).then(
        (result) => {
          done += 1;
          last = result;
          return true;
        },
        () => false,
      );
      const restMs = Math.max(ok ? 0 : AFTER_FAILURE_MS, everyMs - (performance.now() - startedMs));
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  })();
  return {
    done: () => done,
    last: () => last,
    async stop() {
      stopping = true;
      await running;
    },
  };
}
