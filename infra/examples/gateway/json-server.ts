/**
 * A small JSON server: a path of resources, a body, one answer. A write that comes again with its `Idempotency-Key` gets the
 * answer of the first time and is not carried out again, which is what a service must promise to get forwarded writes.
 */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Call = { method: string; path: readonly string[]; body: Record<string, unknown> };
export type Reply = { status: number; body?: unknown };
export type Handle = (call: Call) => Reply;

export type JsonServer = { url: string; close(): Promise<void> };

const MAX_BODY_BYTES = 100_000;
const READS = new Set(['GET', 'HEAD']);

/** @param port 0 for a free one */
export async function jsonServer(handle: Handle, port = 0): Promise<JsonServer> {
  const answered = new Map<string, Reply>();
  const once = (call: Call, key: string | undefined): Reply => {
    if (READS.has(call.method) || key === undefined) return handle(call);
    const known = `${call.method} ${call.path.join('/')} ${key}`;
    const reply = answered.get(known) ?? handle(call);
    // What went wrong here is no answer: it may go well the next time.
    if (reply.status < 400) answered.set(known, reply);
    return reply;
  };
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    const { status, body } = call ? once(call, keyOf(request)) : refused(400, 'The body must be a JSON object.');
    const text = body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, text === '' ? {} : { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const refused = (status: number, error: string): Reply => ({ status, body: { error } });

const keyOf = ({ headers }: IncomingMessage) => {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? key : undefined;
};

/** Null when it cannot be read. */
async function readCall(request: IncomingMessage): Promise<Call | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return null;
    parts.push(part as Buffer);
  }
  const { pathname } = new URL(request.url ?? '/', 'http://service');
  const path = pathname.split('/').filter(Boolean).map(decodeURIComponent);
  try {
    const body: unknown = parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString());
    if (body === null || typeof body !== 'object' || Array.isArray(body)) return null;
    return { method: request.method ?? 'GET', path, body: body as Record<string, unknown> };
  } catch {
    return null;
  }
}
