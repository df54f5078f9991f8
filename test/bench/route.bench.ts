/**
 * The SDK against its floor (a map look-up, one murmur3 and one comparison) and against other flag libraries, all in
 * this process, in rounds by turns and in time of the processor, so that what else the machine does does not show.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createClient } from '../../lib/client/index.ts';
import type { CutoverFlag, FlagDocument } from '../../lib/core/routing/flags.ts';
import { murmur3 } from '../../lib/core/routing/murmur3.ts';
import { shareThreshold } from '../../lib/core/routing/slices.ts';
import { ownCpuMs } from '../helpers/cpu-time.ts';
import { installPeers, type Peer } from './peers.ts';
import { median, printTable } from './table.ts';

const ROUNDS = 15;
const KEYS = Array.from({ length: 4_096 }, (_, i) => `visitor-${i * 7919}`);
const flag: CutoverFlag = {
  enabled: true,
  stage: 'half_50',
  epoch: 1,
  version: 5,
  read_ppm: 500_000,
  salt: 'customer',
  hash: 'murmur3_x86_32',
  shadow_writes: true,
  validation: 'strict',
  primary_read_only: false,
  shadow_is_primary: false,
  allow: [],
  deny: [],
};
const document: FlagDocument = {
  system: {
    enabled: true,
    version: 0,
    emergency_stop: false,
    shadow_writes_enabled: true,
    sync_monitoring: true,
    divergence_alerts: true,
    readonly: false,
    migration_phase: 'none',
  },
  cutovers: { customer: flag, planner: { ...flag, salt: 'planner', read_ppm: 0 } },
};
const client = createClient({
  flags: { fetch: async () => ({ document }) },
  outcomes: async () => {},
  environment: {},
  maxFlagAgeMs: 3_600_000,
  flushIntervalMs: 60_000,
  comparisons: { perSecond: 1e9, concurrency: 1e9, threadShare: 1 },
});
await client.refresh();

const flags = new Map([['customer', { salt: 'customer', threshold: shareThreshold(500_000) }]]);
let shadow = 0;
function floor(calls: number): void {
  for (let i = 0; i < calls; i += 1) {
    const known = flags.get('customer')!;
    if (murmur3(`${known.salt}:${KEYS[i & 4_095]}`) < known.threshold) shadow += 1;
  }
}
function route(calls: number): void {
  for (let i = 0; i < calls; i += 1)
    if (client.route('customer', { key: KEYS[i & 4_095]! }).side === 'shadow') shadow += 1;
}
function record(calls: number): void {
  for (let i = 0; i < calls; i += 1)
    client.record({ cutover: 'customer', side: 'shadow', latencyMs: 1 + (i & 63), success: true });
}
async function direct(calls: number): Promise<void> {
  for (let i = 0; i < calls; i += 1) await primary();
}
async function run(calls: number): Promise<void> {
  for (let i = 0; i < calls; i += 1)
    await client.runCutover({ cutover: 'planner', key: KEYS[i & 4_095]!, primary, shadow: primary });
}
const primary = async () => 1;

const ask =
  ({ isOn }: Peer) =>
  async (calls: number): Promise<void> => {
    for (let i = 0; i < calls; i += 1) {
      const answer = isOn(KEYS[i & 4_095]!);
      if (typeof answer === 'boolean' ? answer : await answer) shadow += 1;
    }
  };

type Job = { name: string; calls: number; run(calls: number): void | Promise<void> };
async function nanoseconds(jobs: readonly Job[]): Promise<Map<string, number>> {
  const times = new Map(jobs.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, calls, run: work } of jobs) {
      const cpuMs = ownCpuMs();
      const working = work(calls);
      if (working) await working;
      times.get(name)!.push((cpuMs() * 1e6) / calls);
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

// ----------------------------------------------------------------------------------------------- speed against others

const { peers, close } = await installPeers();
const took = await nanoseconds([
  { name: 'floor', calls: 400_000, run: floor },
  { name: 'route', calls: 400_000, run: route },
  { name: 'record', calls: 400_000, run: record },
  ...peers.map((peer) => ({ name: peer.name, calls: 20_000, run: ask(peer) })),
  { name: 'await of the path alone', calls: 50_000, run: direct },
  { name: 'runCutover, not comparing', calls: 50_000, run },
]);
const line = (what: string, ratioTo?: string) => ({
  what,
  value: took.get(what)!,
  unit: 'ns',
  ...(ratioTo ? { ratioTo } : {}),
});
printTable(
  `ns of the processor per call, median of ${ROUNDS} rounds by turns, 50 % of 4,096 keys (${shadow} answers were the new side)`,
  [
    line('floor'),
    line('route', 'floor'),
    ...peers.map(({ name }) => line(name, 'route')),
    line('record'),
    line('await of the path alone'),
    line('runCutover, not comparing'),
    {
      what: 'runCutover, its own part',
      value: took.get('runCutover, not comparing')! - took.get('await of the path alone')!,
      unit: 'ns',
    },
  ],
);

// ------------------------------------------------------------------------------------------------------- allocation

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const kept: unknown[] = new Array(100_000);
/** Heap that one call leaves behind while its answer is kept. */
function bytesOf(make: (i: number) => unknown): number {
  const measured = Array.from({ length: 9 }, () => {
    kept.fill(null);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < kept.length; i += 1) kept[i] = make(i);
    return (process.memoryUsage().heapUsed - before) / kept.length;
  });
  return Math.min(...measured);
}
const requests = KEYS.map((key) => ({ key }));
let age = 0.5;
printTable('bytes on the heap per call, with nothing collected in between', [
  {
    what: 'the answer alone',
    value: bytesOf(() => {
      age += 0.25;
      return { side: 'shadow', reason: 'share', stage: 'half_50', version: 5, ageMs: age };
    }),
    unit: 'B',
  },
  {
    what: 'route',
    value: bytesOf((i) => client.route('customer', requests[i & 4_095])),
    unit: 'B',
    ratioTo: 'the answer alone',
  },
]);

// ------------------------------------------------------------------------- a caller beside a shadow that hangs for ever

const CALLERS = 4_000;
const turn = () => new Promise<number>((resolve) => setImmediate(resolve, 1));
const shadows = {
  'without comparing': null,
  'shadow answers': turn,
  'shadow hangs for ever': () => new Promise<never>(() => {}),
};
const waits: Record<keyof typeof shadows, number[]> = {
  'without comparing': [],
  'shadow answers': [],
  'shadow hangs for ever': [],
};
for (let i = 0; i < CALLERS; i += 1) {
  for (const [name, other] of Object.entries(shadows) as [keyof typeof shadows, (() => Promise<number>) | null][]) {
    const startedMs = performance.now();
    const paths = { primary: turn, shadow: other ?? turn };
    await client.runCutover({
      cutover: 'planner',
      key: KEYS[i & 4_095]!,
      readonly: true,
      compare: other !== null,
      ...paths,
    });
    waits[name].push(performance.now() - startedMs);
    // The comparison has its turn before the next caller comes.
    await turn();
  }
}
const p99 = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
printTable(
  `p99 of ${CALLERS.toLocaleString('en-US')} callers whose own path takes one turn of the loop`,
  Object.entries(waits).map(([what, values]) => ({ what, value: p99(values) * 1_000, unit: 'µs' })),
);
await close();
process.exit(0);
