/**
 * What the gateway adds to a request on this machine. The same upstream is asked directly and through the gateway's
 * handler behind a real HTTP server, both over kept connections, by turns, so that what else the machine does meets both.
 * Its ports are in memory: what DynamoDB takes for a forwarded write comes on top and is AWS's own.
 */

import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gatewayBench } from '../helpers/gateway-bench.ts';
import { tokenOf } from '../property/served.ts';
import { median, printTable } from './table.ts';

const REQUESTS = 4_000;
const WARM_UP = 500;
const BODY = JSON.stringify({ id: 7, name: 'Ada', messages: Array.from({ length: 20 }, (_, i) => `message ${i}`) });

type Asked = { origin: string; path: string; method?: string; headers?: Record<string, string>; body?: string };

const agent = new Agent({ keepAlive: true });
/** Milliseconds from the first byte out to the last one in. */
function ask({ origin, path, method = 'GET', headers = {}, body }: Asked): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request(`${origin}${path}`, { agent, method, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${method} ${path} was answered ${response.statusCode}.`));
      response.resume().on('end', () => resolve(performance.now() - startedMs));
    });
    asked.on('error', reject).end(body);
  });
}

const answer = (_: unknown, response: import('node:http').ServerResponse): void =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(BODY);
const rules = { requestsPerSecond: 1e9 };
const behind = await gatewayBench({ primary: answer, shadow: answer, stage: 'r2', gateway: rules });

/** The part that API Gateway plays: an HTTP request becomes an event, its answer becomes an HTTP response. */
const front = createServer(async (incoming, response) => {
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
await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));

const direct = behind.primary.url;
const gateway = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
const authorization = `Bearer ${tokenOf()}`;
const json = { 'content-type': 'application/json', 'content-length': String(BODY.length) };
const jobs: Record<string, (i: number) => Asked> = {
  'GET, direct': () => ({ origin: direct, path: '/old/users/7' }),
  'GET, gateway': (i) => ({
    origin: gateway,
    path: '/gateway/chat/users/7',
    headers: { authorization, 'x-correlation-id': `visitor-${i}` },
  }),
  'POST, direct': () => ({ origin: direct, path: '/old/users', method: 'POST', headers: json, body: BODY }),
  'POST, gateway': (i) => ({
    origin: gateway,
    path: `/gateway/chat/users/${i}`,
    method: 'POST',
    headers: { ...json, authorization },
    body: BODY,
  }),
};
const took = new Map(Object.keys(jobs).map((name) => [name, [] as number[]]));
for (let i = 0; i < REQUESTS + WARM_UP; i += 1) {
  for (const [name, make] of Object.entries(jobs)) {
    const ms = await ask(make(i));
    if (i >= WARM_UP) took.get(name)!.push(ms);
  }
  // What the upstreams remember is for tests; here it would only be garbage.
  behind.primary.asked.length = 0;
  behind.shadow.asked.length = 0;
}

const of = (name: string) => took.get(name)!;
const p99 = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
for (const [method, target] of [
  ['GET', ' (at most 1.5)'],
  ['POST', ''],
] as const) {
  const [alone, through] = [of(`${method}, direct`), of(`${method}, gateway`)];
  printTable(`${method} of ${BODY.length} bytes, ${REQUESTS.toLocaleString('en-US')} by turns over loopback`, [
    { what: 'direct, p50', value: median(alone), unit: 'ms' },
    { what: 'through the gateway, p50', value: median(through), unit: 'ms', ratioTo: 'direct, p50' },
    { what: `added at p50${target}`, value: median(through) - median(alone), unit: 'ms' },
    { what: 'direct, p99', value: p99(alone), unit: 'ms' },
    { what: 'through the gateway, p99', value: p99(through), unit: 'ms', ratioTo: 'direct, p99' },
  ]);
}
front.close();
front.closeAllConnections();
await behind.close();
process.exit(0);
