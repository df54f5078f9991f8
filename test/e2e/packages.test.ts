/**
 * Every package by itself, as Lambda runs it: its own files, the Runtime API, an event in the shape that AWS sends; and its role allows
 * what it asks of DynamoDB. And what a frozen instance does with a stop that was published while it was frozen.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEDULE_MARGIN_MS } from '../../functions/middleware.ts';
import { STATES } from '../../lib/adapters/dynamodb/keys.ts';
import { SCHEMA_VERSION } from '../../lib/adapters/postgres/migrations/handshake.ts';
import { emptyWindow } from '../../lib/core/gates/minute-window.ts';
import { emergencyStop } from '../../lib/flows/control/stop.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { eventOf } from '../helpers/api-gateway.ts';
import { JWKS, tokenOf } from '../helpers/api-tokens.ts';
import type { Deed } from '../helpers/asked-deeds.ts';
import { ledgerAgainst } from '../helpers/grants.ts';
import { deployedFunctions } from '../helpers/handler-process.ts';
import { type Runtime, startRuntime } from '../helpers/lambda-runtime.ts';
import { FUNCTIONS, PARAMETERS, type Packaged, workspace } from '../helpers/packaged-template.ts';
import { allows, grantsOf, recorder, usedIn } from '../helpers/role-evaluation.ts';
import { environmentOf } from '../helpers/stack-parts.ts';
import { type Items, items, readyToAdvance, startAll } from '../helpers/stack-parts-items.ts';
import { functionOf, type Statement } from '../helpers/template-access.ts';
import { type UpstreamServer, upstreamServer } from '../helpers/upstream-server.ts';

type Name = (typeof FUNCTIONS)[number];
const HOUR_MS = 3_600_000;

let world: Items;
let upstream: UpstreamServer;
let functions: string;
let environment: Record<string, string>;
let packaged: Packaged;
/** The logical name of each. */
let tables: Record<string, string>;
const settings = mkdtempSync(join(tmpdir(), 'crossfade-packages-'));

beforeAll(async () => {
  upstream = await upstreamServer(({ path }, response) => {
    if (!path.endsWith('/broken')) return void response.end('of the service');
    return void response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .write('half of', () => response.destroy());
  });
  const upstreams = { primary: `${upstream.url}/old/`, shadow: `${upstream.url}/new/` };
  world = await items(['item'], 'short', { cutovers: [{ id: 'chat', kind: 'service', upstreams }] });
  await startAll(world);
  functions = deployedFunctions();
  const service = workspace();
  packaged = await service.package('prod', PARAMETERS);
  service.remove();
  tables = { [world.on.tables.state]: 'StateTable', [world.on.tables.changes]: 'ChangesTable' };
  const cutovers = join(settings, 'cutovers.json');
  writeFileSync(cutovers, JSON.stringify(world.declarations));
  environment = {
    ...environmentOf(world.on, { databaseUrl: world.db.url, cutovers, speed: 1, originMs: 0 }),
    CROSSFADE_JWKS: JWKS,
  };
});
afterAll(async () => {
  await Promise.all([world?.stop(), upstream?.close()]);
  for (const directory of [functions, settings]) rmSync(directory, { recursive: true, force: true });
});

const start = (name: Name): Promise<Runtime> => startRuntime({ functions, name, environment });

// ---------------------------------------------------------------------------------------------------------- events

/** Valid in an hour, too. */
const token = () => tokenOf({ exp: Math.floor(Date.now() / 1_000) + 3 * 3_600 });
const http = (method: string, path: string, body?: object) =>
  eventOf({ method, path, token: token(), ...(body ? { body } : {}) }, { method, path });

/** A rule of EventBridge. */
const scheduled = (name: string) => ({
  version: '0',
  id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: '123456789012',
  time: `${new Date().toISOString().slice(0, 19)}Z`,
  region: 'eu-central-1',
  resources: [`arn:aws:events:eu-central-1:123456789012:rule/crossfade-prod-${name}`],
  detail: {},
  // The longest of them end with their work here.
  maxMs: 1,
});

const record = (table: string, dynamodb: object) => ({
  Records: [
    {
      eventID: 'c4ca4238a0b923820dcc509a6f75849b',
      eventName: 'MODIFY',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'eu-central-1',
      dynamodb: {
        ApproximateCreationDateTime: 1_764_500_000,
        SequenceNumber: '4421584500000000017450439091',
        SizeBytes: 60,
        ...dynamodb,
      },
      eventSourceARN: `arn:aws:dynamodb:eu-central-1:123456789012:table/crossfade-prod-${table}/stream/2026-01-01T00:00:00.000`,
    },
  ],
});

const window = () => ({
  cutover: 'item',
  operation: 'read',
  ...emptyWindow(Math.floor(Date.now() / 60_000), 'primary'),
  count: 1,
  latency: { 3: 1 },
});

const ANSWERS = (statusCode: number, body: unknown = expect.anything()) =>
  expect.objectContaining({ statusCode, body });

const EVENTS: Readonly<Record<Name, () => readonly [event: object, answer: unknown]>> = {
  route: () => [
    {
      ...http('GET', '/v1/route/item'),
      rawQueryString: 'key=1',
      pathParameters: { cutover: 'item' },
      queryStringParameters: { key: '1' },
    },
    ANSWERS(200, expect.stringContaining('"side":"primary"')),
  ],
  outcomes: () => [
    http('POST', '/v1/outcomes', { flushId: 'a~1', source: 'a', windows: [window()], flagAgeMs: 1 }),
    ANSWERS(200),
  ],
  control: () => [http('GET', '/v1/cutovers'), ANSWERS(200, expect.stringContaining('"item"'))],
  dashboard: () => [http('GET', '/dashboard/data'), ANSWERS(200, expect.stringContaining('"item"'))],
  gateway: () => [
    { ...http('GET', '/gateway/chat/room/7'), pathParameters: { cutover: 'chat', proxy: 'room/7' } },
    ANSWERS(200),
  ],
  'gateway-stream': () => [
    http('GET', '/gateway/chat/room/8'),
    expect.stringMatching(/"statusCode":200.*of the service$/s),
  ],
  tick: () => [scheduled('tick'), expect.anything()],
  publisher: () => [
    record('state', { Keys: { pk: { S: STATES }, sk: { S: 'cutover#item' } }, StreamViewType: 'KEYS_ONLY' }),
    null,
  ],
  relay: () => [scheduled('relay'), { rounds: 1, wakeUps: expect.any(Number) }],
  backfill: () => [scheduled('backfill'), expect.anything()],
  verify: () => [scheduled('verify'), expect.anything()],
  // Called by name.
  schema: () => [
    { task: 'look' },
    { installed: SCHEMA_VERSION, wanted: SCHEMA_VERSION, connections: [], apiUrl: null },
  ],
  'shadow-writer': () => [
    record('changes', {
      Keys: { id: { S: 'item' }, place: { S: 'wake' } },
      NewImage: { id: { S: 'item' }, place: { S: 'wake' }, wakeUps: { N: '7' } },
      StreamViewType: 'NEW_IMAGE',
    }),
    { batchItemFailures: [] },
  ],
};

/** What another way in brings to the same instance. */
const ALSO: Readonly<Partial<Record<Name, () => readonly [event: object, answer: unknown]>>> = {
  publisher: () => [http('POST', '/v1/flags/publish', {}), ANSWERS(200, expect.stringMatching(/^\{"version":\d+\}$/))],
};

const REFUSED = expect.objectContaining({ statusCode: 503, body: expect.stringContaining('store_unavailable') });
const FAILED = expect.stringMatching(/invocation\/[^/]+\/error: .*"errorMessage":"Could not read .*ECONN/s);
/** What they answer without DynamoDB; the others answer as with it. */
const WITHOUT_STORE: Readonly<Partial<Record<Name, unknown>>> = {
  outcomes: REFUSED,
  control: REFUSED,
  dashboard: REFUSED,
  tick: FAILED,
  publisher: FAILED,
  relay: FAILED,
  'shadow-writer': { batchItemFailures: [{ itemIdentifier: expect.any(String) }] },
};

/** One has no client, and two are told by Postgres all that they want here. */
const ASKS_NOTHING: readonly Name[] = ['route', 'backfill', 'schema'];
const recorded: Deed[] = [];
/** Two at once, on two cores. */
const LANES = [0, 1] as const;

describe('a package by itself', () => {
  describe.concurrent.each(LANES)('in lane %i', (lane) => {
    it.sequential.for(FUNCTIONS.filter((_, n) => n % LANES.length === lane))(
      '%s answers an event of its kind, and its role allows what it asks',
      async (name, { expect: say }) => {
        const [event, answer] = EVENTS[name]();
        const asked = await recorder(world.on.endpoint);
        const over = { CROSSFADE_DYNAMODB_ENDPOINT: asked.endpoint };
        const memoryMb = Number(functionOf(packaged, name).MemorySize);
        const runtime = await startRuntime({ functions, name, memoryMb, environment: { ...environment, ...over } });
        const invoke = () => (name === 'gateway-stream' ? runtime.invokeStreaming(event) : runtime.invoke(event));
        try {
          say(await invoke()).toEqual(answer);
          const [other, itsAnswer] = ALSO[name]?.() ?? [];
          if (other) say(await runtime.invoke(other)).toEqual(itsAnswer);
          // Lambda ends what needs more. What is left is for more rows, tables and clients.
          say(runtime.residentMb()).toBeLessThan(0.8 * memoryMb);
          const grants = grantsOf(packaged, name);
          recorded.push(...asked.deeds.map((deed) => ({ ...deed, by: name })));
          say(asked.deeds.length > 0).toBe(!ASKS_NOTHING.includes(name));
          say(deniedOf(asked.deeds, grants)).toEqual([]);
          // Each grant that was used is needed: without it something is denied.
          for (const grant of grants.filter((one) => asked.deeds.some((deed) => allows(one, deed, tables)))) {
            const others = grants.filter((other) => other !== grant);
            say(deniedOf(asked.deeds, others), `${grant.role}.${grant.Sid}`).not.toEqual([]);
          }
          // The instance outlives what goes wrong, and each line that it writes names its invocation.
          await asked.stop();
          for (const _ of ['once', 'and again'])
            say(await invoke().catch((error: Error) => error.message)).toEqual(WITHOUT_STORE[name] ?? answer);
          say(runtime.output().filter((line) => !runtime.ids.some((id) => line.includes(id)))).toEqual([]);
        } finally {
          await runtime.stop();
        }
      },
    );
  });

  it('does with its grants what the ledger of grants says', () => {
    expect(ledgerAgainst('test/e2e/packages.test.ts', usedIn(recorded, world.on.tables))).toEqual([]);
  });

  it.each([
    [
      'without one of its files',
      { isThere: (file: string) => file === 'index.mjs' },
      /init\/error.*Cannot find module/,
    ],
    ['with a start that fails', { added: 'throw new Error("planted");' }, /init\/error.*planted/],
    [
      'with a rejection that nobody handles',
      { added: ';void Promise.reject(new Error("planted"));' },
      /ended with 1.*planted/,
    ],
  ])('would fail %s', async (_, plant, how) => {
    const runtime = await startRuntime({ functions, name: 'route', environment, ...plant });
    await expect(runtime.invoke(EVENTS.route()[0])).rejects.toThrow(how);
    await runtime.stop();
  });

  it('that works for as long as it may ends before its deadline; one that does not is ended', async () => {
    const runtime = await start('relay');
    await runtime.invoke(scheduled('relay'));
    const { maxMs: _, ...event } = scheduled('relay');
    const { rounds } = (await runtime.invoke(event, SCHEDULE_MARGIN_MS + 2_000)) as { rounds: number };
    expect(rounds).toBeGreaterThan(1);
    await runtime.frozenFor(0, () =>
      expect(runtime.invoke(event, 100)).rejects.toThrow('Task timed out after 0.10 seconds'),
    );
    await runtime.stop();
  });

  it('that streams says at the end of an answer that it broke off', async () => {
    const runtime = await start('gateway-stream');
    await expect(runtime.invokeStreaming(http('GET', '/gateway/chat/broken'))).rejects.toThrow(
      /response: .*"statusCode":200.*half of/s,
    );
    // And the instance goes on.
    expect(await runtime.invokeStreaming(EVENTS['gateway-stream']()[0])).toEqual(EVENTS['gateway-stream']()[1]);
    await runtime.stop();
  });
});

const deniedOf = (deeds: readonly Deed[], grants: readonly Statement[]): Deed[] =>
  deeds.filter((deed) => !grants.some((grant) => allows(grant, deed, tables)));

describe('I24 an instance that was frozen for an hour', () => {
  const sideOf = async (runtime: Runtime) => {
    const { body } = (await runtime.invoke(EVENTS.route()[0])) as { body: string };
    return (JSON.parse(body) as { side: string }).side;
  };

  it('obeys at its first decision a stop that was published meanwhile; by its monotonic clock alone it would not', async () => {
    for (let ticks = 0; ticks < 2; ticks += 1) {
      await readyToAdvance(world);
      await tick(world.ports, world.declarations);
    }
    const [frozen, control] = [await start('route'), await start('route')];
    expect([await sideOf(frozen), await sideOf(control)]).toEqual(['shadow', 'shadow']);
    const stop = () => emergencyStop(world.ports, world.declarations, { reason: 'fire', actor: 'ada' });
    // The second one wakes up with the earlier wall clock.
    await frozen.frozenFor(HOUR_MS, () => control.frozenFor(0, stop));
    expect([await sideOf(control), await sideOf(frozen)]).toEqual(['shadow', 'primary']);
    await Promise.all([frozen.stop(), control.stop()]);
  });
});
