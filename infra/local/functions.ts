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
  await untilHealthy(server, options.apiUrl, options.logFile);
  return { invoke: (name, event) => invoke(options.lambdaUrl, name, event), stop: server.stop };
}

async function untilHealthy(server: Guarded, apiUrl: string, logFile: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await isHealthy(apiUrl))) {
    if (server.ended() || Date.now() > deadline) {
      await server.stop();
      throw new Error(`The functions did not start. The whole log is in ${logFile}; its end:\n  ${server.output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

async function isHealthy(apiUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${apiUrl}/v1/health`, { signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.ok;
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
