/**
 * The gates on traffic as it is: keys that are sticky and differ, minutes that hold together, days, deploys, outages, batches, cold
 * caches, late and missing reports. What is healthy stays, what is bad goes in time. A failure prints the seed; the long version is
 * `npm run bench gate-families`. Other seeds: CROSSFADE_SEED=7 npx vitest run test/property/gate-families.test.ts
 */

import { describe, expect, it } from 'vitest';
import type { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import { type HowRun, runFamily } from '../helpers/family-run.ts';
import { FAMILIES, type Fault, type Run } from '../helpers/gate-families.ts';
import { type Fault as Mutation, sourceMutant } from '../helpers/source-mutant.ts';

const FIRST_SEED = Number(process.env.CROSSFADE_SEED ?? 1);
const seeds = (count: number) => Array.from({ length: count }, (_, i) => FIRST_SEED * 1_000 + i);
/** The slices of `gradual`, one per cent held back. */
const GRADUAL = [0.01, 0.09, 0.4, 0.49, 0.01] as const;
const familyOf = (name: string) => FAMILIES.find((family) => family.name === name)!;
const runOf = (name: string, onShadow: number, minutes: number, faults: readonly Fault[] = []): Run => ({
  rps: 100,
  slices: GRADUAL,
  onShadow,
  minutes,
  family: familyOf(name),
  faults,
});

/** The seeds that were rolled back, with why. */
const goneOf = (run: Run, count: number, how: HowRun = {}) =>
  seeds(count)
    .map((seed) => ({ seed, ...runFamily(seed, run, how) }))
    .filter(({ rollback }) => rollback !== null)
    .map(({ seed, rollback, says }) => ({ seed, rollback, says }));

describe('a healthy stage', () => {
  it.each(FAMILIES.map(({ name }) => name))('is not rolled back at 1 %% of 100 rps: %s', (name) =>
    expect(goneOf(runOf(name, 1, 150), 1)).toEqual([]),
  );

  it.each(['independent', 'sticky strong', 'jitter 10 %', 'deploy', 'away'])(
    'is not rolled back at 99 %%, with the last hundredth of the keys to compare with: %s',
    (name) => expect(goneOf(runOf(name, 4, 100), 1)).toEqual([]),
  );
});

describe('a bad stage at 1 % of 100 rps is rolled back in time', () => {
  const minutesOf = (name: string, fault: Fault, count = 3) =>
    seeds(count)
      .map((seed) => runFamily(seed, runOf(name, 1, 60, [fault])).rollback ?? Number.POSITIVE_INFINITY)
      .sort((a, b) => a - b);

  it.each<[string, string, number, Omit<Fault, 'fromMinute'>]>([
    ['independent', '+10 pp errors', 3, { moreErrors: 0.1 }],
    ['independent', 'twice as slow', 5, { slower: 1 }],
    ['independent', '+2 pp errors', 10, { moreErrors: 0.02 }],
    ['sticky strong', '+10 pp errors', 4, { moreErrors: 0.1 }],
    ['sticky strong', 'twice as slow', 7, { slower: 1 }],
  ])('%s, %s: the median within %i minutes', (name, _, most, fault) => {
    const minutes = minutesOf(name, { fromMinute: 1, ...fault });
    expect(minutes[1], `minutes ${minutes.join(' ')}`).toBeLessThanOrEqual(most);
  });

  it('one operation type of a hundredth of the traffic that fails always: the median within 6 minutes', () => {
    const minutes = minutesOf('independent', { fromMinute: 1, operation: 0.01 }, 15);
    expect(minutes[7], `minutes ${minutes.join(' ')}`).toBeLessThanOrEqual(6);
  });

  it('a step up after two hours of a regression below the limit, nearly as soon as a fresh one', () => {
    const faults = [
      { fromMinute: 1, moreErrors: 0.003 },
      { fromMinute: 121, moreErrors: 0.05 },
    ];
    const minutes = seeds(3).map((seed) => runFamily(seed, runOf('independent', 1, 150, faults)).rollback ?? Infinity);
    for (const minute of minutes) {
      expect(minute, `minutes ${minutes.join(' ')}`).toBeGreaterThan(120);
      expect(minute, `minutes ${minutes.join(' ')}`).toBeLessThanOrEqual(127);
    }
  });
});

describe('negative control: without the rule healthy stages go, or bad ones stay', () => {
  const EVALUATE = 'lib/core/gates/evaluate.ts';
  const without = (...mutations: Mutation[]) =>
    sourceMutant<{ evaluateGates: typeof evaluateGates }>([EVALUATE], mutations);

  it('sticky keys, compared with all others in place of with themselves', () => {
    expect(goneOf(runOf('sticky strong', 1, 240), 4, { sliced: false })).not.toEqual([]);
  });

  it('minutes that hold together, taken for independent ones', async () => {
    const gates = await without([
      'lib/core/gates/fold.ts',
      'noise: draft.noise.map(excessVariance),',
      'noise: [0, 0, 0],',
    ]);
    expect(goneOf(runOf('jitter 10 %', 3, 120), 2, { gates })).not.toEqual([]);
  });

  it('a batch in one slice, taken for its usual work', async () => {
    const gates = await without(['lib/core/gates/compared.ts', 'count > most(expected) || lasts', 'false']);
    const batch = { ...runOf('batch', 1, 80), family: { ...familyOf('batch'), batchIn: 0 } };
    expect(goneOf(batch, 2, { gates })).not.toEqual([]);
    expect(goneOf(batch, 2)).toEqual([]);
  });

  it('a rare operation type that always fails, looked at in the sum of all', async () => {
    const gates = await without([
      'lib/core/gates/operations.ts',
      'const speaks = all.length > 1',
      'const speaks = false',
    ]);
    const rare = runOf('independent', 2, 30, [{ fromMinute: 1, operation: 0.003 }]);
    expect(goneOf(rare, 3, { gates })).toEqual([]);
    expect(goneOf(rare, 3)).toHaveLength(3);
  });

  it('a cache that has just become warm, where a little is enough to be beyond the limit', async () => {
    const gates = await without(['lib/core/gates/size.ts', 'POINTS_BEYOND = BEYOND.others', 'POINTS_BEYOND = 1.5']);
    const gone = (how: HowRun) =>
      [7_006, 7_008, 7_011].map((seed) => runFamily(seed, runOf('cold', 1, 14), how).rollback);
    expect(gone({ gates })).toEqual([9, 10, 12]);
    expect(gone({})).toEqual([null, null, null]);
  });

  it('a cold cache, judged from the first minute on', () => {
    expect(goneOf(runOf('cold', 3, 30), 2, { policy: { warmUpMinutes: 0 } })).not.toEqual([]);
  });
});
