/**
 * Runs a server behind a guard: a small process that ends the server when the channel to this one closes, so that the
 * server stops with its parent even when the parent was killed and could not say goodbye.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

/** Runs inside `node -e`: starts the command given as JSON, and ends it when the channel to the parent closes. */
const GUARD = `
  const [command, ...args] = JSON.parse(process.argv[1]);
  const server = require('node:child_process').spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const tell = (message) => process.connected && process.send(message, () => {});
  const end = () => { server.kill('SIGTERM'); setTimeout(() => server.kill('SIGKILL'), 5000).unref(); };
  server.on('spawn', () => tell({ pid: server.pid }));
  server.on('error', (error) => { process.stderr.write(error.message); process.exit(1); });
  server.on('exit', (code) => process.exit(code ?? 0));
  for (const event of ['disconnect', 'SIGTERM', 'SIGINT', 'SIGHUP']) process.on(event, end);
`;

export type Guarded = {
  pid: Promise<number>;
  /** Resolves with the exit code when the server has ended. */
  gone: Promise<number>;
  ended(): boolean;
  /** The last lines it printed. */
  output(): string;
  stop(): Promise<void>;
};

const KEPT_LINES = 40;
const STOPPED_WITHIN_MS = 8_000;

/** @param logFile everything that the server prints goes there, too */
export function startGuarded(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; logFile?: string } = {},
): Guarded {
  const guard = spawn(process.execPath, ['-e', GUARD, JSON.stringify([command, ...args])], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Its own process group: Ctrl-C in a terminal reaches the parent, which stops its servers in its own order.
    detached: true,
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
  });
  const lines: string[] = [];
  for (const stream of [guard.stdout, guard.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      if (options.logFile) appendFileSync(options.logFile, chunk);
      lines.push(...chunk.toString().split('\n').filter(Boolean));
      lines.splice(0, Math.max(0, lines.length - KEPT_LINES));
    });
  }
  const gone = new Promise<number>((resolve) => guard.once('exit', (code) => resolve(code ?? 1)));
  const pid = new Promise<number>((resolve) => guard.once('message', (m) => resolve((m as { pid: number }).pid)));
  // The server must not keep a parent alive that has nothing else to do.
  for (const handle of [guard, guard.channel, guard.stdout, guard.stderr] as ({ unref?(): void } | null)[]) {
    handle?.unref?.();
  }
  const ended = () => guard.exitCode !== null || guard.signalCode !== null;
  return { pid, gone, ended, output: () => lines.join('\n  '), stop: () => stopped(guard, pid, gone) };
}

async function stopped(guard: ChildProcess, pid: Promise<number>, gone: Promise<number>): Promise<void> {
  if (guard.exitCode !== null || guard.signalCode !== null) return;
  guard.ref();
  guard.kill('SIGTERM');
  const late = setTimeout(() => pid.then((id) => process.kill(id, 'SIGKILL')).catch(() => {}), STOPPED_WITHIN_MS);
  await gone;
  clearTimeout(late);
}
