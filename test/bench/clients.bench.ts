/**
 * An Express application whose reads go through the SDK, against the same without one and with others that run two paths. Each is
 * a server in a process of its own; autocannon asks them by turns, in slices of some seconds, so that what else the machine does
 * meets everybody alike. `npm run bench clients 30` takes thirty rounds, half a minute each.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../lib/client/index.ts';
import { flagOf, systemFlagOf } from '../property/samples.ts';
import { type Load, loaderFrom, peerPackages } from './peers.ts';
import { median, printTable } from './table.ts';

const PACKAGES = ['express@5.3.0', 'autocannon@9.0.0', '@launchdarkly/node-server-sdk@9.13.7', 'scientist@1.1.1'];
/** Of a slice: four seconds. The first hundreds of a shorter one find cold caches, whoever answers them. */
const REQUESTS = 2_000;
/** Far from what a server can: beyond it the figures are those of a queue, and whoever answers in larger heaps looks faster. */
const PER_SECOND = 500;
const CONNECTIONS = 10;
const NO_SDK = 'no SDK';

type Customer = { id: string; company: string; orders: number[] };
type Read = (id: string) => Promise<Customer>;

/** As long as a turn of the loop: what a database takes would only hide what is measured. */
const old: Read = async (id) => {
  await new Promise((resolve) => setImmediate(resolve));
  return { id, company: `company ${id}`, orders: [1, 2, 3, 4, 5, 6, 7, 8] };
};
const never: Read = () => new Promise(() => {});

async function ours(options: { readPpm: number; shadow?: Read; compare?: boolean }): Promise<Read> {
  const { readPpm, shadow = old, compare = false } = options;
  const flag = flagOf({ salt: 'customer', read_ppm: readPpm, shadow_writes: true });
  const document = { system: systemFlagOf(), cutovers: { customer: flag } };
  const client = createClient({
    flags: { fetch: async () => ({ document }) },
    outcomes: async () => {},
    environment: {},
  });
  await client.ready();
  return (id) => client.read('customer', { key: id, primary: () => old(id), shadow: () => shadow(id), compare });
}

// biome-ignore-start lint/suspicious/noExplicitAny: packages that are not installed have no types
async function launchDarkly(load: Load): Promise<Read> {
  const { init, createMigration, LDMigrationSuccess } = (await load('@launchdarkly/node-server-sdk')) as any;
  const { TestData } = (await load('@launchdarkly/node-server-sdk/integrations')) as any;
  const data = new TestData();
  const fallthrough = { variation: 0 };
  const flag = {
    key: 'customer',
    version: 1,
    on: true,
    salt: 's',
    variations: ['shadow'],
    fallthrough,
    offVariation: 0,
  };
  data.usePreconfiguredFlag(flag);
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const silent = { updateProcessor: data.getFactory(), sendEvents: false, diagnosticOptOut: true, logger };
  const client = init('bench', silent);
  await client.waitForInitialization({ timeout: 5 });
  const read = async (id: string) => LDMigrationSuccess(await old(id));
  const same = (a: Customer, b: Customer) => JSON.stringify(a) === JSON.stringify(b);
  const paths = { readOld: read, readNew: read, writeOld: read, writeNew: read, check: same };
  const migration = createMigration(client, { ...paths, latencyTracking: true, errorTracking: true });
  return async (id) => (await migration.read('customer', { kind: 'user', key: id }, 'off', id)).result;
}

async function scientist(load: Load): Promise<Read> {
  const science = ((await load('scientist')) as any).default;
  return (id) =>
    science('customer', (experiment: any) => {
      experiment.async(true);
      experiment.use(() => old(id));
      experiment.try(() => old(id));
    });
}

const VARIANTS: Readonly<Record<string, (load: Load) => Promise<Read>>> = {
  [NO_SDK]: async () => old,
  // How far two that are the same lie apart: no share of any other says more.
  'no SDK, a second time': async () => old,
  'ours, 50 % new': () => ours({ readPpm: 500_000 }),
  'ours, comparing': () => ours({ readPpm: 500_000, compare: true }),
  'ours, comparing with a shadow that hangs': () => ours({ readPpm: 0, compare: true, shadow: never }),
  'LaunchDarkly, migration in stage shadow': launchDarkly,
  'scientist 1.1.1': scientist,
};

type Given = { directory: string; name: string };

async function serve({ directory, name }: Given): Promise<void> {
  const load = loaderFrom(directory);
  const express = ((await load('express')) as any).default;
  const read = await VARIANTS[name]!(load);
  const app = express();
  app.get('/customers/:id', async (request: any, response: any) => {
    response.json(await read(request.params.id));
  });
  const server = app.listen(0, '127.0.0.1', () => process.send!({ port: server.address().port }));
  process.on('message', () => process.send!({ cpu: process.cpuUsage() }));
  process.on('disconnect', () => process.exit(0));
}

/** `cpu`: microseconds of the server's processor for each request; how busy the machine is hardly shows in it. */
type Slice = { p50: number; p99: number; perSecond: number; cpu: number };

const TITLES = { p50: 'p50', p99: 'p99', perSecond: 'requests', cpu: 'processor time a request' };

type Running = { child: ChildProcess; port: number };

async function start(given: Given): Promise<Running> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(given)]);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

/** Microseconds of its life so far. */
async function cpuOf({ child }: Running): Promise<number> {
  const answered = once(child, 'message');
  child.send('cpu');
  const [{ cpu }] = (await answered) as [{ cpu: NodeJS.CpuUsage }];
  return cpu.user + cpu.system;
}

async function measure(autocannon: any, running: Running): Promise<Slice> {
  const times: number[] = [];
  const requests = Array.from({ length: 200 }, (_, n) => ({ path: `/customers/user-${n * 7919}` }));
  const url = `http://127.0.0.1:${running.port}`;
  const before = await cpuOf(running);
  const startedMs = performance.now();
  const run = autocannon({ url, connections: CONNECTIONS, amount: REQUESTS, overallRate: PER_SECOND, requests });
  run.on('response', (_client: unknown, status: number, _bytes: number, tookMs: number) => {
    if (status !== 200) throw new Error(`answered ${status}`);
    times.push(tookMs);
  });
  await run;
  const seconds = (performance.now() - startedMs) / 1_000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)]!;
  const cpu = ((await cpuOf(running)) - before) / times.length;
  return { p50: at(0.5), p99: at(0.99), perSecond: times.length / seconds, cpu };
}

async function main(rounds: number): Promise<void> {
  const { directory, install, remove } = peerPackages();
  await install(PACKAGES);
  const autocannon = ((await loaderFrom(directory)('autocannon')) as any).default;
  // biome-ignore-end lint/suspicious/noExplicitAny: from here on there are
  const names = Object.keys(VARIANTS);
  const servers = await Promise.all(names.map((name) => start({ directory, name })));
  const seen = new Map(names.map((name) => [name, [] as Slice[]]));
  for (let round = -1; round < rounds; round += 1) {
    for (const turn of names.keys()) {
      const at = (turn + round + 1) % names.length;
      const slice = await measure(autocannon, servers[at]!);
      // The first round is for the compiler.
      if (round >= 0) seen.get(names[at]!)!.push(slice);
    }
  }
  const base = seen.get(NO_SDK)!;
  for (const [figure, unit, isMore] of [
    ['p50', 'ms', false],
    ['p99', 'ms', false],
    ['perSecond', '/s', true],
    ['cpu', 'µs', false],
  ] as const) {
    const of = (name: string) => seen.get(name)!.map((slice) => slice[figure]);
    const ratio = (name: string) =>
      median(of(name).map((value, n) => (isMore ? value / base[n]![figure] : base[n]![figure] / value)));
    printTable(
      `${TITLES[figure]} of ${rounds} rounds of ${REQUESTS} requests, ${PER_SECOND} a second over ${CONNECTIONS} connections; in brackets the share of no SDK that is left, round by round (wanted: 0.95)`,
      names.map((name) => ({ what: `${name} (${ratio(name).toFixed(3)})`, value: median(of(name)), unit })),
    );
  }
  for (const { child } of servers) child.disconnect();
  remove();
}

if (process.send) await serve(JSON.parse(process.argv[2]!));
else await main(Number(process.argv[2] ?? 10));
