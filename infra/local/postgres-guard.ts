/**
 * Runs a Postgres server behind a guard: a small process that shuts the server down when the channel to this one closes,
 * also when this process was killed and could not say goodbye. It differs from the guard of the other servers in two
 * things that only Postgres wants: the server runs as another account than root, and it is ended by SIGINT (fast
 * shutdown), since SIGTERM would wait for every client to leave.
 */

import { spawn } from 'node:child_process';

/** The account of the server; null when this process is not root and the server simply runs as its user. */
export type Account = { uid: number; gid: number } | null;

export type GuardedServer = {
  pid: Promise<number>;
  /** Resolves when the server has printed that it accepts connections. */
  ready: Promise<void>;
  /** Resolves when the server has ended. */
  gone: Promise<void>;
  /** The last lines it printed. */
  output(): string;
  /** Fast shutdown; waits for the end. May be called twice. */
  stop(): Promise<void>;
};

/** SIGINT is the fast shutdown, SIGQUIT the immediate one. */
const GUARD = `
  const { command, args, account } = JSON.parse(process.argv[1]);
  const server = require('node:child_process').spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...account });
  const tell = (message) => process.connected && process.send(message, () => {});
  const end = () => { server.kill('SIGINT'); setTimeout(() => server.kill('SIGQUIT'), 5000).unref(); };
  server.on('spawn', () => tell({ pid: server.pid }));
  server.on('error', (error) => { process.stderr.write(error.message); process.exit(1); });
  server.on('exit', (code) => process.exit(code ?? 0));
  for (const event of ['disconnect', 'SIGTERM', 'SIGINT', 'SIGHUP']) process.on(event, end);
  if (!process.connected) end();
`;

/** A standby accepts read-only ones. */
const READY = /database system is ready to accept (read.only )?connections/;
const KEPT_LINES = 40;

export function startServer(command: string, args: readonly string[], cwd: string, account: Account): GuardedServer {
  const guard = spawn(process.execPath, ['-e', GUARD, JSON.stringify({ command, args, account })], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Its own process group: Ctrl-C in a terminal reaches the parent, which stops its servers in its own order.
    detached: true,
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', LC_MESSAGES: 'C' },
  });
  const lines: string[] = [];
  const ready = new Promise<void>((resolve) => {
    for (const stream of [guard.stdout, guard.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        lines.push(...chunk.toString().split('\n').filter(Boolean));
        if (lines.some((line) => READY.test(line))) resolve();
        lines.splice(0, Math.max(0, lines.length - KEPT_LINES));
      });
    }
  });
  const gone = new Promise<void>((resolve) => guard.once('close', () => resolve()));
  const pid = new Promise<number>((resolve) => guard.once('message', (m) => resolve((m as { pid: number }).pid)));
  // The server must not keep a parent alive that has nothing else to do.
  for (const handle of [guard, guard.channel, guard.stdout, guard.stderr] as ({ unref?(): void } | null)[]) {
    handle?.unref?.();
  }
  const stop = async () => {
    if (guard.exitCode !== null || guard.signalCode !== null) return;
    guard.ref();
    guard.kill('SIGTERM');
    await gone;
  };
  return { pid, ready, gone, output: () => lines.join('\n  '), stop };
}
