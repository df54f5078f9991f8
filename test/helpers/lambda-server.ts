/** Speaks Lambda's call of a function on 127.0.0.1, for the real client: each function is one that the test brings. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type LambdaServer = { url: string; asked: { name: string; event: object }[]; stop(): Promise<void> };

/** @param functions by name; one that throws answers as Lambda does for a handler that threw */
export async function lambdaServer(
  functions: Readonly<Record<string, (event: object) => Promise<unknown>>>,
): Promise<LambdaServer> {
  const asked: LambdaServer['asked'] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const name = decodeURIComponent(/^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url!)?.[1] ?? '');
    const reply = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    const work = functions[name];
    if (!work)
      return reply(
        404,
        { Message: `Function not found: ${name}` },
        { 'x-amzn-errortype': 'ResourceNotFoundException' },
      );
    const event = JSON.parse(Buffer.concat(chunks).toString()) as object;
    asked.push({ name, event });
    try {
      reply(200, await work(event));
    } catch (error) {
      reply(200, { errorType: 'Error', errorMessage: String(error) }, { 'x-amz-function-error': 'Unhandled' });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
