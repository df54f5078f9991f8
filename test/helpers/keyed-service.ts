/** A service in a process of its own, which is killed and comes back at its address with what its journal holds. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const CHILD = join(import.meta.dirname, 'keyed-service-child.mjs');

export type Holding = { applied: string[]; values: Record<string, string[]> };
export type KeyedService = {
  url: string;
  /** SIGKILL; it is started again at once. Resolves when it listens. */
  kill(): Promise<void>;
  holding(): Promise<Holding>;
  stop(): Promise<void>;
};

/** @param journal file in which it writes down what it has carried out */
export async function keyedService(journal: string, memory: 'keeps keys' | 'forgetful'): Promise<KeyedService> {
  let port = 0;
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = fork(CHILD, [journal, String(port), memory], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    [port] = (await once(child, 'message')) as [number];
  }
  async function end(): Promise<void> {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    async kill() {
      await end();
      await start();
    },
    async holding() {
      return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Holding;
    },
    stop: end,
  };
}
