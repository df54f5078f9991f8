/** Calls of upstreams over real sockets: what leaves, what comes back, what is cut, and to whom nothing is ever sent. */

import type { LookupAddress } from 'node:dns';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { httpUpstream } from '../../../lib/adapters/http/upstream.ts';
import type { NetworkOptions } from '../../../lib/adapters/net/call.ts';
import { MAX_BODY_BYTES } from '../../../lib/core/net/proxied-request.ts';
import type { UpstreamRequest } from '../../../lib/ports/upstream.ts';
import { type Answering, rawServer, upstreamServer } from '../../helpers/upstream-server.ts';

const clock = { monotonicMs: () => performance.now() };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serving(answer: Answering) {
  const server = await upstreamServer(answer);
  open.push(server);
  return server;
}
async function speaking(serve: Parameters<typeof rawServer>[0]) {
  const server = await rawServer(serve);
  open.push(server);
  return server;
}

function caller(options: Partial<NetworkOptions> = {}, privateHosts: readonly string[] = []) {
  const upstream = httpUpstream({ clock, profile: 'local', ...options });
  return (url: string, over: Partial<UpstreamRequest> = {}) => upstream({ url, privateHosts }, requested(over));
}

const requested = (over: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: 'GET',
  path: 'x',
  query: 'q=1',
  headers: {},
  body: null,
  mount: '/gateway/chat/',
  deadlineMs: performance.now() + 2_000,
  ...over,
});

describe('what is passed on', () => {
  it('row 43: leaves behind the token, our own headers and everything of the connection', async () => {
    const server = await serving((_, response) => void response.end('ok'));
    await caller()(`${server.url}/api`, {
      headers: {
        'x-crossfade-authorization': 'Bearer secret',
        'x-crossfade-route': 'shadow',
        'x-amzn-trace-id': 'Root=1',
        'x-forwarded-user': 'root',
        forwarded: 'for=1',
        connection: 'keep-alive, x-private',
        'x-private': 'hop',
        te: 'trailers',
        'transfer-encoding': 'chunked',
        'content-length': '5',
        host: 'evil.test',
        'x-correlation-id': 'c-1',
        accept: 'text/plain',
      },
    });
    const [asked] = server.asked;
    expect(asked!.path).toBe('/api/x?q=1');
    expect(asked!.headers).toEqual({
      'x-correlation-id': 'c-1',
      accept: 'text/plain',
      host: `127.0.0.1:${server.port}`,
      connection: 'keep-alive',
    });
  });

  it('bytes, status, repeated headers and each cookie come and go as they are, compressed or not', async () => {
    const sent = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const answered = gzipSync(Buffer.from('héllo'));
    const server = await serving((_, response) => {
      response.writeHead(418, {
        'content-encoding': 'gzip',
        'content-type': 'text/plain',
        'set-cookie': ['a=1; Path=/', 'b=2'],
        'x-many': ['one', 'two'],
        'x-crossfade-route': 'shadow',
        connection: 'x-hop',
        'x-hop': '1',
      });
      response.end(answered);
    });
    const answer = await caller()(server.url, { method: 'POST', body: sent });
    expect(server.asked[0]!.body).toEqual(sent);
    expect(answer.status).toBe(418);
    expect(Buffer.from(answer.body)).toEqual(answered);
    expect(answer.cookies).toEqual(['a=1; Path=/', 'b=2']);
    expect(answer.headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-type': 'text/plain',
      'x-many': 'one, two',
    });
    for (const gone of ['x-crossfade-route', 'x-hop', 'connection', 'set-cookie'])
      expect(answer.headers).not.toHaveProperty(gone);
  });

  it.each([
    ['deflate', deflateSync('hello')],
    ['deflate', deflateRawSync('hello')],
    ['GZIP', gzipSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['identity', Buffer.from('hello')],
  ])('a body in %s is taken as it is, or without its compression (%#)', async (coding, body) => {
    const server = await serving(
      (_, response) => void response.writeHead(200, { 'content-encoding': coding }).end(body),
    );
    const call = caller();
    expect(Buffer.from((await call(server.url)).body)).toEqual(body);
    expect(Buffer.from((await call(server.url, { decoded: true })).body).toString()).toBe('hello');
  });

  it('a part of a compressed body comes as it is: nobody can read it alone', async () => {
    const part = gzipSync('hello').subarray(3, 12);
    const server = await serving(
      (_, response) => void response.writeHead(206, { 'content-encoding': 'gzip' }).end(part),
    );
    expect(Buffer.from((await caller()(server.url, { decoded: true })).body)).toEqual(part);
  });

  it('one connection serves many calls', async () => {
    const ports = new Set<number>();
    const server = await serving((_, response) => {
      ports.add(response.socket!.remotePort!);
      response.end();
    });
    const call = caller();
    for (let i = 0; i < 5; i += 1) await call(server.url);
    expect(ports.size).toBe(1);
  });

  it('a kept connection of those who may reach a private host is not for the others', async () => {
    const ports: number[] = [];
    const server = await serving((_, response) => {
      ports.push(response.socket!.remotePort!);
      response.end();
    });
    // Its clock stands still: an idle connection never grows old.
    const upstream = httpUpstream({ clock: { monotonicMs: () => 0 }, profile: 'local' });
    for (const privateHosts of [['127.0.0.1'], [], ['127.0.0.1']])
      await upstream({ url: server.url, privateHosts }, requested({ deadlineMs: 60_000 }));
    const [first, second, third] = ports;
    expect([second === first, third === first]).toEqual([false, true]);
  });
});

describe('redirects', () => {
  const redirecting = (location: string) =>
    serving((_, response) => void response.writeHead(302, { location }).end('moved'));

  it('are handed on and never followed', async () => {
    const server = await redirecting('https://elsewhere.example/x');
    const answer = await caller()(server.url);
    expect([answer.status, answer.headers.location]).toEqual([302, 'https://elsewhere.example/x']);
    expect(server.asked).toHaveLength(1);
  });

  it('to the upstream itself lead through the gateway', async () => {
    const server = await redirecting('/api/new/place?q=2');
    const answer = await caller()(`${server.url}/api/`, { path: 'old' });
    expect(answer.headers.location).toBe('/gateway/chat/new/place?q=2');
  });

  it.each([
    ['/api/users/7', '/gateway/chat/users/7'],
    ['HERE/api/users/7', '/gateway/chat/users/7'],
    ['https://elsewhere.example/7', 'https://elsewhere.example/7'],
    ['http://10.0.0.7/users/7', undefined],
  ])('what was made at %s is at %s', async (location, wanted) => {
    const server = await serving((asked, response) => {
      const here = location.replace('HERE', `http://${asked.headers.host}`);
      response.writeHead(201, { location: here }).end('made');
    });
    const answer = await caller()(`${server.url}/api/`, { method: 'POST' });
    expect([answer.status, answer.headers.location]).toEqual([201, wanted]);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:169.254.169.254]/x',
    'http://10.0.0.7/x',
    'http://localhost:2772/x',
    'file:///etc/passwd',
  ])('row 47: to %s are refused', async (location) => {
    const server = await redirecting(location);
    await expect(caller()(server.url)).rejects.toMatchObject({ code: 'upstream_refused' });
    expect(server.asked).toHaveLength(1);
  });
});

describe('addresses', () => {
  /** Says a name is at these addresses, first time, second time, …; and how often it was asked. */
  function resolver(...answers: string[][]) {
    const asked: string[] = [];
    const resolve: NetworkOptions['resolve'] = (host, _options, done) => {
      const found = answers[Math.min(asked.length, answers.length - 1)]!;
      asked.push(host);
      done(
        null,
        found.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
    return { asked, resolve };
  }

  it.each([
    ['127.0.0.1'],
    ['10.0.0.7'],
    ['169.254.169.254'],
    ['::1'],
    ['::ffff:10.0.0.1'],
    ['fe80::1'],
    ['fd00:ec2::254'],
    ['0.0.0.0'],
    ['8.8.8.8', '10.0.0.7'],
  ])('a name that leads to %s is refused on AWS, and nothing is sent', async (...addresses) => {
    const { resolve } = resolver(addresses);
    await expect(caller({ profile: 'aws', resolve })('https://chat.example/')).rejects.toMatchObject({
      code: 'upstream_refused',
      details: { sent: false },
    });
  });

  it('a host that is such an address is refused without asking anybody', async () => {
    const { asked, resolve } = resolver(['8.8.8.8']);
    for (const url of ['http://10.0.0.7/', 'http://[::1]/', 'http://169.254.169.254/'])
      await expect(caller({ profile: 'aws', resolve })(url)).rejects.toMatchObject({ code: 'upstream_refused' });
    expect(asked).toEqual([]);
  });

  it('row 47: what a name means is asked once per connection, and that very address is used', async () => {
    const server = await serving((_, response) => void response.end('here'));
    // A second question would be answered with an address that is refused.
    const { asked, resolve } = resolver(['127.0.0.1'], ['169.254.169.254']);
    const call = caller({ resolve });
    const url = `http://chat.example:${server.port}/`;
    expect(Buffer.from((await call(url)).body).toString()).toBe('here');
    expect(asked).toEqual(['chat.example']);
    // A new connection asks anew, and the name has changed its mind.
    await expect(caller({ resolve })(url)).rejects.toMatchObject({ code: 'upstream_refused' });
    expect(server.asked).toHaveLength(1);
  });

  it('a private address is reached only where the configuration names the host exactly', async () => {
    const { resolve } = resolver(['10.255.255.1']);
    const soon = () => ({ deadlineMs: performance.now() + 60 });
    const named = caller({ profile: 'aws', resolve }, ['chat.internal']);
    // Nobody is there: it was tried.
    await expect(named('https://chat.internal/', soon())).rejects.toMatchObject({ code: /upstream_(timeout|unavail)/ });
    await expect(named('https://chat.internal.evil/', soon())).rejects.toMatchObject({ code: 'upstream_refused' });
  });
});

describe('row 48: an answer is cut', () => {
  const soon = () => ({ deadlineMs: performance.now() + 60 });

  it('when it is too large, and not when it is just as large as it may be', async () => {
    const sizes = [MAX_BODY_BYTES, MAX_BODY_BYTES + 1];
    const server = await serving((_, response) => void response.end(Buffer.alloc(sizes.shift()!)));
    expect((await caller()(server.url)).body).toHaveLength(MAX_BODY_BYTES);
    await expect(caller()(server.url)).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: expect.stringContaining(`more than ${MAX_BODY_BYTES}`),
    });
  });

  it('when it never comes, comes a byte at a time, or is never connected', async () => {
    const silent = await serving(() => {});
    await expect(caller()(silent.url, soon())).rejects.toMatchObject({
      code: 'upstream_timeout',
      details: { sent: true },
    });
    const dripping = await serving((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 5);
      response.on('close', () => clearInterval(timer));
    });
    await expect(caller()(dripping.url, soon())).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('when the server breaks off, before or within its answer', async () => {
    const rude = await speaking((socket) => socket.once('data', () => socket.destroy()));
    await expect(caller()(rude.url)).rejects.toMatchObject({ code: 'upstream_unavailable', details: { sent: true } });
    const short = await speaking((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort')),
    );
    await expect(caller()(short.url)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it.each([
    ['another coding', 'gzip', brotliCompressSync('x')],
    ['a broken end', 'gzip', gzipSync(Buffer.alloc(5_000, 'x')).subarray(0, 20)],
    ['more inside than memory', 'gzip', gzipSync(Buffer.alloc(65 * 1024 * 1024))],
  ])('when its compression holds %s', async (_, coding, body) => {
    const server = await serving(
      (_asked, response) => void response.writeHead(200, { 'content-encoding': coding }).end(body),
    );
    await expect(caller()(server.url)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it('with an error that says whether anything was sent, and nothing of the network', async () => {
    const gone = await upstreamServer(() => {});
    await gone.close();
    const failed = caller()(gone.url);
    await expect(failed).rejects.toMatchObject({ code: 'upstream_unavailable', details: { sent: false } });
    await expect(failed).rejects.toThrow(/^The upstream 127\.0\.0\.1:\d+ could not be reached or broke off\.$/);
  });
});

describe('a kept connection that the server closed meanwhile', () => {
  /** Serves one request per connection and closes it when the next one arrives. */
  const closing = () =>
    speaking((socket) => {
      let served = 0;
      socket.on('data', () => {
        served += 1;
        if (served > 1) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });

  it('is replaced for what may be repeated, and never for a POST', async () => {
    const server = await closing();
    const call = caller();
    expect((await call(server.url)).status).toBe(200);
    expect((await call(server.url)).status).toBe(200);
    await expect(call(server.url, { method: 'POST', body: Buffer.from('x') })).rejects.toMatchObject({
      code: 'upstream_unavailable',
      details: { sent: true },
    });
  });
});

describe('what a server sends behind its whole answer', () => {
  const FORGED = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged';
  it.each([
    ['the body of a 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', 'hello', 204, ''],
    ['the body of a HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', 'hello', 200, ''],
    ['more than it said', 'PUT', 'HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok', 'more', 201, 'ok'],
    ['an answer to nothing', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', FORGED, 200, 'ok'],
  ])('is no part of it, nor of the next one: %s', async (_, method, answer, further, status, body) => {
    let served = 0;
    const server = await speaking((socket) => {
      socket.on('data', () => {
        served += 1;
        socket.write(served === 1 ? `${answer}${further}` : 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext');
      });
    });
    const call = caller();
    const first = await call(server.url, { method });
    expect([first.status, Buffer.from(first.body).toString()]).toEqual([status, body]);
    const next = await call(server.url);
    expect([Buffer.from(next.body).toString(), served]).toEqual(['next', 2]);
  });
});
