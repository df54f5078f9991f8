/** The SDK: a side and the reason for it, whatever is wrong; nothing is ever thrown into the host. */

import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import type { ClientOptions } from '../../../lib/client/client-types.ts';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { CutoverFlag, FlagDocument } from '../../../lib/core/routing/flags.ts';
import { bucketOf } from '../../../lib/core/routing/routing.ts';
import { sliceOf } from '../../../lib/core/routing/slices.ts';
import type { FlagSource } from '../../../lib/routing/flag-cache.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

afterEach(() => vi.useRealTimers());

const documentOf = (flag: Partial<CutoverFlag> = {}, system = systemFlagOf()): FlagDocument => ({
  system,
  cutovers: { customer: flagOf(flag) },
});
const serving = (document: FlagDocument): FlagSource => ({ fetch: async () => ({ document }) });

function bench(source: FlagSource, options: Partial<ClientOptions> = {}) {
  const sent: OutcomeBatch[] = [];
  const outcomes = async (batch: OutcomeBatch) => void sent.push(batch);
  return { sent, client: createClient({ flags: source, outcomes, environment: {}, flushIntervalMs: 1e6, ...options }) };
}
const FULL = { read_ppm: 1_000_000 };

describe('a route', () => {
  it('before any flags is the primary, and says so', () => {
    expect(bench(serving(documentOf(FULL))).client.route('customer', { key: 'k' })).toEqual({
      side: 'primary',
      reason: 'no_flags',
      stage: null,
      version: 0,
      slice: null,
      ageMs: null,
    });
  });

  it('says the slice of the key, whatever sends it to its side; none without a key or flags that tell slices', async () => {
    const slices = [10_000, 100_000, 500_000];
    const ends = [...slices, 1_000_000];
    const { client } = bench(serving(documentOf({ read_ppm: 100_000, slices, deny: ['key-3'] })));
    await client.refresh();
    const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
    for (const key of keys) {
      const wanted = sliceOf(bucketOf('customer', key), ends);
      for (const operation of ['read', 'write'])
        expect([key, client.route('customer', { key, operation }).slice]).toEqual([key, wanted]);
    }
    const on = keys.filter((key) => client.shouldRouteToShadow('customer', 'read', key));
    expect(new Set(on.map((key) => client.route('customer', { key }).slice))).toEqual(new Set([0, 1]));
    expect(client.route('customer', {}).slice).toBeNull();
    const { client: before } = bench(serving(documentOf({ read_ppm: 100_000 })));
    await before.refresh();
    expect(before.route('customer', { key: 'key-1' }).slice).toBeNull();
  });

  it('is recorded with its slice: runs, comparisons and writes', async () => {
    const forwards = { intend: async () => ({ side: 'primary' as const, forward: null }), settle: async () => {} };
    const { client, sent } = bench(serving(documentOf({ read_ppm: 0, slices: [500_000] })), { forwards });
    await client.refresh();
    const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`);
    for (const key of keys) {
      const run = { cutover: 'customer', key, readonly: true, compare: true, primary: () => 1, shadow: () => 2 };
      await client.runCutover(run);
      await client.write({ cutover: 'customer', key, payload: {}, primary: () => 1, shadow: () => 1 });
    }
    await client.runCutover({ cutover: 'customer', primary: () => 1, shadow: () => 2 });
    await client.close();
    const wanted = [0, 1].map(
      (slice) => keys.filter((key) => client.route('customer', { key }).slice === slice).length,
    );
    const counted = (of: (window: OutcomeBatch['windows'][number]) => number, over: object) =>
      [0, 1, undefined].map((slice) => {
        const wants = Object.entries({ ...over, slice });
        const windows: Record<string, unknown>[] = sent.flatMap((batch) => batch.windows);
        const found = windows.filter((one) => wants.every(([name, value]) => one[name] === value));
        return found.reduce((sum, window) => sum + of(window as OutcomeBatch['windows'][number]), 0);
      });
    expect(Math.min(...wanted)).toBeGreaterThan(0);
    expect(counted(({ count }) => count, { side: 'primary', operation: 'read' })).toEqual([...wanted, 1]);
    expect(counted(({ count }) => count, { side: 'primary', operation: 'write' })).toEqual([...wanted, 0]);
    // Four comparisons at a time: the rest is shed.
    const [first, second, none] = counted(({ checks }) => checks, { side: 'shadow', operation: 'read' });
    expect([first! > 0, second! > 0, first! + second! >= 4, none]).toEqual([true, true, true, 0]);
  });

  it('follows the flags, with their stage, version and age', async () => {
    const { client } = bench(serving(documentOf(FULL)));
    await client.refresh();
    const route = client.route('customer', { key: 'k' });
    expect(route).toMatchObject({ side: 'shadow', reason: 'share', stage: 'r1', version: 7 });
    expect(route.ageMs).toBeGreaterThanOrEqual(0);
    expect(client.route('customer', { key: 'k', operation: 'insert' })).toMatchObject({
      side: 'primary',
      reason: 'write',
    });
    expect(client.shouldRouteToShadow('customer', 'read', 'k')).toBe(true);
    expect(client.shouldRouteToShadow('customer', 'delete', 'k')).toBe(false);
  });

  it('is refreshed by use: the first call starts what the next ones see', async () => {
    const { client } = bench(serving(documentOf(FULL)));
    expect(client.route('customer', { key: 'k' }).reason).toBe('no_flags');
    await vi.waitFor(() => expect(client.route('customer', { key: 'k' }).side).toBe('shadow'));
  });

  it('can be overridden in the environment, by the two words only', async () => {
    const decide = async (value: string | undefined) => {
      const { client } = bench(serving(documentOf({ read_ppm: 0 })), { environment: { CROSSFADE_CUSTOMER: value } });
      await client.refresh();
      return client.route('customer', { key: 'k' }).reason;
    };
    expect(await decide('shadow')).toBe('override');
    expect(await decide('primary')).toBe('override');
    for (const value of ['', undefined]) expect(await decide(value)).toBe('share');
    // Row 68: ignored, and reported as the reason.
    for (const value of ['SHADOW', 'shadow ', '1', 'true']) expect(await decide(value)).toBe('override_invalid');
  });

  it('of an unknown cutover is the primary, also when it is called like a property of every object', async () => {
    const { client } = bench(serving(documentOf(FULL)));
    await client.refresh();
    for (const name of ['invoice', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '']) {
      expect(client.route(name, { key: 'k' })).toMatchObject({ side: 'primary', reason: 'unknown_cutover' });
    }
  });
});

describe('I33 whatever the flags do', () => {
  const failing: [string, FlagSource][] = [
    [
      'fail',
      {
        fetch: async () => {
          throw new CrossfadeError('flags_unavailable', 'down');
        },
      },
    ],
    ['fail with something that is no error', { fetch: () => Promise.reject('no') }],
    [
      'throw before they promise',
      {
        fetch: () => {
          throw new Error('now');
        },
      },
    ],
    ['never answer', { fetch: () => new Promise(() => {}) }],
    ['answer nothing', { fetch: async () => undefined as never }],
    ['answer null', { fetch: async () => null as never }],
    ['claim to be unchanged', { fetch: async () => ({ unchanged: true }) }],
  ];

  it.each(failing)('when they %s, the answer is the primary', async (_name, source) => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    const { client } = bench(source);
    const refreshed = client.refresh();
    await vi.advanceTimersByTimeAsync(1_000);
    await refreshed;
    expect(client.route('customer', { key: 'k' })).toMatchObject({ side: 'primary', reason: 'no_flags' });
    await client.close();
  });

  it('once they were good, they stay when the source fails', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    let good = true;
    const source: FlagSource = {
      fetch: async () => {
        if (good) return { document: documentOf(FULL) };
        throw new Error('down');
      },
    };
    const { client } = bench(source, { maxFlagAgeMs: 1_000 });
    await client.refresh();
    good = false;
    vi.advanceTimersByTime(60_000);
    await client.refresh();
    const route = client.route('customer', { key: 'k' });
    expect(route).toMatchObject({ side: 'shadow', reason: 'share' });
    expect(route.ageMs).toBeGreaterThanOrEqual(60_000);
  });

  it('a stop that is published reaches the next call after a refresh', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    let document = documentOf(FULL);
    const { client } = bench({ fetch: async () => ({ document }) });
    await client.refresh();
    expect(client.route('customer', { key: 'k' }).side).toBe('shadow');
    document = documentOf({ ...FULL, version: 8 }, systemFlagOf({ version: 2, emergency_stop: true }));
    vi.advanceTimersByTime(15_001);
    await client.refresh();
    expect(client.route('customer', { key: 'k' })).toMatchObject({ side: 'primary', reason: 'emergency_stop' });
  });
});

describe('I33 whatever the host does', () => {
  const junk = fc.oneof(
    fc.anything(),
    fc.constantFrom(
      null,
      undefined,
      Symbol('s'),
      5n,
      Number.NaN,
      {},
      [],
      () => {},
      { key: Symbol('k') },
      { groups: 5 },
      { groups: 'beta', key: {} },
    ),
  );

  it('nothing is thrown, and the answer is always a side', async () => {
    const { client } = bench(serving(documentOf({ allow: ['group:x'], deny: ['environment:y'] })));
    await client.refresh();
    fc.assert(
      fc.property(junk, junk, (cutover, request) => {
        for (const name of [cutover, 'customer']) {
          const { side, reason } = client.route(name as string, request as never);
          expect(['primary', 'shadow']).toContain(side);
          expect(typeof reason).toBe('string');
        }
        expect(() => client.record(request as never)).not.toThrow();
        expect(typeof client.shouldRouteToShadow(cutover as string, request as string, request as string)).toBe(
          'boolean',
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('outcomes that cannot be sent are counted, not thrown', async () => {
    const { client } = bench(serving(documentOf()), { outcomes: () => Promise.reject(new Error('down')) });
    client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
    await client.flush();
    expect(client.droppedOutcomes()).toBe(0);
    await client.close();
    expect(client.droppedOutcomes()).toBe(1);
  });
});

describe('outcomes', () => {
  it('are counted in the minute of the given clock, keyless ones apart', async () => {
    const { client, sent } = bench(serving(documentOf()), { now: () => 17 * 60_000 + 5, source: 'me' });
    client.record({ cutover: 'customer', side: 'primary', latencyMs: 3, success: true, keyless: true });
    client.record({ cutover: 'customer', side: 'primary', latencyMs: 3, success: true });
    await client.flush();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ source: 'me', windows: [{ minute: 17, count: 2, keyless: 1 }] });
  });

  it('of a shadow that fails ten times open the breaker; after five seconds it is tried again', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    const { client } = bench(serving(documentOf(FULL)));
    await client.refresh();
    const fail = (side: 'primary' | 'shadow', times: number) => {
      for (let i = 0; i < times; i += 1) client.record({ cutover: 'customer', side, latencyMs: 1, success: false });
    };
    fail('primary', 50);
    fail('shadow', 9);
    expect(client.route('customer', { key: 'k' }).side).toBe('shadow');
    fail('shadow', 1);
    expect(client.route('customer', { key: 'k' })).toMatchObject({ side: 'primary', reason: 'circuit_open' });
    vi.advanceTimersByTime(4_999);
    expect(client.route('customer', { key: 'k' }).reason).toBe('circuit_open');
    vi.advanceTimersByTime(1);
    expect(client.route('customer', { key: 'k' }).side).toBe('shadow');
  });

  it('negative control: without recording, a failing shadow is kept', async () => {
    const { client } = bench(serving(documentOf(FULL)));
    await client.refresh();
    expect(client.route('customer', { key: 'k' }).side).toBe('shadow');
  });
});
