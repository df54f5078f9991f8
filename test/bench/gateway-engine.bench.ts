/**
 * What the gateway adds to a request beside a plain proxy, with the DynamoDB engine of the tests behind it: one connection, and
 * everybody by turns, in another order each time: who comes after whom says much of what the engine takes. Its round trips are
 * measured in the same run: small ones, and the two durable writes that a forwarded write is, by the AWS SDK alone. The upstreams
 * and the proxies are servers here.
 */

import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { startDynamoDb } from '../../infra/local/dynamodb.ts';
import { createTables } from '../../infra/local/tables.ts';
import { dynamoClient } from '../../lib/adapters/dynamodb/client.ts';
import { itemsOf } from '../../lib/adapters/dynamodb/forwards/item.ts';
import { dynamoForwardStore } from '../../lib/adapters/dynamodb/forwards/store.ts';
import { cutoverKey } from '../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../lib/adapters/dynamodb/state-store.ts';
import { systemClock, systemIds } from '../../lib/adapters/system.ts';
import { forwardOfWrite } from '../../lib/core/forwards/forward.ts';
import { gatewayBench } from '../helpers/gateway-bench.ts';
import { seeded, stateIn } from '../property/samples.ts';
import { tokenOf } from '../property/served.ts';
import { median, printTable } from './table.ts';

const REQUESTS = Number(process.argv[2] ?? 1_000);
const WARM_UP = 150;
const KEPT = { 'content-type': 'application/json', 'x-correlation-id': 'id-1', via: '1.1 crossfade-chat' };
const BODY = JSON.stringify({ id: 7, name: 'Ada', messages: Array.from({ length: 20 }, (_, i) => `message ${i}`) });
const TABLES = { state: 'state', changes: 'changes' };

const engine = await startDynamoDb();
const client = dynamoClient({
  region: 'local',
  endpoint: engine.endpoint,
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});
await createTables(client, TABLES);
const answer = (_: unknown, response: ServerResponse): void =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(BODY);
const rules = { requestsPerSecond: 1e9, idempotencyKeys: true };
const behind = await gatewayBench({ primary: answer, shadow: answer, stage: 'r2', gateway: rules });
const { ports } = behind.composition;
const clock = systemClock();
Object.assign(ports, dynamoForwardStore({ client, tableName: TABLES.changes, realNow: Date.now }), {
  state: dynamoStateStore({ client, tableName: TABLES.state, clock, ids: systemIds(), random: () => 0 }),
});
const Item = { ...cutoverKey('chat'), ...stateIn('r2', { id: 'chat', kind: 'service' }) };
await client.send(new PutCommand({ TableName: TABLES.state, Item }));

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const onwards = new Agent({ keepAlive: true });

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** As short as a proxy can be: it passes everything on, as it comes. */
const proxyServer = createServer((incoming, response) => {
  const { method, headers } = incoming;
  const passed = request(`${behind.primary.url}${incoming.url}`, { method, headers, agent: onwards }, (answered) => {
    response.writeHead(answered.statusCode!, answered.headers);
    answered.pipe(response);
  });
  incoming.pipe(passed);
});
/** The part that API Gateway plays. */
const frontServer = createServer(async (incoming, response) => {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const answered = await behind.call({
    method: incoming.method!,
    path: incoming.url!,
    headers: incoming.headers as Record<string, string>,
    ...(parts.length > 0 ? { raw: Buffer.concat(parts).toString() } : {}),
    token: null,
  });
  response.writeHead(answered.status, answered.headers).end(answered.bytes);
});
const proxy = await listening(proxyServer);
const gateway = await listening(frontServer);
const authorization = `Bearer ${tokenOf()}`;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function ask(url: string, method: 'GET' | 'POST', own: Record<string, string> = {}): Promise<void> {
  const headers =
    method === 'GET' ? own : { ...own, 'content-type': 'application/json', 'content-length': BODY.length };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${method} ${url} was answered ${response.statusCode}.`));
      response.resume().on('end', () => resolve());
    });
    asked.on('error', reject).end(method === 'GET' ? undefined : BODY);
  });
}

const stateOf = () =>
  client.send(new GetCommand({ TableName: TABLES.state, Key: cutoverKey('chat'), ConsistentRead: true }));
const note = (n: number) =>
  client.send(new PutCommand({ TableName: TABLES.changes, Item: { id: 'bench', place: String(n), body: BODY } }));
/** What the gateway stores of a POST. */
const intentOf = (n: number) =>
  itemsOf({
    ...forwardOfWrite({ cutover: 'chat', side: 'primary', orderKey: `users/${n}` }, `id-${n}`, 1_700_000_000_000),
    idempotencyKey: `key-${n}`,
    request: { method: 'POST', path: `users/${n}`, query: '', headers: { ...KEPT, 'idempotency-key': `key-${n}` } },
    body: Buffer.from(BODY),
  }).item;
async function bareWrite(n: number): Promise<void> {
  const Item = intentOf(n);
  const { id, place } = Item;
  const [TableName, Key] = [TABLES.changes, { id, place }];
  await client.send(new PutCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(id)' }));
  await client.send(
    new UpdateCommand({
      TableName,
      Key,
      UpdateExpression: 'SET #status = :ready',
      ConditionExpression: '#status = :intended',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':ready': 'ready', ':intended': 'intended' },
    }),
  );
}
const jobs: Record<string, (n: number) => Promise<unknown>> = {
  'GET, proxy': () => ask(`${proxy}/users/7`, 'GET'),
  'GET, gateway': (n) =>
    ask(`${gateway}/gateway/chat/users/7`, 'GET', { authorization, 'x-correlation-id': `visitor-${n}` }),
  'POST, proxy': () => ask(`${proxy}/users`, 'POST'),
  'POST, gateway': (n) =>
    ask(`${gateway}/gateway/chat/users/${n}`, 'POST', { authorization, 'idempotency-key': `key-${n}` }),
  'engine, a look': stateOf,
  'engine, a note': note,
  'engine, the two of a write': bareWrite,
};
const took = new Map(Object.keys(jobs).map((name) => [name, [] as number[]]));
const random = seeded(7);
for (let n = 0; n < REQUESTS + WARM_UP; n += 1) {
  const drawn = Object.keys(jobs).map((name) => ({ name, at: random() }));
  for (const { name } of drawn.sort((a, b) => a.at - b.at)) {
    const ms = await timed(() => jobs[name]!(n));
    if (n >= WARM_UP) took.get(name)!.push(ms);
  }
  behind.primary.asked.length = 0;
  behind.shadow.asked.length = 0;
}

const p50 = (name: string) => median(took.get(name)!);
const p99 = (name: string) => [...took.get(name)!].sort((a, b) => a - b)[Math.floor(REQUESTS * 0.99)]!;
const small = (p50('engine, a look') + p50('engine, a note')) / 2;
const durable = p50('engine, the two of a write') / 2;
const ms = (what: string, value: number) => ({ what, value, unit: 'ms' });
printTable(`${REQUESTS} of each by turns over one connection, DynamoDB Local`, [
  ...Object.keys(jobs).flatMap((name) => [ms(`${name}, p50`, p50(name)), ms(`${name}, p99`, p99(name))]),
  ms('GET: beside the proxy at p50 (wanted: 2)', p50('GET, gateway') - p50('GET, proxy')),
  ms('POST: beside the proxy at p50', p50('POST, gateway') - p50('POST, proxy')),
  ...[
    { what: 'POST: the same in round trips of its own two writes (wanted: 2)', trip: durable },
    { what: 'POST: the same in small round trips', trip: small },
  ].map(({ what, trip }) => ({ what, value: (p50('POST, gateway') - p50('POST, proxy')) / trip, unit: '×' })),
]);
client.destroy();
for (const server of [proxyServer, frontServer]) server.close().closeAllConnections();
await behind.close();
await engine.stop();
process.exit(0);
