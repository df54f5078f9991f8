/** Stands between a client and DynamoDB Local and loses requests or answers on demand, by operation. */

import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { inject } from 'vitest';

/** `before`: the request is dropped. `after`: it has its effect and the answer is dropped. `hang`: nothing, for ever. */
type ProxyFault = 'before' | 'after' | 'hang';

export type FaultyProxy = {
  endpoint: string;
  /** The next `times` requests of this operation fail in this way. The SDK makes three attempts per call. */
  fail(operation: string, fault: ProxyFault, times: number): void;
  /** Requests failed so far. */
  failed(): number;
  stop(): Promise<void>;
};

export async function faultyProxy(upstream: string = inject('dynamodbEndpoint')): Promise<FaultyProxy> {
  const plans: { operation: string; fault: ProxyFault; times: number }[] = [];
  const sockets = new Set<Socket>();
  let failed = 0;

  const faultOf = (operation: string): ProxyFault | undefined => {
    const plan = plans.find((each) => each.operation === operation && each.times > 0);
    if (!plan) return undefined;
    plan.times -= 1;
    failed += 1;
    return plan.fault;
  };

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const fault = faultOf(String(request.headers['x-amz-target']).split('.')[1] ?? '');
    if (fault === 'hang') return;
    if (fault === 'before') return void request.socket.destroy();
    const headers = Object.fromEntries(
      ['content-type', 'x-amz-target', 'authorization', 'x-amz-date'].map((name) => [
        name,
        String(request.headers[name]),
      ]),
    );
    const answer = await fetch(upstream, { method: 'POST', headers, body: Buffer.concat(chunks) });
    const body = Buffer.from(await answer.arrayBuffer());
    if (fault === 'after') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: (operation, fault, times) => void plans.push({ operation, fault, times }),
    failed: () => failed,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
