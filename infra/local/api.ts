/** The control API as the local programs call it: over HTTP, with a token, as anybody else. */

import { randomUUID } from 'node:crypto';
import type { CutoverSummary } from '../../lib/flows/control/operate.ts';
import type { CutoverReport } from '../../lib/flows/report/report.ts';

export type LocalApi = {
  get<T>(path: string): Promise<T>;
  report(cutover: string): Promise<CutoverReport>;
  command(cutover: string, name: string, body: object): Promise<CutoverSummary & { published: boolean }>;
  verify(cutover: string): Promise<{ rowsCompared: number; divergences: number }>;
};

/** What is away for a moment may be asked again: reads change nothing, and commands carry a key. */
const AWAY = 503;
const AGAIN_MS = 500;
const ATTEMPTS = 20;

/** @throws Error with the API's own explanation, of what is away after ten seconds of asking */
export function localApi(url: string, token: () => string): LocalApi {
  async function call<T>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token()}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.timeout(30_000),
      });
      const answer = (await response.json()) as T & { code?: string; detail?: string };
      if (response.ok) return answer;
      if (response.status !== AWAY || attempt === ATTEMPTS)
        throw new Error(`${method} ${path}: ${answer.code}: ${answer.detail}`);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  const report = (cutover: string) => call<CutoverReport>('GET', `/v1/cutovers/${cutover}`);
  return {
    get: (path) => call('GET', path),
    report,
    async command(cutover, name, body) {
      const { version } = await report(cutover);
      const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${version}"` };
      return call('POST', `/v1/cutovers/${cutover}/${name}`, body, headers);
    },
    verify: (cutover) => call('POST', `/v1/cutovers/${cutover}/verify`, {}, { 'idempotency-key': randomUUID() }),
  };
}
