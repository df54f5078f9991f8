/** Plans: what they are made of and everything that is refused. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { BUILT_IN_PLAN_NAMES, builtInPlan, makePlan, planProblems } from '../../../lib/core/cutover/plan.ts';

const shares = (name: (typeof BUILT_IN_PLAN_NAMES)[number]) =>
  builtInPlan(name).stages.map((stage) => stage.sharePpm / 10_000);

/** The problems makePlan names, or none. */
function problems(ramp: readonly (readonly [string, number])[], dwell?: number): readonly string[] {
  try {
    makePlan('mine', ramp, dwell);
  } catch (error) {
    if (error instanceof CrossfadeError && error.code === 'invalid_plan') return error.details.problems as string[];
    throw error;
  }
  return [];
}

describe('built-in plans', () => {
  it('have the published percentages', () => {
    expect(shares('gradual')).toEqual([0, 0, 1, 10, 50, 100, 100]);
    expect(shares('canary')).toEqual([0, 0, 10, 25, 50, 75, 100, 100]);
    expect(shares('majority')).toEqual([0, 0, 10, 75, 100, 100]);
    expect(shares('gateway')).toEqual([0, 0, 10, 50, 100, 100]);
    expect(shares('fine')).toEqual([0, 0, 1, 5, 20, 50, 100, 100]);
  });

  it('have no problem, and their kinds in the fixed order', () => {
    for (const name of BUILT_IN_PLAN_NAMES) {
      const plan = builtInPlan(name);
      expect(planProblems(plan)).toEqual([]);
      const kinds = plan.stages.map((stage) => stage.kind).filter((kind) => kind !== 'ramp');
      expect(kinds).toEqual(['disabled', 'dual_write', 'full', 'completed']);
    }
  });

  it('take one dwell for all stages or one per stage', () => {
    expect(builtInPlan('majority', 5).stages.map((stage) => stage.dwellMinutes)).toEqual([0, 5, 5, 5, 5, 0]);
    const own = builtInPlan('majority', { test_10: 7 });
    expect(own.stages.map((stage) => stage.dwellMinutes)).toEqual([0, 60, 7, 60, 60, 0]);
  });
});

describe('a share in per cent', () => {
  it('of at most four decimals is exact, all 999,999 of them', () => {
    const wrong: number[] = [];
    // A plan has 50 stages at most, four of which are fixed.
    for (let from = 1; from < 1_000_000; from += 46) {
      const steps = Array.from({ length: 46 }, (_, i) => from + i).filter((ppm) => ppm < 1_000_000);
      const ramp = steps.map((ppm) => [`s${ppm}`, Number((ppm / 10_000).toFixed(4))] as const);
      const plan = makePlan('p', [...ramp, ['full', 100]]);
      wrong.push(...steps.filter((ppm, i) => plan.stages[i + 2]!.sharePpm !== ppm));
    }
    expect(wrong).toEqual([]);
  });

  it('finer than that is refused', () => {
    expect(
      problems([
        ['s', 0.00005],
        ['full', 100],
      ]),
    ).toEqual([expect.stringContaining('finer than 0.0001 %')]);
  });
});

describe('row 70: a plan that cannot be used', () => {
  it.each([
    [
      'falls',
      [
        ['a', 50],
        ['b', 10],
        ['full', 100],
      ],
      "'b' does not raise the share of 'a'",
    ],
    [
      'repeats a share',
      [
        ['a', 10],
        ['b', 10],
        ['full', 100],
      ],
      "'b' does not raise",
    ],
    [
      'repeats a name',
      [
        ['a', 10],
        ['a', 20],
        ['full', 100],
      ],
      "'a' appears twice",
    ],
    [
      'has 0 % in a ramp',
      [
        ['a', 0],
        ['full', 100],
      ],
      'must lie between 0 and 100 %',
    ],
    [
      'has 100 % in a ramp',
      [
        ['a', 100],
        ['full', 100],
      ],
      'must lie between 0 and 100 %',
    ],
    [
      'ends below 100 %',
      [
        ['a', 10],
        ['b', 90],
      ],
      'last share must be 100 %',
    ],
    [
      'has a negative share',
      [
        ['a', -1],
        ['full', 100],
      ],
      'must lie between 0 and 100 %',
    ],
    ['has no share at all', [], 'last share must be 100 %'],
    [
      'has a share that is no number',
      [
        ['a', Number.NaN],
        ['full', 100],
      ],
      'must lie between 0 and 100 %',
    ],
    [
      'has an infinite share',
      [
        ['a', Number.POSITIVE_INFINITY],
        ['full', 100],
      ],
      'must lie between 0 and 100 %',
    ],
    [
      'calls a stage badly',
      [
        ['Test 1', 1],
        ['full', 100],
      ],
      'not lower_snake_case',
    ],
    [
      'takes a name of the fixed stages',
      [
        ['completed', 1],
        ['full', 100],
      ],
      "'completed' appears twice",
    ],
  ] as const)('because it %s', (_why, ramp, problem) => {
    expect(problems(ramp)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  it('because it has more than 50 stages', () => {
    const ramp = (steps: number) => [
      ...Array.from({ length: steps }, (_, i) => [`s${i}`, i + 1] as const),
      ['full', 100] as const,
    ];
    expect(problems(ramp(46))).toEqual([]);
    expect(problems(ramp(47))).toEqual([expect.stringContaining('51 stages')]);
  });

  it('because its dwell is negative or no number', () => {
    for (const dwell of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(problems([['full', 100]], dwell)).not.toEqual([]);
    }
  });

  it('names every problem at once', () => {
    expect(
      problems(
        [
          ['Bad', 0],
          ['b', 60],
          ['b', 20],
          ['c', 80],
        ],
        -1,
      ).length,
    ).toBeGreaterThanOrEqual(7);
  });
});
