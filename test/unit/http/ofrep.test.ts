/** OFREP as its specification words it: status, body and ETag of single and bulk evaluation. */

import { beforeEach, describe, expect, it } from 'vitest';
import { httpHandler } from '../../../functions/middleware.ts';
import { routingRoutes } from '../../../functions/route.ts';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import { routingService } from '../../../lib/routing/service.ts';
import { declarationOf, flagOf, systemFlagOf } from '../../property/samples.ts';
import { ask, inMemoryComposition, tokenOf } from '../../property/served.ts';

let served: FlagDocument | null;
let nowMs: number;
beforeEach(() => {
  nowMs = 1_000;
  served = {
    system: systemFlagOf(),
    cutovers: {
      customer: flagOf({ read_ppm: 1_000_000 }),
      invoice: flagOf({ read_ppm: 500_000, salt: 'invoice', slices: [500_000] }),
    },
  };
});

function server() {
  const router = routingService({
    source: {
      fetch: async () => {
        if (served) return { document: served };
        throw new Error('down');
      },
    },
    environment: {},
    elapsedMs: () => nowMs,
    refused: () => {},
  });
  const { composition } = inMemoryComposition([declarationOf('table')]);
  const handler = httpHandler(() => ({ ...composition, router }), routingRoutes);
  return (path: string, body: unknown = {}, over: object = {}) =>
    ask(handler, { path: `/ofrep/v1/evaluate/flags${path}`, body, ...over });
}
const context = { targetingKey: 'user-1' };

describe('one flag', () => {
  it('gives key, value, variant, reason and metadata', async () => {
    expect(await server()('/customer', { context })).toMatchObject({
      status: 200,
      body: {
        key: 'customer',
        value: true,
        variant: 'shadow',
        reason: 'SPLIT',
        metadata: { routeReason: 'share', stage: 'r1', version: 7 },
      },
    });
  });

  it.each([
    ['an unknown flag', '/nothing', { context }, 404, 'FLAG_NOT_FOUND'],
    ['a context that is none', '/customer', { context: 'x' }, 400, 'INVALID_CONTEXT'],
    ['a list for a context', '/customer', { context: [] }, 400, 'INVALID_CONTEXT'],
    ['a key that is none', '/customer', { context: { targetingKey: { id: 1 } } }, 400, 'INVALID_CONTEXT'],
    ['too long a key', '/customer', { context: { targetingKey: 'k'.repeat(1_025) } }, 400, 'INVALID_CONTEXT'],
  ])('%s is said in its words', async (_what, path, body, status, errorCode) => {
    expect(await server()(path, body)).toMatchObject({ status, body: { key: path.slice(1), errorCode } });
  });

  it('without a key is the primary by default; attributes of others are passed over', async () => {
    const body = { context: { tenant: { id: 5 }, groups: [1, 'beta'], environment: 7 } };
    expect(await server()('/invoice', body)).toMatchObject({ status: 200, body: { value: false, reason: 'DEFAULT' } });
  });

  it('before the first flags the provider is not ready, which is worth another attempt', async () => {
    served = null;
    expect(await server()('/customer', { context })).toMatchObject({
      status: 503,
      body: { errorCode: 'PROVIDER_NOT_READY' },
    });
  });

  it('wants a token with the scope of routing', async () => {
    expect((await server()('/customer', { context }, { token: null })).status).toBe(401);
    expect((await server()('/customer', { context }, { token: tokenOf(['outcomes:write']) })).status).toBe(403);
  });
});

describe('all flags', () => {
  it('are answered at once, and with 304 for as long as they say the same', async () => {
    const call = server();
    const first = await call('', { context });
    const keys = (first.body as { flags: { key: string }[] }).flags.map(({ key }) => key);
    expect([first.status, keys]).toEqual([200, ['customer', 'invoice']]);
    nowMs += 5_000;
    const headers = { 'if-none-match': first.headers.etag };
    for (const said of [first.headers.etag, `W/${first.headers.etag}`, `"other", W/${first.headers.etag}`])
      expect((await call('', { context }, { headers: { 'if-none-match': said } })).status).toBe(304);
    for (const said of ['', '"other"', `${first.headers.etag}x`])
      expect((await call('', { context }, { headers: { 'if-none-match': said } })).status).toBe(200);
    served = { ...served!, cutovers: { customer: flagOf({ read_ppm: 0, version: 8 }) } };
    nowMs += 15_000;
    const changed = await call('', { context }, { headers });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(first.headers.etag);
  });
});
