/** What a stage can see before it starts: against the figures of the benches, and against real runs. */

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type Policy } from '../../../lib/core/cutover/cutover.ts';
import { EMPTY_BASELINE, withMinute } from '../../../lib/core/gates/baseline.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { type Detectable, detectable, detectableText } from '../../../lib/core/gates/detectable.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import { NO_NOISE } from '../../../lib/core/gates/noise.ts';
import { runStage } from '../../helpers/gate-run.ts';
import { drawnMinute, latenciesOf, randomFrom } from '../../helpers/gate-traffic.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

const LATENCIES = latenciesOf([{ medianMs: 100, spread: 0.6, weight: 1 }]);

/** What is known of a primary after an hour of independent operations. */
function hourOf(rps: number): Pick<Evidence, 'baseline' | 'noise' | 'noiseBeyond'> {
  const random = randomFrom(1);
  let baseline = EMPTY_BASELINE;
  for (let minute = 1; minute <= 60; minute += 1) {
    const window = drawnMinute(random, minute, 'primary', {
      perMinute: rps * 60,
      errorRate: 0.001,
      latencies: LATENCIES,
    });
    baseline = withMinute(baseline, bucketedWindow(window));
  }
  const noise = [NO_NOISE, NO_NOISE, NO_NOISE];
  return { baseline, noise, noiseBeyond: noise };
}

const POLICY: Policy = { ...DEFAULT_POLICY, latencyFloorMs: 0 };
/** Of which the regressions that are looked at are +10 percentage points and twice as slow. */
const WIDE: Policy = { ...POLICY, errorRateRollback: 0.05, latencyIncreaseRollback: 2 / 3 };

const seenAt = (rps: number, policy = POLICY, found = detectable): Detectable =>
  found(hourOf(rps), policy, { perMinute: rps * 60, share: 0.01 })!;

/** Of a third, or of a minute where there are few. */
const near = (wanted: number) => (minutes: number | null) =>
  minutes !== null && Math.abs(minutes - wanted) <= Math.max(1, wanted / 3);

describe('what a 1 % stage can see', () => {
  it.each([
    [5, 69, 11, 10, 110],
    [100, 6, 3, 3, 9],
    [1_000, 3, 3, 3, 8],
  ])(
    'at %d operations a second is what the benches have found: +2 points %d, +10 points %d, ×2 %d, +30 %% %d minutes',
    (rps, two, ten, twice, third) => {
      const usual = seenAt(rps);
      expect([usual.errors.more, usual.latency.more]).toEqual([0.02, 0.3]);
      expect(usual.errors.minutes).toSatisfy(near(two));
      expect(usual.latency.minutes).toSatisfy(near(third));
      const wide = seenAt(rps, WIDE);
      expect([wide.errors.more, wide.latency.more]).toEqual([0.1, 1]);
      expect(wide.errors.minutes).toSatisfy(near(ten));
      expect(wide.latency.minutes).toSatisfy(near(twice));
    },
  );

  it('is said with what is never seen', () => {
    expect(detectableText(seenAt(5))).toMatch(
      /^at 5(\.\d+)? operations a second and 1 %, 2 % more errors are proven in about 1?\d\d? (min|h), 30 % more latency in about \d+ (min|h); below 0\.6 % more errors nothing is proven within a day$/,
    );
    const quiet = detectable(hourOf(5), POLICY, { perMinute: 0.1, share: 0.001 })!;
    expect(detectableText(quiet)).toMatch(
      /more errors are proven only after more than a day, .* latency only after more than a day; errors alone prove nothing/,
    );
  });

  it('is nothing where nothing is known', () => {
    expect(detectable(hourOf(5), POLICY, { perMinute: 0, share: 0.01 })).toBeNull();
    expect(detectable(hourOf(5), POLICY, { perMinute: 300, share: 0 })).toBeNull();
    const unknown = { ...hourOf(5), baseline: EMPTY_BASELINE };
    expect(detectable(unknown, POLICY, { perMinute: 300, share: 0.01 })).toBeNull();
  });
});

describe('what is said of a stage', () => {
  const STAGE = { rps: 20, share: 0.01, errorRate: 0.001, fromMinute: 1, mirrored: false, minutes: 120 };
  const noticed = [1, 2, 3, 4, 5, 6, 7].map(
    (seed) => runStage(seed, { ...STAGE, moreErrors: 0.02, slower: 0 }).noticed ?? 1e9,
  );
  const median = noticed.sort((a, b) => a - b)[3]!;

  it('is within a third of the median of when it is really noticed', () => {
    expect(seenAt(20).errors.minutes).toSatisfy(near(median));
  });

  it('would not be so if the shadow were held to get everything', async () => {
    const mutant = await sourceMutant<{ detectable: typeof detectable }>(
      ['lib/core/gates/detectable.ts'],
      [['lib/core/gates/detectable.ts', 'perMinute * share]', 'perMinute]']],
    );
    expect(seenAt(20, POLICY, mutant.detectable).errors.minutes).not.toSatisfy(near(median));
  });
});
