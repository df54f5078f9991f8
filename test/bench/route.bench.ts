/** `client.route` against its floor: a map look-up, one murmur3 and one comparison. Rounds alternate within one run. */

import { createClient } from '../../lib/client/index.ts';
import type { CutoverFlag } from '../../lib/core/flags.ts';
import { murmur3 } from '../../lib/core/murmur3.ts';
import { shareThreshold } from '../../lib/core/routing.ts';
import { median, printTable } from './table.ts';

const CALLS = 400_000;
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
const system = {
  enabled: true as const,
  version: 0,
  emergency_stop: false,
  shadow_writes_enabled: true,
  sync_monitoring: true,
  divergence_alerts: true,
  readonly: false,
  migration_phase: 'none',
};
const client = createClient({
  flags: { fetch: async () => ({ document: { system, cutovers: { customer: flag } } }) },
  outcomes: async () => {},
  maxFlagAgeMs: 3_600_000,
});
await client.refresh();

const flags = new Map([['customer', { salt: 'customer', threshold: shareThreshold(500_000) }]]);
let shadow = 0;
function floor(): void {
  for (let i = 0; i < CALLS; i += 1) {
    const known = flags.get('customer')!;
    if (murmur3(`${known.salt}:${KEYS[i & 4_095]}`) < known.threshold) shadow += 1;
  }
}
function sdk(): void {
  for (let i = 0; i < CALLS; i += 1)
    if (client.route('customer', { key: KEYS[i & 4_095]! }).side === 'shadow') shadow += 1;
}
function record(): void {
  for (let i = 0; i < CALLS; i += 1)
    client.record({ cutover: 'customer', side: 'shadow', latencyMs: 1 + (i & 63), success: true });
}

const jobs = { floor, route: sdk, record };
const times: Record<keyof typeof jobs, number[]> = { floor: [], route: [], record: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, job] of Object.entries(jobs) as [keyof typeof jobs, () => void][]) {
    const started = performance.now();
    job();
    times[name].push(((performance.now() - started) * 1e6) / CALLS);
  }
}
printTable(
  `ns per call, median of ${ROUNDS} rounds of ${CALLS.toLocaleString('en-US')} calls (${shadow} to the shadow)`,
  [
    { what: 'floor', value: median(times.floor), unit: 'ns' },
    { what: 'route', value: median(times.route), unit: 'ns', ratioTo: 'floor' },
    { what: 'record', value: median(times.record), unit: 'ns' },
  ],
);
await client.close();
