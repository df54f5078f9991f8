/** The control API as the local programs ask it, with a server in this process in its place. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { localApi } from '../../../infra/local/api.ts';

async function answered(statuses: readonly number[], ask: (api: ReturnType<typeof localApi>) => Promise<unknown>) {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const status = statuses[keys.length] ?? 200;
    keys.push(request.headers['idempotency-key'] as string | undefined);
    response.writeHead(status).end(JSON.stringify({ code: `was_${status}`, detail: 'away', divergences: 0 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    return { keys, said: await ask(localApi(url, () => 'token')).catch((error: Error) => error.message) };
  } finally {
    server.close().closeAllConnections();
  }
}

it('what is away for a moment is asked again, under the same key', async () => {
  const { keys, said } = await answered([503], (api) => api.verify('customer'));
  expect(said).toMatchObject({ divergences: 0 });
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

it('another refusal is told at once', async () => {
  const { keys, said } = await answered([409], (api) => api.report('customer'));
  expect(said).toBe('GET /v1/cutovers/customer: was_409: away');
  expect(keys).toHaveLength(1);
});
