/** The deployed handlers on this machine: serverless-offline over the bundles, and calls to single functions. */

import { join } from 'node:path';
import { type Guarded, startGuarded } from './guarded.ts';
import { installedAt } from './servers-installed.ts';

export type LocalFunctions = {
  /** Calls a function as a schedule would. Resolves with what it returned. @throws Error with its error message */
  invoke(name: string, event: object): Promise<unknown>;
  stop(): Promise<void>;
};

const READY_WITHIN_MS = 120_000;

/** @throws Error with the last lines of the log when the API does not answer in time */
export async function startFunctions(options: {
  root: string;
  apiUrl: string;
  lambdaUrl: string;
  environment: Readonly<Record<string, string>>;
  logFile: string;
}): Promise<LocalFunctions> {
  const serverless = join(installedAt(options.root, 'serverless') ?? '', 'bin', 'serverless.js');
  const server = startGuarded(process.execPath, [serverless, 'offline', '--stage', 'local'], {
    cwd: options.root,
    env: { ...options.environment, SLS_NOTIFICATIONS_MODE: 'off', FORCE_COLOR: '0' },
    logFile: options.logFile,
  });
  await untilAnswered(server, { url: `${options.apiUrl}/v1/health`, status: 200 }, options.logFile);
  return { invoke: (name, event) => invoke(options.lambdaUrl, name, event), stop: server.stop };
}

/** The gateway as a Function URL brings it: its answers come bit by bit. @throws Error as above */
export async function startStreams(options: {
  root: string;
  port: number;
  environment: Readonly<Record<string, string>>;
  logFile: string;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const { root, port, environment: env, logFile } = options;
  const words = [join(root, 'dist/local/main.mjs'), 'function-url', 'gateway-stream', '--port', String(port)];
  const server = startGuarded(process.execPath, words, { cwd: root, env, logFile });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswered(server, { url, status: 404 }, logFile);
  return { url, stop: server.stop };
}

type Expected = { url: string; status: number };

async function untilAnswered(server: Guarded, expected: Expected, logFile: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await answers(expected))) {
    if (server.ended() || Date.now() > deadline) {
      await server.stop();
      throw new Error(`The functions did not start. The whole log is in ${logFile}; its end:\n  ${server.output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

async function answers({ url, status }: Expected): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.status === status;
  } catch {
    return false;
  }
}

async function invoke(lambdaUrl: string, name: string, event: object): Promise<unknown> {
  const response = await fetch(`${lambdaUrl}/2015-03-31/functions/crossfade-local-${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify(event),
  });
  const text = await response.text();
  const answer: unknown = text === '' ? null : JSON.parse(text);
  const failed = answer as { errorMessage?: string } | null;
  if (!response.ok || failed?.errorMessage) {
    throw new Error(`${name} failed: ${failed?.errorMessage ?? `status ${response.status}`}`);
  }
  return answer;
}
