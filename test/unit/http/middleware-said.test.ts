/** What a caller, inside and outside, gets of every error, and which events of a schedule are passed over. */

import { expect, it } from 'vitest';
import { httpHandler, scheduledHandler } from '../../../functions/middleware.ts';
import { CrossfadeError, ERROR_CODES, type ErrorCode } from '../../../lib/core/base/errors.ts';
import { combinations, said } from '../../helpers/said.ts';
import { NOW } from '../../property/samples.ts';
import { eventOf, lambdaContext } from '../../property/served.ts';

type Answered = { statusCode: number; headers: Record<string, string>; body: string };
const PAGE = (name: string) => `../../fixtures/said/${name}.txt`;

/** Each case is asked once, in its order, and then read. */
async function pages<Case extends object>(
  about: string,
  cases: readonly Case[],
  ask: (one: Case) => Promise<unknown>,
): Promise<string> {
  const answers = new Map<Case, unknown>();
  for (const one of cases) answers.set(one, await ask(one).catch((error: Error) => `fails: ${error.message}`));
  return said(about, cases, (one) => answers.get(one));
}

function bench({ composes = true }: { composes?: boolean } = {}) {
  const told: string[] = [];
  const composition = {
    ports: {
      log: { failure: (what: string) => told.push(what), event: (what: string) => told.push(what) },
      metrics: { flush: () => told.push('flush') },
      clock: { monotonicMs: () => 1_000 },
    },
    authenticate: async ({ token }: { token?: string }) => {
      told.push(`by ${token}`);
      return 'ada';
    },
    realNow: () => NOW,
  };
  const compose = () => {
    if (!composes) throw new CrossfadeError('invalid_config', 'TABLE is missing.');
    return composition as never;
  };
  return { told, compose };
}

const told = ({ statusCode, headers, body }: Answered) => [
  statusCode,
  headers['content-type'],
  headers['retry-after'] ?? null,
  body.slice(0, 400),
];

/** A token is another one each time. */
const asked = (call: object) => eventOf({ token: 'the-callers', ...call });

it('errors', async () => {
  const details = [{}, { retryAfterMs: 1_001, table: 'public.a' }, { sent: true }];
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  const cases = combinations({ code: [...codes, null], json: [undefined, false as const], details }).filter(
    ({ details: of, code }, i) => of === details[0] || i % 7 === 0 || code === null,
  );
  const places = combinations({
    method: ['GET', 'PUT'],
    path: ['/v1/a', '/v1/a/', '/v1/x/b', '/v1/none', '/p', '/p/q/r'],
  });
  const routed = (composes: boolean, json?: false, throws: unknown = null) => {
    const { told: heard, compose } = bench({ composes });
    const serve = async () => {
      if (throws !== null) throw throws;
      return { status: 200, body: { ok: true } };
    };
    const route = (method: string, path: string) => ({ method, path, scope: 'control:read', json, serve }) as never;
    const handler = httpHandler(compose, [
      route('GET', '/v1/a'),
      route('POST', '/v1/a'),
      route('GET', '/v1/{x}/b'),
      route('GET', '/p/{proxy+}'),
    ]);
    const ask = async (event: object) =>
      told(
        (await (handler as unknown as (event: object, context: object) => Promise<Answered>)(
          event,
          lambdaContext(),
        )) as Answered,
      );
    return { heard, ask };
  };
  await expect(
    [
      await pages('of a route', cases, async ({ code, json, details: of }) => {
        const { heard, ask } = routed(
          true,
          json,
          code === null ? new Error('secret') : new CrossfadeError(code, 'Message.', { details: of }),
        );
        return [...(await ask(asked({ method: 'GET', path: '/v1/a' }))), ...heard];
      }),
      await pages('of a path', places, ({ method, path }) => routed(true).ask(asked({ method, path }))),
      await pages(
        'of a token',
        combinations({ json: [undefined, false as const], own: [undefined, 'Bearer own'] }),
        async ({ json, own }) => {
          const { heard, ask } = routed(true, json);
          await ask(
            eventOf({
              method: 'GET',
              path: '/v1/a',
              token: 'the-callers',
              headers: own ? { 'x-crossfade-authorization': own } : {},
            }),
          );
          return heard;
        },
      ),
      await pages(
        'of a deployment that cannot be used',
        combinations({ json: [undefined, false as const] }),
        async ({ json }) => {
          const { heard, ask } = routed(false, json);
          return [...(await ask(asked({ method: 'GET', path: '/v1/a' }))), ...heard];
        },
      ),
      await pages(
        'of what is no request',
        [{}, { Records: [] }, { source: 'aws.events' }, { version: '2.0', rawPath: 7 }],
        async (event) => routed(true).ask(event),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(PAGE('answers'));
});

it('replies', async () => {
  const replies: ({ bytes?: string } & Record<string, unknown>)[] = [
    ...combinations({
      cookies: [undefined, [], ['a=1', 'b=2']],
      headers: [undefined, { 'cache-control': 'mine' }],
    }).flatMap((more) => [
      { ...more, bytes: 'aa' },
      { ...more, bytes: '' },
    ]),
    { bytes: 'aa', rest: 'rest' },
    ...[{}, { headers: { 'x-a': '1', 'content-type': 'text/plain' } }].flatMap((more) => [
      { ...more, text: '' },
      { ...more, body: null },
      { ...more, body: false },
      { ...more },
    ]),
  ];
  await expect(
    await pages(
      'of what a route answers',
      replies.flatMap((reply) => [undefined, false as const].map((json) => ({ json, reply }))),
      async ({ json, reply: { bytes, ...reply } }) => {
        const serve = async () => ({
          status: 201,
          ...reply,
          ...(bytes === undefined ? {} : { bytes: Buffer.from(bytes, 'hex') }),
        });
        const handler = httpHandler(bench().compose, [
          { method: 'GET', path: '/a', scope: 'control:read', json, serve } as never,
        ]);
        const ask = handler as unknown as (event: object, context: object) => Promise<Answered>;
        return ask(asked({ method: 'GET', path: '/a' }), lambdaContext());
      },
    ),
  ).toMatchFileSnapshot(PAGE('replies'));
});

it('schedules', async () => {
  const at = (ms: number) => new Date(NOW + ms).toISOString();
  const events = [
    {},
    { source: 'other' },
    ...['aws.events', 'aws.scheduler', 'crossfade.local'].map((source) => ({ source, time: at(0) })),
    ...[-90_001, -90_000, 5_000].map((ms) => ({ source: 'aws.events', time: at(ms) })),
    { source: 'aws.events', time: 'soon' },
    { source: 'aws.events', time: 7 },
    { requestContext: {} },
    { Records: [] },
    { maxMs: 100 },
  ];
  await expect(
    await pages('of a schedule', events, async (event) => {
      const { told: heard, compose } = bench();
      const handler = scheduledHandler(compose as never, async (_, deadlineMs) => deadlineMs);
      return [await handler(event, lambdaContext(10_000)), ...heard];
    }),
  ).toMatchFileSnapshot(PAGE('schedules'));
});
