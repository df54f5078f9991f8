import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect as tcp } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Front, startFront } from '../../../lib/cli/front.ts';
import { FRONT_RULES, judgeRequest } from '../../../lib/cli/front-rules.ts';
import { cli, type FakeApi, fakeApi } from '../../helpers/fake-api.ts';

type Answer = { status: number; headers: IncomingHttpHeaders; body: string };

let api: FakeApi;
let front: Front;
let own: string;

beforeEach(async () => {
  api = await fakeApi({
    'GET /': { text: '<h1>page</h1>', headers: { 'set-cookie': 'a=b', 'strict-transport-security': 'max-age=1' } },
    'GET /v1/cutovers': { body: { cutovers: [] } },
    'POST /v1/system/emergency-stop': { body: { published: true, cutovers: [] } },
    'DELETE /thing': { body: {} },
  });
  front = await startFront({ port: 0, target: api.url, mintToken: () => 'operator-token' });
  own = `http://127.0.0.1:${front.port}`;
});
afterEach(async () => {
  await front.close();
  await api.close();
});

function send(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: front.port, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

const typed = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' };
const page = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };
const json = { 'content-type': 'application/json' };
const tokenSeen = () => api.asked.at(-1)?.headers.authorization;

describe('the local front acts as the operator', () => {
  it('for a typed address and for what its own page asks', async () => {
    expect(await send('GET', '/', typed)).toMatchObject({ status: 200, body: '<h1>page</h1>' });
    expect(tokenSeen()).toBe('Bearer operator-token');
    expect((await send('GET', '/v1/cutovers', page)).status).toBe(200);
    expect(tokenSeen()).toBe('Bearer operator-token');
  });

  it('for a change that its own page asks for, also under the name localhost', async () => {
    const stop = ['POST', '/v1/system/emergency-stop'] as const;
    expect((await send(...stop, { ...page, ...json, origin: own }, '{"reason":"x"}')).status).toBe(200);
    expect(api.asked.at(-1)).toMatchObject({
      body: { reason: 'x' },
      headers: { authorization: 'Bearer operator-token' },
    });
    const name = `localhost:${front.port}`;
    const asLocalhost = { ...page, ...json, host: name, origin: `http://${name}` };
    expect((await send(...stop, asLocalhost, '{"reason":"x"}')).status).toBe(200);
  });

  it('and puts the token of the page itself aside', async () => {
    await send('GET', '/v1/cutovers', { ...page, authorization: 'Bearer other' });
    expect(tokenSeen()).toBe('Bearer operator-token');
  });

  it('never tells the page the token, and passes on neither cookies nor rules for other ports', async () => {
    const answer = await send('GET', '/', { ...typed, cookie: 'session=of-another-program' });
    expect(JSON.stringify(answer)).not.toContain('operator-token');
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.headers['strict-transport-security']).toBeUndefined();
    expect(api.asked.at(-1)!.headers.cookie).toBeUndefined();
  });
});

describe('the local front refuses', () => {
  const refusals: [string, string, string, Record<string, string>, number][] = [
    ['a name re-bound to this machine', 'GET', '/v1/cutovers', { ...page, host: 'evil.example' }, 421],
    ['a re-bound name with our port', 'GET', '/', { ...typed, host: 'evil.example:PORT' }, 421],
    ['another port in the Host', 'GET', '/', { ...typed, host: '127.0.0.1:1' }, 421],
    ['a program that gives a foreign Host', 'GET', '/v1/cutovers', { host: 'evil.example' }, 421],
    ['a link on another site', 'GET', '/', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
    ['a page on another port of this machine', 'GET', '/v1/cutovers', { 'sec-fetch-site': 'same-site' }, 403],
    [
      'an image on another site',
      'GET',
      '/v1/cutovers',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      403,
    ],
    [
      'a form on another site',
      'POST',
      '/v1/system/emergency-stop',
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
    ],
    [
      'a form that claims our site with a foreign origin',
      'POST',
      '/v1/system/emergency-stop',
      { ...page, origin: 'https://evil.example' },
      403,
    ],
    ['a change with an opaque origin', 'POST', '/v1/system/emergency-stop', { ...page, origin: 'null' }, 403],
    ['a change without an origin', 'POST', '/v1/system/emergency-stop', { ...page }, 403],
    [
      'a change from a typed address',
      'POST',
      '/v1/system/emergency-stop',
      { ...typed, origin: 'http://127.0.0.1:PORT' },
      403,
    ],
    [
      'something typed that is no navigation',
      'GET',
      '/v1/cutovers',
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'cors' },
      403,
    ],
    [
      'a preflight of another site',
      'OPTIONS',
      '/v1/cutovers',
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
    ],
    ['an unknown kind of site', 'GET', '/', { 'sec-fetch-site': 'constructor' }, 403],
  ];
  it.each(refusals)('%s: %s %s %j, before the API hears of it', async (_name, method, path, headers, status) => {
    const own = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(front.port))]),
    );
    const answer = await send(method, path, own);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({ status, code: 'forbidden' });
    expect(api.asked).toEqual([]);
  });

  it('a whole address in the request line, through which it would become an open proxy', async () => {
    const answer = await raw(
      `GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:${front.port}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(api.asked).toEqual([]);
  });

  it.each([
    ['host', { host: 'evil.example:3000', 'sec-fetch-site': 'same-origin', origin: 'http://evil.example:3000' }],
    ['origin', { host: 'localhost:3000', 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }],
    ['site', { host: 'localhost:3000', 'sec-fetch-site': 'cross-site', origin: 'http://localhost:3000' }],
  ] as const)(
    'negative control: without the rule on the %s another site would act as the operator',
    (name, headers) => {
      const header = (wanted: string) => (headers as Record<string, string>)[wanted];
      const request = { method: 'POST', url: '/v1/system/emergency-stop', header };
      expect(judgeRequest(request, 3000).kind).toBe('refused');
      const { [name]: _left, ...others } = FRONT_RULES;
      expect(judgeRequest(request, 3000, Object.values(others)).kind).toBe('operator');
    },
  );
});

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = tcp(front.port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('the local front passes on', () => {
  it('what programs ask as it is: without a token, or with their own', async () => {
    await send('GET', '/v1/cutovers');
    expect(tokenSeen()).toBeUndefined();
    await send('GET', '/v1/cutovers', { authorization: 'Bearer mine' });
    expect(tokenSeen()).toBe('Bearer mine');
    await send('POST', '/v1/system/emergency-stop', { ...json, origin: 'https://evil.example' }, '{}');
    expect(tokenSeen()).toBeUndefined();
  });

  it('no header that belongs to the connection, named by the standard or by the sender', async () => {
    await send('GET', '/v1/cutovers', {
      connection: 'close, x-private',
      'x-private': '1',
      te: 'trailers',
      upgrade: 'h2c',
      'x-kept': '2',
    });
    const { headers } = api.asked.at(-1)!;
    expect(headers).toMatchObject({ 'x-kept': '2', host: `127.0.0.1:${api.port}` });
    for (const name of ['x-private', 'te', 'upgrade']) expect(headers[name]).toBeUndefined();
  });

  it('a body of unknown length framed as one, so that it cannot become a second request', async () => {
    const chunk = 'GET /v1/cutovers HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await raw(
      `DELETE /thing HTTP/1.1\r\nHost: 127.0.0.1:${front.port}\r\nConnection: close, content-length\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `${JSON.stringify(chunk).length.toString(16)}\r\n${JSON.stringify(chunk)}\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(api.asked).toHaveLength(1);
    expect(api.asked[0]).toMatchObject({ method: 'DELETE', body: chunk });
  });

  it('answers while they are being written', async () => {
    let finish = () => {};
    const slow = createServer((_request, response) => {
      response.write('first');
      finish = () => response.end(' last');
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const streaming = await startFront({
      port: 0,
      target: `http://127.0.0.1:${(slow.address() as AddressInfo).port}`,
      mintToken: () => null,
    });
    const response = await fetch(`${streaming.url}/`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect(await reader.read()).toEqual({ done: false, value: 'first' });
    finish();
    expect(await reader.read()).toEqual({ done: false, value: ' last' });
    await streaming.close();
    await new Promise((resolve) => slow.close(resolve));
  });
});

describe('when the API is away', () => {
  it('answers 502 with the reason', async () => {
    await api.close();
    const { status, body } = await send('GET', '/', typed);
    expect(status).toBe(502);
    expect(JSON.parse(body)).toMatchObject({
      code: 'upstream_unavailable',
      detail: expect.stringContaining('Is Crossfade running?'),
    });
  });

  it('answers 504 when it takes too long', async () => {
    api.routes['GET /'] = { hang: true };
    const hasty = await startFront({ port: 0, target: api.url, mintToken: () => null, timeoutMs: 50 });
    const response = await fetch(`${hasty.url}/`);
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'upstream_timeout' });
    await hasty.close();
  });

  it('answers 500 when no token can be signed, and says why', async () => {
    const broken = await startFront({
      port: 0,
      target: api.url,
      mintToken: () => {
        throw new Error('the stack has ended');
      },
    });
    const response = await fetch(`${broken.url}/`, { headers: { 'sec-fetch-site': 'same-origin' } });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('the stack has ended') });
    await broken.close();
  });

  it('refuses a port that is taken and a target that is no address', async () => {
    await expect(startFront({ port: front.port, target: api.url, mintToken: () => null })).rejects.toThrow(
      /Choose another port/,
    );
    await expect(startFront({ port: 0, target: 'file:///etc', mintToken: () => null })).rejects.toThrow(
      /http or https/,
    );
  });
});

describe('crossfade open', () => {
  it('serves another Crossfade until it is stopped, and prints the address', async () => {
    const stop = new AbortController();
    let seen: { url: string; target: string } | undefined;
    let status = 0;
    const exit = await cli(['open', '--json'], {
      env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 'mine' },
      signal: stop.signal,
      stdout: (text) => {
        seen = JSON.parse(text) as typeof seen;
        void fetch(`${seen!.url}/v1/cutovers`, { headers: page }).then((response) => {
          status = response.status;
          stop.abort();
        });
      },
    });
    expect(exit.exit).toBe(0);
    expect(seen).toMatchObject({ target: api.url, url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    expect(status).toBe(200);
    expect(tokenSeen()).toBe('Bearer mine');
    await expect(fetch(seen!.url)).rejects.toThrow();
  });
});
