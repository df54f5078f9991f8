/**
 * What differs by itself and what differs for a reason, over thousands of comparisons: noise alone stays below what the gates
 * roll back for, and an answer that is wrong is found in it. Every run is drawn from a seed.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import type { CutoverRun } from '../../../lib/client/cutover-run.ts';
import { differs, judgeOf, type Look, patternsOf } from '../../../lib/client/judgement.ts';
import { noiseFloor } from '../../../lib/client/noise-floor.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { bench, failing, PRIMARY, READ, SHADOW, settled, stopTheClock } from '../../helpers/cutover-client.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';
import { seeded } from '../../property/samples.ts';

type Side = 'primary' | 'shadow';
type World = {
  served: Side;
  /** What is read each time, besides what is right: drawn again by each read. */
  noise(draw: () => number): unknown;
  /** How likely the row changes between two reads. */
  changes: number;
  /** How likely the shadow is wrong: of a request whenever it is asked, or only this once. */
  wrong: number;
  wrongOnce: number;
};
const QUIET: World = { served: 'primary', noise: () => 0, changes: 0, wrong: 0, wrongOnce: 0 };

const RUN: CutoverRun<unknown> = { ...READ, primary: () => 0, shadow: () => 0 };
const JUDGE = judgeOf(
  RUN,
  {},
  () => 0,
  () => {},
);

/** Share of the checks that the gates are given as mismatches. Sides are asked in the order in which the comparer asks them. */
async function mismatchRate(seed: number, comparisons: number, over: Partial<World>, create = noiseFloor) {
  const { served, noise, changes, wrong, wrongOnce } = { ...QUIET, ...over };
  const draw = seeded(seed);
  const floor = create();
  let checks = 0;
  let mismatches = 0;
  let row = 0;
  let isWrong = false;
  const read = (side: Side): Look => {
    const value = side === 'shadow' && (isWrong || draw() < wrongOnce) ? 'wrong' : noise(draw);
    const answer = { row, value };
    if (draw() < changes) row += 1;
    return { value: answer };
  };
  const both = () => {
    const first = read(served);
    const second = read(served === 'primary' ? 'shadow' : 'primary');
    return served === 'primary' ? ([first, second] as const) : ([second, first] as const);
  };
  for (let i = 0; i < comparisons; i += 1) {
    isWrong = draw() < wrong;
    if (floor.isWanted() && draw() < 0.1) {
      const [a, b, c] = [read('primary'), read('primary'), read('primary')];
      const odd = (path: string) =>
        !differs(JUDGE.alone!(b, c), path) ? 'first' : !differs(JUDGE.alone!(a, c), path) ? 'second' : null;
      floor.alone(new Map(JUDGE.alone!(a, b).differences.map(({ path }) => [path, odd(path)])));
      continue;
    }
    const [a1, b1] = both();
    const { differences } = await JUDGE.both(a1, b1);
    floor.compared(served);
    checks += 1;
    if (differences.length === 0) continue;
    const [a2, b2] = both();
    const pattern = await patternsOf(JUDGE, { primary: [a1, a2], shadow: [b1, b2] });
    const counted = differences.filter(({ path }) => floor.counts(path, pattern(path), served));
    if (counted.length > 0) mismatches += 1;
  }
  return mismatches / checks;
}

/** A value that is another at so many of the reads that two of them differ with this likelihood. */
const odd = (rate: number) => (draw: () => number) => (draw() < 1 - Math.sqrt(1 - rate) ? draw() : 0);
/** One of two values. */
const toggling = (rate: number) => (draw: () => number) => draw() < (1 - Math.sqrt(1 - 2 * rate)) / 2;

const MOST = 1 - DEFAULT_POLICY.validationScoreRollback;
const COMPARISONS = 400;
const sides = ['primary', 'shadow'] as const;
const mean = async (seeds: number, of: (seed: number) => Promise<number>) => {
  let sum = 0;
  for (let seed = 1; seed <= seeds; seed += 1) sum += await of(seed);
  return sum / seeds;
};

describe('noise alone', () => {
  it.each<[string, Partial<World>]>([
    ['in 1 % of the answers', { noise: odd(0.01) }],
    ['in 10 %', { noise: odd(0.1) }],
    ['in half', { noise: odd(0.5) }],
    ['in all', { noise: odd(1) }],
    ['of two values, in 10 %', { noise: toggling(0.1) }],
    ['of two values, in half', { noise: toggling(0.5) }],
    ['of rows that change in 10 % of the reads', { changes: 0.1 }],
    ['of rows that change in 98 % of the reads', { changes: 0.98 }],
  ])('%s is never more than what rolls back', async (_, world) => {
    for (const served of sides)
      expect(await mean(2, (seed) => mismatchRate(seed, COMPARISONS, { served, ...world }))).toBeLessThanOrEqual(MOST);
  });

  it('would be a mismatch nearly every time without the second look', async () => {
    const mutant = await sourceMutant<{ noiseFloor: typeof noiseFloor }>(
      ['lib/client/noise-floor.ts'],
      [['lib/client/noise-floor.ts', 'const isCounted = pairs.counted + 1 <= sure;', 'const isCounted = true;']],
    );
    expect(await mismatchRate(1, 500, { noise: toggling(0.5) }, mutant.noiseFloor)).toBeGreaterThan(10 * MOST);
  });
});

describe('asking one side twice', () => {
  it('is wanted while differences are unclear, and no longer when thousands of comparisons had none', () => {
    const floor = noiseFloor();
    for (let i = 0; i < 10 && !floor.isWanted(); i += 1) {
      floor.compared('primary');
      floor.counts('total', 'shadow', 'primary');
    }
    expect(floor.isWanted()).toBe(true);
    for (let i = 0; i < 5_000; i += 1) floor.compared('primary');
    expect(floor.isWanted()).toBe(false);
  });
});

describe('a difference that both looks of both sides show', () => {
  const straight = (floor: ReturnType<typeof noiseFloor>, times: number) =>
    Array.from({ length: times }, () => floor.counts('total', 'straight', 'primary'));

  it('counts at once where the path was never seen to be noisy, and from the third on where it was', () => {
    expect(straight(noiseFloor(), 4)).toEqual([true, true, true, true]);
    const noisy = noiseFloor();
    noisy.alone(new Map([['total', 'first']]));
    expect(straight(noisy, 5)).toEqual([false, false, true, true, true]);
  });
});

describe('an answer that is wrong in 10 %', () => {
  it.each<[string, Partial<World>, number]>([
    ['without noise', {}, 9],
    ['at a path that is noisy in 1 %', { noise: odd(0.01) }, 8],
    ['at a path that is noisy in 10 %', { noise: odd(0.1) }, 4],
    ['at a path that is noisy in half', { noise: odd(0.5) }, 1],
    ['at a path of two values', { noise: toggling(0.1) }, 4],
    ['beside a row that changes', { changes: 0.1 }, 3],
  ])('is more than what rolls back: %s', async (_, world, times) => {
    const comparisons = times === 1 ? 6 * COMPARISONS : COMPARISONS;
    for (const served of sides) {
      const rate = await mean(2, (seed) => mismatchRate(seed, comparisons, { served, wrong: 0.1, ...world }));
      expect(rate).toBeGreaterThan(times * MOST);
    }
  });

  it('by chance, each time it is asked, is found as well', async () => {
    for (const served of sides) {
      const rate = (noise: World['noise']) =>
        mean(2, (seed) => mismatchRate(seed, 3 * COMPARISONS, { served, wrongOnce: 0.1, noise }));
      expect(await rate(QUIET.noise)).toBeGreaterThan(3 * MOST);
      expect(await rate(odd(0.01))).toBeGreaterThan(MOST);
    }
    expect(await mismatchRate(1, 3 * COMPARISONS, { wrongOnce: 0.1, noise: odd(0.1) })).toBeGreaterThan(MOST);
  });
});

// ------------------------------------------------------------------------------------------------- through the client

const benchOf = (flag = PRIMARY) =>
  bench(flag, { comparisons: { perSecond: 1e6, threadShare: 1 } }, undefined, createClient);

describe('a second look', () => {
  beforeEach(stopTheClock);
  afterEach(() => vi.useRealTimers());

  it('counts a path that is wrong in 10 %, although it has differed in every A/A run', async () => {
    const { client } = await benchOf();
    let n = 0;
    const noisy = () => ({ at: n++ });
    for (let i = 0; i < 20; i += 1) {
      await client.runCutover<unknown>({ ...READ, primary: noisy, shadow: noisy, compare: { noise: 1 } });
      await settled(client);
    }
    for (let i = 0; i < 100; i += 1) {
      const wrong = { at: i % 10 === 0 ? -1 : 1 };
      await client.runCutover<unknown>({ ...READ, primary: () => ({ at: 1 }), shadow: () => wrong });
      await settled(client);
    }
    expect((await settled(client))!.mismatched).toBeGreaterThanOrEqual(7);
  });

  it('asks both sides once more, one after the other, and only where something differs', async () => {
    for (const [flag, order] of [
      [PRIMARY, 'primary shadow primary shadow'],
      [SHADOW, 'shadow primary shadow primary'],
    ] as const) {
      const { client } = await benchOf(flag);
      const asked: string[] = [];
      const side = (name: string, answer: unknown) => () => {
        asked.push(name);
        return answer;
      };
      await client.runCutover({ ...READ, primary: side('primary', 1), shadow: side('shadow', 2) });
      expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 1, running: 0 });
      expect(asked.join(' ')).toBe(order);
      await client.runCutover({ ...READ, primary: side('primary', 1), shadow: side('shadow', 1) });
      await settled(client);
      expect(asked.length).toBe(6);
    }
  });

  it('excuses a row that changed between the reads, without any A/A runs', async () => {
    for (const flag of [PRIMARY, SHADOW]) {
      const { client, window } = await benchOf(flag);
      for (let i = 0; i < 50; i += 1) {
        let reads = 0;
        const row = () => ({ id: 1, stock: reads++ === 0 ? i : i + 1 });
        await client.runCutover({ ...READ, primary: row, shadow: row, compare: { noise: 0 } });
        await settled(client);
      }
      expect(await settled(client)).toMatchObject({ compared: 50, mismatched: 0, noise: { excused: 50 } });
      expect(await window('shadow')).toMatchObject({ checks: 50, mismatches: 0 });
    }
  });

  it('names a path that counts, and none that is excused beside it', async () => {
    const { client } = await benchOf();
    let n = 0;
    const answer = (total: number) => () => ({ total, at: ++n });
    await client.runCutover({ ...READ, primary: answer(1), shadow: answer(2) });
    await settled(client);
    expect(client.mismatches()[0]!.paths).toEqual(['total: value']);
    expect(client.comparisons('planner')!.noise.paths).toContainEqual({
      path: 'at',
      differed: 1,
      counted: 0,
      alone: 0,
    });
  });

  it('is had of a failure and of what `equals` says, too', async () => {
    const { client } = await benchOf();
    let n = 0;
    const flaky = () => (n++ === 0 ? failing()() : 1);
    await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: flaky });
    expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0 });
    await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: failing() });
    expect(await settled(client)).toMatchObject({ compared: 2, mismatched: 1 });
    const equals = (a: unknown, b: unknown) => a === b;
    let m = 0;
    const moved = () => (m++ === 0 ? 'old' : 'new');
    await client.runCutover<unknown>({ ...READ, primary: moved, shadow: moved, compare: equals });
    expect(await settled(client)).toMatchObject({ compared: 3, mismatched: 1 });
    await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: () => 2, compare: equals });
    expect(await settled(client)).toMatchObject({ compared: 4, mismatched: 2 });
  });

  it('is not had of the primary alone where `equals` judges both sides', async () => {
    const { client } = await benchOf();
    let asked = 0;
    const primary = () => {
      asked += 1;
      return 1;
    };
    const compare = { equals: (a: unknown, b: unknown) => a === b, noise: 1 };
    await client.runCutover<unknown>({ ...READ, primary, shadow: () => 1, compare });
    expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0, unseen: [] });
    expect(asked).toBe(1);
  });

  it('that takes too long decides nothing, and a pair of which one failed stays counted', async () => {
    const { client, window } = await benchOf();
    let n = 0;
    const shadow = () => (n++ === 0 ? failing()() : new Promise(() => {}));
    await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await settled(client)).toMatchObject({ compared: 0, mismatched: 0, incomparable: 1 });
    const seen = await window('shadow');
    expect(seen).toMatchObject({ checks: 0, pairs: 1, onlyShadow: 1 });
    expect(seen).not.toHaveProperty('incomparable');
  });

  it('keeps its place in the budget, and counts as another comparison of a second', async () => {
    const { client } = await bench(PRIMARY, { comparisons: { perSecond: 4, concurrency: 100 } });
    for (let i = 0; i < 4; i += 1) {
      await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow: () => 2 });
      await settled(client);
    }
    expect(client.comparisons('planner')).toMatchObject({ compared: 2, mismatched: 2, shed: { rate: 2 } });
  });

  it('remembers two hundred paths, those that differed last', async () => {
    const { client } = await benchOf();
    for (let i = 0; i < 15; i += 1) {
      let n = 0;
      const answer = () => Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${i}x${at}`, ++n]));
      await client.runCutover<unknown>({ ...READ, primary: answer, shadow: answer });
      await settled(client);
    }
    expect((await settled(client))!.noise.paths).toHaveLength(20);
  });
});
