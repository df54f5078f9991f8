/** Addresses of upstreams: no path of a caller leads to another host or above the configured base. */

import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fetchUpstream, targetUrl } from '../../lib/adapters/http/upstream.ts';
import { codeOf } from '../property/samples.ts';

const BASE = 'https://old.test/api';
const target = (path: string, query = '') => targetUrl(BASE, path, query).href;

describe('an address', () => {
  it.each([
    ['chat', '', 'https://old.test/api/chat'],
    ['chat/', '', 'https://old.test/api/chat/'],
    ['', '', 'https://old.test/api/'],
    ['chat/7', 'q=a%20b&q=c', 'https://old.test/api/chat/7?q=a%20b&q=c'],
    ['a/../b', '', 'https://old.test/api/b'],
    ['http://evil.test/x', '', 'https://old.test/api/http://evil.test/x'],
    ['//evil.test/x', '', 'https://old.test/api///evil.test/x'],
    ['@evil.test', '', 'https://old.test/api/@evil.test'],
    ['x?y#z', '', 'https://old.test/api/x%3Fy%23z'],
    ['x', '#frag', 'https://old.test/api/x?%23frag'],
    ['%252e%252e/x', '', 'https://old.test/api/%252e%252e/x'],
    ['a%20b', '', 'https://old.test/api/a%20b'],
  ])('of %j with query %j is %j', (path, query, expected) => {
    expect(target(path, query)).toBe(expected);
  });

  it.each([
    '..',
    '../admin',
    '../../etc/passwd',
    'a/../../admin',
    '%2e%2e/admin',
    '%2E%2E/admin',
    '.%2e/admin',
    '..%2fadmin',
    '..%2Fadmin',
    'a%2fb',
    '..\\admin',
    '..%5cadmin',
    'a%5Cb',
    'a%00b',
    '.\t./admin',
    '../api2/x',
  ])('%j is refused', (path) => {
    expect(codeOf(() => target(path))).toBe('invalid_input');
  });

  it('of any path at all stays on the host and below the base, or is refused', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '//',
      '%2e',
      '%2f',
      '%5c',
      '%00',
      '@',
      ':',
      '?',
      '#',
      'http://evil.test',
      'evil.test',
      '\t',
      '\n',
      '\0',
      ' ',
      '%',
      'é',
      'a',
    );
    const path = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
    );
    const base = fc.constantFrom(
      'https://old.test/api',
      'https://old.test/api/',
      'https://old.test',
      'http://127.0.0.1:8080/deep/er/',
    );
    fc.assert(
      fc.property(base, path, fc.string({ unit: 'binary' }), (baseUrl, asked, query) => {
        const configured = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
        let url: URL;
        try {
          url = targetUrl(baseUrl, asked, query);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_input' });
          return;
        }
        const again = new URL(url.href);
        expect(again.origin).toBe(configured.origin);
        expect(again.username + again.password + again.hash).toBe('');
        expect(again.pathname.startsWith(configured.pathname)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('negative control: resolving the path as a link does leave the host', () => {
    expect(new URL('//evil.test/x', BASE).host).toBe('evil.test');
  });
});

describe('a call', () => {
  afterEach(() => vi.restoreAllMocks());

  /** fetch answers as told; what it was asked, and the call through it. */
  function upstream(answer: (signal: AbortSignal) => Response | Promise<Response>) {
    const seen: { url: string; init: RequestInit }[] = [];
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
      seen.push({ url: String(url), init: init! });
      return answer(init!.signal!);
    });
    const call = fetchUpstream({ monotonicMs: () => performance.now() });
    const request = (over: object = {}) =>
      call(BASE, {
        method: 'GET',
        path: 'x',
        query: 'q=1',
        headers: {},
        body: null,
        deadlineMs: performance.now() + 2_000,
        ...over,
      });
    return { seen, request };
  }
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

  it('row 43: leaves behind the token, our own headers and everything of the connection', async () => {
    const { seen, request } = upstream(() => new Response('ok'));
    await request({
      headers: {
        authorization: 'Bearer secret',
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
    expect(seen[0]!.url).toBe('https://old.test/api/x?q=1');
    expect(seen[0]!.init.headers).toEqual({ 'x-correlation-id': 'c-1', accept: 'text/plain' });
  });

  it('row 47: hands a redirect on and never follows it', async () => {
    const headers = { location: 'http://169.254.169.254/latest', 'x-crossfade-route': 'shadow' };
    const { seen, request } = upstream(() => new Response(null, { status: 302, headers }));
    const answer = await request();
    expect(answer).toMatchObject({ status: 302, headers: { location: headers.location } });
    expect(answer.headers['x-crossfade-route']).toBeUndefined();
    expect(seen.map(({ init }) => init.redirect)).toEqual(['manual']);
  });

  it('row 48: is cut when the answer is too large', async () => {
    const { request } = upstream(() => new Response(new Uint8Array(5 * 1024 * 1024 + 1)));
    await expect(request()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    const { request: full } = upstream(() => new Response(new Uint8Array(5 * 1024 * 1024)));
    expect((await full()).body).toHaveLength(5 * 1024 * 1024);
  });

  it('row 48: is cut when the answer never comes, or never ends', async () => {
    const soon = () => ({ deadlineMs: performance.now() + 30 });
    const silent = upstream(aborted);
    await expect(silent.request(soon())).rejects.toMatchObject({ code: 'upstream_timeout' });
    const dripping = upstream((signal) => {
      const start = (controller: ReadableStreamDefaultController) => {
        controller.enqueue(new Uint8Array(1));
        aborted(signal).catch((reason) => controller.error(reason));
      };
      return new Response(new ReadableStream({ start }));
    });
    await expect(dripping.request(soon())).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('that breaks off is an upstream that is not available, without the words of the network', async () => {
    const { request } = upstream(() => Promise.reject(new TypeError('fetch failed: 10.0.0.7 secret')));
    await expect(request()).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: expect.not.stringContaining('secret'),
    });
  });

  it('passes method, body and status on, and not the encoding that was undone', async () => {
    const headers = { 'content-encoding': 'gzip', 'content-type': 'text/plain' };
    const { seen, request } = upstream(() => new Response('héllo', { status: 418, headers }));
    const answer = await request({ method: 'POST', body: Buffer.from('question') });
    expect(seen[0]!.init).toMatchObject({ method: 'POST', body: Buffer.from('question') });
    expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([418, 'héllo']);
    expect(answer.headers).toEqual({ 'content-type': 'text/plain' });
  });
});
