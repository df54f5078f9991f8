/**
 * An Express application whose reads go through the SDK, against the same without one and with others that run two paths. One
 * process serves them all, so that nobody has a heap or a compiler of its own; autocannon asks it in slices of half a second, each
 * variant between two slices of none: no SDK, variant, variant, no SDK. A round is one such four for each, and its ratio is that of
 * their times: what else the machine does meets both. Where no SDK against itself is not within 0.97 and 1.03, or half of its
 * rounds not within 0.9 and 1.1, the run says that it cannot judge. `npm run bench clients 30` takes thirty rounds, a third of a minute each.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../lib/client/index.ts';
import { flagOf, systemFlagOf } from '../property/samples.ts';
import { type Load, loaderFrom, peerPackages } from './peers.ts';
import { median, printTable } from './table.ts';

const PACKAGES = ['express@5.3.0', 'autocannon@9.0.0', '@launchdarkly/node-server-sdk@9.13.7', 'scientist@1.1.1'];
/** Of a slice, and those of them that find connections which are new. */
const REQUESTS = 300;
const UNUSED = 30;
/** For the compiler, of each variant: no SDK is asked more often than the others. */
const WARM_UP = { amount: 20_000 };
/** Far from what a server can: beyond it the figures are those of a queue. */
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
  'ours, 50 % new': () => ours({ readPpm: 500_000 }),
  'ours, comparing': () => ours({ readPpm: 500_000, compare: true }),
  'ours, comparing with a shadow that hangs': () => ours({ readPpm: 0, compare: true, shadow: never }),
  'LaunchDarkly, migration in stage shadow': launchDarkly,
  'scientist 1.1.1': scientist,
};

async function serve(directory: string): Promise<void> {
  const load = loaderFrom(directory);
  const express = ((await load('express')) as any).default;
  const app = express();
  for (const [at, make] of Object.values(VARIANTS).entries()) {
    const read = await make(load);
    app.get(`/${at}/customers/:id`, async (request: any, response: any) => {
      response.json(await read(request.params.id));
    });
  }
  const server = app.listen(0, '127.0.0.1', () => process.send!({ port: server.address().port }));
  process.on('message', () => process.send!({ cpu: process.cpuUsage() }));
  process.on('disconnect', () => process.exit(0));
}

/** Milliseconds of its requests. `cpu`: microseconds of the server's processor for each; how busy the machine is hardly shows in it. */
type Slice = { times: number[]; cpu: number };

const FIGURES = {
  p50: { of: (slices: Slice[]) => at(slices, 0.5), unit: 'ms' },
  p99: { of: (slices: Slice[]) => at(slices, 0.99), unit: 'ms' },
  'processor time a request': { of: ([one, two]: Slice[]) => (one!.cpu + two!.cpu) / 2, unit: 'µs' },
} as const;

function at(slices: readonly Slice[], share: number): number {
  const times = slices.flatMap((slice) => slice.times).sort((a, b) => a - b);
  return times[Math.floor(times.length * share)]!;
}

type Running = { child: ChildProcess; port: number };

async function start(directory: string): Promise<Running> {
  const child = fork(fileURLToPath(import.meta.url), [directory]);
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

async function measure(
  autocannon: any,
  running: Running,
  name: string,
  load: object = { amount: REQUESTS, overallRate: PER_SECOND },
): Promise<Slice> {
  const times: number[] = [];
  const base = `/${Object.keys(VARIANTS).indexOf(name)}/customers`;
  const requests = Array.from({ length: 200 }, (_, n) => ({ path: `${base}/user-${n * 7919}` }));
  const url = `http://127.0.0.1:${running.port}`;
  const before = await cpuOf(running);
  const run = autocannon({ url, connections: CONNECTIONS, requests, ...load });
  run.on('response', (_client: unknown, status: number, _bytes: number, tookMs: number) => {
    if (status !== 200) throw new Error(`${name} answered ${status}`);
    times.push(tookMs);
  });
  await run;
  return { times: times.slice(UNUSED), cpu: ((await cpuOf(running)) - before) / times.length };
}

/** What is left of no SDK, by rounds, and what the variant itself took. */
type Seen = { ratio: number; own: number };

async function main(rounds: number): Promise<void> {
  const { directory, install, remove } = peerPackages();
  await install(PACKAGES);
  const autocannon = ((await loaderFrom(directory)('autocannon')) as any).default;
  // biome-ignore-end lint/suspicious/noExplicitAny: from here on there are
  const names = Object.keys(VARIANTS);
  const running = await start(directory);
  const slice = (name: string) => measure(autocannon, running, name);
  const seen = new Map<string, Seen[]>();
  for (const name of names) await measure(autocannon, running, name, WARM_UP);
  for (let round = 0; round < rounds; round += 1) {
    for (const turn of names.keys()) {
      const name = names[(turn + round + 1) % names.length]!;
      const four: Slice[] = [];
      for (const one of [NO_SDK, name, name, NO_SDK]) four.push(await slice(one));
      const [before, first, second, after] = four as [Slice, Slice, Slice, Slice];
      for (const [figure, { of }] of Object.entries(FIGURES)) {
        const own = of([first, second]);
        const at = `${figure} ${name}`;
        seen.set(at, [...(seen.get(at) ?? []), { own, ratio: of([before, after]) / own }]);
      }
    }
  }
  for (const [figure, { unit }] of Object.entries(FIGURES)) {
    const line = (name: string) => {
      const all = seen.get(`${figure} ${name}`)!;
      const ratios = all.map(({ ratio }) => ratio).sort((a, b) => a - b);
      const part = (share: number) => ratios[Math.floor(ratios.length * share)]!.toFixed(3);
      const what = name === NO_SDK ? `${NO_SDK}, against itself` : name;
      const shown = `${what} (${part(0.5)}; half of the rounds ${part(0.25)} to ${part(0.75)})`;
      const isSteady = Number(part(0.25)) >= 0.9 && Number(part(0.75)) <= 1.1;
      const isOne = Number(part(0.5)) >= 0.97 && Number(part(0.5)) <= 1.03;
      return { what: shown, value: median(all.map(({ own }) => own)), unit, isSame: isSteady && isOne };
    };
    const lines = names.map(line);
    const { isSame } = lines[names.indexOf(NO_SDK)]!;
    const says = isSame ? 'wanted: 0.95' : 'no SDK against itself says that this CANNOT JUDGE';
    printTable(`${figure} of ${rounds} rounds; in brackets the share of no SDK that is left (${says})`, lines);
  }
  running.child.disconnect();
  remove();
}

if (process.send) await serve(process.argv[2]!);
else await main(Number(process.argv[2] ?? 10));
