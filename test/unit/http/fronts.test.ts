/** One HTTP request is the same proxied request, and one answer the same answer, whatever stands in front of the function. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRONTS, type Wire } from '../../helpers/fronts.ts';
import { type GatewayBench, gatewayBench } from '../../helpers/gateway-bench.ts';
import { tokenOf } from '../../property/served.ts';

let made: GatewayBench;
beforeAll(async () => {
  made = await gatewayBench({
    gateway: { requestsPerSecond: 10_000 },
    primary: (asked, response) => {
      const status = Number(asked.headers['x-wanted']);
      const location = status === 302 ? { location: '/old/next?a=1' } : {};
      const headers = {
        date: 'Mon, 30 Nov 2026 05:00:00 GMT',
        'content-type': 'application/x-bytes',
        'x-of-service': 'a, b',
        'set-cookie': ['a=1', 'b=2; Path=/'],
        ...location,
      };
      response.writeHead(status, headers).end(status === 204 || asked.method === 'HEAD' ? undefined : asked.body);
    },
  });
});
afterAll(() => made?.close());

const name = fc.stringMatching(/^[a-z]{1,6}$/);
const text = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 8 }).filter((one) => one.isWellFormed());
/** Encoded where it must be and nowhere else: of more an HTTP API leaves no trace. Slashes and per cents of the caller's own are lost there, too. */
const segment = text
  .map((one) => encodeURI(one).replaceAll(/[?#]/g, encodeURIComponent))
  .filter((one) => !/\/|%(5b|5c|5d|25|00)|^\.+$/i.test(one));
const wire = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'),
  path: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/gateway/chat/${segments.join('/')}`),
  query: fc.array(fc.tuple(name, text), { maxLength: 4 }),
  own: fc.array(
    fc.tuple(
      name.map((one) => `X-${one}`),
      fc.stringMatching(/^[!-~]{1,8}$/),
    ),
    { maxLength: 4 },
  ),
  cookies: fc.array(fc.stringMatching(/^[a-z]=[a-z0-9]{1,3}$/), { maxLength: 3 }),
  body: fc.option(fc.uint8Array({ minLength: 1, maxLength: 30 })),
  status: fc.constantFrom(200, 201, 204, 302, 404, 429),
});

const wired = ({
  own,
  cookies,
  status,
  body,
  ...one
}: typeof wire extends fc.Arbitrary<infer T> ? T : never): Wire => ({
  ...one,
  headers: [
    ['Authorization', `Bearer ${tokenOf()}`],
    ['X-Correlation-Id', 'visit'],
    ['X-Wanted', String(status)],
    ...(cookies.length > 0 ? [['Cookie', cookies.join('; ')] as const] : []),
    ...own,
  ],
  body: body && one.method !== 'GET' && one.method !== 'HEAD' ? Buffer.from(body) : null,
});

/** Of one name the order counts; an event has no other. */
function queryOf(path: string): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const [one, value] of new URL(path, 'http://x').searchParams) values[one] = [...(values[one] ?? []), value];
  return values;
}
const repeats = (pairs: readonly (readonly [string, string])[]) =>
  new Set(pairs.map(([one]) => one.toLowerCase())).size < pairs.length;

describe('the same request', () => {
  it('is the same proxied request from every front, and its answer the same for every caller', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(wire, async (one) => {
        const sent = wired(one);
        const seen: [string, object][] = [];
        for (const [front, { event, answer, prefix }] of Object.entries(FRONTS)) {
          // Of what comes twice this one has the last alone.
          const isOnce = front !== 'a load balancer' || !(repeats(sent.headers) || repeats(sent.query));
          if (!isOnce) continue;
          made.primary.asked.length = 0;
          const got = answer(await made.result(event(sent)));
          const [asked] = made.primary.asked;
          expect([front, asked?.body]).toEqual([front, sent.body ?? Buffer.alloc(0)]);
          const { location, ...headers } = got.headers;
          if (location) expect([front, location]).toEqual([front, `${prefix}/gateway/chat/next?a=1`]);
          expect(got.status).toBe(one.status);
          // A load balancer without multi-value headers has room for one cookie.
          expect([front, got.cookies]).toEqual([
            front,
            front === 'a load balancer' ? ['b=2; Path=/'] : ['a=1', 'b=2; Path=/'],
          ]);
          const { host: _, ...passed } = asked!.headers;
          const path = asked!.path.split('?')[0]!;
          seen.push([
            front,
            { method: asked!.method, path, query: queryOf(asked!.path), passed, headers, body: got.body },
          ]);
        }
        expect(seen[0]![1]).toMatchObject({ path: sent.path.replace('/gateway/chat/', '/old/') });
        for (const [front, of] of seen.slice(1)) expect([front, of]).toEqual([front, seen[0]![1]]);
        compared += seen.length;
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(400);
  });

  it.each(Object.entries(FRONTS))(
    'without a token is refused through %s, in its form',
    async (_, { event, answer }) => {
      made.primary.asked.length = 0;
      const none = { method: 'GET', path: '/gateway/chat/x', query: [], headers: [], body: null };
      const got = answer(await made.result(event(none)));
      expect([got.status, JSON.parse(got.body.toString())]).toMatchObject([401, { code: 'unauthenticated' }]);
      expect(got.headers['content-type']).toBe('application/problem+json');
      expect(made.primary.asked).toEqual([]);
    },
  );

  it.each(['a Function URL', 'a REST API', 'a load balancer'])('keeps its encoding through %s', async (front) => {
    const path = '/gateway/chat/a%2Fb%20c/%C3%A9/100%25/%7Euser;v=1/a+b';
    const slashes = await gatewayBench({ gateway: { encodedSlashes: true } });
    const headers = [['Authorization', `Bearer ${tokenOf()}`]] as const;
    await slashes.result(FRONTS[front]!.event({ method: 'GET', path, query: [], headers, body: null }));
    expect(slashes.primary.asked.map((asked) => asked.path)).toEqual([path.replace('/gateway/chat/', '/old/')]);
    await slashes.close();
  });

  it('through one catch-all route finds its base path, too', async () => {
    const event = FRONTS['a REST API behind a base path']!.event(
      wired({ method: 'GET', path: '/gateway/chat/x/y', query: [], own: [], cookies: [], body: null, status: 302 }),
    );
    const got = FRONTS['a REST API']!.answer(
      await made.result({ ...event, resource: '/{proxy+}', pathParameters: { proxy: 'gateway/chat/x/y' } }),
    );
    expect(got.headers.location).toBe('/shop/gateway/chat/next?a=1');
  });

  it('may have a base path that looks like the route', async () => {
    made.primary.asked.length = 0;
    const wanted = wired({
      method: 'GET',
      path: '/gateway/chat/x',
      query: [],
      own: [],
      cookies: [],
      body: null,
      status: 200,
    });
    const event = FRONTS['a REST API']!.event(wanted);
    await made.result({ ...event, path: '/gateway/shop/gateway/chat/x' });
    expect(made.primary.asked.map((asked) => asked.path)).toEqual(['/old/x']);
  });

  it('negative control: a query that a REST API has decoded is not one that may be sent', async () => {
    const wanted = {
      method: 'GET',
      path: '/gateway/chat/x',
      query: [['a', 'b&c=1']],
      headers: [],
      body: null,
    } as const;
    const rule = 'encodeURIComponent(text.toWellFormed())';
    for (const [faults, query] of [
      [[], { a: ['b&c=1'] }],
      [[['functions/http/event.ts', rule, 'text']], { a: ['b'], c: ['1'] }],
    ] as const) {
      const one = await gatewayBench({ faults });
      const headers = [['Authorization', `Bearer ${tokenOf()}`]] as const;
      await one.result(FRONTS['a REST API']!.event({ ...wanted, headers }));
      expect(queryOf(one.primary.asked[0]!.path)).toEqual(query);
      await one.close();
    }
  });

  it('is not found under a prefix that no front has said it has', async () => {
    for (const prefix of ['/evil', '/$default', '/prod'])
      for (const front of ['a Function URL', 'a load balancer']) {
        const one = { method: 'GET', path: `${prefix}/gateway/chat/x`, query: [], headers: [], body: null };
        const got = FRONTS[front]!.answer(await made.result(FRONTS[front]!.event(one)));
        expect([front, prefix, got.status]).toEqual([front, prefix, 404]);
      }
  });
});
