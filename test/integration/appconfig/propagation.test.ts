/**
 * How long a change of flags takes to reach a warm client, from the deployment to the answer of a route, through the
 * real client and the emulator. Production settings on a clock that only the test moves; then real time, shortened.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SCHEDULE_MARGIN_MS } from '../../../functions/middleware.ts';
import { createClient } from '../../../lib/client/client.ts';
import { changeSystem } from '../../../lib/flows/control/change-system.ts';
import { publishFlags } from '../../../lib/flows/publishing/publish-flags.ts';
import { watchFlags } from '../../../lib/flows/publishing/watch-flags.ts';
import { agentSource } from '../../../lib/routing/agent-source.ts';
import { dataSource } from '../../../lib/routing/data-source.ts';
import type { FlagSource } from '../../../lib/routing/flag-cache.ts';
import { inMemoryRequests } from '../../helpers/fakes/flag-requests.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';
import { deploy, type Stage, type Subject, stage, store, subject } from './harness.ts';

/** As serverless.yml tells the agent. */
const AGENT_POLL_MS = 10_000;

let on: Stage;
let own: Subject;
beforeEach(async () => {
  on = await stage({ agentPollMs: AGENT_POLL_MS });
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
  agent: () => agentSource({ url: on.server.agentUrl, ...NAMES, pollMs: AGENT_POLL_MS }),
  sessions: () => dataSource({ ...NAMES, client: on.data, now: on.clock.now }),
};
const clientOf = (source: FlagSource, maxFlagAgeMs?: number) =>
  createClient({ flags: source, outcomes: async () => {}, environment: {}, maxFlagAgeMs });

/** Moves the server's clock and the client's. */
function pass(ms: number): void {
  on.clock.nowMs += ms;
  vi.advanceTimersByTime(ms);
}

/** Between two requests of the client. */
const EVERY_MS = 500;

/**
 * The agent looks at 0, for somebody else. The client looks for the first time at `clientMs`, the stop is published at
 * `publishMs`.
 * @returns when the last request came that did not know of the stop, since its publication, and the oldest age reported
 */
async function lastUnaware(source: FlagSource, clientMs: number, publishMs: number) {
  vi.useFakeTimers({ toFake: ['performance'] });
  await publish(1);
  await SOURCES.agent!().fetch(AbortSignal.timeout(5_000));
  const client = clientOf(source);
  const events: [number, () => Promise<unknown>][] = [
    [clientMs, () => client.refresh()],
    [publishMs, () => publish(2, true)],
  ];
  let atMs = 0;
  for (const [eventMs, happen] of events.sort(([one], [other]) => one - other)) {
    pass(eventMs - atMs);
    atMs = eventMs;
    if (eventMs > clientMs) await client.refresh();
    await happen();
  }
  for (let unawareMs = 0, oldestMs = 0; ; atMs += EVERY_MS) {
    const { reason, ageMs } = client.route('customer', { key: 'k' });
    if (reason === 'emergency_stop') return { unawareMs, oldestMs };
    unawareMs = atMs - publishMs;
    oldestMs = Math.max(oldestMs, ageMs ?? 0);
    // What the request has begun arrives before the next one.
    await client.refresh();
    pass(EVERY_MS);
  }
}

describe.each(Object.keys(SOURCES))('I24 a stop that is published to a warm client with flags from %s', (name) => {
  // Right after everybody has looked, in the middle, right before they look again, and unseen by an agent that looked before.
  it.each([
    [0, 0],
    [0, 1],
    [0, 4_999],
    [0, 7_300],
    [0, 9_999],
    [0, 14_999],
    [5_000, 9_999],
    [4_999, 1],
    [9_999, 1],
    [9_999, 5_000],
  ])('reaches it within 15 s and one request: first look at %d ms, published at %d ms', async (clientMs, publishMs) => {
    const { unawareMs, oldestMs } = await lastUnaware(SOURCES[name]!(), clientMs, publishMs);
    expect(unawareMs).toBeLessThan(15_000 + EVERY_MS);
    // And until then every answer says how old its flags may be.
    expect(oldestMs).toBeGreaterThanOrEqual(unawareMs);
    expect(oldestMs).toBeLessThan(15_000 + EVERY_MS);
  });
});

it('negative control: with an agent whose answers count as new it takes longer', async () => {
  const source = agentSource({ url: on.server.agentUrl, ...NAMES, pollMs: 0 });
  const { unawareMs } = await lastUnaware(source, 9_999, 1);
  expect(unawareMs).toBeGreaterThan(15_000 + EVERY_MS);
});

describe('I24 a stop while the stream of the state table is silent, which nothing but the state says', () => {
  /** Of each minute, as serverless.yml and the middleware have it. From then until the next minute nobody looks. */
  const WATCHED_MS = 55_000 - SCHEDULE_MARGIN_MS;
  const LOOKS_EVERY_MS = 2_000;
  const MINUTE_MS = 60_000;
  /** As the command line asks while it waits for the answer of its stop. */
  const ASKED_EVERY_MS = 500;

  /**
   * A warm client lives beside the publisher's schedule.
   * @param clientMs how long before the minute it has looked
   * @param isAsked whether who stops asks the publisher past the stream
   * @returns when its last request came that did not know of the stop, since the stop
   */
  async function unawareAfter(
    stopMs: number,
    { watch = watchFlags, isAsked = false, clientMs = 0 } = {},
  ): Promise<number> {
    vi.useFakeTimers({ toFake: ['performance'] });
    await publish(1);
    const client = clientOf(SOURCES.agent!());
    await client.refresh();
    const [state, log] = [inMemoryState({ clock: on.clock }), { event: () => {}, failure: () => {} }];
    pass(clientMs);
    const startMs = on.clock.nowMs;
    const seen = { stopMs: Number.POSITIVE_INFINITY, unawareMs: 0, aware: false };
    const sinceMs = () => on.clock.nowMs - startMs;
    const stop = () =>
      changeSystem({ state }, () => [{ type: 'system_changed', change: { emergencyStop: true }, reason: 'fire' }], {
        nowMs: on.clock.nowMs,
        actor: 'ada',
      });
    async function live(ms: number): Promise<void> {
      const endMs = on.clock.nowMs + ms;
      while (on.clock.nowMs < endMs) {
        if (sinceMs() >= stopMs && seen.stopMs > stopMs) {
          await stop();
          seen.stopMs = stopMs;
        }
        if (isAsked && sinceMs() === stopMs + ASKED_EVERY_MS) await publishFlags(publisher, []);
        seen.aware = client.route('customer', { key: 'k' }).reason === 'emergency_stop';
        if (sinceMs() >= stopMs && !seen.aware) seen.unawareMs = sinceMs() - stopMs;
        await client.refresh();
        pass(Math.min(EVERY_MS, endMs - on.clock.nowMs));
      }
    }
    const { requests } = inMemoryRequests(on.clock.now, async () => {});
    const publisher = { flags: own.publisher, flagRequests: requests, state, log, realNow: on.clock.now };
    for (let minute = 0; !seen.aware; minute += 1) {
      const beginsMs = startMs + minute * MINUTE_MS;
      await watch({ ...publisher, clock: { ...on.clock, sleep: live } }, [], beginsMs + WATCHED_MS);
      await live(beginsMs + MINUTE_MS - on.clock.nowMs);
    }
    return seen.unawareMs;
  }

  it.each([500, 30_500])('reaches it within a look, 15 s and one request, at %d ms of the minute', async (stopMs) => {
    expect(await unawareAfter(stopMs)).toBeLessThan(LOOKS_EVERY_MS + 15_000 + EVERY_MS);
  });

  it('reaches it within the rest of the minute, 15 s and one request, when nobody looks', async () => {
    const stopMs = 48_500;
    // At the end of a minute the last client looks right before the stop is published.
    const unawareMs = await unawareAfter(stopMs, { clientMs: 500 });
    expect(unawareMs).toBeLessThan(MINUTE_MS - stopMs + 15_000 + EVERY_MS);
    // Which is what it is asked for, below.
    expect(unawareMs).toBeGreaterThan(ASKED_EVERY_MS + 15_000 + EVERY_MS);
  });

  it.each(Array.from({ length: 10 }, (_, n) => 500 + n * 6_000))(
    'that asks the publisher itself reaches it within that, 15 s and one request, at %d ms of the minute',
    async (stopMs) => {
      const unawareMs = await unawareAfter(stopMs, { clientMs: 500, isAsked: true });
      expect(unawareMs).toBeLessThan(ASKED_EVERY_MS + 15_000 + EVERY_MS);
    },
  );

  it('negative control: by one look a minute it takes longer', async () => {
    const once: typeof watchFlags = async (ports, cutovers) => void (await publishFlags(ports, cutovers));
    expect(await unawareAfter(500, { watch: once })).toBeGreaterThan(LOOKS_EVERY_MS + 15_000 + EVERY_MS);
  });
});

it('in real time, with an age of 150 ms instead of 15 s, a change arrives within that age and one refresh', async () => {
  await on.stop();
  on = await stage({ agentPollMs: 0 });
  own = await subject(on);
  await publish(1);
  const client = clientOf(agentSource({ url: on.server.agentUrl, ...NAMES, pollMs: 0 }), 150);
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
