/**
 * Kayenta's judge and score: spinnaker/kayenta, NetflixACAJudge, MannWhitneyClassifier and WeightedSumScorer; the times of
 * spinnaker.io, "Best practices for configuring canary", section "Run the canary for enough time": a judgement an hour over a
 * value a minute. A metric is high where the 98 % interval of the Hodges–Lehmann shift lies above a quarter of its estimate.
 * Errors are critical: with them high the score is 0. Below 75 the canary ends; with a pass at 95, the last judgement decides.
 */

import { quantileMs } from '../../../lib/core/gates/histogram.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { normalUpper } from '../../../lib/core/report/distributions.ts';
import type { BothSides, PeerRule } from './rule.ts';

const INTERVAL_MINUTES = 60;
const LIFETIME_MINUTES = 1_440;
const [PASS, MARGINAL] = [95, 75];
const TOLERANCE = 0.25;
const Z = normalUpper((1 - 0.98) / 2);

type Metric = { weight: number; critical?: boolean; of(window: MinuteWindow): number | null };
const METRICS: readonly Metric[] = [
  { weight: 50, critical: true, of: ({ errors, count }) => (count > 0 ? errors / count : null) },
  { weight: 25, of: ({ latency }) => quantileMs(latency, 0.5) },
  { weight: 25, of: ({ latency }) => quantileMs(latency, 0.95) },
];

export const KAYENTA: PeerRule = {
  name: 'Kayenta',
  start() {
    let run: BothSides[] = [];
    return (minute) => {
      run.push(minute);
      if (run.length < INTERVAL_MINUTES) return false;
      const score = scoreOf(run);
      run = [];
      return score < (minute.minute >= LIFETIME_MINUTES ? PASS : MARGINAL);
    };
  },
};

function scoreOf(run: readonly BothSides[]): number {
  const results = METRICS.map(({ weight, critical, of }) => {
    const values = (side: 'primary' | 'shadow') =>
      run.map((both) => of(both[side])).filter((value): value is number => value !== null);
    return { weight, critical, high: isHigh(values('primary'), values('shadow')) };
  });
  if (results.some(({ critical, high }) => critical && high)) return 0;
  return results.reduce((sum, { weight, high }) => sum + (high ? 0 : weight), 0);
}

function isHigh(old: readonly number[], now: readonly number[]): boolean {
  const shifts = Float64Array.from(now.flatMap((value) => old.map((other) => value - other))).sort();
  if (shifts.length === 0) return false;
  const away = Z * Math.sqrt((shifts.length * (old.length + now.length + 1)) / 12);
  const lower = shifts[Math.max(0, Math.floor(shifts.length / 2 - away))]!;
  return lower > TOLERANCE * Math.abs(shifts[shifts.length >> 1]!);
}
