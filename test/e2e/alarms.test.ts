/**
 * Every alarm of the packaged template against what the functions write: it does not ring on a healthy day, and rings under the
 * fault it is for. Figures of ours come out of the real handlers on real servers; those of AWS are what AWS would report.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import TABLE from '../../infra/metrics.json' with { type: 'json' };
import { systemClock } from '../../lib/adapters/system.ts';
import { type AlarmProperties, type Figure, figuresOf, rings } from '../helpers/alarm-evaluation.ts';
import { packagedRoutes } from '../helpers/api-gateway.ts';
import { type ApiStack, apiStack, type Instance } from '../helpers/api-stack.ts';
import { newForward } from '../helpers/contracts/forwards.ts';
import { FUNCTIONS, PARAMETERS, workspace } from '../helpers/packaged-template.ts';
import { portsOn } from '../helpers/stack-parts.ts';
import { ofType } from '../helpers/template-access.ts';

const NOBODY = 'postgres://nobody@127.0.0.1:9/nothing';
const DAY_MS = 86_400_000;
const DAY_MINUTES = 1_440;
const DEPLOYED = { POWERTOOLS_METRICS_DISABLED: 'false', POWERTOOLS_SERVICE_NAME: 'crossfade-prod' };

const directory = mkdtempSync(join(tmpdir(), 'crossfade-alarms-'));
const NOTHING_DECLARED = join(directory, 'cutovers.json');

let stack: ApiStack;
let api: Instance;
let alarms: Map<string, AlarmProperties>;

beforeAll(async () => {
  writeFileSync(NOTHING_DECLARED, '[]');
  const service = workspace();
  const packaged = await service.package('prod', PARAMETERS);
  service.remove();
  alarms = new Map(
    ofType(packaged, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => [
      String(Properties.AlarmName).replace('crossfade-prod-', ''),
      Properties as AlarmProperties,
    ]),
  );
  stack = await apiStack(await packagedRoutes());
  api = await stack.instances(DEPLOYED);
  for (const id of ['customer', 'planner', 'chat'])
    expect(await stack.command(api, id, 'start')).toMatchObject({ status: 200 });
});
afterAll(async () => {
  await stack?.stop();
  rmSync(directory, { recursive: true, force: true });
});

// ------------------------------------------------------------------------------------------------- what functions write

/** Figures of what is written while this runs. */
async function written(work: () => Promise<unknown>): Promise<Figure[]> {
  const lines: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    await work();
    // Of `route`, whose metrics are loaded with the first figure.
    await vi.waitFor(() => expect(lines.join('')).toContain('"_aws"'), { timeout: 10_000 });
  } finally {
    spy.mockRestore();
  }
  return figuresOf(lines.join(''));
}

const SCHEDULED: Readonly<Record<string, () => Promise<{ handler: unknown }>>> = {
  tick: () => import('../../functions/tick.ts'),
  backfill: () => import('../../functions/backfill.ts'),
};

/** One call of a scheduled function by a new instance, as the environment says now. */
async function scheduled(name: string, over: Readonly<Record<string, string>> = {}, remainingMs = 50_000) {
  const before = { ...process.env };
  Object.assign(process.env, over);
  vi.resetModules();
  const { handler } = await SCHEDULED[name]!();
  const context = { getRemainingTimeInMillis: () => remainingMs };
  await (handler as (event: object, context: object) => Promise<unknown>)({ source: 'aws.events' }, context);
  process.env = before;
}
const tick = (over?: Readonly<Record<string, string>>) => scheduled('tick', over);

/** The clock of the functions is this much ahead. */
const later = (ms: number) => ({
  CROSSFADE_CLOCK_SPEED: '2',
  CROSSFADE_CLOCK_ORIGIN_MS: String(Date.now() - ms),
});

const outcomes = (flagAgeMs: number) =>
  stack.call(api, { path: '/v1/outcomes', body: { flushId: 'f', source: 's', windows: [], flagAgeMs } });

const of = (namespace: string, metric: string, dimensions: Figure['dimensions'], value: number): Figure => ({
  namespace,
  metric,
  dimensions,
  values: [value],
});
const ofFunction = (metric: string, name: string, value: number) =>
  of('AWS/Lambda', metric, { FunctionName: `crossfade-prod-${name}` }, value);
const DEAD_LETTERS = { QueueName: { 'Fn::GetAtt': ['DeadLetters', 'QueueName'] } };
const API = { ApiId: { Ref: 'HttpApi' } };

const healthyOfAws: readonly Figure[] = [
  ...FUNCTIONS.flatMap((name) => [ofFunction('Errors', name, 0), ofFunction('Throttles', name, 0)]),
  ofFunction('IteratorAge', 'shadow-writer', 250),
  of('AWS/SQS', 'ApproximateNumberOfMessagesVisible', DEAD_LETTERS, 0),
  of('AWS/ApiGateway', '5xx', API, 0),
  of('AWS/ApiGateway', '4xx', API, 2),
  of('AWS/RDS', 'DatabaseConnections', { DBInstanceIdentifier: '' }, 40),
  of('AWS/RDS', 'DatabaseConnectionsCurrentlySessionPinned', { ProxyName: '' }, 0),
];

/** What the fault makes of a minute. */
const FAULTS: Readonly<Record<string, () => Promise<readonly Figure[]> | readonly Figure[]>> = {
  'iterator-age': () => [ofFunction('IteratorAge', 'shadow-writer', 90_000)],
  'iterator-age-page': () => [ofFunction('IteratorAge', 'shadow-writer', 400_000)],
  'stream-errors': () => [ofFunction('Errors', 'shadow-writer', 1)],
  'dead-letters': () => [of('AWS/SQS', 'ApproximateNumberOfMessagesVisible', DEAD_LETTERS, 1)],
  'tick-errors': () => [ofFunction('Errors', 'tick', 1)],
  'control-errors': () => [ofFunction('Errors', 'control', 1)],
  'api-5xx': () => [of('AWS/ApiGateway', '5xx', API, 4)],
  'api-4xx': () => [of('AWS/ApiGateway', '4xx', API, 30)],
  'pinned-sessions': () => [of('AWS/RDS', 'DatabaseConnectionsCurrentlySessionPinned', { ProxyName: '' }, 3)],
  connections: () => [of('AWS/RDS', 'DatabaseConnections', { DBInstanceIdentifier: '' }, 90)],
  ...Object.fromEntries(
    FUNCTIONS.map((name) => [`throttles-${name}`, () => [ofFunction('Throttles', name, 1)]] as const),
  ),
  ...Object.fromEntries(
    ['publisher', 'relay', 'backfill', 'verify'].map(
      (name) => [`errors-${name}`, () => [ofFunction('Errors', name, 1)]] as const,
    ),
  ),
  // A copy that fails is said, and the call of the function ends well.
  failures: () =>
    written(() => scheduled('backfill', { CROSSFADE_DATABASE_URL: NOBODY, CROSSFADE_LOG_LEVEL: 'silent' })),
  'not-judged': () => written(() => scheduled('tick', {}, 10_000)),
  undeclared: () => written(() => scheduled('tick', { CROSSFADE_CUTOVERS: NOTHING_DECLARED })),
  schema: async () => {
    await stack.db.sql.unsafe("INSERT INTO crossfade.migration (number, name, checksum) VALUES (9999, 'later', '')");
    const figures = await written(() => tick());
    await stack.db.sql.unsafe('DELETE FROM crossfade.migration WHERE number = 9999');
    return figures;
  },
  // No tick ends: nothing is written.
  'no-tick': () => [],
  'outbox-age': async () => {
    await stack.db.sql.unsafe("UPDATE customer SET city = 'There' WHERE customer_id = 1");
    await stack.db.sql.unsafe("UPDATE crossfade.outbox_customer SET at = at - interval '10 minutes'");
    return written(() => tick());
  },
  quarantine: async () => {
    await stack.db.sql.unsafe(
      "INSERT INTO crossfade.quarantine (cutover, key, key_hash, sqlstate, reason, attempts) VALUES ('customer', '[1]', crossfade.key_hash('[1]'), '23514', 'x', 8)",
    );
    return written(() => tick());
  },
  'forwards-age': async () => {
    const ports = portsOn(stack.on, { databaseUrl: stack.db.url, clock: systemClock() });
    await ports.intents.intend(newForward({ n: 1, createdAtMs: Date.now() - 600_000 }));
    await ports.close();
    return written(() => tick());
  },
  'forwards-quarantine': async () => {
    const ports = portsOn(stack.on, { databaseUrl: stack.db.url, clock: systemClock() });
    const forward = newForward({ n: 2, createdAtMs: Date.now(), orderKey: 'conversations/8' });
    await ports.intents.intend(forward);
    await ports.intents.settle('chat', forward.id, 'ready');
    const nowMs = Date.now();
    await ports.attempts.claim('chat', forward.id, { by: 'test', nowMs, untilMs: nowMs + 5_000 });
    const problem = { code: 'refused', text: 'answered 422', atMs: nowMs } as const;
    expect(await ports.attempts.quarantine('chat', forward.id, 'test', problem)).toBe(true);
    await ports.close();
    return written(() => tick());
  },
  'long-hold': () => written(() => tick(later(2 * DAY_MS))),
  'flag-age': () => written(() => outcomes(120_000)),
  'denied-commands': () =>
    written(async () => {
      for (let i = 0; i < 5; i += 1)
        expect(await stack.command(api, 'frozen', 'advance')).toMatchObject({ status: 409 });
    }),
  'flags-invalid': async () => {
    const server = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const CROSSFADE_APPCONFIG_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const misled = await stack.instances({ ...DEPLOYED, CROSSFADE_APPCONFIG_ENDPOINT });
    const figures = await written(() => stack.call(misled, { path: '/v1/route/planner', query: 'key=1' }));
    api = await stack.instances({ ...DEPLOYED, CROSSFADE_APPCONFIG_ENDPOINT: stack.on.appConfig.url });
    await new Promise((resolve) => server.close(resolve));
    return figures;
  },
  'publish-conflict': () => unpublished('spare', 'conflict'),
  'flag-drift': () => unpublished('shared', 'quota'),
  'state-invalid': async () => {
    const item = { TableName: stack.on.tables.state, Key: { pk: 'state', sk: 'cutover#planner' } };
    const set = (stage: unknown) =>
      stack.on.dynamodb.send(
        new UpdateCommand({
          ...item,
          UpdateExpression: 'SET stage = :stage',
          ExpressionAttributeValues: { ':stage': stage },
        }),
      );
    await set(7);
    const figures = await written(() => tick());
    await set('dual_write');
    return figures;
  },
};

/** A state that readers do not see for two days. */
async function unpublished(cutover: string, answer: 'conflict' | 'quota'): Promise<Figure[]> {
  stack.on.appConfig.faults.set({ requests: [{ operation: 'StartDeployment', answer }] });
  // Accepted, and not published yet.
  expect(await stack.command(api, cutover, 'start')).toMatchObject({ status: 202 });
  const figures = await written(() => tick(later(2 * DAY_MS)));
  stack.on.appConfig.faults.clear();
  return figures;
}

// ------------------------------------------------------------------------------------------------------------ the tests

describe('alarms', () => {
  let healthy: readonly Figure[];
  const seen: Figure[] = [];
  const during = (minute: readonly Figure[]) => Array.from({ length: DAY_MINUTES }, () => minute);

  beforeAll(async () => {
    const ours = await written(async () => {
      await tick();
      await outcomes(4_000);
    });
    seen.push(...ours);
    healthy = [...healthyOfAws, ...ours];
  });

  it('do not ring on a healthy day', () => {
    expect(alarms.size).toBeGreaterThan(30);
    expect([...alarms].filter(([, alarm]) => rings(alarm, during(healthy))).map(([name]) => name)).toEqual([]);
  });

  it('each has a fault that it is for', () => {
    expect(Object.keys(FAULTS).sort()).toEqual([...alarms.keys()].sort());
  });

  it.each(Object.keys(FAULTS))('%s rings under its fault, and not for another deployment', async (name) => {
    const figures = await FAULTS[name]!();
    seen.push(...figures);
    const alarm = alarms.get(name)!;
    expect(rings(alarm, [...during(healthy), ...during(figures).slice(0, 20)])).toBe(true);
    const others = figures.map((figure) => ({ ...figure, dimensions: { service: 'crossfade-dev' } }));
    if (name !== 'no-tick') expect(rings(alarm, during(others))).toBe(false);
  });

  it('between them the functions wrote every metric of the table, with its unit', () => {
    const units = new Map(
      seen.filter(({ namespace }) => namespace === TABLE.namespace).map(({ metric, unit }) => [metric, unit]),
    );
    expect(Object.fromEntries(units)).toEqual(
      Object.fromEntries(Object.entries(TABLE.metrics).map(([metric, { unit }]) => [metric, unit])),
    );
  });
});
