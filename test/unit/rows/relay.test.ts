/** The relay: what wakes the writer of each table, and that one looks at every moment. The time is virtual. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INITIAL_SYSTEM } from '../../../lib/core/cutover/cutover.ts';
import { type FlagDocument, flagDocument } from '../../../lib/core/routing/flags.ts';
import { relay } from '../../../lib/flows/rows/relay.ts';
import { PERIOD_MS, quantile, type RelayRun, relayed } from '../../helpers/relay-world.ts';
import { declarationOf, NOW, stateIn } from '../../property/samples.ts';

const IDS = Array.from({ length: 30 }, (_, n) => `t_${n}`);
const DECLARATIONS = IDS.map((id) => declarationOf('table', { id }));

/** A clock that only pauses move; `atMs` of each table: when its oldest hint was written, or null. */
function relayBench(atMs: Record<string, number | null>, onRound: (ms: number) => void = () => {}) {
  const clock = { ms: 10_000, now: () => NOW, monotonicMs: () => clock.ms, sleep: async (ms: number) => tick(ms) };
  const woken: { id: string; atMs: number }[] = [];
  const tick = (ms: number) => {
    clock.ms += ms;
    onRound(clock.ms);
  };
  const ports = {
    clock,
    log: { event: () => {}, failure: () => {} },
    state: { readAll: async () => Object.keys(atMs).map((id) => stateIn('r1', { id })) },
    converging: {
      waiting: async () =>
        Object.entries(atMs).flatMap(([id, at]) => (at === null ? [] : [{ id, hints: 1, lagMs: clock.ms - at }])),
    },
    wakeUps: {
      async wake(id: string) {
        woken.push({ id, atMs: clock.ms });
      },
    },
  };
  const run = (ms: number) => relay(ports as never, clock.ms + ms, DECLARATIONS);
  return { run, woken };
}

describe('the relay', () => {
  it('does not wake a table again while the change that it was woken for waits, until the wake-up counts as lost', async () => {
    const { run, woken } = relayBench({ t_0: 9_000 });
    await run(7_000);
    const gaps = woken.slice(1).map(({ atMs }, i) => atMs - woken[i]!.atMs);
    expect(woken.length).toBe(3);
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(3_000);
  });

  it('wakes it at once for a change that came after it was served', async () => {
    const atMs: Record<string, number | null> = { t_0: 9_900 };
    // Served between two rounds, and written again.
    const { run, woken } = relayBench(atMs, (ms) => {
      atMs.t_0 = ms - 50;
    });
    await run(4_000);
    // It leads for the first half of it.
    const led = woken.filter((one) => one.atMs < 12_000).map((one) => one.atMs);
    expect(led).toEqual([10_000, 10_400, 10_800, 11_200, 11_600]);
  });

  it('wakes it for a change that comes alone at the next look', async () => {
    const atMs: Record<string, number | null> = { t_0: null };
    const { run, woken } = relayBench(atMs, (ms) => {
      atMs.t_0 = ms >= 11_100 && woken.length === 0 ? 11_100 : null;
    });
    await run(4_000);
    expect(woken.map((one) => one.atMs)).toEqual([11_200]);
  });

  it('takes a wake-up to be under way for longer while the writer is behind', async () => {
    const { run, woken } = relayBench({ t_0: -590_000 });
    await run(180_000);
    expect(woken.length).toBe(3);
  });

  it('wakes the writer every 400 ms however many tables wait, by the one that waits longest and is not woken', async () => {
    const atMs = Object.fromEntries(IDS.map((id, n) => [id, 9_000 - ((n * 7) % 30) * 10]));
    const { run, woken } = relayBench(atMs);
    await run(3_000);
    const longest = [...IDS].sort((a, b) => atMs[a]! - atMs[b]!);
    expect(woken.length).toBeGreaterThanOrEqual(4);
    expect(woken.map(({ id }) => id)).toEqual(longest.slice(0, woken.length));
    for (const [n, one] of woken.slice(1).entries()) expect(one.atMs - woken[n]!.atMs).toBeGreaterThanOrEqual(400);
  });
});

describe('a table that waits and is no longer declared', () => {
  it('is not woken, since its record serves none', async () => {
    const { run, woken } = relayBench({ gone: 1_000, t_0: 9_000, t_1: 9_100 });
    await run(60_000);
    expect(new Set(woken.map(({ id }) => id))).toEqual(new Set(['t_0', 't_1']));
    expect(await relayBench({ gone: 1_000 }).run(10_000)).toEqual({ wakeUps: 0, rounds: 1 });
  });
});

describe('a relay without work', () => {
  const ports = (states: readonly object[], deployed: FlagDocument | null = null) => ({
    clock: { now: () => NOW, monotonicMs: () => 0, sleep: () => Promise.reject(new Error('it went on')) },
    log: { event: () => {}, failure: () => {} },
    state: { readAll: async () => states, readCutover: async () => null, readSystem: async () => null },
    sightings: { last: async () => deployed },
    converging: { waiting: () => Promise.reject(new Error('the database was asked')) },
    forwards: { open: async () => [] },
    wakeUps: { wake: async () => {} },
    realNow: () => NOW,
  });
  const declared = [declarationOf('table', { id: 'customer' }), declarationOf('component', { id: 'planner' })];

  it.each([
    ['nothing was ever started', []],
    ['a table was rolled back', [stateIn('rolled_back', { id: 'customer' })]],
    ['a table was cleaned up', [stateIn('cleaned', { id: 'customer' })]],
    ['another program has one', [stateIn('r1', { id: 'elsewhere' })]],
  ])('asks the database nothing and ends at once where %s', async (_, states) => {
    expect(await relay(ports(states) as never, 125_000, declared)).toEqual({ rounds: 1, wakeUps: 0 });
  });

  it.each([
    ['is kept equal', stateIn('dual_write', { id: 'customer' })],
    ['was promoted and can go back', stateIn('completed', { id: 'customer' })],
    ['cannot be read', { id: 'customer', invalid: 'what a person wrote' }],
  ])('asks it where a table %s', async (_, state) => {
    await expect(relay(ports([state]) as never, 125_000, [declared[0]!])).rejects.toThrow('the database was asked');
  });

  it('asks it where a table was rolled back and flags still send readers to it: they must not see rows that stand still', async () => {
    const [before, after] = (['r1', 'rolled_back'] as const).map((stage, n) => ({
      ...stateIn(stage, { id: 'customer' }),
      epoch: 1 + n,
    }));
    const deployed = flagDocument([{ declaration: declared[0]!, state: before! }], INITIAL_SYSTEM);
    const asked = () => relay(ports([after!], deployed) as never, 125_000, [declared[0]!]);
    await expect(asked()).rejects.toThrow('the database was asked');
  });

  it('looks on while a component is under way, without the database', async () => {
    const it_ = ports([stateIn('r1', { id: 'planner' }, 'component')]);
    await expect(relay(it_ as never, 125_000, declared)).rejects.toThrow('it went on');
  });
});

/** Calls begin up to two seconds late. */
const SCHEDULE = fc.record({
  periods: fc.constant(4),
  lateMs: fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 4, maxLength: 4 }),
});
const KILL = fc.record({ call: fc.integer({ min: 1, max: 3 }), afterMs: fc.integer({ min: 0, max: 125_000 }) });
const SEEDED = { numRuns: 6, seed: 16 };
/** What a change waits where one leads: the rest of the time between two wake-ups, and the writer. */
const USUAL_MS = 400;

describe('relays on a schedule', () => {
  it('lead without a gap, whenever each of them begins', async () => {
    await fc.assert(
      fc.asyncProperty(SCHEDULE, async (run) => {
        const { lags, looksPerMinute, wakesPerMinute } = await relayed(run);
        expect(lags.at(-1)).toBeLessThanOrEqual(USUAL_MS);
        // One leads with five looks a second, one stands by with one: less than two leaders would take.
        expect(looksPerMinute).toBeLessThan(1.4 * 300);
        // Each is paid for. What stands by adds next to none.
        expect(wakesPerMinute).toBeLessThan(1.1 * 150);
      }),
      SEEDED,
    );
  });

  it('leave no change alone for two seconds more when one is killed, whenever that is', async () => {
    await fc.assert(
      fc.asyncProperty(SCHEDULE, KILL, async (run, kill) => {
        const { lags } = await relayed({ ...run, kill });
        expect(lags.at(-1)).toBeLessThanOrEqual(USUAL_MS + 2_000);
      }),
      SEEDED,
    );
  });

  const punctual: RelayRun = { periods: 4, lateMs: [0, 0, 0, 0] };

  it('would have a gap, and the test would see it, if they ended before the next one began', async () => {
    const { lags } = await relayed({ ...punctual, lifeMs: 50_000 });
    expect(quantile(lags, 0.99)).toBeGreaterThan(5_000);
  });

  it('would leave changes alone for the rest of the minute without one that stands by', async () => {
    const kill = { call: 2, afterMs: 20_000 };
    const { lags } = await relayed({ ...punctual, lifeMs: PERIOD_MS + 2_000, kill });
    expect(lags.at(-1)).toBeGreaterThan(30_000);
  });
});
