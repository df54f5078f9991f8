/** The gateway behind a Function URL: answers that come bit by bit, through a real server on each side. */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { gatewayRoutes } from '../../../functions/gateway.ts';
import { streamedHandler } from '../../../functions/middleware.ts';
import { provideStreaming, type StreamingHandler, startFunctionUrl } from '../../../infra/local/function-url.ts';
import { closedBenches } from '../../helpers/closed-benches.ts';
import { answering, type GatewayBench } from '../../helpers/gateway-bench.ts';
import { tokenOf } from '../../property/served.ts';

const bench = closedBenches();
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A server that streams in front of a bench. */
async function streaming(options: Parameters<typeof bench>[0] & { timeoutMs?: number } = {}) {
  const { timeoutMs, ...rest } = options;
  const made = await bench(rest);
  provideStreaming();
  const handler = streamedHandler(() => made.composition, gatewayRoutes) as unknown as StreamingHandler;
  const server = await startFunctionUrl({
    name: 'gateway-stream',
    handler,
    port: 0,
    ...(timeoutMs ? { timeoutMs } : {}),
  });
  stops.push(server.stop);
  const call = (path = 'x', init: RequestInit = {}) =>
    fetch(`${server.url}/gateway/chat/${path}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization: `Bearer ${tokenOf(['gateway:call'])}`, ...init.headers },
    });
  return { ...made, call, whole: made.call };
}

const shadowOf = async (made: Pick<GatewayBench, 'clock' | 'windows'>) => {
  const minute = Math.floor(made.clock.now() / 60_000);
  return (await made.windows.read('chat', minute, minute)).filter(({ side }) => side === 'shadow');
};

/** A source of events that a test sends one by one. */
function events() {
  let begun: (response: ServerResponse) => void;
  const response = new Promise<ServerResponse>((resolve) => {
    begun = resolve;
  });
  return {
    response,
    answer: (_: unknown, out: ServerResponse) => {
      out.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
      begun(out);
    },
  };
}

const textOf = async (reader: ReadableStreamDefaultReader<Uint8Array>) =>
  Buffer.from((await reader.read()).value ?? []).toString();

describe('events that a server sends', () => {
  it('arrive one by one, each before the next is sent, and count once when they have ended', async () => {
    const source = events();
    const made = await streaming({ stage: 'full_100', shadow: source.answer });
    const answer = await made.call();
    expect([answer.status, answer.headers.get('x-crossfade-route')]).toEqual([200, 'shadow']);
    const [out, reader] = [await source.response, answer.body!.getReader()];
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      out.write(event);
      expect(await textOf(reader)).toBe(event);
    }
    expect(await shadowOf(made)).toEqual([]);
    out.end();
    expect((await reader.read()).done).toBe(true);
    expect(await shadowOf(made)).toMatchObject([{ count: 1, errors: 0 }]);
  });

  it('that break off are broken off for the caller, and a failure of their side', async () => {
    const source = events();
    const made = await streaming({ stage: 'full_100', shadow: source.answer });
    const reader = (await made.call()).body!.getReader();
    (await source.response).write('data: 1\n\n');
    await textOf(reader);
    (await source.response).destroy();
    await expect(reader.read()).rejects.toThrow();
    expect(await shadowOf(made)).toMatchObject([{ count: 1, errors: 1 }]);
  });

  it('are left when the caller leaves, which is nobody’s failure', async () => {
    const source = events();
    const made = await streaming({ stage: 'full_100', shadow: source.answer });
    const left = new AbortController();
    const reader = (await made.call('x', { signal: left.signal })).body!.getReader();
    const out = await source.response;
    out.write('data: 1\n\n');
    await textOf(reader);
    const closed = once(out, 'close');
    left.abort();
    await closed;
    await expect.poll(() => shadowOf(made)).toMatchObject([{ count: 1, errors: 0 }]);
  });

  it('end where the function’s own time ends, and all else is broken off there', async () => {
    const made = await streaming({ stage: 'full_100', shadow: events().answer, timeoutMs: 700 });
    expect(await (await made.call()).text()).toBe('');
    const endless = (_: unknown, out: ServerResponse) => void out.writeHead(200).write(Buffer.alloc(300 * 1024));
    const other = await streaming({ stage: 'full_100', shadow: endless as never, timeoutMs: 700 });
    await expect((await other.call()).arrayBuffer()).rejects.toThrow();
  });

  it('of a shadow that fails are not waited for: the primary answers', async () => {
    const failing = (_: unknown, out: ServerResponse) =>
      out.writeHead(500, { 'content-type': 'text/event-stream' }).flushHeaders();
    const made = await streaming({ stage: 'full_100', shadow: failing as never, primary: answering(200, 'old') });
    const answer = await made.call();
    expect([await answer.text(), answer.headers.get('x-crossfade-reason')]).toEqual(['old', 'fallback']);
    expect(await shadowOf(made)).toMatchObject([{ count: 1, errors: 1 }]);
  });
});

describe('any other answer', () => {
  const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  it.each([4_500_000, 12_000_000])('of %i bytes arrives whole', async (size) => {
    const body = randomBytes(size);
    const made = await streaming({ primary: answering(200, body) });
    expect(sha(Buffer.from(await (await made.call()).arrayBuffer()))).toBe(sha(body));
  });

  it('is the one that the other front gives: status, headers, cookies, bodies of no length', async () => {
    const answers = [
      answering(204, '', { 'set-cookie': ['a=1', 'b=2; Path=/'] }),
      answering(404, 'none', { 'x-own': '1' }),
      answering(302, '', { location: '/old/y' }),
    ];
    for (const primary of answers) {
      const made = await streaming({ primary });
      const [streamed, whole] = [await made.call(), await made.whole({})];
      expect(streamed.status).toBe(whole.status);
      expect(await streamed.text()).toBe(whole.bytes.toString());
      expect(streamed.headers.getSetCookie()).toEqual(whole.cookies);
      for (const name of ['x-own', 'location', 'x-crossfade-route', 'x-crossfade-reason'])
        expect([name, streamed.headers.get(name)]).toEqual([name, whole.headers[name] ?? null]);
    }
  });

  it('needs a token, and a refusal says so as a problem', async () => {
    const made = await streaming();
    const answer = await made.call('x', { headers: { authorization: 'Bearer no' } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
    expect(await answer.json()).toMatchObject({ code: 'unauthenticated' });
    expect(made.primary.asked).toEqual([]);
  });
});
