/**
 * The HTTP functions with each of their servers away: a clear answer, nothing changed or everything kept, and the stop
 * works all the same. And reading: I39, no endpoint that only reads changes anything.
 */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayRoute, packagedRoutes } from '../helpers/api-gateway.ts';
import { type ApiStack, apiStack, concrete, type Instance } from '../helpers/api-stack.ts';
import { type FaultyProxy, faultyProxy } from '../helpers/dynamodb-proxy.ts';
import type { Answer } from '../property/served.ts';

/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1';
const FORCED = { force: true, reason: 'a test' };

let routes: readonly GatewayRoute[];
let stack: ApiStack;
let api: Instance;

beforeAll(async () => {
  routes = await packagedRoutes();
  stack = await apiStack(routes);
  api = await stack.instances();
  expect(await stack.command(api, 'planner', 'start', { plan: 'canary' })).toMatchObject({ status: 200 });
  expect(await stack.command(api, 'planner', 'advance', FORCED)).toMatchObject({ status: 200 });
  expect(await stack.command(api, 'chat', 'start')).toMatchObject({ status: 200 });
});
afterAll(() => stack?.stop());

function expectProblem(answer: Answer, status: number, code: string, says: RegExp): void {
  expect(answer).toMatchObject({ status, body: { status, code } });
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect((answer.body as { detail: string }).detail).toMatch(says);
  // Passwords of the addresses, and places inside the program.
  expect(answer.text).not.toMatch(/:postgres@|node_modules|\bat .+\.ts:/);
}

describe('I39 reading', () => {
  it.each([
    ['in the course of things', async () => api],
    [
      'while Postgres is away',
      () => stack.instances({ CROSSFADE_DATABASE_URL: `postgres://me:postgres@${NOWHERE}/app` }),
    ],
    ['while AppConfig is away', () => stack.instances({ CROSSFADE_APPCONFIG_ENDPOINT: `http://${NOWHERE}` })],
  ])('every endpoint changes nothing %s', async (_name, instance) => {
    const them = await instance();
    const before = await stack.everything();
    const reading = routes.filter(({ method, function: name }) => method === 'GET' && name !== 'gateway');
    expect(reading.length).toBeGreaterThan(10);
    for (const { path } of reading) {
      for (const cutover of ['planner', 'customer', 'shadowless', 'keyless', 'chat']) {
        const { status } = await stack.call(them, { path: concrete(path, cutover) });
        expect([path, cutover, status < 600]).toEqual([path, cutover, true]);
        if (!path.includes('{cutover}')) break;
      }
    }
    expect(await stack.everything()).toEqual(before);
  });

  it('would be noticed if not: a command changes what is compared', async () => {
    const before = await stack.everything();
    await stack.command(api, 'planner', 'pause');
    expect(await stack.everything()).not.toEqual(before);
    await stack.command(api, 'planner', 'resume');
  });
});

describe('Postgres down', () => {
  let cut: Instance;
  beforeAll(async () => {
    cut = await stack.instances({ CROSSFADE_DATABASE_URL: `postgres://me:postgres@${NOWHERE}/app` });
  });

  it.each(['preview', 'verification'])(
    'the %s of a table says that the database is away, where, and what to do',
    async (what) => {
      const before = await stack.everything();
      const answer = await stack.call(cut, { path: `/v1/cutovers/customer/${what}` });
      expectProblem(answer, 503, 'database_unavailable', /127\.0\.0\.1:1\/app.*ECONNREFUSED.*Check that Postgres runs/);
      expect(await stack.everything()).toEqual(before);
    },
  );

  it('a start is refused, changes nothing, and the same request works when Postgres is back', async () => {
    const before = await stack.everything();
    const request = {
      path: '/v1/cutovers/customer/start',
      body: {},
      headers: { 'idempotency-key': randomUUID(), 'if-match': '"0"' },
    };
    expectProblem(await stack.call(cut, request), 503, 'database_unavailable', /Check that Postgres runs/);
    expect(await stack.everything()).toEqual(before);
    expect(await stack.call(api, request)).toMatchObject({ status: 200, body: { stage: 'dual_write', version: 1 } });
  });

  it('the report and the page show the rest, and what is held', async () => {
    const report = await stack.call(cut, { path: '/v1/cutovers/customer' });
    expect(report).toMatchObject({
      status: 200,
      body: { stage: 'dual_write', table: null, verdict: { verdict: 'hold' } },
    });
    expect((await stack.call(cut, { path: '/dashboard/data' })).status).toBe(200);
  });

  it('commands on what is no table, and outcomes, go on', async () => {
    expect(await stack.command(cut, 'planner', 'pause')).toMatchObject({ status: 200 });
    expect(await stack.command(cut, 'planner', 'resume')).toMatchObject({ status: 200 });
  });

  it('a rollback of the table is taken, and its fence follows when Postgres is back', async () => {
    expect(await stack.command(cut, 'customer', 'rollback', { reason: 'away' })).toMatchObject({
      status: 200,
      body: { stage: 'rolled_back' },
    });
    // Any later command reconciles, like every tick.
    await stack.command(api, 'planner', 'pause');
    await stack.command(api, 'planner', 'resume');
    const [mirror] = await stack.db.sql.unsafe(
      "SELECT stage, shadow_writes FROM crossfade.cutover WHERE id = 'customer'",
    );
    expect(mirror).toMatchObject({ stage: 'rolled_back', shadow_writes: false });
    expect(await stack.command(api, 'customer', 'reset', { confirm: 'customer' })).toMatchObject({ status: 200 });
  });
});

describe('DynamoDB down', () => {
  const minute = () => Math.floor(Date.now() / 60_000);
  const window = () => ({
    cutover: 'planner',
    operation: 'read',
    minute: minute(),
    side: 'shadow',
    count: 1,
    errors: 0,
    keyless: 0,
    latency: { '1': 1 },
    checks: 0,
    mismatches: 0,
  });

  it('every function that needs it says so, changes nothing, and routing goes on', async () => {
    const cut = await stack.instances({ CROSSFADE_DYNAMODB_ENDPOINT: `http://${NOWHERE}` });
    const before = await stack.everything();
    const calls = [
      { path: '/v1/cutovers' },
      { path: '/v1/cutovers/planner/history' },
      { path: '/v1/system' },
      { path: '/dashboard/data' },
      { path: '/v1/cutovers/planner/pause', body: {}, headers: { 'idempotency-key': 'k', 'if-match': '"2"' } },
      { path: '/v1/system/emergency-stop', body: { reason: 'x' }, headers: { 'idempotency-key': 'k' } },
      { path: '/v1/outcomes', body: { flushId: 'f', source: 's', windows: [window()] } },
    ];
    for (const call of calls)
      expectProblem(await stack.call(cut, call), 503, 'store_unavailable', /Check that DynamoDB runs/);
    expect(await stack.call(cut, { path: '/v1/route/planner', query: 'key=a' })).toMatchObject({
      status: 200,
      body: { reason: 'share' },
    });
    expect(await stack.everything()).toEqual(before);
  });

  it.each(['before', 'after'] as const)('a command whose write is lost %s its effect happens once', async (fault) => {
    const proxy: FaultyProxy = await faultyProxy(stack.on.endpoint);
    const cut = await stack.instances({ CROSSFADE_DYNAMODB_ENDPOINT: proxy.endpoint });
    const { body } = await stack.call(api, { path: '/v1/cutovers/chat' });
    const { version } = body as { version: number };
    const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${version}"` };
    proxy.fail('TransactWriteItems', fault, 1);
    const path = `/v1/cutovers/chat/${fault === 'before' ? 'pause' : 'resume'}`;
    const answer = await stack.call(cut, { path, body: {}, headers });
    expect(answer).toMatchObject({ status: 200, body: { version: version + 1 } });
    expect(proxy.failed()).toBe(1);
    expect(await stack.call(api, { path, body: {}, headers })).toMatchObject({ body: { version: version + 1 } });
    await proxy.stop();
  });
});

describe('AppConfig down', () => {
  it('routing answers with the primary and says that it has no flags', async () => {
    const cut = await stack.instances({ CROSSFADE_APPCONFIG_ENDPOINT: `http://${NOWHERE}` });
    expect(await stack.call(cut, { path: '/v1/route/planner', query: 'key=a' })).toMatchObject({
      status: 200,
      body: { side: 'primary', reason: 'no_flags' },
    });
  });
});

describe('the publisher away', () => {
  const stop = {
    path: '/v1/system/emergency-stop',
    body: { reason: 'smoke' },
    headers: { 'idempotency-key': randomUUID() },
  };
  const reset = {
    path: '/v1/system/reset',
    body: { confirm: 'system' },
    headers: { 'idempotency-key': randomUUID() },
  };
  const isDeployed = async () =>
    ((await stack.call(api, { path: '/v1/cutovers/planner' })).body as { flagsDeployed: boolean }).flagsDeployed;

  it('a rollback is kept and says that its flags are not there yet; reads leave as soon as it is back', async () => {
    await stack.publisher.leave();
    const answer = await stack.command(api, 'planner', 'rollback', { reason: 'slow pages' });
    expect(answer).toMatchObject({ status: 202, body: { stage: 'rolled_back', published: false } });
    expect(await isDeployed()).toBe(false);
    expectProblem(await stack.call(api, { path: '/v1/flags' }), 503, 'flags_unavailable', /waits for the publisher/);
    await stack.publisher.comeBack();
    // Without any command, and without Postgres.
    expect(await isDeployed()).toBe(true);
    const fresh = await stack.instances();
    expect((await stack.call(fresh, { path: '/v1/route/planner', query: 'key=a' })).body).toMatchObject({
      side: 'primary',
      sharePpm: 0,
    });
  });

  it('with Postgres away, too, the emergency stop works: everything is rolled back, and the flags follow', async () => {
    await stack.publisher.leave();
    const cut = await stack.instances({ CROSSFADE_DATABASE_URL: `postgres://me:postgres@${NOWHERE}/app` });
    expect(await stack.call(cut, stop)).toMatchObject({
      status: 202,
      body: { published: false, cutovers: [{ id: 'chat', from: 'dual_write', to: 'rolled_back' }] },
    });
    expect((await stack.call(api, { path: '/v1/system' })).body).toMatchObject({ emergencyStop: true });
    await stack.publisher.comeBack();
    expect((await stack.call(api, { path: '/v1/flags' })).body).toMatchObject({
      document: { system: { emergency_stop: true } },
    });
    expect(await stack.call(api, reset)).toMatchObject({
      status: 200,
      body: { emergencyStop: false, published: true },
    });
  });
});

describe('the gateway', () => {
  it('of what is no service, or whose upstream is down, answers with a problem', async () => {
    expectProblem(await stack.call(api, { path: '/gateway/planner/x' }), 400, 'invalid_input', /only a service/);
    const answer = await stack.call(api, {
      path: '/gateway/chat/hello',
      query: 'a=1',
      headers: { 'x-correlation-id': 'c' },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ path: '/old/hello?a=1' });
    expect(answer.headers).toMatchObject({ 'x-crossfade-route': 'primary', 'x-correlation-id': 'c' });
    await stack.stopUpstreams();
    const down = await stack.call(api, { path: '/gateway/chat/hello' });
    expectProblem(down, 502, 'upstream_unavailable', /could not be passed on/);
  });
});
