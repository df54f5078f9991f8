/**
 * N2: whatever a request looks like, an answer of 5xx is a failure of an upstream or of ours, and here neither fails. The
 * events are those of every front, with parts missing, doubled, broken and of other types.
 *
 * More of them: CROSSFADE_FUZZ=10000 npx vitest run --project unit test/unit/http/gateway-fuzz.test.ts
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayBench, gatewayBench } from '../../helpers/gateway-bench.ts';
import type { Fault } from '../../helpers/source-mutant.ts';
import { eventOf, tokenOf } from '../../property/served.ts';

const REFUSING = 'lib/core/net/proxied-request.ts';
const RUNS = Number(process.env.CROSSFADE_FUZZ ?? 1_000);

let made: GatewayBench;
beforeAll(async () => {
  made = await gatewayBench({ stage: 'r2', gateway: { requestsPerSecond: 10_000 } });
});
afterAll(() => made?.close());

const rarely = <T, U>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 5, arbitrary: usual as fc.Arbitrary<T | U> }, { weight: 1, arbitrary: odd });
const anything = fc.constantFrom(null, undefined, 5, true, '', {}, [], ['a', null]);
const text = fc.string({ unit: 'binary', maxLength: 30 });
const PIECES = [
  ...['..', '.', '/', '//', '\\', '%2f', '%2F', '%5c', '%2e%2e', '%00', '%', '%zz', '%c3%28', '%252f', '?', '#'],
  ...[
    'é',
    '\ud800',
    '\n',
    '\0',
    '@evil.test',
    'http://evil.test',
    ';',
    'a',
    'users',
    '7',
    '__proto__',
    'x'.repeat(5_000),
  ],
];
const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((some) => some.join(''));
const below = rarely(pieces, text);
const path = rarely(
  below.map((rest) => `/gateway/chat/${rest}`),
  fc.oneof(
    below,
    fc.constantFrom('', '/', '/gateway', '/gateway/chat', '/gateway/chat/', '/gateway//x', '/prod/gateway/chat/x'),
    below.map((rest) => `/gateway/${rest}/x`),
  ),
);
const method = rarely(
  fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'),
  rarely(fc.constantFrom('OPTIONS', 'TRACE', 'CONNECT', 'get', 'constructor', '__proto__', 'X'.repeat(500)), text),
);
const NAMES = [
  ...['content-length', 'Transfer-Encoding', 'connection', 'cookie', 'via', 'x-correlation-id', 'idempotency-key'],
  ...['x-forwarded-for', 'host', 'expect', 'upgrade', 'te', 'X-Crossfade-Route', 'x-http-method', 'accept-encoding'],
];
const VALUES = [
  'chunked',
  '0',
  '5',
  '-1',
  '5, 5',
  '100-continue',
  'close, x-a',
  'a\r\nb: c',
  'é',
  'Ω',
  'x'.repeat(9_000),
];
const headers = rarely(
  fc
    .array(
      fc.tuple(rarely(fc.constantFrom(...NAMES), text), rarely(fc.constantFrom(...VALUES), fc.oneof(text, anything))),
      {
        maxLength: 5,
      },
    )
    .map((some) => ({ authorization: `Bearer ${tokenOf()}`, ...Object.fromEntries(some) })),
  anything,
);
const body = rarely(fc.option(text), anything);
const base64 = fc.boolean();
const query = rarely(rarely(pieces, text), anything);
const values = rarely(fc.dictionary(text, rarely(text, anything)), anything);
const many = rarely(fc.dictionary(text, rarely(fc.array(text), anything)), anything);
const parameters = rarely(
  fc.constant(undefined),
  fc.dictionary(fc.constantFrom('cutover', 'proxy'), rarely(text, anything)),
);

const event = fc.oneof(
  fc.record(
    {
      rawPath: path,
      rawQueryString: query,
      headers,
      body,
      isBase64Encoded: base64,
      pathParameters: parameters,
      cookies: rarely(fc.array(text), anything),
      routeKey: rarely(fc.constantFrom('GET /gateway/{cutover}/{proxy+}', '$default'), text),
      requestContext: fc.record({ http: fc.record({ method, path }), stage: rarely(fc.constant('$default'), text) }),
    },
    { requiredKeys: ['rawPath', 'headers', 'requestContext'] },
  ),
  fc.record(
    {
      httpMethod: method,
      path,
      headers,
      multiValueHeaders: rarely(fc.constant(undefined), many),
      queryStringParameters: values,
      multiValueQueryStringParameters: rarely(fc.constant(undefined), many),
      pathParameters: parameters,
      resource: rarely(fc.constantFrom('/gateway/{cutover}/{proxy+}', '/{proxy+}'), text),
      body,
      isBase64Encoded: base64,
      requestContext: fc.constantFrom({ elb: {} }, { path: '/prod/gateway/chat/x', stage: 'prod' }, {}),
    },
    { requiredKeys: ['httpMethod', 'path', 'headers', 'requestContext'] },
  ),
);

describe('N2: a request of any form', () => {
  it('is answered by its side, or refused with the reason; never is it an error inside', async () => {
    const seen: Record<number, number> = {};
    await fc.assert(
      fc.asyncProperty(event, async (one) => {
        made.clock.ms += 1;
        const answer = (await made.result(one)) as { statusCode: number; body: string };
        seen[answer.statusCode] = (seen[answer.statusCode] ?? 0) + 1;
        expect(answer.statusCode).toBeLessThan(500);
        if (answer.statusCode === 400) expect(JSON.parse(answer.body).detail.length).toBeGreaterThan(20);
      }),
      { numRuns: RUNS },
    );
    // It is no test of one refusal.
    expect(Object.keys(seen)).toEqual(expect.arrayContaining(['200', '400', '401', '404', '405']));
    expect(made.primary.asked.length + made.shadow.asked.length).toBeGreaterThan(RUNS / 20);
    for (const { path: asked } of [...made.primary.asked, ...made.shadow.asked])
      expect(asked).toMatch(/^\/(old|new)\//);
  });

  it.each([
    '/gateway/chat/..%2Faccount',
    '/gateway/chat/..%5Caccount',
    '/gateway/chat/a%00b',
    '/gateway/chat/%2e%2e%2f%2e%2e%2f',
  ])('%s is 400 with the reason', async (asked) => {
    for (const given of ['GET', 'DELETE']) {
      const answer = await made.call({ method: given, path: asked });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'invalid_input', detail: expect.stringMatching(/path/) },
      });
    }
  });

  it('negative control: without the rules for a body of null and a header beyond Latin-1 these two are errors inside', async () => {
    const faults: Fault[] = [
      ['functions/http/event.ts', '...(raw.body ? { body: raw.body } : {})', 'body: raw.body as string'],
      [REFUSING, '[^\\t\\x20-\\x7e\\x80-\\xff]', '[\\0]'],
    ];
    const broken = await gatewayBench({ faults });
    const statusOf = async (
      { result }: GatewayBench,
      { headers: added, ...rest }: { headers?: Record<string, string> },
    ) =>
      (
        (await result({ ...eventOf({ method: 'GET', path: '/gateway/chat/x', headers: added }), ...rest })) as {
          statusCode: number;
        }
      ).statusCode;
    for (const one of [{ body: null }, { headers: { 'x-a': 'Ω' } }]) {
      expect(await statusOf(broken, one)).toBe(500);
      expect(await statusOf(made, one)).toBeLessThan(500);
    }
    await broken.close();
  });
});
