/** A small HTTP server that answers as the control API does and remembers what it was asked; and a run of the CLI against it. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Io } from '../../lib/cli/io.ts';
import { run } from '../../lib/cli/run.ts';
import { plain } from '../../lib/cli/text.ts';
import { ERROR_CODES, type ErrorCode } from '../../lib/core/base/errors.ts';

type Asked = { method: string; path: string; headers: IncomingHttpHeaders; body: unknown };
export type Answer = {
  status?: number;
  body?: unknown;
  text?: string;
  hang?: boolean;
  /** Milliseconds. */
  after?: number;
  headers?: Record<string, string>;
};
export type FakeApi = {
  url: string;
  port: number;
  asked: Asked[];
  /** By `METHOD /path`, query included; a function is called for every request. */
  routes: Record<string, Answer | ((asked: Asked) => Answer)>;
  close(): Promise<void>;
};

export async function fakeApi(routes: FakeApi['routes'] = {}): Promise<FakeApi> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const one = {
      method: request.method!,
      path: request.url!,
      headers: request.headers,
      body: text ? JSON.parse(text) : null,
    };
    asked.push(one);
    const route = routes[`${one.method} ${one.path}`] ?? problem('not_found', `No route ${one.method} ${one.path}.`);
    const given = typeof route === 'function' ? route(one) : route;
    setTimeout(() => answer(response, given), given.after ?? 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    routes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, { status = 200, body, text, hang, headers }: Answer): void {
  if (hang) return;
  response.writeHead(status, { 'content-type': text === undefined ? 'application/json' : 'text/html', ...headers });
  response.end(text ?? JSON.stringify(body));
}

/** The API's problem document for a code. */
export function problem(code: ErrorCode, detail: string, details?: object): Answer {
  const { status } = ERROR_CODES[code];
  return { status, body: { type: 'about:blank', title: code, status, code, detail, ...(details ? { details } : {}) } };
}

export type Ran = { exit: number; out: string; err: string };

/** One run of the CLI with a token and without a terminal, unless `given` says otherwise. */
export async function cli(words: readonly string[], given: Partial<Io> = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const exit = await run(words, {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    stdin: emptyStream(),
    env: {},
    interactive: false,
    terminal: false,
    width: 100,
    rows: 40,
    paint: plain,
    readSettings: () => null,
    user: () => 'ada',
    ask: async () => {
      throw new Error('nobody is there to be asked');
    },
    ...given,
  });
  return { exit, out, err };
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}
