/** Whose Authorization is: the gateway's by default; the service's where it says so. Nobody without a token of ours gets in. */

import { describe, expect, it } from 'vitest';
import { closedBenches } from '../../helpers/closed-benches.ts';
import type { GatewayBench } from '../../helpers/gateway-bench.ts';
import { type Call, tokenOf } from '../../property/served.ts';

const OURS = () => `Bearer ${tokenOf()}`;
const THEIRS = 'Basic dXNlcjpwYXNz';
const UPSTREAM = { gateway: { authorization: 'upstream' } } as const;

const bench = closedBenches();

const call = (made: GatewayBench, headers: Record<string, string | undefined>, over: Call = {}) =>
  made.call({ token: null, headers, ...over });
const asked = ({ primary, shadow }: GatewayBench) => [...primary.asked, ...shadow.asked];

describe('Authorization', () => {
  it('is the gateway’s unless the service takes it, and reaches nobody', async () => {
    const made = await bench();
    expect((await call(made, { authorization: OURS() })).status).toBe(200);
    expect((await call(made, { authorization: THEIRS, 'x-crossfade-authorization': OURS() })).status).toBe(200);
    expect(asked(made)).toHaveLength(2);
    for (const { headers } of asked(made)) expect(Object.keys(headers).join()).not.toMatch(/authorization/);
  });

  it.each([
    ['a read', 'disabled', {}],
    ['a write', 'disabled', { method: 'POST', body: {} }],
    ['a read of the shadow', 'full_100', {}],
  ] as const)(
    'of %s reaches a service that takes it, as the caller wrote it, and our token does not',
    async (_, stage, over) => {
      const made = await bench({ stage, ...UPSTREAM });
      const headers = { authorization: THEIRS, 'X-Crossfade-Authorization': OURS() };
      expect((await call(made, headers, over)).status).toBe(200);
      expect((await call(made, { 'x-crossfade-authorization': OURS() }, over)).status).toBe(200);
      const [first, second] = asked(made);
      expect(first!.headers.authorization).toBe(THEIRS);
      expect(second!.headers).not.toHaveProperty('authorization');
      expect(JSON.stringify(asked(made))).not.toContain(OURS().slice(7));
    },
  );

  it('goes with a write to the other side, and with a read that is compared, where the service takes it', async () => {
    for (const [options, kept] of [
      [UPSTREAM, THEIRS],
      [{}, undefined],
    ] as const) {
      const compare = { sampleRate: 1, ignore: [], timeoutMs: 1_000 };
      const gateway = { ...('gateway' in options ? options.gateway : {}), compare };
      const made = await bench({ stage: 'r1', gateway });
      const headers = { authorization: THEIRS, 'x-crossfade-authorization': OURS() };
      await call(made, headers, { method: 'POST', body: {} });
      await call(made, headers);
      const stored = [made.forwardStore.all()[0]!.request.headers, made.wakeUps.reads()[0]!.read.headers];
      expect(stored.map(({ authorization }) => authorization)).toEqual([kept, kept]);
      expect(JSON.stringify(stored)).not.toMatch(/x-crossfade-authorization/);
    }
  });
});

describe('without a token of ours', () => {
  const wrong: [name: string, headers: () => Record<string, string | undefined>][] = [
    ['there is none at all', () => ({})],
    ['there is one of the service only', () => ({ authorization: THEIRS })],
    ['ours has no signature', () => ({ 'x-crossfade-authorization': `${OURS().split('.').slice(0, 2).join('.')}.` })],
    [
      'ours is no token, and the other header has one',
      () => ({ authorization: OURS(), 'x-crossfade-authorization': 'x' }),
    ],
    ['ours comes twice', () => ({ 'x-crossfade-authorization': `${OURS()},${OURS()}` })],
  ];
  for (const gateway of [UPSTREAM.gateway, {}])
    it.each(wrong)(`nobody is asked (${JSON.stringify(gateway)}): %s`, async (_, headers) => {
      const made = await bench({ stage: 'r1', gateway });
      for (const over of [{}, { method: 'POST', body: {} }, { method: 'DELETE' }])
        expect(await call(made, headers(), over)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect([asked(made), made.forwardStore.all(), made.wakeUps.reads()]).toEqual([[], [], []]);
    });

  it('ours in the header of the service is not taken for one: the service would get to see it', async () => {
    const made = await bench(UPSTREAM);
    expect(await call(made, { authorization: OURS() })).toMatchObject({
      status: 401,
      body: { detail: expect.stringMatching(/X-Crossfade-Authorization/) },
    });
    expect(asked(made)).toEqual([]);
  });

  it('ours with another scope lets nobody in', async () => {
    const made = await bench(UPSTREAM);
    const token = `Bearer ${tokenOf(['control:read'])}`;
    expect((await call(made, { authorization: THEIRS, 'x-crossfade-authorization': token })).status).toBe(403);
    expect(asked(made)).toEqual([]);
  });

  it('negative control: where the first token that is found is believed, the service sees ours', async () => {
    const made = await bench({
      ...UPSTREAM,
      faults: [['functions/gateway.ts', 'if (token === undefined)', 'if (false)']],
    });
    expect((await call(made, { authorization: OURS() })).status).toBe(200);
    expect(asked(made)[0]!.headers.authorization).toContain('Bearer ');
  });
});
