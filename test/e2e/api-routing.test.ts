/** I32 The SDK, the HTTP function and the SQL function give the same answer for the same key, at every share on the way. */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dynamoWindowStore } from '../../lib/adapters/dynamodb/window-store.ts';
import { agentSource, createClient, httpSource } from '../../lib/client/index.ts';
import { builtInPlan } from '../../lib/core/cutover/plan.ts';
import { bucketOf, inShare } from '../../lib/core/routing/routing.ts';
import { sliceOf, slicesOf } from '../../lib/core/routing/slices.ts';
import { packagedRoutes } from '../helpers/api-gateway.ts';
import { type ApiStack, apiStack, type Instance } from '../helpers/api-stack.ts';
import { testPlane } from '../helpers/postgres-tables.ts';

const LETTERS = [
  'a',
  'user-',
  'é',
  'ß',
  'Ω',
  '日本',
  'ключ-',
  '🙂',
  '👩‍👩‍👧',
  "it's ",
  '"quoted" ',
  'a.b.',
  '\\',
  'e\u0301',
];
/** 500 keys in many scripts, none twice. */
const KEYS = Array.from({ length: 500 }, (_, i) => `${LETTERS[i % LETTERS.length]}${(i * 7919).toString(36)}`);

let stack: ApiStack;
let api: Instance;

beforeAll(async () => {
  stack = await apiStack(await packagedRoutes());
  api = await stack.instances();
  const started = await stack.command(api, 'customer', 'start');
  expect(started).toMatchObject({ status: 200 });
  // No force sends readers to a shadow that is not copied.
  const plane = testPlane(stack.db);
  await plane.copy('customer', (started.body as { epoch: number }).epoch);
  await plane.close();
});
afterAll(() => stack?.stop());

type Routed = { cutover: string; side: string; reason: string; stage: string; version: number; slice: number | null };

async function overHttp(instance: Instance, operation: string): Promise<Routed[]> {
  const answers: Routed[] = [];
  for (let from = 0; from < KEYS.length; from += 250) {
    const requests = KEYS.slice(from, from + 250).map((key) => ({ cutover: 'customer', key, operation }));
    const { status, body } = await stack.call(instance, { path: '/v1/route', body: { requests } });
    expect(status).toBe(200);
    answers.push(...(body as { routes: Routed[] }).routes);
  }
  return answers;
}

/** Flags that a busy machine did not bring within the reader's 200 ms come with the next look. */
async function onceFlagged<T>(ask: () => Promise<T>, reasonOf: (answer: T) => string | undefined): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const answer = await ask();
    if (reasonOf(answer) !== 'no_flags' || tries === 20) return answer;
  }
}

async function bySdk() {
  const { application, environment, profile } = stack.on.flags;
  const client = createClient({
    flags: agentSource({ url: stack.on.appConfig.agentUrl, application, environment, profile, pollMs: 0 }),
    outcomes: async () => {},
    environment: {},
  });
  await onceFlagged(
    () => client.refresh(),
    () => client.route('customer', { key: KEYS[0]! }).reason,
  );
  return client;
}

/** An SDK that reaches no AppConfig: its flags come over HTTP. */
async function bySdkOverHttp(instance: Instance) {
  const seen: number[] = [];
  const fetch = async (_url: unknown, init?: RequestInit) => {
    const { authorization: _, ...headers } = init!.headers as Record<string, string>;
    const answer = await stack.call(instance, { path: '/v1/flags/served', headers });
    seen.push(answer.status);
    const body = answer.status === 304 ? null : JSON.stringify(answer.body);
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
  const flags = httpSource({ url: 'https://crossfade.test/v1/flags/served', token: () => 't', fetch: fetch as never });
  const client = createClient({ flags, outcomes: async () => {}, environment: {}, maxFlagAgeMs: 0 });
  await onceFlagged(
    () => client.refresh(),
    () => client.route('customer', { key: KEYS[0]! }).reason,
  );
  return { client, seen };
}

async function inSql(operation: string): Promise<Map<string, boolean>> {
  const rows = await stack.db.sql.unsafe(
    `SELECT t.key, crossfade.should_route_to_shadow('customer', '${operation}', t.key) AS shadow
     FROM jsonb_array_elements_text($1::text::jsonb) AS t(key)`,
    [JSON.stringify(KEYS)],
  );
  return new Map(rows.map(({ key, shadow }) => [key, shadow]));
}

/** All of them agree on every key. Returns the keys that the shadow serves. */
async function agreed(operation: string): Promise<string[]> {
  // An instance keeps flags for 15 s; a new one has those of now.
  // One after the other: loading instances takes the time that readers have for their flags.
  const http = await onceFlagged(
    async () => overHttp(await stack.instances(), operation),
    ([first]) => first?.reason,
  );
  const sdk = await bySdk();
  const distant = await bySdkOverHttp(await stack.instances());
  const sql = await inSql(operation);
  const seen = KEYS.map((key, index) => ({ key, ...sdk.route('customer', { key, operation }), http: http[index]! }));
  for (const { key, side, reason, stage, version, slice, http } of seen) {
    expect({ key, ...http }).toMatchObject({ key, side, reason, stage, version, slice });
    const far = distant.client.route('customer', { key, operation });
    expect({ key, ...far, ageMs: 0 }).toEqual({ key, side, reason, stage, version, slice, ageMs: 0 });
    expect([key, sql.get(key)]).toEqual([key, side === 'shadow']);
  }
  return seen.filter(({ side }) => side === 'shadow').map(({ key }) => key);
}

describe('I32 one answer for 500 keys', () => {
  it('from nothing over every ramp to all that is not held back, reads and writes', async () => {
    expect(new Set(KEYS).size).toBe(500);
    expect(await agreed('read')).toEqual([]);
    let before: string[] = [];
    const shares: number[] = [];
    for (let step = 0; step < 4; step += 1) {
      const moved = await stack.command(api, 'customer', 'advance', { force: true, reason: 'a test' });
      expect(moved).toMatchObject({ status: 200, body: { published: true } });
      const { sharePpm } = moved.body as { sharePpm: number };
      const now = await agreed('read');
      // I30: more share never takes a key back.
      expect(before.filter((key) => !now.includes(key))).toEqual([]);
      expect(await agreed('write')).toEqual([]);
      shares.push(sharePpm);
      before = now;
    }
    expect(shares).toEqual([10_000, 100_000, 500_000, 990_000]);
    // The last keys are held back, at the full stage too.
    const heldBack = KEYS.filter((key) => !inShare('customer', key, 990_000));
    expect(heldBack.length).toBeGreaterThan(0);
    expect(KEYS.filter((key) => !before.includes(key))).toEqual(heldBack);
  });

  it('one at a time over GET, with the key in the address', async () => {
    const fresh = await stack.instances();
    const sdk = await bySdk();
    for (const key of KEYS.slice(0, 60)) {
      const { status, body } = await stack.call(fresh, {
        path: '/v1/route/customer',
        query: `key=${encodeURIComponent(key)}`,
      });
      const { side, reason, stage, version } = sdk.route('customer', { key });
      expect([key, status]).toEqual([key, 200]);
      expect(body).toMatchObject({ side, reason, stage, version });
    }
  });

  it('and flags over HTTP cost a 304 while nothing changes', async () => {
    const { client, seen } = await bySdkOverHttp(await stack.instances());
    await vi.waitFor(async () => {
      await client.refresh();
      expect(seen.slice(0, 2)).toEqual([200, 304]);
    });
  });

  it('and what the SDK records comes back from the store by slice of the plan, through the API', async () => {
    const { application, environment, profile } = stack.on.flags;
    const statuses: number[] = [];
    const client = createClient({
      flags: agentSource({ url: stack.on.appConfig.agentUrl, application, environment, profile, pollMs: 0 }),
      outcomes: async (batch) => {
        const body = JSON.parse(JSON.stringify(batch));
        statuses.push((await stack.call(api, { path: '/v1/outcomes', body })).status);
      },
      environment: {},
    });
    await onceFlagged(
      () => client.refresh(),
      () => client.route('customer', { key: KEYS[0]! }).reason,
    );
    for (const key of KEYS)
      await client.runCutover({ cutover: 'customer', operation: 'slices', key, primary: () => 1, shadow: () => 1 });
    await client.runCutover({ cutover: 'customer', operation: 'slices', primary: () => 1, shadow: () => 1 });
    await client.flush();
    expect(statuses).toEqual([200]);
    const { dynamodb, tables } = stack.on;
    const windows = dynamoWindowStore({ client: dynamodb, tableName: tables.state, clock: { now: Date.now } });
    const minute = Math.floor(Date.now() / 60_000);
    const parts = await windows.readParts('customer', minute - 2, minute);
    const counts: Record<string, number> = {};
    for (const { slice, operation, window } of parts)
      if (operation === 'slices') counts[`${slice}`] = (counts[`${slice}`] ?? 0) + window.count;
    const ends = slicesOf(builtInPlan('gradual'), 10_000);
    const wanted: Record<string, number> = { null: 1 };
    for (const key of KEYS) {
      const slice = sliceOf(bucketOf('customer', key), ends);
      wanted[slice] = (wanted[slice] ?? 0) + 1;
    }
    expect(counts).toEqual(wanted);
    expect(Object.keys(wanted).length).toBeGreaterThan(4);
  });

  it('and none of them goes to the shadow while reads are on the primary', async () => {
    const moved = await stack.command(api, 'customer', 'reads', { to: 'primary', reason: 'slow pages' });
    expect(moved).toMatchObject({ status: 200, body: { stage: 'full_100', sharePpm: 0, published: true } });
    expect(await agreed('read')).toEqual([]);
    expect(await agreed('write')).toEqual([]);
  });

  it('and none of them goes to the shadow after a stop', async () => {
    await stack.call(api, {
      path: '/v1/system/emergency-stop',
      body: { reason: 'smoke' },
      headers: { 'idempotency-key': 'stop' },
    });
    expect(await agreed('read')).toEqual([]);
  });
});

describe('the gateway and the SDK', () => {
  it('send the same keys to the same side', async () => {
    await stack.call(api, {
      path: '/v1/system/reset',
      body: { confirm: 'system' },
      headers: { 'idempotency-key': 'lift' },
    });
    expect(await stack.command(api, 'chat', 'start', { plan: 'majority' })).toMatchObject({ status: 200 });
    for (let step = 0; step < 2; step += 1)
      expect(await stack.command(api, 'chat', 'advance', { force: true, reason: 'a test' })).toMatchObject({
        status: 200,
      });
    const fresh = await stack.instances();
    const sdk = await bySdk();
    const sides = new Set<string>();
    for (const key of KEYS.filter((text) => /^[\x21-\x7e]+$/.test(text)).slice(0, 60)) {
      const { status, headers } = await stack.call(fresh, {
        path: '/gateway/chat/x',
        headers: { 'x-correlation-id': key },
      });
      const { side, reason } = sdk.route('chat', { key });
      expect([key, status, headers['x-crossfade-route'], headers['x-crossfade-reason']]).toEqual([
        key,
        200,
        side,
        reason,
      ]);
      sides.add(side);
    }
    expect([...sides].sort()).toEqual(['primary', 'shadow']);
  });
});
