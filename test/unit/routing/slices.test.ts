/** Slices: every bucket lies in one of at most eight, and in the one that its side follows. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInPlan, FULL_SHARE_PPM, makePlan } from '../../../lib/core/cutover/plan.ts';
import { bucketOf, inShare } from '../../../lib/core/routing/routing.ts';
import { MAX_SLICES, shareThreshold, sliceOf, slicesOf } from '../../../lib/core/routing/slices.ts';

const plans = fc
  .uniqueArray(fc.integer({ min: 1, max: FULL_SHARE_PPM - 1 }), { maxLength: 40 })
  .map((shares) => shares.sort((a, b) => a - b))
  .map((shares) =>
    makePlan('any', [...shares.map((ppm, i) => [`stage_${i}`, ppm / 10_000] as const), ['full_100', 100]]),
  );
const heldBack = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 500_000 }));

describe('the slices of a plan', () => {
  it.each([
    ['gradual', 0, [10_000, 100_000, 500_000, 1_000_000]],
    ['gradual', 10_000, [10_000, 100_000, 500_000, 990_000, 1_000_000]],
    ['gradual', 500_000, [10_000, 100_000, 500_000, 1_000_000]],
    ['canary', 400_000, [100_000, 250_000, 500_000, 600_000, 1_000_000]],
  ] as const)('%s with %i ppm held back: %j', (plan, holdBackPpm, ends) => {
    expect(slicesOf(builtInPlan(plan), holdBackPpm)).toEqual(ends);
  });

  it('rise to the whole, are at most eight, and keep the first share and what is held back', () => {
    fc.assert(
      fc.property(plans, heldBack, (plan, holdBackPpm) => {
        const ends = slicesOf(plan, holdBackPpm);
        expect(ends.length).toBeLessThanOrEqual(MAX_SLICES);
        expect(ends.at(-1)).toBe(FULL_SHARE_PPM);
        expect(ends.every((end, i) => end > (ends[i - 1] ?? 0))).toBe(true);
        const shares = plan.stages.filter(({ kind }) => kind === 'ramp' || kind === 'full');
        const most = FULL_SHARE_PPM - holdBackPpm;
        expect(ends[0]).toBe(Math.min(shares[0]!.sharePpm, most));
        expect(ends).toContain(most);
        for (const end of ends.slice(0, -1)) expect([...shares.map(({ sharePpm }) => sharePpm), most]).toContain(end);
      }),
    );
  });

  it('are joined where the share between them changes the load least', () => {
    const ramp = [1, 2, 4, 8, 10, 20, 40, 80].map((percent) => [`at_${percent}`, percent] as const);
    const plan = makePlan('doubling', [...ramp, ['full_100', 100]]);
    // 80 → 99 → 100 %: what is held back stays, 10 and 8 % were the nearest, then 80 and 99 %.
    expect(slicesOf(plan, 10_000)).toEqual([10_000, 20_000, 40_000, 100_000, 200_000, 400_000, 990_000, 1_000_000]);
  });

  it('every bucket lies in one slice, and a slice moves as a whole with the share that ends it', () => {
    fc.assert(
      fc.property(plans, heldBack, fc.string(), (plan, holdBackPpm, key) => {
        const ends = slicesOf(plan, holdBackPpm);
        const slice = sliceOf(bucketOf('salt', key), ends);
        for (const [index, end] of ends.entries()) expect(inShare('salt', key, end)).toBe(slice <= index);
      }),
    );
  });

  it('the first bucket that a share leaves out is the first of the next slice', () => {
    for (const ppm of [1, 3, 10_000, 500_000, 999_999]) {
      const first = shareThreshold(ppm);
      expect([first - 1, first].map((bucket) => sliceOf(bucket, [ppm, FULL_SHARE_PPM]))).toEqual([0, 1]);
    }
  });

  it('the first and the last bucket lie in the first and the last slice', () => {
    const ends = slicesOf(builtInPlan('gradual'), 10_000);
    expect([0, 2 ** 32 - 1].map((bucket) => sliceOf(bucket, ends))).toEqual([0, 4]);
  });
});
