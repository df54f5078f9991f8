/**
 * One tick over many cutovers against the local DynamoDB engine: how long it takes, how often it reads a window, and what a
 * cutover and minute cost in DynamoDB's units. Every cutover is in a 10 % stage with an hour of windows behind it.
 *
 *   npm run bench tick              1,000 cutovers, 60 minutes of windows
 *   npm run bench tick 100 30       100 cutovers, 30 minutes
 *   npm run bench tick 100 30 component
 *
 * The first tick finds nothing folded and folds the whole hour; the next two are what every minute costs. State, verdicts,
 * windows and alerts are those of the engine; flags and the tables' status are in memory. A component or service asks for
 * its forwarded writes besides, which is one more request for five of them.
 */

import { BatchWriteCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { startDynamoDb } from '../../infra/local/dynamodb.ts';
import { createTables } from '../../infra/local/tables.ts';
import { dynamoAlertStore } from '../../lib/adapters/dynamodb/alert-store.ts';
import { dynamoClient } from '../../lib/adapters/dynamodb/client.ts';
import { dynamoForwardStore } from '../../lib/adapters/dynamodb/forwards/store.ts';
import { cutoverKey, windowKey } from '../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../lib/adapters/dynamodb/state-store.ts';
import { dynamoVerdictStore } from '../../lib/adapters/dynamodb/verdict-store.ts';
import { dynamoWindowStore } from '../../lib/adapters/dynamodb/window-store.ts';
import { type CutoverDeclaration, DEFAULT_POLICY, initialState } from '../../lib/core/cutover/cutover.ts';
import { makePlan } from '../../lib/core/cutover/plan.ts';
import { reconcile } from '../../lib/flows/control/reconcile.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { meter } from '../helpers/dynamodb-meter.ts';
import { inMemoryCriteria } from '../helpers/fakes/criteria.ts';
import { inMemoryCustomMetrics } from '../helpers/fakes/custom-metrics.ts';
import { inMemoryExperiments } from '../helpers/fakes/experiments.ts';
import { inMemoryTables } from '../helpers/fakes/tables/tables.ts';
import { inMemoryWakeUps } from '../helpers/fakes/wake-ups.ts';
import { drawnMinute, latenciesOf, randomFrom } from '../helpers/gate-traffic.ts';
import { tablePorts } from '../helpers/table-ports.ts';
import { declarationOf } from '../property/samples.ts';
import { type Line, printTable } from './table.ts';

const [CUTOVERS = 1_000, MINUTES = 60] = process.argv.slice(2, 4).map(Number);
const KIND = process.argv[4] === 'component' ? 'component' : 'table';
const MINUTE_MS = 60_000;
const WANTED_MS = 10_000;
/** The engine shares the machine with this process, and with whatever else runs there: what is late is measured, not given up. */
const PATIENT_MS = 60_000;
const OPERATIONS_PER_MINUTE = 100;
const SHARE = 10;
const NAMES = { state: 'crossfade-state', changes: 'crossfade-changes' };
const PLAN = makePlan(
  'bench',
  [
    ['test_10', SHARE],
    ['full_100', 100],
  ],
  10_000,
);
const latencies = latenciesOf([{ medianMs: 20, spread: 0.35, weight: 1 }]);
/** Beyond the clock of every machine, or the engine would remove the windows as expired. */
const startMinute = Math.floor(Date.UTC(2100, 0, 15, 12) / MINUTE_MS);

async function main(): Promise<void> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const server = await startDynamoDb();
  try {
    const client = dynamoClient({
      region: 'local',
      endpoint: server.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      limits: { connectMs: PATIENT_MS, requestMs: PATIENT_MS },
    });
    await createTables(client, NAMES);
    await run(client);
  } finally {
    await server.stop();
  }
}

async function run(client: DynamoDBDocumentClient): Promise<void> {
  let nowMs = startMinute * MINUTE_MS + 5_000;
  const declarations = Array.from({ length: CUTOVERS }, (_, n) =>
    declarationOf(KIND, { id: `table_${n}`, salt: `table_${n}`, plan: PLAN, policy: DEFAULT_POLICY }),
  );
  await store(
    client,
    declarations.map((one) => stateItem(one)),
  );
  const firstMinute = startMinute - MINUTES;
  for (let minute = firstMinute; minute < startMinute; minute += 1)
    await store(client, windowsOf(declarations, minute));
  console.log(
    `${CUTOVERS} ${KIND} cutovers, ${MINUTES} minutes of both sides, ${OPERATIONS_PER_MINUTE} operations a minute each`,
  );
  const ports = portsOf(client, () => nowMs);
  await reconcile(ports, declarations);
  const asked = meter(client);
  const lines: Line[] = [];
  for (const what of ['first tick, nothing folded', 'a minute later', 'another minute later']) {
    const before = performance.now();
    const busy = process.cpuUsage();
    const { cutovers } = await tick(ports, declarations);
    const tookMs = performance.now() - before;
    const { user, system } = process.cpuUsage(busy);
    const seen = asked();
    const most = Math.max(0, ...seen.windows.values());
    const unknown = cutovers.filter(({ problem }) => problem).length;
    if (unknown > 0 || most !== 1)
      throw new Error(`${unknown} cutovers could not be judged; the window read most often was read ${most} times`);
    console.log(`${what}: ${tookMs <= WANTED_MS ? 'met' : 'MISSED'}; every window in it was read once`);
    const each = (value: number) => value / CUTOVERS;
    lines.push(
      { what: `${what}: time`, value: tookMs / 1_000, unit: `s, wanted ${WANTED_MS / 1_000}` },
      { what: `${what}: this process was busy`, value: (user + system) / 1e6, unit: 's' },
      { what: `${what}: requests`, value: each(seen.requests), unit: 'a cutover' },
      { what: `${what}: windows read`, value: each(seen.windows.size), unit: 'a cutover' },
      { what: `${what}: read units`, value: each(seen.readUnits), unit: 'a cutover and minute' },
      { what: `${what}: write units`, value: each(seen.writeUnits), unit: 'a cutover and minute' },
    );
    nowMs += MINUTE_MS;
    await store(client, windowsOf(declarations, Math.floor(nowMs / MINUTE_MS) - 1));
    asked();
  }
  printTable('one tick', lines);
}

function portsOf(client: DynamoDBDocumentClient, now: () => number): Ports {
  const clock = { now, monotonicMs: () => performance.now(), sleep: async () => undefined };
  let last = 0;
  const ids = { next: () => `id-${++last}` };
  const target = {
    client,
    tableName: NAMES.state,
    clock,
    ids,
    random: Math.random,
    requestTimeoutMs: PATIENT_MS,
  };
  return {
    clock,
    ids,
    log: { event: () => undefined, failure: (name, error) => console.error(name, String(error).slice(0, 160)) },
    metrics: { record: () => undefined, flush: () => undefined },
    state: dynamoStateStore(target),
    verdicts: dynamoVerdictStore(target),
    windows: dynamoWindowStore(target),
    alerts: dynamoAlertStore(target),
    ...dynamoForwardStore({ client, tableName: NAMES.changes, realNow: now }),
    realNow: now,
    deliver: async () => 'away',
    customMetrics: inMemoryCustomMetrics(),
    criteria: inMemoryCriteria(),
    flags: flagsOfAnySize(),
    sightings: { last: async () => null },
    ...tablePorts(inMemoryTables({ clock })),
    wakeUps: inMemoryWakeUps(),
    experiments: inMemoryExperiments(),
  };
}

/** A thousand flags are more than the megabyte that AppConfig takes in one document. */
function flagsOfAnySize(): Ports['flags'] {
  let deployed: Awaited<ReturnType<Ports['flags']['deployed']>> = { document: null, latestVersion: 0 };
  return {
    deployed: async () => deployed,
    async publish({ document }) {
      deployed = { document, latestVersion: deployed.latestVersion + 1 };
      return { kind: 'published', version: deployed.latestVersion };
    },
  };
}

const stateItem = (declaration: CutoverDeclaration) => ({
  ...cutoverKey(declaration.id),
  ...initialState(declaration),
  version: 7,
  epoch: 3,
  auditSeq: 7,
  auditHash: '0'.repeat(64),
  stage: 'test_10',
  stageKind: 'ramp',
  enteredAtMs: (startMinute - MINUTES - 1) * MINUTE_MS,
});

/** A minute of every cutover, as one sender for each side has left it. */
function windowsOf(declarations: readonly CutoverDeclaration[], minute: number) {
  return declarations.flatMap(({ id }, n) =>
    (['primary', 'shadow'] as const).map((side) => {
      const perMinute = (OPERATIONS_PER_MINUTE * (side === 'shadow' ? SHARE : 100 - SHARE)) / 100;
      const random = randomFrom(n * 100_003 + minute * 2 + (side === 'shadow' ? 1 : 0));
      const { latency, ...counters } = drawnMinute(random, minute, side, { perMinute, errorRate: 0.0005, latencies });
      const buckets = Object.fromEntries(Object.entries(latency).map(([index, count]) => [`b${index}`, count]));
      const shard = (n + (side === 'shadow' ? 5 : 0)) % 10;
      const key = windowKey(id, { source: `sender-${shard}`, flushes: '0' }, { minute, side, operation: 'read' });
      const rest = { operation: 'read', flushes: new Set(['abcdefghijkl']), expires_at: (minute + 43_200) * 60 };
      return { ...key, ...counters, ...rest, ...buckets };
    }),
  );
}

async function store(client: DynamoDBDocumentClient, items: readonly object[]): Promise<void> {
  const requests = items.map((Item) => ({ PutRequest: { Item } }));
  const batches = Array.from({ length: Math.ceil(requests.length / 25) }, (_, n) =>
    requests.slice(n * 25, n * 25 + 25),
  );
  const lane = async () => {
    for (let batch = batches.pop(); batch; batch = batches.pop())
      await client.send(new BatchWriteCommand({ RequestItems: { [NAMES.state]: batch } }));
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

await main();
