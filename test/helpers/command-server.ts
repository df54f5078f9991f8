/** The control API as its function serves it, over a world in memory, for the commands that call it by HTTP. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { controlRoutes } from '../../functions/control.ts';
import { httpHandler } from '../../functions/middleware.ts';
import { handedRehearsal } from '../../lib/adapters/http/rehearsal-token.ts';
import type { ApiComposition } from '../../lib/compose/callers.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { answerOf, eventOf, lambdaContext } from '../property/served.ts';

/** Whose ports are asked: a world in memory, or one with real tables. */
type Served = { ports: Ports; cutovers: readonly CutoverDeclaration[]; clock: { now(): number } };

/** The caller is always `ada`. */
export async function commandServer(world: Served): Promise<{ url: string; close(): Promise<void> }> {
  const notHere = async () => {
    throw new Error('The control API asks neither for a side nor for an upstream.');
  };
  const composition: ApiComposition = {
    ports: world.ports,
    cutovers: async () => world.cutovers,
    authenticate: async () => 'ada',
    rehearsal: handedRehearsal,
    router: notHere,
    upstream: notHere,
    realNow: () => world.clock.now(),
  };
  const handler = httpHandler(() => composition, controlRoutes);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    const raw = Buffer.concat(chunks).toString();
    const event = eventOf({
      method: request.method!,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: request.headers as Record<string, string>,
      ...(raw === '' ? {} : { raw }),
    });
    const { status, headers, text } = answerOf(await handler(event as never, lambdaContext(60_000)));
    // The world may take longer between two commands than a connection is kept.
    response.writeHead(status, { ...headers, connection: 'close' }).end(text);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
