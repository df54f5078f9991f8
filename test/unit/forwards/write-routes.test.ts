/**
 * A write on its whole way: the SDK, its HTTP, the functions as they are deployed, and an application that takes forwarded writes on
 * a real socket. And what the SDK does when any of them says no or nothing.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { httpUpstream } from '../../../lib/adapters/http/upstream.ts';
import { type CutoverWrite, createClient, httpCopies, httpForwards } from '../../../lib/client/index.ts';
import type { CutoverDeclaration } from '../../../lib/core/cutover/cutover.ts';
import { type UpstreamServer, upstreamServer } from '../../helpers/upstream-server.ts';
import { declarationOf, flagOf, systemFlagOf } from '../../property/samples.ts';
import { ask, type Call, inMemoryComposition, lambdaContext, type Served, tokenOf } from '../../property/served.ts';

const held = vi.hoisted(() => ({ composition: undefined as unknown }));
vi.mock('../../../lib/compose/ports.ts', () => ({ compose: () => held.composition }));
vi.mock('../../../lib/compose/api.ts', () => ({ composeApi: () => held.composition }));
vi.mock('../../../lib/compose/inside.ts', () => ({ composeInside: () => held.composition }));
vi.mock('../../../lib/compose/services.ts', () => ({ withServices: (composition: object) => composition }));

let served: Served;
let app: UpstreamServer;
let answers: number[];
beforeEach(async () => {
  vi.resetModules();
  answers = [];
  app = await upstreamServer((_, response) => void response.writeHead(answers.shift() ?? 204).end());
  served = inMemoryComposition([
    declarationOf('table'),
    { ...declarationOf('component', { id: 'planner' }), writes: targets('/crossfade/old', '/crossfade/new') },
    declarationOf('component', { id: 'deaf' }),
    { ...declarationOf('service', { id: 'chat' }), upstreams: targets('/v1', '/v2') },
  ] as CutoverDeclaration[]);
  const clock = { monotonicMs: () => performance.now() };
  served.composition.upstream = async () => {
    const call = httpUpstream({ clock, profile: 'local' });
    return (target, request) => call(target, { ...request, deadlineMs: performance.now() + 5_000 });
  };
  held.composition = served.composition;
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await app.close();
});
const targets = (primary: string, shadow: string) => ({
  primary: `${app.url}${primary}`,
  shadow: `${app.url}${shadow}`,
  privateHosts: [],
});

const outcomes = async (call: Call) => ask((await import('../../../functions/outcomes.ts')).handler, call);
const start = async (cutover: string) => {
  const headers = { 'idempotency-key': `start ${cutover}`.replace(' ', '-'), 'if-match': '"0"' };
  const call = { path: `/v1/cutovers/${cutover}/start`, body: {}, headers };
  expect(await ask((await import('../../../functions/control.ts')).handler, call)).toMatchObject({ status: 200 });
};
/** What the stream does when a forwarded write becomes ready. */
const wake = async (cutover: string) => {
  const NewImage = { id: { S: `${cutover}#1` }, status: { S: 'ready' }, attempts: { N: '0' } };
  const record = { eventSource: 'aws:dynamodb', eventName: 'MODIFY', dynamodb: { SequenceNumber: '1', NewImage } };
  const { handler } = await import('../../../functions/shadow-writer.ts');
  return handler({ Records: [record] } as never, lambdaContext(30_000));
};

/** An SDK whose HTTP leads to the handler; `fault` answers instead of it, or throws. */
async function sdk(
  options: {
    stage?: string;
    fault?: (path: string) => Promise<Response> | null;
    token?: string;
    forwards?: null | 'old';
    writeDeadlineMs?: number;
  } = {},
) {
  const seen: { path: string; body: Record<string, unknown> }[] = [];
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
    const path = new URL(String(url)).pathname;
    seen.push({ path, body: JSON.parse(String(init!.body)) });
    const instead = options.fault?.(path);
    if (instead) return instead;
    const token = String((init!.headers as Record<string, string>).authorization).slice(7);
    const { status, text } = await outcomes({ path, raw: String(init!.body), token });
    return new Response(text, { status });
  });
  const flag = flagOf({ stage: options.stage ?? 'dual_write' });
  const api = { url: 'https://api.test', token: () => options.token ?? tokenOf(['copies:write']) };
  const client = createClient({
    flags: { fetch: async () => ({ document: { system: systemFlagOf(), cutovers: { planner: flag, chat: flag } } }) },
    outcomes: async () => {},
    ...{ null: {}, old: { copies: httpCopies(api) }, new: { forwards: httpForwards(api) } }[
      options.forwards === null ? 'null' : (options.forwards ?? 'new')
    ],
    environment: {},
    writeDeadlineMs: options.writeDeadlineMs ?? 150,
    flushIntervalMs: 1e6,
  });
  await client.refresh();
  const calls: string[] = [];
  const write = (over: Partial<CutoverWrite<unknown>> = {}) =>
    client.write<unknown>({
      cutover: 'planner',
      key: 'users/7',
      payload: { steps: [1, 'é'] },
      primary: (call) => calls.push(`primary ${call.id}`) && { saved: true },
      shadow: (call) => calls.push(`shadow ${call.id}`),
      ...over,
    });
  return { client, write, calls, seen };
}

const failing = (status: number, body: object = {}) => Promise.resolve(new Response(JSON.stringify(body), { status }));

describe('a write of an application', () => {
  it('is served by its side and arrives at the address of the other one, as JSON, under its id and key', async () => {
    await start('planner');
    const { write, calls } = await sdk();
    expect(await write({ id: 'order-9', key: 'Zoë / 7' })).toEqual({ saved: true });
    expect(calls).toEqual(['primary order-9']);
    expect(app.asked).toEqual([]);
    expect(await wake('planner')).toEqual({ batchItemFailures: [] });
    const [{ method, path, headers, body }] = app.asked as [(typeof app.asked)[0]];
    expect([method, path, app.asked.length]).toEqual(['POST', '/crossfade/new', 1]);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'order-9',
      'crossfade-cutover': 'planner',
      'crossfade-side': 'shadow',
      'crossfade-key': encodeURIComponent('Zoë / 7'),
    });
    expect(headers).not.toHaveProperty('authorization');
    expect(JSON.parse(body.toString())).toEqual({ steps: [1, 'é'] });
    expect(served.forwardStore.all()).toEqual([]);
  });

  it('to a service arrives as the request that it names, in the order of its resource', async () => {
    await start('chat');
    const { write } = await sdk();
    await write({ cutover: 'chat', key: 'x', request: { method: 'PUT', path: 'users/7/name' } });
    expect(served.forwardStore.all()[0]!.orderKey).toBe('users/7');
    await wake('chat');
    expect(app.asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['PUT /v2/users/7/name']);
  });

  it('that the other side refuses goes to a person; one whose side is away waits', async () => {
    await start('planner');
    const { write } = await sdk();
    answers = [503];
    await write();
    await wake('planner');
    expect(served.forwardStore.all()).toMatchObject([{ status: 'ready', attempts: 1 }]);
    answers = Array.from({ length: 8 }, () => 422);
    for (let i = 0; i < 8; i += 1) {
      served.clock.nowMs += 61_000;
      await wake('planner');
    }
    expect(served.forwardStore.all()).toMatchObject([{ status: 'quarantined', problem: { code: 'refused' } }]);
  });

  it('throws what its side throws, the very thing', async () => {
    await start('planner');
    const { write } = await sdk();
    const broken = new RangeError('disk');
    for (const primary of [
      () => Promise.reject(broken),
      () => {
        throw broken;
      },
    ])
      await expect(write({ primary })).rejects.toBe(broken);
    expect(served.forwardStore.all().map(({ status }) => status)).toEqual(['unsettled', 'unsettled']);
    await expect(write({ primary: () => Promise.reject(broken), isRefused: (error) => error === broken })).rejects.toBe(
      broken,
    );
    expect(served.forwardStore.all()).toHaveLength(2);
  });

  it('of a read-only process is only said: its side is told, and nothing is recorded', async () => {
    await start('planner');
    const { seen } = await sdk();
    const said: string[] = [];
    const client = createClient({
      flags: { fetch: async () => ({ document: { system: systemFlagOf(), cutovers: { planner: flagOf() } } }) },
      outcomes: async () => {},
      environment: { CROSSFADE_READONLY: 'true' },
      onSimulatedWrite: ({ what }) => said.push(what),
    });
    const primary = (call: { effect(what: string, write: () => string, instead: string): unknown }) =>
      call.effect('save', () => 'saved', 'not saved');
    expect(await client.write({ cutover: 'planner', key: 'k', payload: 1, primary, shadow: primary })).toBe(
      'not saved',
    );
    expect([said, seen, served.forwardStore.all()]).toEqual([['save'], [], []]);
  });
});

describe('a write that cannot be recorded', () => {
  const down = () => Promise.reject(new TypeError('fetch failed'));

  it.each([
    ['nobody answers', down],
    ['the store is away', () => failing(503, { code: 'store_unavailable', detail: 'away' })],
    ['the token is refused', () => failing(401, { code: 'unauthenticated', detail: 'expired' })],
    ['an edge answers with no JSON', () => Promise.resolve(new Response('<html>', { status: 502 }))],
  ])('is not made when both sides are kept equal, and says so: %s', async (_, fault) => {
    await start('planner');
    // Time for a second attempt, also where the first one is slow.
    const { write, calls, seen } = await sdk({ fault, writeDeadlineMs: 1_000 });
    await expect(write({ id: 'mine' })).rejects.toMatchObject({
      name: 'CrossfadeError',
      code: 'copy_not_recorded',
      retryable: true,
      message: expect.stringContaining("id 'mine'"),
    });
    expect(calls).toEqual([]);
    // Tried again as the same intent.
    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen.map(({ body }) => body.intent)).size).toBe(1);
  });

  it.each(['disabled', 'cleaned', 'rolled_back'])('is made all the same when the flags say %s', async (stage) => {
    const { client, write, calls, seen } = await sdk({ stage, fault: down });
    expect(await write({ id: 'a' })).toEqual({ saved: true });
    expect(client.health().unaskedWrites).toBe(1);
    expect([calls, seen.length]).toEqual([['primary a'], 1]);
  });

  it.each([
    ['disabled', 1_000],
    ['cleaned', 1_000],
    ['rolled_back', 60_000],
    ['dual_write', 60_000],
  ])('is waited for in stage %s for at most %i ms', async (stage, longestMs) => {
    const given = vi.spyOn(AbortSignal, 'timeout');
    await sdk({ stage });
    const write = { cutover: 'planner', key: 'k', payload: 1, primary: () => 1, shadow: () => 2 };
    const patient = createClient({
      flags: {
        fetch: async () => ({ document: { system: systemFlagOf(), cutovers: { planner: flagOf({ stage }) } } }),
      },
      outcomes: async () => {},
      forwards: httpForwards({ url: 'https://api.test', token: () => tokenOf() }),
      environment: {},
      writeDeadlineMs: 60_000,
    });
    await patient.refresh();
    given.mockClear();
    vi.useFakeTimers({ toFake: ['performance'] });
    await patient.write(write);
    expect(given.mock.calls[0]![0]).toBe(longestMs);
  });

  it('is not made without flags: nobody knows whether the sides are kept equal', async () => {
    const { client } = await sdk({ fault: down });
    const write = { cutover: 'stranger', key: 'k', payload: 1, primary: () => 1, shadow: () => 2 };
    await expect(client.write(write)).rejects.toMatchObject({ code: 'copy_not_recorded' });
  });

  it('goes on when only what became of it cannot be noted: the intent is there', async () => {
    await start('planner');
    const { write } = await sdk({ fault: (path) => (path.endsWith('/settle') ? down() : null) });
    expect(await write()).toEqual({ saved: true });
    expect(served.forwardStore.all()).toMatchObject([{ status: 'intended' }]);
  });

  it.each<[string, Partial<CutoverWrite<unknown>>, string]>([
    ['a component that declares no addresses', { cutover: 'deaf' }, 'invalid_config'],
    ['a table', { cutover: 'customer' }, 'invalid_config'],
    ['an unknown cutover', { cutover: 'plannr' }, 'not_found'],
    ['half a surrogate pair as key', { key: '\ud800' }, 'invalid_input'],
    ['a payload of 70 KB', { payload: 'x'.repeat(70_000) }, 'too_large'],
    ['an id with spaces', { id: 'a b' }, 'invalid_input'],
    ['a request to a component', { request: { method: 'POST', path: 'x' } }, 'invalid_input'],
    ['a path that leaves the upstream', { cutover: 'chat', request: { method: 'PUT', path: '../x' } }, 'invalid_input'],
    ['a GET', { cutover: 'chat', request: { method: 'GET' as never, path: 'x' } }, 'invalid_input'],
  ])('is refused at once, in every stage, for what it is: %s', async (_, over, code) => {
    for (const stage of ['disabled', 'dual_write']) {
      const { write, calls, seen } = await sdk({ stage });
      await expect(write(over)).rejects.toMatchObject({ code, retryable: false });
      expect([calls, seen.length]).toEqual([[], 1]);
    }
    expect(served.forwardStore.all()).toEqual([]);
  });

  it.each<[string, Partial<CutoverWrite<unknown>>, RegExp]>([
    ['no key', { key: '' }, /key is string/],
    ['an object as key', { key: {} as never }, /key is object/],
    ['a payload that is nothing', { payload: undefined }, /undefined is no JSON/],
    ['a bigint as payload', { payload: { n: 1n } }, /BigInt/],
  ])('is refused before anything is asked, for what can never be sent: %s', async (_, over, message) => {
    const { write, calls, seen } = await sdk({ stage: 'dual_write' });
    await expect(write(over)).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringMatching(message) });
    expect([calls, seen]).toEqual([[], []]);
  });

  it('needs to know where intents are recorded', async () => {
    const { write, calls } = await sdk({ forwards: null });
    await expect(write()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('httpForwards'),
    });
    expect(calls).toEqual([]);
  });
});

describe('POST /v1/forwards', () => {
  const INTENT = { cutover: 'planner', key: 'k', intent: 'i', idempotencyKey: 'i', payload: '1' };

  it('needs its own scope', async () => {
    for (const path of ['/v1/forwards', '/v1/forwards/settle'])
      expect(await outcomes({ path, body: INTENT, token: tokenOf(['outcomes:write']) })).toMatchObject({ status: 403 });
  });

  it('names the side and the forwarded write, or that nothing has to be forwarded', async () => {
    expect(await outcomes({ path: '/v1/forwards', body: INTENT })).toMatchObject({
      status: 200,
      body: { side: 'primary', forward: null, copy: null },
    });
    await start('planner');
    const first = await outcomes({ path: '/v1/forwards', body: INTENT });
    expect(first).toMatchObject({
      status: 200,
      body: { side: 'primary', forward: expect.stringMatching(/^\d{13}\.\d\./) },
    });
    expect((await outcomes({ path: '/v1/forwards', body: INTENT })).body).toEqual(first.body);
    expect(served.forwardStore.all()).toHaveLength(1);
  });

  it('settles a write once; an id of nothing that is forwarded settles nothing', async () => {
    await start('planner');
    const { forward } = (await outcomes({ path: '/v1/forwards', body: INTENT })).body as { forward: string };
    const settle = async (over: object) =>
      (
        await outcomes({
          path: '/v1/forwards/settle',
          body: { cutover: 'planner', forward, outcome: 'applied', ...over },
        })
      ).body;
    expect(await settle({ forward: '../x' })).toEqual({ settled: false });
    expect(await settle({ outcome: 'unknown' })).toEqual({ settled: true });
    expect(await settle({ outcome: 'refused' })).toEqual({ settled: false });
    expect(await settle({ outcome: 'perhaps' })).toMatchObject({ code: 'invalid_input' });
    expect(served.forwardStore.all()).toMatchObject([{ status: 'unsettled' }]);
  });

  it('is served under its old path with its old fields, for an SDK of the release before', async () => {
    await start('planner');
    const { status, body } = await outcomes({ path: '/v1/copies', body: INTENT });
    const { side, copy } = body as { side: string; copy: string };
    expect([status, side, copy]).toEqual([200, 'primary', served.forwardStore.all()[0]!.id]);
    const settled = { cutover: 'planner', copy, outcome: 'applied' };
    expect((await outcomes({ path: '/v1/copies/settle', body: settled })).body).toEqual({ settled: true });
    expect(served.forwardStore.all()).toMatchObject([{ status: 'ready' }]);
  });

  it('takes the old field or the new one, and no other', async () => {
    const settle = async (over: object) =>
      (await outcomes({ path: '/v1/forwards/settle', body: { cutover: 'planner', outcome: 'applied', ...over } })).body;
    expect(await settle({ copy: 'x' })).toEqual({ settled: false });
    expect(await settle({ forward: 'x' })).toEqual({ settled: false });
    for (const over of [{}, { forward: 'x', copy: 'x' }, { copy: 1 }, { copies: 'x' }])
      expect([over, await settle(over)]).toMatchObject([
        over,
        { title: expect.stringMatching(/^(invalid_input|unknown_property)$/) },
      ]);
  });

  it('is recorded by an SDK that names what records by its old names', async () => {
    await start('planner');
    const { write } = await sdk({ forwards: 'old' });
    expect(await write()).toEqual({ saved: true });
    expect(served.forwardStore.all()).toMatchObject([{ status: 'ready' }]);
  });
});
