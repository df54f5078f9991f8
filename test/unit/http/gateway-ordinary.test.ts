/** What ordinary services need of the gateway: browsers, paths as they were written, and answers that stay their own. */

import { describe, expect, it } from 'vitest';
import type { ServiceDeclaration } from '../../../lib/core/cutover/cutover.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { closedBenches } from '../../helpers/closed-benches.ts';
import { answering, type GatewayBench } from '../../helpers/gateway-bench.ts';
import { type Call, tokenOf } from '../../property/served.ts';

const bench = closedBenches();

const APP = 'https://app.test';
const corsOf = (cors: object | 'upstream') => {
  const upstreams = { primary: 'https://old.test', shadow: 'https://new.test' };
  const [one] = defineCutovers([{ id: 'chat', kind: 'service', upstreams, gateway: { cors: cors as never } }]);
  return { cors: (one as ServiceDeclaration).gateway.cors };
};
const LISTED = corsOf({ origins: [APP], methods: ['GET', 'PUT'], headers: ['content-type'], credentials: true });
const ask = (origin: string, over: Call = {}): Call => ({
  method: 'OPTIONS',
  token: null,
  ...over,
  headers: {
    origin,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'content-type',
    ...over.headers,
  },
});
const asked = ({ primary, shadow }: GatewayBench) => [...primary.asked, ...shadow.asked];
const about = (headers: object) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control-|vary)/.test(name)));

describe('a preflight', () => {
  it('is answered by the list of the service, without a token and without asking it', async () => {
    const made = await bench({ gateway: LISTED });
    const answer = await made.call(ask(APP));
    expect([answer.status, answer.text, about(answer.headers)]).toEqual([
      204,
      '',
      {
        'access-control-allow-origin': APP,
        'access-control-allow-methods': 'GET, PUT',
        'access-control-allow-headers': 'content-type',
        'access-control-allow-credentials': 'true',
        'access-control-max-age': '600',
        vary: 'Origin',
      },
    ]);
    expect(asked(made)).toEqual([]);
  });

  it.each(['https://evil.test', 'https://app.test.evil.test', 'null', `${APP}:8443`])(
    'of %s is allowed nothing',
    async (origin) => {
      const made = await bench({ gateway: LISTED });
      expect(about((await made.call(ask(origin))).headers)).toEqual({ vary: 'Origin' });
    },
  );

  it('reaches the service where that answers them, with nothing else of the request', async () => {
    const primary = answering(200, 'yes', {
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'PUT',
    });
    const made = await bench({ stage: 'full_100', gateway: corsOf('upstream'), primary });
    const secrets = { cookie: 's=1', authorization: 'Basic x', 'x-crossfade-authorization': 'x', 'x-internal': '1' };
    const answer = await made.call(ask(APP, { headers: secrets, path: '/gateway/chat/a/b', raw: 'body' }));
    expect([answer.status, about(answer.headers)]).toEqual([
      200,
      { 'access-control-allow-origin': APP, 'access-control-allow-methods': 'PUT' },
    ]);
    const [{ method, path, headers, body }] = asked(made) as [(typeof made.primary.asked)[0]];
    expect([method, path, body.length, made.shadow.asked.length]).toEqual(['OPTIONS', '/old/a/b', 0, 0]);
    expect(headers).toMatchObject({ origin: APP, 'access-control-request-method': 'PUT' });
    for (const name of Object.keys(secrets)) expect(headers).not.toHaveProperty(name);
  });

  it('reaches the side that takes writes, and is evidence of nothing', async () => {
    const made = await bench({ stage: 'completed', gateway: corsOf('upstream') });
    await made.call(ask(APP));
    expect([made.primary.asked.length, made.shadow.asked.length]).toEqual([0, 1]);
    made.clock.ms += 2_000;
    await made.call({});
    const minute = Math.floor(made.clock.now() / 60_000);
    expect((await made.windows.read('chat', minute, minute)).map(({ count }) => count)).toEqual([1]);
  });

  it.each([
    ['of a service that says nothing of browsers', {}, '/gateway/chat/x'],
    ['of what is no service', LISTED, '/gateway/planner/x'],
    ['of what is not declared', LISTED, '/gateway/nothing/x'],
  ])('%s is 405, and says nothing of what there is', async (_, gateway, path) => {
    const made = await bench({ gateway });
    const answer = await made.call(ask(APP, { path }));
    expect([answer.status, about(answer.headers)]).toEqual([405, {}]);
    expect(answer.text).not.toMatch(/chat|planner/);
    expect(asked(made)).toEqual([]);
  });

  it('negative control: without the rule it brings all that the caller wrote', async () => {
    const made = await bench({
      gateway: corsOf('upstream'),
      faults: [['functions/gateway.ts', 'preflightHeaders(event.headers)', 'event.headers']],
    });
    await made.call(ask(APP, { headers: { cookie: 's=1' } }));
    expect(asked(made)[0]!.headers.cookie).toBe('s=1');
  });

  it('is bounded by the rate like everything else', async () => {
    const made = await bench({ gateway: { ...corsOf('upstream'), requestsPerSecond: 1 } });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await made.call(ask(APP))).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
  });
});

describe('any other OPTIONS', () => {
  it.each([LISTED, corsOf('upstream')])(
    'reaches a service that takes them, with a token only (%#)',
    async (gateway) => {
      const made = await bench({ gateway });
      for (const headers of [{}, { origin: APP }, { 'access-control-request-method': 'PUT' }]) {
        expect((await made.call({ method: 'OPTIONS', token: null, headers })).status).toBe(401);
        expect((await made.call({ method: 'OPTIONS', token: tokenOf(['control:read']), headers })).status).toBe(403);
      }
      expect(asked(made)).toEqual([]);
      expect((await made.call({ method: 'OPTIONS', headers: { cookie: 's=1' } })).status).toBe(200);
      expect(asked(made)).toMatchObject([{ method: 'OPTIONS', headers: { cookie: 's=1' } }]);
    },
  );
});

describe('an answer to a browser', () => {
  it('has what the service says of origins, as it says it', async () => {
    const own = {
      'access-control-allow-origin': 'https://other.test',
      vary: 'Accept',
      'access-control-expose-headers': 'x',
    };
    for (const gateway of [LISTED, corsOf('upstream'), {}]) {
      const made = await bench({ gateway, primary: answering(200, '', own) });
      expect(about((await made.call({ headers: { origin: APP } })).headers)).toEqual(own);
    }
  });

  it('has what the list says where the service says nothing', async () => {
    const made = await bench({ gateway: LISTED, primary: answering(200, '', { vary: 'Accept' }) });
    expect(about((await made.call({ headers: { origin: APP } })).headers)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      vary: 'Accept, Origin',
    });
    expect(about((await made.call({ headers: { origin: 'https://evil.test' } })).headers)).toEqual({
      vary: 'Accept, Origin',
    });
    const all = await bench({ gateway: corsOf({ origins: ['*'], exposed: ['etag'] }) });
    expect(about((await all.call({ headers: { origin: APP } })).headers)).toEqual({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'etag',
    });
  });

  it.each([
    [{ origins: ['*'], credentials: true }, /every origin is named/],
    [{ origins: ['app.test'] }, /https:\/\/HOST/],
    [{ origins: ['https://app.test/path'] }, /https:\/\/HOST/],
    [{ origins: [] }, /origins/],
    [{ origins: [APP], headers: ['a\r\nb'] }, /no name/],
    ['everybody', /cors/],
  ])('is never made of the list %j', (cors, says) => {
    expect(() => corsOf(cors as object)).toThrow(says);
  });
});

describe('an answer of the service', () => {
  const OURS = ['cache-control', 'strict-transport-security', 'x-content-type-options', 'referrer-policy'];

  it('has no headers of ours for caches and browsers; a refusal of ours has them', async () => {
    const made = await bench({ primary: answering(200, 'x', { 'cache-control': 'max-age=60' }) });
    const { headers } = await made.call({});
    expect(headers['cache-control']).toBe('max-age=60');
    for (const name of OURS.slice(1)) expect(headers).not.toHaveProperty(name);
    const refused = await made.call({ token: null });
    for (const name of OURS) expect(refused.headers).toHaveProperty(name);
  });

  it.each([
    ['all', /^x-(correlation-id|trace|crossfade-(route|reason|forward|copy)|traffic-percentage|feature-chat)$/, 8],
    ['correlation', /^x-(correlation-id|trace)$/, 2],
    ['none', /^$/, 0],
  ] as const)('says %s of what we know', async (headers, allowed, count) => {
    const made = await bench({ stage: 'r1', gateway: { headers, correlationHeaders: ['x-trace'] } });
    const answer = await made.call({ method: 'PUT', body: {}, headers: { 'x-trace': 't' } });
    const ours = Object.keys(answer.headers).filter((name) => name.startsWith('x-'));
    expect(ours.filter((name) => !allowed.test(name))).toEqual([]);
    expect(ours).toHaveLength(count);
    expect(asked(made)[0]!.headers).toMatchObject({ 'x-trace': 't', 'x-correlation-id': 't' });
  });

  it('to HEAD says how long the answer to GET is', async () => {
    const made = await bench({ primary: answering(200, '', { 'content-length': '1234', etag: '"7"' }) });
    const answer = await made.call({ method: 'HEAD' });
    expect(answer.headers).toMatchObject({ 'content-length': '1234', etag: '"7"' });
    expect(answer.bytes).toHaveLength(0);
  });
});

describe('an encoded slash', () => {
  it.each(['a%2Fb', 'users%2f7/x', 'a%5Cb', '%2F', 'a%2F%2Fb', '%20%2F'])(
    'in %s is carried as it was written, where the service takes it',
    async (path) => {
      const made = await bench({ stage: 'r1', gateway: { encodedSlashes: true } });
      for (const method of ['GET', 'PUT'])
        expect((await made.call({ method, path: `/gateway/chat/${path}` })).status).toBe(200);
      expect(asked(made).map((one) => one.path)).toEqual([`/old/${path}`, `/old/${path}`]);
      const refusing = await bench();
      expect(await refusing.call({ path: `/gateway/chat/${path}` })).toMatchObject({
        status: 400,
        body: { detail: expect.stringMatching(/encodedSlashes/) },
      });
    },
  );

  it.each([
    '..%2Fadmin',
    'a%2F..%2F..%2Fadmin',
    '%2e%2e%2Fadmin',
    '..%5Cadmin',
    '%252e%252e%2Fx',
    '..%252F%2Fx',
    'a%2F..;x=1%2Fb',
    '%2F.',
    'a%2F%00',
  ])('in %s leads out of nowhere', async (path) => {
    const made = await bench({ gateway: { encodedSlashes: true } });
    expect((await made.call({ path: `/gateway/chat/${path}` })).status).toBe(400);
    expect(asked(made)).toEqual([]);
  });

  it('goes with a forwarded write and a comparison, too', async () => {
    const compare = { sampleRate: 1, ignore: [], timeoutMs: 1_000 };
    const made = await bench({ stage: 'r1', gateway: { encodedSlashes: true, compare } });
    await made.call({ method: 'PUT', path: '/gateway/chat/a%2Fb', body: {} });
    await made.call({ path: '/gateway/chat/a%2Fb' });
    const [forward] = made.forwardStore.all();
    expect(
      await made.composition.ports.deliver(
        made.declaration,
        'shadow',
        { ...forward!, body: null } as never,
        made.clock.ms + 5_000,
      ),
    ).toBe(200);
    expect(made.shadow.asked.map((one) => one.path)).toContain('/new/a%2Fb');
    expect(made.wakeUps.reads()[0]!.read.path).toBe('a%2Fb');
  });
});
