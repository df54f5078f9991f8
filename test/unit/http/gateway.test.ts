/** The gateway: which side answers, what the caller sees of it, what is refused, and that nothing of it leaves. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { MAX_BODY_BYTES } from '../../../lib/core/net/proxied-request.ts';
import { rateLimit } from '../../../lib/core/routing/rate-limit.ts';
import { bucketOf, inShare } from '../../../lib/core/routing/routing.ts';
import { sliceOf, slicesOf } from '../../../lib/core/routing/slices.ts';
import { closedBenches } from '../../helpers/closed-benches.ts';
import { answering, type GatewayBench } from '../../helpers/gateway-bench.ts';
import { PLAN } from '../../property/samples.ts';
import { eventOf, tokenOf } from '../../property/served.ts';

const bench = closedBenches();

describe('a request', () => {
  it('is answered by the side of its correlation id, the one the SDK takes', async () => {
    const it_ = await bench({ stage: 'r2' });
    const share = 500_000;
    for (let i = 0; i < 30; i += 1) {
      const id = `visitor-${i}`;
      const answer = await it_.call({ headers: { 'x-correlation-id': id } });
      const side = inShare(it_.declaration.salt, id, share) ? 'shadow' : 'primary';
      expect([id, answer.status, (answer.body as { side: string }).side]).toEqual([id, 200, side]);
      expect(answer.headers).toMatchObject({
        'x-crossfade-route': side,
        'x-crossfade-reason': 'share',
        'x-feature-chat': side,
        'x-traffic-percentage': '50',
        'x-correlation-id': id,
      });
    }
    expect(bucketOf(it_.declaration.salt, 'visitor-0')).toBeGreaterThan(0);
  });

  it('S5: an id that was made up is no key: such a read stays on the primary and is counted, until its caller brings it along', async () => {
    const it_ = await bench({ stage: 'r2' });
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { headers } = await it_.call({});
      expect([headers['x-crossfade-route'], headers['x-crossfade-reason']]).toEqual(['primary', 'no_key']);
      ids.push(headers['x-correlation-id']!);
    }
    const sides = new Set<string>();
    for (const id of ids)
      sides.add((await it_.call({ headers: { 'x-correlation-id': id } })).headers['x-crossfade-route']!);
    expect(sides).toEqual(new Set(['primary', 'shadow']));
    // What is counted is written once in ten seconds.
    it_.clock.ms += 10_000;
    await it_.call({});
    const minute = Math.floor(it_.clock.now() / 60_000);
    const windows = await it_.windows.read('chat', minute - 1, minute + 1);
    expect(windows.reduce((sum, { keyless }) => sum + keyless, 0)).toBe(21);
    expect(windows.reduce((sum, { count }) => sum + count, 0)).toBe(41);
  });

  it('without a correlation id gets one, which the upstream gets, too', async () => {
    const { call } = await bench();
    const answer = await call({});
    const id = answer.headers['x-correlation-id']!;
    expect(id).toMatch(/^id-\d+$/);
    expect((answer.body as { headers: Record<string, string> }).headers['x-correlation-id']).toBe(id);
  });

  it('may carry it in headers of other names, and gets it back under the first of them', async () => {
    const { call } = await bench({ gateway: { correlationHeaders: ['x-trace', 'x-request-id'] } });
    const answer = await call({ headers: { 'x-request-id': 'r-7' } });
    expect(answer.headers).toMatchObject({ 'x-trace': 'r-7', 'x-correlation-id': 'r-7' });
  });

  it('is asked for its groups in the declared header, and for the declared environment, as the SDK is', async () => {
    const { call } = await bench({
      stage: 'r1',
      gateway: { groupsHeader: 'x-edge-groups', environment: 'staging' },
      lists: { allow: ['group:staff', 'environment:staging'], deny: ['group:vip'] },
    });
    const reasonOf = async (headers: Record<string, string>) =>
      (await call({ headers: { 'x-correlation-id': 'v', ...headers } })).headers['x-crossfade-reason'];
    expect(await reasonOf({})).toBe('allowed');
    expect(await reasonOf({ 'x-edge-groups': 'guests, vip' })).toBe('denied');
    const elsewhere = await bench({ stage: 'r1', lists: { allow: ['group:staff', 'environment:staging'] } });
    const unasked = await elsewhere.call({ headers: { 'x-correlation-id': 'v', 'x-edge-groups': 'staff' } });
    expect(unasked.headers['x-crossfade-reason']).toBe('share');
    const grouped = await bench({
      stage: 'r1',
      gateway: { groupsHeader: 'x-edge-groups' },
      lists: { allow: ['group:staff'] },
    });
    for (const [groups, reason] of [
      ['staff', 'allowed'],
      [' staff ,guests', 'allowed'],
      ['Staff', 'share'],
      [',', 'share'],
    ] as const) {
      const answer = await grouped.call({ headers: { 'x-correlation-id': 'v', 'x-edge-groups': groups } });
      expect([groups, answer.headers['x-crossfade-reason']]).toEqual([groups, reason]);
    }
  });

  it('row 43: says nothing of sides and identities: such headers are removed', async () => {
    const { call } = await bench({ stage: 'disabled' });
    const answer = await call({
      headers: {
        'x-crossfade-route': 'shadow',
        'X-Crossfade-Reason': 'share',
        'x-forwarded-user': 'root',
        'x-amzn-oidc-identity': 'root',
        'X-Original-URL': '/admin',
        'X-Rewrite-URL': '/admin',
        'x-forwarded-for': Array.from({ length: 1_000 }, (_, i) => `10.0.0.${i % 256}`).join(', '),
      },
    });
    const { side, headers } = answer.body as { side: string; headers: Record<string, string> };
    expect(side).toBe('primary');
    for (const gone of [
      'x-crossfade-route',
      'x-crossfade-reason',
      'x-forwarded-user',
      'x-amzn-oidc-identity',
      'x-original-url',
      'x-rewrite-url',
      'authorization',
    ])
      expect(headers).not.toHaveProperty(gone);
    expect(headers['x-forwarded-for']!.split(',')).toHaveLength(10);
    expect(headers.via).toBe('1.1 crossfade-chat');
  });

  it('brings bytes and cookies both ways', async () => {
    const bytes = Buffer.from([0, 1, 254, 255, 13, 10]);
    const made = await bench({ primary: answering(201, bytes, { 'set-cookie': ['a=1', 'b=2'] }) });
    const event = eventOf({ method: 'PUT', path: '/gateway/chat/f', raw: bytes.toString('base64') });
    const answer = await made.raw({ ...event, isBase64Encoded: true, cookies: ['s=1', 't=2'] });
    expect(made.primary.asked[0]).toMatchObject({ body: bytes, headers: { cookie: 's=1; t=2' } });
    expect([answer.status, answer.bytes, answer.cookies]).toEqual([201, bytes, ['a=1', 'b=2']]);
  });

  it('that writes goes to the authoritative side, whatever its bucket', async () => {
    const made = await bench({ stage: 'full_100' });
    const sides = async (method: string) => (await made.call({ method, body: {} })).headers['x-crossfade-route'];
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) expect(await sides(method)).toBe('primary');
    expect(await sides('GET')).toBe('shadow');
    await made.enter('completed');
    expect(await sides('POST')).toBe('shadow');
  });

  it('is recorded as an outcome of its side, ten seconds of them in one write', async () => {
    const made = await bench();
    for (let i = 0; i < 5; i += 1) await made.call({});
    made.clock.ms += 10_001;
    await made.call({});
    const minute = Math.floor(made.clock.now() / 60_000);
    expect(await made.windows.read('chat', minute, minute)).toMatchObject([{ side: 'primary', count: 6, errors: 0 }]);
  });

  it('is recorded in the slice of its correlation id', async () => {
    const made = await bench({ stage: 'r1' });
    const ids = Array.from({ length: 40 }, (_, i) => `visit-${i}`);
    for (const id of ids) await made.call({ headers: { 'x-correlation-id': id } });
    made.clock.ms += 10_001;
    await made.call({ headers: { 'x-correlation-id': ids[0]! } });
    const minute = Math.floor(made.clock.now() / 60_000);
    const parts = await made.windows.readParts('chat', minute - 1, minute);
    const ends = slicesOf(PLAN, 0);
    const wanted = [...ids, ids[0]!].map((id) => sliceOf(bucketOf(made.declaration.salt, id), ends));
    for (const slice of new Set(wanted)) {
      const of = parts.filter((part) => part.slice === slice).map(({ window }) => window.count);
      expect([slice, of.reduce((a, b) => a + b, 0)]).toEqual([slice, wanted.filter((one) => one === slice).length]);
    }
    expect(new Set(wanted).size).toBeGreaterThan(1);
  });
});

describe('a read that the shadow fails', () => {
  it.each([
    ['answers 500', answering(500), 0],
    ['breaks off', (_: unknown, response: { destroy(): void }) => void response.destroy(), 1],
    ['never answers', () => {}, 0],
  ])('because it %s is answered by the primary, and counts against the shadow', async (_, shadow, lost) => {
    const made = await bench({ stage: 'full_100', shadow: shadow as never, gateway: { timeoutMs: 1_000 } });
    const answer = await made.call({});
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'x-crossfade-route': 'primary', 'x-crossfade-reason': 'fallback' });
    const minute = Math.floor(made.clock.now() / 60_000);
    expect(await made.windows.read('chat', minute, minute)).toMatchObject([
      { side: 'primary', count: 1, errors: 0, told: 1 },
      { side: 'shadow', count: 1, errors: 1, told: 1, ...(lost ? { drops: lost } : {}) },
    ]);
    expect((await made.windows.read('chat', minute, minute))[1]!.drops ?? 0).toBe(lost);
  });

  it('is the shadow’s answer once it has taken over, or where falling back is switched off', async () => {
    const made = await bench({ stage: 'completed', shadow: answering(503, 'down') });
    expect((await made.call({})).status).toBe(503);
    const off = await bench({ stage: 'full_100', shadow: answering(503), gateway: { fallback: false } });
    expect((await off.call({})).status).toBe(503);
    expect([made.primary.asked, off.primary.asked]).toEqual([[], []]);
  });

  it('is not one when the caller is at fault: 404 is an answer', async () => {
    const made = await bench({ stage: 'full_100', shadow: answering(404) });
    expect((await made.call({})).status).toBe(404);
    expect(made.primary.asked).toEqual([]);
  });
});

describe('a read that the shadow answers with 429', () => {
  const minuteOf = (made: GatewayBench) => Math.floor(made.clock.now() / 60_000);

  it('is answered by the primary, and counts against the shadow', async () => {
    const made = await bench({ stage: 'full_100', shadow: answering(429) });
    const answer = await made.call({});
    expect([answer.status, answer.headers['x-crossfade-reason']]).toEqual([200, 'fallback']);
    expect(await made.windows.read('chat', minuteOf(made), minuteOf(made))).toMatchObject([
      { side: 'primary', count: 1, errors: 0 },
      { side: 'shadow', count: 1, errors: 1 },
    ]);
  });

  it('counts against neither when the primary has had enough, too, and against the shadow when that fails otherwise', async () => {
    for (const [primary, status, errors] of [
      [answering(429), 429, 0],
      [answering(503), 503, 1],
    ] as const) {
      const made = await bench({ stage: 'full_100', shadow: answering(429), primary });
      expect((await made.call({})).status).toBe(status);
      const [, shadow] = await made.windows.read('chat', minuteOf(made), minuteOf(made));
      expect(shadow).toMatchObject({ side: 'shadow', count: 1, errors });
    }
  });

  it('is the shadow’s answer once it has taken over, or where falling back is switched off', async () => {
    const made = await bench({ stage: 'completed', shadow: answering(429) });
    const off = await bench({ stage: 'full_100', shadow: answering(429), gateway: { fallback: false } });
    expect([(await made.call({})).status, (await off.call({})).status]).toEqual([429, 429]);
    expect([made.primary.asked, off.primary.asked]).toEqual([[], []]);
  });
});

describe('S10: a shadow that fails read after read', () => {
  const READS = 354;
  const windowsOf = async (made: GatewayBench) => {
    made.clock.ms += 10_001;
    await made.call({});
    const minute = Math.floor(made.clock.now() / 60_000);
    return made.windows.read('chat', minute, minute);
  };

  it('is left after ten failures, and what it was spared is reported as left', async () => {
    const made = await bench({ stage: 'full_100' });
    const asked = { primary: 0, shadow: 0 };
    made.composition.upstream = async () => async (target) => {
      const side = target.url === made.declaration.upstreams.shadow ? 'shadow' : 'primary';
      asked[side] += 1;
      if (side === 'shadow') throw new CrossfadeError('upstream_timeout', 'It did not answer within 10000 ms.');
      return { status: 200, headers: {}, cookies: [], body: new Uint8Array() };
    };
    const reasons: Record<string, number> = {};
    for (let i = 0; i < READS; i += 1) {
      const answer = await made.call({});
      expect(answer.status).toBe(200);
      const reason = answer.headers['x-crossfade-reason']!;
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    expect(reasons).toEqual({ fallback: 10, circuit_open: READS - 10 });
    expect(asked).toEqual({ primary: READS, shadow: 10 });
    expect(await windowsOf(made)).toMatchObject([
      { side: 'primary', count: READS + 1, errors: 0, left: READS - 10 },
      // With the one that is let through after a while, and fails.
      { side: 'shadow', count: 11, errors: 11 },
    ]);
  });

  it('gets one read at a time after 5 s, and all of them after three good ones', async () => {
    let status = 500;
    const made = await bench({ stage: 'full_100', shadow: (_, response) => void response.writeHead(status).end() });
    for (let i = 0; i < 20; i += 1) await made.call({});
    expect(made.shadow.asked).toHaveLength(10);
    status = 200;
    made.clock.ms += 5_001;
    const reasons: string[] = [];
    for (let i = 0; i < 5; i += 1) reasons.push((await made.call({})).headers['x-crossfade-reason']!);
    expect(reasons).toEqual(['share', 'share', 'share', 'share', 'share']);
    expect(made.shadow.asked).toHaveLength(15);
  });

  it('is asked all the same once it has taken over: there is no other side', async () => {
    const made = await bench({ stage: 'completed', shadow: answering(500) });
    for (let i = 0; i < 20; i += 1) expect((await made.call({})).status).toBe(500);
    expect([made.shadow.asked.length, made.primary.asked.length]).toEqual([20, 0]);
  });

  it('is not left for what callers send, nor for refusals that are answers', async () => {
    const made = await bench({ stage: 'full_100', shadow: answering(404) });
    for (let i = 0; i < 20; i += 1) await made.call({ path: i % 2 ? '/gateway/chat/../x' : '/gateway/chat/x' });
    expect([made.shadow.asked.length, made.primary.asked.length]).toEqual([10, 0]);
  });

  it('negative control: without a note of its failures it takes the time of every read', async () => {
    const made = await bench({
      stage: 'full_100',
      shadow: answering(500),
      faults: [['lib/flows/forwards/proxy.ts', 'ports.noteShadow(cutover, !failed);', '']],
    });
    for (let i = 0; i < 40; i += 1) await made.call({});
    expect(made.shadow.asked).toHaveLength(40);
  });
});

describe('a write is never sent a second time', () => {
  it.each([
    ['answers 500', answering(500), 500],
    ['breaks off', (_: unknown, response: { destroy(): void }) => void response.destroy(), 502],
    ['never answers', () => {}, 504],
  ])('when its side %s', async (_, primary, status) => {
    const made = await bench({ stage: 'r2', primary: primary as never, gateway: { timeoutMs: 1_000 } });
    expect((await made.call({ method: 'POST', body: {} })).status).toBe(status);
    expect([made.primary.asked.length, made.shadow.asked.length]).toEqual([1, 0]);
  });
});

describe('what is refused before anything leaves', () => {
  const refused: [name: string, call: Parameters<GatewayBench['call']>[0], status: number, code: string][] = [
    ['a path above the base', { path: '/gateway/chat/../admin' }, 400, 'invalid_input'],
    ['an encoded one', { path: '/gateway/chat/%2e%2e/admin' }, 400, 'invalid_input'],
    ['an encoded slash', { path: '/gateway/chat/a%2f..%2fb' }, 400, 'invalid_input'],
    ['row 49: two lengths', { method: 'POST', raw: 'ab', headers: { 'content-length': '2,3' } }, 400, 'invalid_input'],
    ['a length twice', { method: 'POST', raw: 'ab', headers: { 'content-length': '2, 2' } }, 400, 'invalid_input'],
    ['a wrong length', { method: 'POST', raw: 'ab', headers: { 'content-length': '3' } }, 400, 'invalid_input'],
    ['a negative length', { method: 'POST', raw: 'ab', headers: { 'content-length': '-2' } }, 400, 'invalid_input'],
    [
      'row 49: length and coding that contradict each other',
      { method: 'POST', raw: 'ab', headers: { 'content-length': '3', 'transfer-encoding': 'chunked' } },
      400,
      'invalid_input',
    ],
    [
      'another coding',
      { method: 'POST', raw: 'ab', headers: { 'transfer-encoding': 'gzip, chunked' } },
      400,
      'invalid_input',
    ],
    ['row 49: a line break in a header', { headers: { 'x-a': 'b\r\nx-evil: 1' } }, 400, 'invalid_input'],
    ['a line break in a name', { headers: { 'x-a\r\nx-evil': '1' } }, 400, 'invalid_input'],
    ['NUL in a header', { headers: { 'x-a': 'b\0' } }, 400, 'invalid_input'],
    ['a WebSocket', { headers: { connection: 'Upgrade', upgrade: 'WebSocket' } }, 400, 'invalid_input'],
    ['half a character in a header', { headers: { 'x-a': '\ud800' } }, 400, 'invalid_input'],
    ['what no header can carry', { headers: { 'x-a': 'Ω' } }, 400, 'invalid_input'],
    [
      'row 50: another method in a header',
      { method: 'POST', raw: '', headers: { 'x-http-method-override': 'DELETE' } },
      405,
      'method_not_allowed',
    ],
    ['row 50: TRACE', { method: 'TRACE' }, 405, 'method_not_allowed'],
    ['row 50: OPTIONS', { method: 'OPTIONS', headers: { origin: 'https://evil.test' } }, 405, 'method_not_allowed'],
    ['CONNECT', { method: 'CONNECT' }, 405, 'method_not_allowed'],
    ['a body over the limit', { method: 'POST', raw: 'x'.repeat(MAX_BODY_BYTES + 1) }, 413, 'too_large'],
    ['headers without end', { headers: { 'x-a': 'a'.repeat(40_000) } }, 413, 'too_large'],
    ['a request that was here before', { headers: { via: '1.0 other, 1.1 crossfade-chat' } }, 508, 'loop_detected'],
    ['a cutover that is no service', { path: '/gateway/planner/x' }, 400, 'invalid_input'],
    ['an unknown cutover', { path: '/gateway/nobody/x' }, 404, 'not_found'],
    ['no token', { token: null }, 401, 'unauthenticated'],
    ['a token for other things', { token: tokenOf(['control:read']) }, 403, 'forbidden'],
  ];
  it.each(refused)('%s', async (_, call, status, code) => {
    const made = await bench({ stage: 'r2' });
    const answer = await made.call(call);
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect([made.primary.asked, made.shadow.asked]).toEqual([[], []]);
  });

  it('an absolute address is a path like any other: it stays below the configured base', async () => {
    const made = await bench();
    for (const path of ['http://evil.test/x', '//evil.test/x', '@evil.test/x'])
      expect((await made.call({ path: `/gateway/chat/${path}` })).status).toBe(200);
    expect(made.primary.asked.map(({ path }) => path)).toEqual([
      '/old/http://evil.test/x',
      '/old///evil.test/x',
      '/old/@evil.test/x',
    ]);
  });

  it('a loop through an upstream that leads back here', async () => {
    const made = await bench();
    let hops = 0;
    made.composition.upstream = async () => async (_target, request) => {
      hops += 1;
      const back = await made.call({ headers: { ...request.headers } });
      return { status: back.status, headers: {}, cookies: [], body: back.bytes };
    };
    expect((await made.call({})).status).toBe(508);
    expect(hops).toBe(1);
  });

  it('more than the rate that one caller may send, with the time to wait', async () => {
    const made = await bench({ gateway: { requestsPerSecond: 2 } });
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await made.call({})).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    const answer = await made.call({});
    expect(answer.headers['retry-after']).toBe('1');
    expect((await made.call({ token: tokenOf(undefined, 'eve') })).status).toBe(200);
    made.clock.ms += 600;
    expect((await made.call({})).status).toBe(200);
    expect(made.primary.asked).toHaveLength(6);
  });
});

describe('N3: a failure of ours', () => {
  it.each([
    ['upstream_unavailable', 502],
    ['upstream_timeout', 504],
    ['upstream_refused', 502],
    ['store_unavailable', 503],
  ] as const)(
    '%s names no host and no table to a caller of the service, and does so in the log',
    async (code, status) => {
      const made = await bench();
      made.composition.upstream = async () => async () => {
        const details = { table: 'crossfade-state', place: '10.0.0.7', sent: true };
        throw new CrossfadeError(code, "The table 'crossfade-state' at 10.0.0.7 does not answer.", { details });
      };
      const answer = await made.call({});
      expect(answer).toMatchObject({ status, body: { code, details: { sent: true } } });
      expect(answer.text).not.toMatch(/10\.0\.0\.7|crossfade-state/);
      expect(made.log.find(({ name }) => name === 'request_failed')!.text).toMatch(/10\.0\.0\.7/);
    },
  );
});

describe('the rate limit', () => {
  it('lets the rate through over any time, and no more than a burst of two seconds on top', () => {
    const limit = rateLimit();
    let taken = 0;
    for (let ms = 0; ms <= 10_000; ms += 3) if (limit.take('a', 50, ms).ok) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(500);
    expect(taken).toBeLessThanOrEqual(601);
  });

  it('forgets callers rather than grow', () => {
    const limit = rateLimit();
    for (let i = 0; i < 5_000; i += 1) expect(limit.take(`caller-${i}`, 1, 0).ok).toBe(true);
  });
});

describe('an instance without flags', () => {
  /** As when the agent is late at its first request. */
  async function unread(stage: 'r2' | 'completed') {
    const it_ = await bench({ stage, gateway: { cors: 'upstream' } });
    const router = await it_.composition.router();
    it_.composition.router = async () => ({ ...router, flags: () => null });
    return it_;
  }

  it.each(['GET', 'POST', 'OPTIONS'])(
    'answers %s with 503 after completion, and asks neither service',
    async (method) => {
      const it_ = await unread('completed');
      const answer = await it_.call({ method, headers: { 'x-correlation-id': 'v' } });
      expect([it_.primary.asked.length, it_.shadow.asked.length]).toEqual([0, 0]);
      expect(answer).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
        body: { code: 'flags_unavailable' },
      });
    },
  );

  it('goes on before completion, as without AppConfig: the primary serves', async () => {
    const it_ = await unread('r2');
    expect((await it_.call({ headers: { 'x-correlation-id': 'v' } })).status).toBe(200);
  });
});
