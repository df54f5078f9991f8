/** Comparing both sides of a code path: when, how much, what is noise, and what is kept of a mismatch. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CutoverRun } from '../../../lib/client/cutover-run.ts';
import type { CutoverFlag } from '../../../lib/core/routing/flags.ts';
import {
  bench,
  never,
  PRIMARY,
  PROMOTED,
  READ,
  SHADOW,
  settled,
  stopTheClock,
  throwing,
} from '../../helpers/cutover-client.ts';
import { systemFlagOf } from '../../property/samples.ts';

beforeEach(stopTheClock);
afterEach(() => vi.useRealTimers());

describe('comparing', () => {
  it('happens only where both sides are kept equal, and only for paths that may run twice', async () => {
    const shadow = vi.fn(() => 'new');
    const run = { ...READ, primary: () => 'old', shadow };
    const quiet: [Partial<CutoverFlag>, Partial<CutoverRun<unknown>>][] = [
      [{ ...PRIMARY, shadow_writes: false }, {}],
      [PRIMARY, { readonly: false, compare: false }],
      [PRIMARY, { compare: false }],
      [PRIMARY, { compare: { sample: 0 } }],
    ];
    for (const [flag, over] of quiet) {
      const { client } = await bench(flag);
      await client.runCutover<unknown>({ ...run, ...over });
      expect(await settled(client)).toBeNull();
    }
    const stopped = await bench(PRIMARY, {}, systemFlagOf({ emergency_stop: true }));
    await stopped.client.runCutover<unknown>(run);
    await settled(stopped.client);
    const old = vi.fn(() => 'old');
    const promoted = await bench(PROMOTED);
    await promoted.client.runCutover<unknown>({ ...run, primary: old, shadow: () => 'new' });
    await settled(promoted.client);
    expect([shadow.mock.calls.length, old.mock.calls.length]).toEqual([0, 0]);
    const compared = await bench(PRIMARY);
    await compared.client.runCutover<unknown>(run);
    expect(await settled(compared.client)).toMatchObject({ compared: 1, mismatched: 1 });
  });

  it('works from either side, with rules for what may differ', async () => {
    for (const flag of [PRIMARY, SHADOW]) {
      const { client } = await bench(flag);
      const run = { ...READ, primary: () => ({ plan: [1, 2], at: 1 }), shadow: () => ({ plan: [1, 2], at: 2 }) };
      await client.runCutover({ ...run, ignore: ['at'] });
      expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0 });
      await client.runCutover(run);
      expect(await settled(client)).toMatchObject({ compared: 2, mismatched: 1 });
      await client.runCutover({ ...run, compare: (a, b) => a.plan.length === b.plan.length });
      expect(await settled(client)).toMatchObject({ compared: 3, mismatched: 1 });
      expect(client.mismatches('planner')[0]).toMatchObject({ paths: ['at: value'], kind: 'difference' });
    }
  });

  it('never has more than four under way, also when all of them hang', async () => {
    const { client } = await bench(PRIMARY);
    const shadow = vi.fn(never);
    for (let i = 0; i < 50; i += 1) await client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow });
    await vi.advanceTimersByTimeAsync(20_000);
    for (let i = 0; i < 50; i += 1) await client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow });
    await settled(client);
    expect(shadow).toHaveBeenCalledTimes(4);
    expect(client.comparisons('planner')).toMatchObject({ compared: 4, mismatched: 4, running: 4 });
    expect(client.comparisons('planner')!.shed.concurrency).toBe(96);
    // A call that never ends gives its place up after half a minute.
    await vi.advanceTimersByTimeAsync(10_000);
    expect(client.comparisons('planner')!.running).toBe(0);
  });

  it('leaves a side alone that blocks the thread, for as long as its share needs', async () => {
    const { client } = await bench(PRIMARY);
    let calls = 0;
    // The clock moves while the thread is busy: 100 ms of it, with 5 % allowed, are two seconds.
    const shadow = () => {
      calls += 1;
      vi.setSystemTime(Date.now());
      vi.advanceTimersByTime(100);
      return 'old';
    };
    const once = async () => {
      await client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow });
      await settled(client);
    };
    await once();
    for (let i = 0; i < 10; i += 1) await once();
    expect(calls).toBe(1);
    expect(client.comparisons('planner')!.shed.thread).toBe(10);
    await vi.advanceTimersByTimeAsync(2_000);
    await once();
    expect(calls).toBe(2);
  });

  it('sheds what is more than so many a second', async () => {
    const { client } = await bench(PRIMARY, { comparisons: { perSecond: 5, concurrency: 100 } });
    for (let i = 0; i < 20; i += 1) await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: () => 1 });
    expect(await settled(client)).toMatchObject({ compared: 5, shed: { rate: 15 } });
    await vi.advanceTimersByTimeAsync(1_000);
    for (let i = 0; i < 20; i += 1) await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: () => 1 });
    expect(await settled(client)).toMatchObject({ compared: 10, shed: { rate: 30 } });
  });

  it('compares what was served, not what the caller made of it, when it is told to copy', async () => {
    const { client } = await bench(PRIMARY);
    const run = { ...READ, primary: () => ({ n: 1 }), shadow: () => ({ n: 1 }), compare: { snapshot: true } };
    const answer = await client.runCutover(run);
    answer.n = 2;
    expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0 });
    await client.runCutover({ ...run, primary: () => ({ n: 1, f: () => 1 }) as never });
    expect(await settled(client)).toMatchObject({ compared: 1, incomparable: 1 });
  });

  it('survives answers that cannot be looked at, and judgements that throw', async () => {
    const { client } = await bench(PRIMARY);
    const hostile = () => ({
      get trap(): never {
        throw new Error('no');
      },
    });
    await client.runCutover<unknown>({ ...READ, primary: hostile, shadow: hostile });
    await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: () => 2, compare: throwing() as never });
    expect(await settled(client)).toMatchObject({ compared: 0, incomparable: 2 });
  });

  it('does not hold the slowness of the old path against the new one', async () => {
    const { client } = await bench(SHADOW);
    await client.runCutover<unknown>({ ...READ, primary: never, shadow: () => 'new' });
    await vi.advanceTimersByTimeAsync(1_001);
    expect(client.comparisons('planner')).toMatchObject({ compared: 0, incomparable: 1 });
  });
});

describe('an A/A run', () => {
  it('learns what differs by itself, and names it', async () => {
    const { client } = await bench(PRIMARY);
    let n = 0;
    const answer = () => ({ plan: 'a', at: ++n, steps: [{ id: ++n }] });
    for (let i = 0; i < 2; i += 1) {
      await client.runCutover({ ...READ, primary: answer, shadow: answer, compare: { noise: 1 } });
      await settled(client);
    }
    expect((await settled(client))!.noise).toEqual({
      runs: 2,
      differing: 2,
      excused: 0,
      paths: [
        { path: 'at', differed: 0, counted: 0, alone: 2 },
        { path: 'steps[*].id', differed: 0, counted: 0, alone: 2 },
      ],
    });
  });

  it('runs the primary against itself, whichever side serves, and asks a third time where it differs', async () => {
    for (const [flag, calls, served] of [
      [PRIMARY, [2, 0], [3, 0]],
      [SHADOW, [2, 1], [3, 1]],
    ] as const) {
      let n = 0;
      for (const [primary, expected] of [
        [vi.fn(() => 1), calls],
        [vi.fn(() => ++n), served],
      ] as const) {
        const shadow = vi.fn(() => 1);
        const { client } = await bench(flag);
        await client.runCutover({ ...READ, primary, shadow, compare: { noise: 1 } });
        await settled(client);
        expect([primary.mock.calls.length, shadow.mock.calls.length]).toEqual(expected);
      }
    }
  });
});

describe('I38 what is kept of a mismatch', () => {
  const old = { name: 'Ada Lovelace', 'ada@example.com': 1, byId: { '8841': 5 }, list: [1], n: 7 };
  const next = { name: 'Ada L.', 'ada@example.com': 2, byId: { '8841': 6 }, list: [1, 2], n: null };

  it('is its shape and never its value, key or a name that is somebody’s data', async () => {
    const { client } = await bench(PRIMARY);
    await client.runCutover<unknown>({ ...READ, key: 'user-ada', primary: () => old, shadow: () => next });
    await settled(client);
    const [group] = client.mismatches();
    expect(group!.samples[0]!.differences).toContainEqual({
      path: 'name',
      kind: 'value',
      primary: 'text(12)',
      shadow: 'text(6)',
    });
    expect(JSON.stringify(client.mismatches())).not.toMatch(/ada|Lovelace|8841|example/i);
  });

  it('holds values and the key where the application asked for them', async () => {
    const { client } = await bench(PRIMARY, { comparisons: { values: true } });
    await client.runCutover<unknown>({ ...READ, key: 'user-ada', primary: () => old, shadow: () => next });
    await settled(client);
    expect(JSON.stringify(client.mismatches())).toMatch(/Lovelace/);
    expect(client.mismatches()[0]!.samples[0]!.key).toBe('user-ada');
  });

  it('is grouped by what differs, with first and last seen, three samples each, fifty groups', async () => {
    const { client } = await bench(PRIMARY, { comparisons: { perSecond: 1e6 } });
    const differ = (field: string) =>
      client.runCutover<unknown>({ ...READ, primary: () => ({ [field]: 1 }), shadow: () => ({ [field]: 2 }) });
    const firstMs = Date.now();
    for (let i = 0; i < 5; i += 1) {
      await differ('a');
      await settled(client);
    }
    const [group] = client.mismatches('planner');
    expect([group!.count, group!.samples.length, group!.paths]).toEqual([5, 3, ['a: value']]);
    expect(group!.lastSeenMs).toBeGreaterThanOrEqual(group!.firstSeenMs);
    expect(group!.firstSeenMs).toBeGreaterThanOrEqual(firstMs);
    for (let i = 0; i < 60; i += 1) {
      await differ(`f${'x'.repeat(i)}`.slice(0, 39) + String.fromCharCode(97 + (i % 26)));
      await settled(client);
    }
    expect(client.mismatches()).toHaveLength(50);
    expect(client.mismatches('other')).toEqual([]);
  });
});
