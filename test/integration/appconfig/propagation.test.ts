/**
 * How long a change of flags takes to reach a warm client, from the deployment to the answer of a route, through the
 * real client and the emulator. Production settings on a clock that only the test moves; then real time, shortened.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { agentSource } from '../../../lib/client/agent-source.ts';
import { createClient } from '../../../lib/client/client.ts';
import { dataSource } from '../../../lib/client/data-source.ts';
import type { FlagSource } from '../../../lib/client/flag-cache.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';
import { deploy, type Stage, type Subject, stage, store, subject } from './harness.ts';

let on: Stage;
let own: Subject;
beforeEach(async () => {
  on = await stage();
  own = await subject(on);
});
afterEach(async () => {
  vi.useRealTimers();
  await on.stop();
});

const NAMES = { application: 'crossfade', environment: 'local', profile: 'flags' };
const publish = async (version: number, emergency_stop = false) => {
  const cutovers = { customer: flagOf({ version, read_ppm: 1_000_000 }) };
  await deploy(own, await store(own, { system: systemFlagOf({ version, emergency_stop }), cutovers }));
};
const SOURCES: Record<string, () => FlagSource> = {
  agent: () => agentSource({ url: on.server.agentUrl, ...NAMES }),
  sessions: () => dataSource({ ...NAMES, client: on.data, now: on.clock.now }),
};
const clientOf = (source: FlagSource, maxFlagAgeMs?: number) =>
  createClient({ flags: source, outcomes: async () => {}, environment: {}, maxFlagAgeMs });

describe.each(Object.keys(SOURCES))('I24 a stop that is published to a warm client with flags from %s', (name) => {
  it('reaches it within 15 s and one request, however soon after a refresh it was published', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const pass = (ms: number) => {
      on.clock.nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    await publish(1);
    const client = clientOf(SOURCES[name]!());
    await client.refresh();
    // The worst moment: right after the client has looked.
    await publish(2, true);
    pass(14_999);
    await client.refresh();
    expect(client.route('customer', { key: 'k' })).toMatchObject({ side: 'shadow', ageMs: 14_999 });
    pass(1);
    // One request still sees the old flags and starts the refresh; the next one is right.
    expect(client.route('customer', { key: 'k' })).toMatchObject({ side: 'shadow', ageMs: 15_000 });
    await client.refresh();
    expect(client.route('customer', { key: 'k' })).toMatchObject({
      side: 'primary',
      reason: 'emergency_stop',
      ageMs: 0,
    });
  });
});

it('in real time, with an age of 150 ms instead of 15 s, a change arrives within that age and one refresh', async () => {
  await publish(1);
  const client = clientOf(SOURCES.agent!(), 150);
  await client.refresh();
  await publish(2, true);
  const publishedMs = performance.now();
  let oldestMs = 0;
  await vi.waitFor(
    async () => {
      const { reason, ageMs } = client.route('customer', { key: 'k' });
      oldestMs = Math.max(oldestMs, ageMs ?? 0);
      expect(reason).toBe('emergency_stop');
    },
    { interval: 5, timeout: 5_000 },
  );
  // The rest is the refresh itself, on whatever machine this is.
  expect(performance.now() - publishedMs).toBeLessThan(150 + 2_000);
  expect(oldestMs).toBeGreaterThan(0);
});
