/** One HTTP exchange on a connection that is kept for the next one, bounded in time and bytes. */

import { type IncomingMessage, Agent as PlainAgent, request as plainRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import type { Clock } from '../../ports/machine.ts';
import type { AnswerRest } from '../../ports/upstream.ts';
import { comesInParts, restOf } from './answer-rest.ts';

export type RawAnswer = {
  status: number;
  /** Names in lower case, repeated ones joined by commas; cookies apart. */
  headers: Record<string, string>;
  cookies: string[];
  body: Uint8Array;
  /** Of a streamed exchange whose answer has not ended. */
  rest?: AnswerRest;
};

export type Exchange = {
  /** Who is called, for messages. */
  called: 'upstream' | 'webhook' | 'check';
  url: URL;
  method: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | null;
  timeoutMs: number;
  /** Of the answer's body; null when only its status counts: the body is left unread, since it may never end. */
  maxBytes: number | null;
  /** True: beyond `maxBytes` it is handed over as it comes, and at once where it is made to be read so. */
  streamed?: boolean;
  lookup: LookupFunction;
};

/** Servers close idle connections after 5 s and more; a function that was frozen may find all of its own closed. */
const MAX_IDLE_MS = 4_000;
const REPEATABLE = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);

export type Connections = { agentFor(url: URL): PlainAgent; nowMs(): number };

export function connections(clock: Pick<Clock, 'monotonicMs'>): Connections {
  const agents = new Map<string, { agent: PlainAgent; usedMs: number }>();
  return {
    nowMs: () => clock.monotonicMs(),
    agentFor(url) {
      const nowMs = clock.monotonicMs();
      let known = agents.get(url.origin);
      if (!known || nowMs - known.usedMs > MAX_IDLE_MS) {
        // Those in use end by themselves; only idle ones are dropped.
        if (known) for (const socket of Object.values(known.agent.freeSockets).flat()) socket?.destroy();
        const options = { keepAlive: true, maxSockets: 256, maxFreeSockets: 64 };
        known = { agent: url.protocol === 'https:' ? new TlsAgent(options) : new PlainAgent(options), usedMs: nowMs };
        agents.set(url.origin, known);
      }
      known.usedMs = nowMs;
      return known.agent;
    },
  };
}

/**
 * @throws CrossfadeError `upstream_timeout`, `upstream_unavailable`, `upstream_refused`; `details.sent` is false when
 *   nothing of the request can have been read by the upstream
 */
export async function exchange(kept: Connections, wanted: Exchange): Promise<RawAnswer> {
  const untilMs = kept.nowMs() + wanted.timeoutMs;
  try {
    return await once(kept, wanted);
  } catch (error) {
    const leftMs = Math.floor(untilMs - kept.nowMs());
    // The server closed a kept connection while we took it: this request was not read.
    const closedBefore = isCrossfadeError(error) && error.details.reusedAndClosed === true;
    if (!closedBefore || !REPEATABLE.has(wanted.method) || leftMs < 1) throw error;
    return once(kept, { ...wanted, timeoutMs: leftMs });
  }
}

function once(kept: Connections, wanted: Exchange): Promise<RawAnswer> {
  const { called, url, method, body, timeoutMs } = wanted;
  return new Promise((resolve, reject) => {
    let sent = false;
    let answer: IncomingMessage | null = null;
    const options: RequestOptions = {
      method,
      headers: { ...wanted.headers, ...(body && body.length > 0 ? { 'content-length': body.length } : {}) },
      agent: kept.agentFor(url),
      lookup: wanted.lookup,
    };
    const outgoing = (url.protocol === 'https:' ? tlsRequest : plainRequest)(url, options);
    const end = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    const fail = (code: 'upstream_timeout' | 'upstream_unavailable', text: string, cause?: unknown) =>
      end(() => {
        const reset = ['ECONNRESET', 'EPIPE'].includes((cause as NodeJS.ErrnoException)?.code ?? '');
        const reusedAndClosed = outgoing.reusedSocket && reset && !answer;
        reject(
          new CrossfadeError(code, `The ${called} ${url.host} ${text}.`, { cause, details: { sent, reusedAndClosed } }),
        );
        outgoing.destroy();
      });
    const timer = setTimeout(() => fail('upstream_timeout', `did not answer within ${timeoutMs} ms`), timeoutMs);

    outgoing.on('socket', (socket) => {
      if (!socket.connecting) sent = true;
      else
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          sent = true;
        });
    });
    outgoing.on('error', (cause) => {
      // It is whole: what follows, such as the body of a HEAD or of a 204, goes with its connection.
      if (answer?.complete) return;
      if (isCrossfadeError(cause)) end(() => reject(cause));
      else fail('upstream_unavailable', 'could not be reached or broke off', cause);
    });
    outgoing.on('response', (incoming) => {
      answer = incoming;
      collect(incoming, wanted).then(
        (collected) => end(() => resolve(collected)),
        (cause: unknown) =>
          fail(
            'upstream_unavailable',
            cause instanceof TooLarge ? `answered with more than ${wanted.maxBytes} bytes` : 'broke off its answer',
            cause,
          ),
      );
    });
    outgoing.on('upgrade', () => fail('upstream_unavailable', 'wanted to change the protocol'));
    outgoing.end(body && body.length > 0 ? body : undefined);
  });
}

class TooLarge extends Error {}

async function collect(incoming: IncomingMessage, { maxBytes, streamed }: Exchange): Promise<RawAnswer> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(incoming.headersDistinct))
    if (name !== 'set-cookie' && values) headers[name] = values.join(', ');
  const answer = { status: incoming.statusCode!, headers, cookies: incoming.headersDistinct['set-cookie'] ?? [] };
  if (maxBytes === null) {
    incoming.destroy();
    return { ...answer, body: new Uint8Array() };
  }
  const atOnce = streamed && comesInParts(headers['content-type']);
  const { body, isWhole } = await firstOf(incoming, atOnce ? 0 : maxBytes);
  if (isWhole) return { ...answer, body };
  if (!streamed) throw new TooLarge();
  return { ...answer, body, rest: restOf(incoming) };
}

/** Until there is more than `maxBytes`, which stays readable behind them. */
async function firstOf(incoming: IncomingMessage, maxBytes: number): Promise<{ body: Uint8Array; isWhole: boolean }> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (maxBytes > 0)
    for await (const part of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      size += part.length;
      parts.push(part);
      if (size > maxBytes) break;
    }
  return { body: parts.length === 1 ? parts[0]! : Buffer.concat(parts), isWhole: size <= maxBytes && maxBytes > 0 };
}
