/**
 * The local front: a server on 127.0.0.1 through which a browser sees the page and the API of any Crossfade as its
 * operator. The token is added here and never reaches the page. `front-rules.ts` says for which requests.
 */

import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { HOP_BY_HOP } from '../adapters/http/hop-by-hop.ts';
import type { Signer } from '../adapters/http/sign-request.ts';
import { CrossfadeError, type ErrorCode, messageOf } from '../core/base/errors.ts';
import { judgeRequest } from './front-rules.ts';

export type FrontOptions = {
  /** 0 picks a free one. */
  port: number;
  /** Base address of the API, with or without a path in front of `/v1`. */
  target: string;
  /** The operator's token, asked for again by every request that may carry it; null when there is none. */
  mintToken: () => string | null | Promise<string | null>;
  /** Signs what may carry the token, in place of it. */
  sign?: Signer | null;
  /** How long the API may take to begin its answer. */
  timeoutMs?: number;
};

export type Front = { url: string; port: number; close(): Promise<void> };

const ANSWER_TIMEOUT_MS = 60_000;
/** Cookies of 127.0.0.1 belong to every program on this machine, not to the API. */
const KEPT_BACK = ['host', 'cookie', 'expect'];
const KEPT_FROM_BROWSER = ['set-cookie', 'strict-transport-security'];

/** @throws CrossfadeError `invalid_input` when the port is taken or the target is not an http address */
export async function startFront(options: FrontOptions): Promise<Front> {
  const target = targetOf(options.target);
  const server = createServer((incoming, response) => {
    serve({ incoming, response }, options, target, portOf()).catch((cause) => {
      answerProblem(response, 500, 'internal', `The local front could not sign the request: ${messageOf(cause)}.`);
    });
  });
  const portOf = () => (server.address() as AddressInfo).port;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(portTaken(options.port, cause)));
    server.listen(options.port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${portOf()}`,
    port: portOf(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function targetOf(text: string): URL {
  const target = URL.canParse(text) ? new URL(text) : null;
  if (target && (target.protocol === 'http:' || target.protocol === 'https:')) return target;
  throw new CrossfadeError('invalid_input', `The front needs the http or https address of Crossfade, got '${text}'.`);
}

function portTaken(port: number, cause: Error): CrossfadeError {
  return new CrossfadeError(
    'invalid_input',
    `The local front could not listen on 127.0.0.1:${port}: ${cause.message}. Choose another port.`,
    { cause },
  );
}

/** A request of the browser and the answer to it. */
type Exchange = { incoming: IncomingMessage; response: ServerResponse };

async function serve(exchange: Exchange, options: FrontOptions, target: URL, port: number): Promise<void> {
  const { incoming, response } = exchange;
  const header = (name: string) => {
    const value = incoming.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  const decision = judgeRequest({ method: incoming.method ?? 'GET', url: incoming.url ?? '', header }, port);
  if (decision.kind === 'refused') {
    incoming.resume();
    answerProblem(response, decision.status, decision.code, decision.detail);
    return;
  }
  const timeoutMs = options.timeoutMs ?? ANSWER_TIMEOUT_MS;
  const headers = passedOn(incoming.headers, [...HOP_BY_HOP, ...KEPT_BACK]);
  headers.host = target.host;
  // Said aloud, since Node frames no body of its own accord for methods that rarely have one.
  if (incoming.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  if (decision.kind === 'operator' && options.sign)
    return signed(exchange, options.sign, { target, headers, timeoutMs });
  if (decision.kind === 'operator') {
    const token = await options.mintToken();
    if (token !== null) headers.authorization = `Bearer ${token}`;
  }
  forward(exchange, { target, headers, timeoutMs });
}

type Outgoing = { target: URL; headers: OutgoingHttpHeaders; timeoutMs: number };

/** A signature is about the body, too, so it is read before anything is sent. The page sends JSON, and little of it. */
async function signed(exchange: Exchange, sign: Signer, { target, timeoutMs }: Outgoing): Promise<void> {
  const { incoming } = exchange;
  let body = '';
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk;
  const kept = SIGNED_HEADERS.flatMap((name) => {
    const value = incoming.headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  const url = `${target.href.replace(/\/$/, '')}${incoming.url}`;
  const given = { method: incoming.method ?? 'GET', url, headers: Object.fromEntries(kept) };
  const headers = await sign(body === '' ? given : { ...given, body });
  forward(exchange, { target, headers, timeoutMs }, body);
}

const SIGNED_HEADERS = ['accept', 'content-type', 'idempotency-key', 'if-match', 'if-none-match'];

/** @param body where it was read already */
function forward({ incoming, response }: Exchange, { target, headers, timeoutMs }: Outgoing, body?: string): void {
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const path = target.pathname.replace(/\/$/, '') + incoming.url;
  const { hostname, port, protocol } = target;
  const outgoing = send({ protocol, hostname: unbracketed(hostname), port, method: incoming.method, path, headers });
  const timer = setTimeout(() => {
    answerProblem(response, 504, 'upstream_timeout', `${target.origin} did not answer within ${timeoutMs / 1000} s.`);
    outgoing.destroy();
  }, timeoutMs);
  outgoing.once('response', (answer) => {
    clearTimeout(timer);
    response.writeHead(answer.statusCode ?? 502, passedOn(answer.headers, [...HOP_BY_HOP, ...KEPT_FROM_BROWSER]));
    answer.pipe(response);
    // A cut answer must look cut: ending it would pass for a complete one.
    answer.once('error', () => response.destroy());
  });
  outgoing.on('error', (cause) => {
    clearTimeout(timer);
    const detail = `${target.origin} is not there: ${messageOf(cause)}. Is Crossfade running?`;
    answerProblem(response, 502, 'upstream_unavailable', detail);
  });
  response.once('close', () => {
    clearTimeout(timer);
    outgoing.destroy();
  });
  if (body === undefined) incoming.pipe(outgoing);
  else outgoing.end(body);
}

const unbracketed = (hostname: string) => hostname.replace(/^\[(.*)\]$/, '$1');

/** Headers without those that belong to one connection, named by the standard or by the sender. */
function passedOn(headers: IncomingHttpHeaders, dropped: readonly string[]): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const stays = (name: string) => name === 'content-length' || !named.includes(name);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => stays(name) && !dropped.includes(name)));
}

function answerProblem(response: ServerResponse, status: number, code: ErrorCode, detail: string): void {
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ type: 'about:blank', title: code, status, code, detail }));
}
