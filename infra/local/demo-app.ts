/** The example application as a child process: started, watched, paused and stopped. */

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { type AppSettings, type AppStats, emptyStats } from '../examples/chinook/app-protocol.ts';

export type DemoApp = {
  stats(): AppStats;
  /** Resolves when no write is under way any more. */
  pauseWrites(): Promise<void>;
  resumeWrites(): Promise<void>;
  stop(): Promise<void>;
};

const TOKEN_EVERY_MS = 60_000;
const WAIT_MS = 20_000;

export async function startDemoApp(root: string, settings: AppSettings, freshToken: () => string): Promise<DemoApp> {
  const child = fork(join(root, 'dist', 'chinook', 'app.mjs'), [], {
    env: { ...process.env, CHINOOK_APP: JSON.stringify(settings) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let stats = emptyStats();
  const listeners = new Set<() => void>();
  child.on('message', (message: { type: string; stats: AppStats }) => {
    stats = message.stats;
    for (const listener of listeners) listener();
  });
  const tokens = setInterval(() => child.send({ type: 'token', token: freshToken() }), TOKEN_EVERY_MS);
  tokens.unref();

  /** Waits for the next report of the application that says so. */
  function until(what: string, holds: (stats: AppStats) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        listeners.delete(check);
        child.off('exit', died);
        if (error) reject(error);
        else resolve();
      };
      const check = () => holds(stats) && finish();
      const died = (code: number | null) =>
        finish(new Error(`The example application ended with ${code} before it ${what}.`));
      const timer = setTimeout(
        () => finish(new Error(`The example application has not ${what} within ${WAIT_MS / 1000} s.`)),
        WAIT_MS,
      );
      listeners.add(check);
      child.once('exit', died);
      check();
    });
  }

  await until('served its first read', (seen) => seen.reads > 0 && seen.writes > 0);
  return {
    stats: () => stats,
    async pauseWrites() {
      child.send({ type: 'pause' });
      await until('paused its writes', (seen) => seen.paused);
    },
    async resumeWrites() {
      child.send({ type: 'resume' });
      await until('resumed its writes', (seen) => !seen.paused);
    },
    async stop() {
      clearInterval(tokens);
      await ended(child);
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.connected) child.send({ type: 'stop' });
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(late);
}
