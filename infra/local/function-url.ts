/**
 * A Function URL that streams, on this machine: requests become events in payload 2.0, the deployed handler answers them, and what
 * it writes goes out as it is written. The other functions need none: serverless-offline is their API.
 */

import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What Lambda takes in one request. */
const MAX_BODY_BYTES = 6 * 1024 * 1024;
/** As serverless.yml says of the function that streams. */
const TIMEOUT_MS = 300_000;
/** Lambda brings these as text, all others as base64. */
const TEXT = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded)\b)/i;

type Head = { statusCode: number; headers?: Record<string, string>; cookies?: string[] };
export type StreamingHandler = (event: object, out: ServerResponse, context: object) => Promise<void>;

/** What the runtime of Lambda gives to functions that stream; they ask for it when they are loaded. */
export function provideStreaming(): void {
  const awslambda = {
    streamifyResponse: (handler: StreamingHandler) => handler,
    HttpResponseStream: {
      from(response: ServerResponse, { statusCode, headers, cookies = [] }: Head): ServerResponse {
        const own: OutgoingHttpHeaders = cookies.length > 0 ? { 'set-cookie': cookies } : {};
        response.writeHead(statusCode, { ...headers, ...own }).flushHeaders();
        return response;
      },
    },
  };
  Object.assign(globalThis, { awslambda });
}

type Served = { name: string; handler: StreamingHandler; timeoutMs?: number };

/** @param options `port` 0 picks a free one. @throws Error when the port is taken */
export async function startFunctionUrl(options: Served & { port: number }) {
  const { name } = options;
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: Error) => {
      process.stderr.write(`${name}: ${error.message}\n`);
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(served: Served, request: IncomingMessage, response: ServerResponse) {
  const { name, handler, timeoutMs = TIMEOUT_MS } = served;
  const body = await bodyOf(request);
  if (body === null) return void response.writeHead(413, { connection: 'close' }).end();
  const untilMs = performance.now() + timeoutMs;
  const context = {
    functionName: `crossfade-local-${name}`,
    awsRequestId: crypto.randomUUID(),
    getRemainingTimeInMillis: () => untilMs - performance.now(),
  };
  await handler(eventOf(request, body), response, context);
}

/** Null when there is more of it than Lambda takes. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function eventOf(request: IncomingMessage, body: Buffer): object {
  const url = new URL(request.url!, 'http://localhost');
  const { cookie, ...single } = request.headers;
  const headers = Object.fromEntries(Object.entries(single).map(([key, value]) => [key, String(value)]));
  const isText = TEXT.test(headers['content-type'] ?? '');
  const carried = { body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText };
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    ...(cookie === undefined ? {} : { cookies: cookie.split('; ') }),
    headers,
    queryStringParameters: Object.fromEntries(url.searchParams),
    requestContext: {
      stage: '$default',
      http: { method: request.method, path: url.pathname, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
    },
    ...(body.length > 0 ? carried : { isBase64Encoded: false }),
  };
}
