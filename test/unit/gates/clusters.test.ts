/** How much failures scatter: against the formula over all minutes, and what a habit, chance and an incident make of it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Baseline, EMPTY_BASELINE, overdispersion, withMinute } from '../../../lib/core/gates/baseline.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { emptyWindow } from '../../../lib/core/gates/minute-window.ts';
import { binomial, randomFrom } from '../../helpers/gate-traffic.ts';

type Minute = readonly [count: number, errors: number];

function baselineOf(minutes: readonly Minute[]): Baseline {
  const windows = minutes.map(([count, errors], i) => bucketedWindow({ ...emptyWindow(i, 'primary'), count, errors }));
  return windows.reduce((baseline, window) => withMinute(baseline, window), EMPTY_BASELINE);
}

/** Two hours of independent failures, each of which comes `times` times. */
function drawn(seed: number, count: number, rate: number, times: number): number {
  const random = randomFrom(seed);
  return overdispersion(
    baselineOf(Array.from({ length: 120 }, () => [count, times * binomial(random, count, rate)] as const)),
  );
}

/** χ² of a table of two minutes, from what each cell should hold. */
function chiSquare(minutes: readonly Minute[]): number | null {
  const n = minutes.reduce((sum, [count]) => sum + count, 0);
  const e = minutes.reduce((sum, [, errors]) => sum + errors, 0);
  if (e === 0 || e === n) return null;
  const cells = minutes.flatMap(([count, errors]) => [
    [errors, (count * e) / n],
    [count - errors, (count * (n - e)) / n],
  ]);
  return cells.reduce((sum, [seen, wanted]) => sum + (seen! - wanted!) ** 2 / wanted!, 0);
}

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed + 1);
const TRAFFIC = [
  [300, 0.0005],
  [6_000, 0.0005],
  [6_000, 0.02],
] as const;

describe('how much failures scatter', () => {
  it('is the mean χ² of neighbouring minutes less two standard errors, and twice its excess', () => {
    const minute = fc
      .tuple(fc.integer({ min: 1, max: 9_000 }), fc.nat({ max: 40 }))
      .map(([count, errors]) => [count, Math.min(count, errors)] as const);
    fc.assert(
      fc.property(fc.array(minute, { maxLength: 40 }), (minutes) => {
        let [pairs, squares] = [0, 0];
        for (let i = 1; i < minutes.length; i += 1) {
          const square = chiSquare([minutes[i - 1]!, minutes[i]!]);
          // Made to weigh less every ten minutes, before the minute that begins the next ten is added.
          const weight = Math.exp((-10 * (Math.floor((minutes.length - 1) / 10) - Math.floor(i / 10))) / 240);
          if (square === null) continue;
          pairs += weight;
          squares += weight * Math.min(square, 16);
        }
        const least = pairs === 0 ? 1 : squares / pairs / (1 + 2 * Math.sqrt(3 / pairs));
        expect(overdispersion(baselineOf(minutes))).toBeCloseTo(Math.min(5, Math.max(1, 2 * least - 1)), 9);
      }),
    );
  });

  it.each(TRAFFIC)('is next to nothing for independent failures (%i a minute, %f of them)', (count, rate) => {
    const found = SEEDS.map((seed) => drawn(seed, count, rate, 1));
    expect(found.filter((factor) => factor > 1).length).toBeLessThanOrEqual(10);
    expect(Math.max(...found)).toBeLessThan(1.3);
  });

  it.each(TRAFFIC)('is found where each comes four times (%i a minute, %f of them)', (count, rate) => {
    const found = SEEDS.map((seed) => drawn(seed, count, rate, 4)).sort((a, b) => a - b);
    expect(found[10]).toBeGreaterThan(2);
    expect(found[100]).toBeLessThan(5);
  });

  it('is not made by an incident of five minutes in which everything fails, neither in it nor after it', () => {
    const calm = Array.from({ length: 60 }, (_, i) => [6_000, 2 + (i % 3)] as const);
    const incident = Array.from({ length: 5 }, () => [6_000, 6_000] as const);
    expect(overdispersion(baselineOf([...calm, ...incident]))).toBe(1);
    expect(overdispersion(baselineOf([...calm, ...incident, ...calm]))).toBe(1);
  });

  it('asks for at most five times the evidence, whatever the primary does', () => {
    const wild = Array.from({ length: 60 }, (_, i) => [6_000, i % 2 === 0 ? 0 : 6_000] as const);
    expect(overdispersion(baselineOf(wild))).toBe(5);
  });

  it('is none before two minutes were seen', () => {
    const all: Minute[][] = [
      [],
      [[5, 3]],
      [[0, 0]],
      [
        [0, 0],
        [5, 3],
      ],
    ];
    expect(all.map((minutes) => overdispersion(baselineOf(minutes)))).toEqual([1, 1, 1, 1]);
  });
});
