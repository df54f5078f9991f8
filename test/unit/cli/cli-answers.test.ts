/** What the command line makes of an answer that is none: a function that ended before it could answer. */

import { createServer, type Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { apiClient } from '../../../lib/cli/api.ts';
import type { Connection } from '../../../lib/cli/connection.ts';

let server: Server;
afterEach(() => void server.close());

async function answering(status: number, body: string) {
  server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  return apiClient({ url, token: () => 't' } as Connection);
}

it.each([
  [
    200,
    '{"errorMessage":"[504] - Lambda timeout."}',
    'upstream_timeout',
    /ended without an answer.*Lambda timeout.*status/s,
  ],
  [200, '{"errorMessage":"Runtime exited","errorType":"Runtime.ExitError"}', 'upstream_unavailable', /Runtime exited/],
  [200, 'null', 'upstream_unavailable', /answered with status 200/],
  [200, '"ok"', 'upstream_unavailable', /answered with status 200/],
])('%s with %s is no success of the command', async (status, body, code, text) => {
  const api = await answering(status, body);
  const call = api.post('/v1/system/rollback', {}, { idempotencyKey: 'k' });
  await expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(text) });
});
