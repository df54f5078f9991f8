/** The stack around every handler: who gets in, what comes out when something is wrong, and which events are refused. */

import { describe, expect, it, vi } from 'vitest';
import { route } from '../../../functions/http/route.ts';
import { httpHandler, scheduledHandler } from '../../../functions/middleware.ts';
import { CrossfadeError, ERROR_CODES, type ErrorCode } from '../../../lib/core/base/errors.ts';
import type { Input } from '../../../lib/schemas/input.ts';
import { describeApi } from '../../../lib/schemas/openapi.ts';
import { NOW } from '../../property/samples.ts';
import {
  type Answer,
  answerOf,
  ask,
  type Call,
  eventOf,
  inMemoryComposition,
  lambdaContext,
  tokenOf,
} from '../../property/served.ts';

/** A body of any form. */
const anything: Input<object> = { schema: {}, read: (body) => body as object };

const ROUTES = [
  route({
    method: 'GET',
    path: '/v1/health',
    scope: null,
    summary: 'A route.',
    handle: async () => ({ status: 200, body: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/v1/page',
    scope: 'control:read',
    summary: 'A route.',
    handle: async () => ({ status: 200, text: '<p>', headers: { 'content-type': 'text/html' } }),
  }),
  route({
    method: 'GET',
    path: '/v1/bytes',
    scope: 'control:read',
    summary: 'A route.',
    handle: async () => ({ status: 200, bytes: Buffer.from([0, 255]), cookies: ['a=1'] }),
  }),
  route({
    method: 'POST',
    path: '/v1/things/{thing}/poke',
    scope: 'control:write',
    summary: 'A route.',
    body: anything,
    params: { thing: { description: 'A thing.', schema: {}, find: async (name: string | undefined) => name } },
    headers: ['idempotency-key'],
    handle: async (_composition, { actor, body, params, headers, deadlineMs }) => ({
      status: 200,
      body: { actor, body, params, key: headers['idempotency-key'], deadlineMs },
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/fail',
    scope: 'control:write',
    summary: 'A route.',
    body: anything,
    handle: async () => {
      throw new Error('password=hunter2 at 10.0.0.7');
    },
  }),
  route({
    method: 'POST',
    path: '/v1/throw',
    scope: 'control:write',
    summary: 'A route.',
    body: anything,
    handle: async () => {
      throw 'hunter2';
    },
  }),
  route({
    method: 'POST',
    path: '/v1/refuse',
    scope: 'control:write',
    summary: 'A route.',
    body: anything,
    handle: async (_c, { body }) => {
      const details = { value: 5, table: 'crossfade-state', place: 'http://10.0.0.7:8000', retryAfterMs: 1_500 };
      throw new CrossfadeError((body as { code: ErrorCode }).code, 'Refused.', { details });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/any/{proxy+}',
    scope: 'gateway:call',
    summary: 'A route.',
    json: false,
    handle: async (_c, { body, event }) => ({ status: 200, body: { read: body ?? null, raw: event.body } }),
  }),
];

function bench() {
  const served = inMemoryComposition();
  const compose = vi.fn(() => served.composition);
  const handler = httpHandler(compose, ROUTES);
  return { ...served, compose, handler, call: (call: Call) => ask(handler, call) };
}

/** Refuses whatever it reads. */
const refuse = (part: string) => () => {
  throw new CrossfadeError('invalid_input', part);
};

describe('what a route declares', () => {
  const { composition } = inMemoryComposition();
  const declared = (path: () => string, query: () => object, body: () => object) =>
    route({
      method: 'POST',
      path: '/v1/things/{thing}',
      scope: 'control:write',
      summary: 'A route.',
      params: { thing: { description: 'A thing.', schema: {}, find: path } },
      query: { schema: {}, read: query },
      body: { schema: {}, read: body },
      headers: ['if-match'],
      handle: async (_, { params, query: asked, body: sent, headers }) => ({
        status: 200,
        body: [params.thing, asked, sent, headers['if-match']],
      }),
    });
  const say = async (...parts: Parameters<typeof declared>) => {
    const headers = { 'if-match': 'W/1' };
    const answer = await ask(
      httpHandler(() => composition, [declared(...parts)]),
      {
        path: '/v1/things/lamp',
        body: {},
        headers,
      },
    );
    return (answer.body as { detail: string }).detail;
  };
  const good = { path: () => 'lamp', part: () => ({ a: 1 }) };

  it('is read in the order path, query, body, headers', async () => {
    expect(await say(refuse('path'), refuse('query'), refuse('body'))).toBe('path');
    expect(await say(good.path, refuse('query'), refuse('body'))).toBe('query');
    expect(await say(good.path, good.part, refuse('body'))).toBe('body');
    expect(await say(good.path, good.part, good.part)).toContain('If-Match must be one strong tag');
  });

  it('comes to the handler as it was read', async () => {
    const handler = httpHandler(() => composition, [declared(good.path, good.part, good.part)]);
    const answer = await ask(handler, { path: '/v1/things/x', body: {}, headers: { 'if-match': '"7"' } });
    expect(answer.body).toEqual(['lamp', { a: 1 }, { a: 1 }, 7]);
  });

  it('has every part of its path, or the description cannot be made', () => {
    const { params: _, ...without } = declared(good.path, good.part, good.part);
    expect(() => describeApi([without])).toThrow('does not declare its parameter {thing}');
  });
});

/** What every refusal looks like. */
function expectProblem(answer: Answer, code: ErrorCode): void {
  expect(answer.status).toBe(ERROR_CODES[code].status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.body).toMatchObject({ type: 'about:blank', title: code, status: ERROR_CODES[code].status, code });
  const { detail, details } = answer.body as { detail: string; details?: object };
  expect(detail.length).toBeGreaterThan(5);
  // Left out rather than empty.
  expect(details).not.toEqual({});
}

const SECURITY = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': expect.stringContaining('max-age='),
};

describe('a request', () => {
  it('reaches its handler with actor, body, parameters, headers and a deadline', async () => {
    const { call } = bench();
    const answer = await call({
      path: '/v1/things/lamp/poke',
      body: { hard: true },
      headers: { 'idempotency-key': 'k' },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      actor: 'ada',
      body: { hard: true },
      params: { thing: 'lamp' },
      key: 'k',
      deadlineMs: 9_750,
    });
  });

  it('may be answered with text or bytes', async () => {
    const { call, handler } = bench();
    expect(await call({ method: 'GET', path: '/v1/page' })).toMatchObject({
      status: 200,
      text: '<p>',
      headers: { 'content-type': 'text/html' },
    });
    const bytes = await handler(eventOf({ method: 'GET', path: '/v1/bytes' }), lambdaContext());
    expect(bytes).toMatchObject({ isBase64Encoded: true, body: 'AP8=', cookies: ['a=1'] });
  });

  it('whose body is not ours is passed on as it is', async () => {
    const { call } = bench();
    const answer = await call({ path: '/v1/any/x', raw: '<xml/>', headers: { 'content-type': 'text/xml' } });
    expect(answer.body).toEqual({ read: null, raw: '<xml/>' });
  });

  it('makes the composition once, at the first request', async () => {
    const { call, compose } = bench();
    expect(compose).not.toHaveBeenCalled();
    await call({ method: 'GET', path: '/v1/page' });
    await call({ method: 'GET', path: '/v1/page' });
    expect(compose).toHaveBeenCalledTimes(1);
  });

  it('for health needs no token', async () => {
    expect(await bench().call({ method: 'GET', path: '/v1/health', token: null })).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });
});

describe('who does not get in', () => {
  const path = '/v1/things/lamp/poke';
  const good = tokenOf();

  it.each<[string, Call]>([
    ['without a token', { token: null }],
    ['with two Authorization headers', { headers: { authorization: `Bearer ${good}, Bearer ${good}` } }],
    ['with the token in the query string', { token: null, query: { access_token: good } }],
    ['with a broken token', { token: `${good}x` }],
  ])('row 1: %s', async (_name, call) => {
    const { call: send, log } = bench();
    const answer = await send({ path, body: {}, ...call });
    expectProblem(answer, 'unauthenticated');
    expect(JSON.stringify([answer, log])).not.toContain(good.slice(0, 40));
  });

  it('row 5: without the scope of the route', async () => {
    const { call } = bench();
    expectProblem(await call({ path, body: {}, token: tokenOf(['control:read']) }), 'forbidden');
  });

  it('is told so before the body is looked at', async () => {
    const { call } = bench();
    expectProblem(await call({ path, raw: 'not json', token: null }), 'unauthenticated');
    expectProblem(await call({ path, raw: 'not json', token: tokenOf([]) }), 'forbidden');
  });

  it('no route but health is open: each refuses a request without a token', async () => {
    const { call } = bench();
    for (const route of ROUTES.filter(({ scope }) => scope !== null)) {
      const concrete = route.path.replace('{thing}', 'x').replace('{proxy+}', 'x');
      expectProblem(await call({ method: route.method, path: concrete, token: null }), 'unauthenticated');
    }
  });
});

describe('what is wrong is said as problem+json', () => {
  const path = '/v1/things/lamp/poke';

  it.each<[string, Call, ErrorCode]>([
    [
      'row 14: a body of another type',
      { path, raw: '{}', headers: { 'content-type': 'text/plain' } },
      'unsupported_media_type',
    ],
    ['row 8: a body that is no JSON', { path, raw: '{' }, 'invalid_json'],
    ['row 9: a body that is no object', { path, raw: '[]' }, 'invalid_input'],
    ['row 7: a body that is too large', { path, raw: 'x'.repeat(200_000) }, 'too_large'],
    ['row 12: a body with __proto__', { path, raw: '{"__proto__":{"x":1}}' }, 'unknown_property'],
    ['an unknown route', { path: '/v1/nowhere', body: {} }, 'not_found'],
    ['an unknown route without a token', { path: '/v1/nowhere', body: {}, token: null }, 'not_found'],
    ['a route of a property of every object', { path: '/constructor', body: {} }, 'not_found'],
    ['row 50: a method the route has not', { path, method: 'DELETE' }, 'method_not_allowed'],
    ['row 50: TRACE', { path: '/v1/health', method: 'TRACE' }, 'method_not_allowed'],
    [
      'row 50: OPTIONS from a foreign origin',
      { path, method: 'OPTIONS', headers: { origin: 'https://evil.test' } },
      'method_not_allowed',
    ],
  ])('%s', async (_name, call, code) => {
    const answer = await bench().call(call);
    expectProblem(answer, code);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('row 50: a header that overrides the method is ignored', async () => {
    const answer = await bench().call({
      method: 'GET',
      path: '/v1/health',
      headers: { 'x-http-method-override': 'DELETE' },
    });
    expect(answer.status).toBe(200);
  });

  it('N3: every code of ours has its status; of a failure of ours no details come along that say where it was', async () => {
    const { call } = bench();
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const answer = await call({ path: '/v1/refuse', body: { code } });
      expectProblem(answer, code);
      const { details } = answer.body as { details: object };
      expect(details).toEqual(
        answer.status >= 500
          ? { retryAfterMs: 1_500 }
          : { value: 5, table: 'crossfade-state', place: 'http://10.0.0.7:8000', retryAfterMs: 1_500 },
      );
      expect(answer.headers['retry-after']).toBe('2');
      expect(answer.body).toMatchObject({ detail: 'Refused.' });
    }
  });

  it.each(['/v1/fail', '/v1/throw'])(
    'I38: an error inside (%s) is 500 without its text, which only the log has',
    async (failing) => {
      const { call, log } = bench();
      const answer = await call({ path: failing, body: {} });
      expectProblem(answer, 'internal');
      expect(answer.text).not.toMatch(/hunter2|10\.0\.0\.7/);
      expect(log.map(({ name }) => name)).toEqual(['request_failed']);
      expect(log[0]!.text).toContain('hunter2');
    },
  );

  it('an error inside leaves the next request alone', async () => {
    const { call } = bench();
    await call({ path: '/v1/fail', body: {} });
    expect((await call({ method: 'GET', path: '/v1/page' })).status).toBe(200);
  });

  it('a composition that cannot be made is our own refusal, and is tried again', async () => {
    const served = inMemoryComposition();
    const compose = vi.fn(() => served.composition);
    compose.mockImplementationOnce(() => {
      throw new CrossfadeError('invalid_config', 'CROSSFADE_X is missing.');
    });
    const handler = httpHandler(compose, ROUTES);
    expectProblem(await ask(handler, { method: 'GET', path: '/v1/page' }), 'invalid_config');
    expect((await ask(handler, { method: 'GET', path: '/v1/page' })).status).toBe(200);
  });

  it('what of the deployment cannot be used is told to no caller of the gateway, and written down', async () => {
    const lines: string[] = [];
    const written = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((text) => lines.push(String(text)) > 0),
    );
    const secret = "orders.shadow.url 'http://10.0.0.7:8000': CROSSFADE_CONNECTIONS";
    for (const code of ['invalid_config', 'upstream_refused', 'internal'] as const) {
      const fails = () => {
        throw new CrossfadeError(code, secret, { details: { problems: [secret], sent: secret } });
      };
      const answer = await ask(httpHandler(fails, ROUTES), { path: '/v1/any/x', token: null, raw: '{}' });
      expectProblem(answer, 'internal');
      expect(JSON.stringify(answer)).not.toMatch(/10\.0\.0\.7|orders|CROSSFADE_/);
    }
    await vi.waitFor(() => expect(lines.filter((line) => line.includes('10.0.0.7'))).toHaveLength(3));
    for (const spy of written) spy.mockRestore();
  });

  it.each([null, undefined, {}, { Records: [] }, { source: 'aws.events' }, { requestContext: {} }, 'text', 5])(
    'row 35: an event that is no request (%j) is refused',
    async (event) => {
      const { handler } = bench();
      expectProblem(answerOf(await handler(event as never, lambdaContext())), 'invalid_event');
    },
  );
});

describe('security headers', () => {
  it('are on every answer, good and bad', async () => {
    const { call } = bench();
    const calls: Call[] = [
      { method: 'GET', path: '/v1/health', token: null },
      { method: 'GET', path: '/v1/page' },
      { method: 'GET', path: '/v1/bytes' },
      { path: '/v1/things/lamp/poke', body: {} },
      { path: '/v1/things/lamp/poke', body: {}, token: null },
      { path: '/v1/nowhere' },
      { path: '/v1/fail', body: {} },
    ];
    for (const one of calls) expect((await call(one)).headers).toMatchObject(SECURITY);
  });
});

describe('a schedule', () => {
  const iso = (ageMs: number) => new Date(NOW - ageMs).toISOString();
  function bench() {
    const served = inMemoryComposition();
    const work = vi.fn(async (_composition: unknown, deadlineMs: number) => ({ done: deadlineMs }));
    const handler = scheduledHandler(() => served.composition, work);
    return { ...served, work, handler };
  }

  it.each([
    ['EventBridge', { source: 'aws.events', time: iso(0) }],
    ['the scheduler', { source: 'aws.scheduler', time: iso(0) }],
    ['the local metronome', { source: 'crossfade.local', time: iso(0) }],
    ['a person at a console', {}],
    ['90 seconds ago', { source: 'aws.events', time: iso(90_000) }],
    ['a time that is no text', { source: 'aws.events', time: 0 }],
    ['a clock that is ahead', { source: 'aws.events', time: iso(-60_000) }],
  ])('of %s does its work, with five seconds to spare', async (_name, event) => {
    const { handler, work } = bench();
    expect(await handler(event, lambdaContext(30_000))).toEqual({ done: 25_000 });
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('may be given less time than the function has', async () => {
    expect(await bench().handler({ maxMs: 500 }, lambdaContext(30_000))).toEqual({ done: 500 });
  });

  it.each([
    ['is ten minutes old', { source: 'aws.events', time: iso(600_000) }],
    ['is a millisecond more than 90 seconds old', { source: 'aws.events', time: iso(90_001) }],
    ['has a forged source', { source: 'evil.events', time: iso(0) }],
    ['has a source that is no text', { source: { aws: 'events' }, time: iso(0) }],
  ])('row 36: that %s is ignored and logged', async (_name, event) => {
    const { handler, work, log } = bench();
    expect(await handler(event, lambdaContext())).toEqual({ ignored: expect.any(String) });
    expect(work).not.toHaveBeenCalled();
    expect(log.map(({ name }) => name)).toEqual(['event_ignored']);
  });

  it.each([
    ['an HTTP request', eventOf({ body: {} })],
    ['a stream batch', { Records: [{ eventSource: 'aws:dynamodb' }] }],
  ])('row 35: that is %s is refused', async (_name, event) => {
    const { handler, work } = bench();
    await expect(handler(event, lambdaContext())).rejects.toMatchObject({ code: 'invalid_event' });
    expect(work).not.toHaveBeenCalled();
  });

  it('whose work fails fails, so that the schedule knows', async () => {
    const served = inMemoryComposition();
    const handler = scheduledHandler(
      () => served.composition,
      async () => {
        throw new Error('no');
      },
    );
    await expect(handler({}, lambdaContext())).rejects.toThrow('no');
  });
});
