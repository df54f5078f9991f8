/**
 * The SDK on AppConfig at its worst: for each failure the side, the reason and the problem that can be asked for. No
 * call ever throws, and none waits longer than its deadline.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Faults } from '../../../infra/local/appconfig/faults.ts';
import { appConfigSource } from '../../../lib/client/appconfig-source.ts';
import { createClient } from '../../../lib/client/client.ts';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import { agentSource } from '../../../lib/routing/agent-source.ts';
import { dataSource } from '../../../lib/routing/data-source.ts';
import type { FlagSource } from '../../../lib/routing/flag-cache.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';
import { deploy, MINUTE_MS, type Stage, type Subject, stage, stopDeployment, store, subject } from './harness.ts';

let on: Stage;
let own: Subject;
beforeEach(async () => {
  // The client's clock, which only this test moves; timers are real, as the servers are.
  vi.useFakeTimers({ toFake: ['performance'] });
  on = await stage();
  own = await subject(on);
});
afterEach(async () => {
  vi.useRealTimers();
  await on.stop();
});

const NAMES = { application: 'crossfade', environment: 'local', profile: 'flags' };
const flags = (version: number, over = {}, system = systemFlagOf()): FlagDocument => ({
  system,
  cutovers: { customer: flagOf({ version, read_ppm: 1_000_000, ...over }) },
});
const publish = async (content: FlagDocument | string) => deploy(own, await store(own, content));

const SOURCES: Record<string, () => FlagSource> = {
  agent: () => agentSource({ url: on.server.agentUrl, ...NAMES, pollMs: 0 }),
  sessions: () => dataSource({ ...NAMES, client: on.data, now: on.clock.now }),
  either: () => appConfigSource({ ...NAMES, agentUrl: on.server.agentUrl, client: on.data, now: on.clock.now }),
};

function reader(source: FlagSource) {
  const client = createClient({ flags: source, outcomes: async () => {}, environment: {} });
  /** What a request learns 15 s after the one before. */
  async function asked() {
    on.clock.nowMs += 15_000;
    vi.advanceTimersByTime(15_000);
    const startedMs = Date.now();
    await client.refresh();
    const { side, reason, version } = client.route('customer', { key: 'k' });
    expect(Date.now() - startedMs).toBeLessThan(1_000);
    return [side, reason, version, client.health().flagProblem?.code ?? null];
  }
  return {
    client,
    asked,
    /** The same of the first request that knows a version: on a busy machine it comes later than one request waits for it. */
    async learned(version: number) {
      for (;;) {
        const seen = await asked();
        if (seen[2] === version) return seen;
      }
    },
  };
}

const FAULTS: [string, Partial<Faults>, string][] = [
  ['down', { agent: 'down', requests: [{ operation: '*', answer: 'reset' }] }, 'flags_unavailable'],
  ['slow', { requests: [{ operation: '*', answer: 'slow', delayMs: 600 }] }, 'flags_unavailable'],
  ['silent', { requests: [{ operation: '*', answer: 'hang' }] }, 'flags_unavailable'],
  ['throttling', { requests: [{ operation: '*', answer: 'throttle' }] }, 'flags_unavailable'],
  ['broken', { requests: [{ operation: '*', answer: 'internal' }] }, 'flags_unavailable'],
  ['serving nothing', { content: 'empty' }, 'flags_invalid'],
  ['serving a page', { content: 'html' }, 'flags_invalid'],
  ['serving half of it', { content: 'truncated' }, 'flags_invalid'],
  ['serving something else', { content: 'foreign' }, 'flags_invalid'],
];

describe.each([
  ['agent', FAULTS],
  ['sessions', FAULTS],
  ['either', FAULTS.filter(([state]) => state === 'down' || state === 'serving a page')],
] as const)('row 66: flags from %s', (name, faults) => {
  it.each(faults)(
    'that is %s at a cold start give the primary, and afterwards the last good side',
    async (state, fault, code) => {
      await publish(flags(7));
      const isWaiting = state === 'slow' || state === 'silent';
      on.server.faults.set(fault);
      const cold = reader(SOURCES[name]!());
      expect(await cold.asked()).toEqual(['primary', 'no_flags', 0, isWaiting ? null : code]);
      on.server.faults.clear();
      const warm = reader(SOURCES[name]!());
      expect(await warm.learned(7)).toEqual(['shadow', 'share', 7, null]);
      on.server.faults.set(fault);
      // A question that nobody answers is no problem yet after 200 ms; the age tells.
      // To a session nothing means that nothing has changed.
      const isUnseen = isWaiting || (state === 'serving nothing' && name === 'sessions');
      expect(await warm.asked()).toEqual(['shadow', 'share', 7, isUnseen ? null : code]);
      if (isWaiting) expect(warm.client.health().flagAgeMs).toBeGreaterThanOrEqual(15_000);
      on.server.faults.clear();
    },
  );
});

describe('row 66: flags that are deployed wrong', () => {
  /** As somebody deploys it by hand: attributes of any name, without our constraints. */
  const stored = (flag: object) => {
    const { allow: _allow, deny: _deny, ...published } = flagOf({ version: 8, read_ppm: 0 });
    const values = { customer: { ...published, ...flag }, system: systemFlagOf() };
    const typeOf = (value: unknown) =>
      Array.isArray(value) ? { type: 'array', elements: { type: typeof (value[0] ?? '') } } : { type: typeof value };
    const definitionOf = ([name, { enabled: _, ...attributes }]: [string, Record<string, unknown>]) => {
      const known = Object.entries(attributes).filter(([, value]) => value !== undefined);
      const constrained = known.map(([attribute, value]) => [attribute, { constraints: typeOf(value) }]);
      return [name, { name, attributes: Object.fromEntries(constrained) }];
    };
    const flags = Object.fromEntries(
      Object.entries(values as unknown as Record<string, Record<string, unknown>>).map(definitionOf),
    );
    return JSON.stringify({ version: '1', flags, values });
  };

  it.each<[string, string, unknown[]]>([
    ['a share of 150 %', stored({ read_ppm: 1_500_000 }), ['shadow', 'share', 7, 'flags_invalid']],
    ['another hash', stored({ hash: 'xxh3_64' }), ['shadow', 'share', 7, 'flags_invalid']],
    ['text for a number', stored({ read_ppm: '0' }), ['shadow', 'share', 7, 'flags_invalid']],
    ['attributes of a newer version', stored({ weights: [1, 2], tenant: 'x' }), ['primary', 'share', 8, null]],
    // Passed over: it is not one of ours, and a flag that is no longer served stays.
    ['no epoch', stored({ epoch: undefined }), ['shadow', 'share', 7, null]],
  ])('with %s', async (_, content, expected) => {
    await publish(flags(7));
    const warm = reader(SOURCES.sessions!());
    await warm.learned(7);
    await publish(content);
    expect(await warm.asked()).toEqual(expected);
  });

  it('I28 going backwards: the newer ones stay, and the age grows', async () => {
    await publish(flags(7));
    await publish(flags(8, { read_ppm: 0 }));
    const warm = reader(SOURCES.agent!());
    expect(await warm.learned(8)).toEqual(['primary', 'share', 8, null]);
    await stopDeployment(own, 2, true);
    expect(await warm.asked()).toEqual(['primary', 'share', 8, 'flags_older']);
  });
});

describe('sessions and the agent together', () => {
  it('a token that is used up or a day old starts a new session', async () => {
    await publish(flags(7));
    const warm = reader(SOURCES.sessions!());
    await warm.learned(7);
    on.clock.nowMs += 25 * 60 * MINUTE_MS;
    await publish(flags(8));
    expect(await warm.learned(8)).toEqual(['shadow', 'share', 8, null]);
  });

  it('without an agent, sessions are used; when one of them fails, the other', async () => {
    await publish(flags(7));
    on.server.faults.set({ agent: 'down' });
    const warm = reader(SOURCES.either!());
    expect(await warm.learned(7)).toEqual(['shadow', 'share', 7, null]);
    on.server.faults.set({ agent: 'up', requests: [{ operation: 'GetLatestConfiguration', answer: 'internal' }] });
    await publish(flags(8));
    expect(await warm.learned(8)).toEqual(['shadow', 'share', 8, null]);
  });
});
