/** How far the rollback threshold itself is passed in a minute: twice of it against it, beyond what is usual of the slice. */

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import type { Compared } from '../../../lib/core/gates/compared.ts';
import { LATENCIES, QUANTILES } from '../../../lib/core/gates/levels.ts';
import { METRIC_ROWS } from '../../../lib/core/gates/metrics.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';

const POLICY = { ...DEFAULT_POLICY, errorRateRollback: 0.1 };

/** A thousand operations of the shadow, beside as many of the primary: 2 % of those fail, and 3 % more are usual of the slice. */
function sizeOf(errors: number, offset: number, shadow: Partial<MinuteWindow> = {}): number {
  const compared: Compared = {
    n0: 1_000,
    n1: 1_000,
    timed: 1_000,
    errors: { primary: 20, shadow: errors, usual: 0.02, offset },
    busy: [],
    latency: [],
    fewLeft: false,
    past: null,
    expected: null,
    arrived: 1_000,
  };
  const window = bucketedWindow({ ...emptyWindow(1, 'shadow'), count: 1_000, errors, ...shadow });
  const minute = { compared, shadow: window, policy: POLICY, clusters: 1, noise: [], noiseBeyond: [] };
  return METRIC_ROWS.errors.measure(minute)!.size;
}

const logRatio = (n: number, k: number, q: number, p: number) =>
  k * Math.log(q / p) + (n - k) * Math.log((1 - q) / (1 - p));

it('is likelier at twice the threshold, from about half way between the two on', () => {
  for (const errors of [0, 100, 150, 200, 250, 400]) {
    expect(sizeOf(errors, 0.03)).toBeCloseTo(logRatio(1_000, errors, 0.25, 0.15), 9);
    expect(sizeOf(errors, -0.01)).toBeCloseTo(logRatio(1_000, errors, 0.22, 0.12), 9);
  }
  expect([150, 190, 205, 250].map((errors) => Math.sign(sizeOf(errors, 0.03)))).toEqual([-1, -1, 1, 1]);
});

it('of requests that both were asked counts those that the shadow alone failed', () => {
  const paired = sizeOf(150, 0.03, { pairs: 1_000, onlyShadow: 150, onlyPrimary: 0 });
  const [served, asked] = [logRatio(1_000, 150, 0.25, 0.15), logRatio(1_000, 150, 0.2, 0.1)];
  // The mean of the two, weighed by their operations: half and half.
  expect(paired).toBeCloseTo(Math.log((Math.exp(served) + Math.exp(asked)) / 2), 9);
});

describe('of a primary that fails nearly always', () => {
  const said = (usual: number, past: number | null) => {
    const compared: Compared = {
      n0: past === null ? 100 : 0,
      n1: 10,
      timed: 10,
      busy: [],
      errors: { primary: past === null ? 100 : 0, shadow: 10, usual, offset: 0 },
      latency: [],
      fewLeft: false,
      past,
      expected: null,
      arrived: 10,
    };
    const minute = { compared, shadow: null, policy: POLICY, clusters: 1, noise: [], noiseBeyond: [] };
    return METRIC_ROWS.errors.measure(minute)!.logRatios;
  };

  it.each([null, 10_000])('nothing is said where the margin leaves no room for worse (past %s)', (past) => {
    expect(said(0.9995, past)).toEqual(said(0.9995, past).map(() => 0));
    expect(said(0.9, past)).not.toEqual(said(0.9, past).map(() => 0));
  });
});

describe('a latency whose share scatters more than chance', () => {
  const seen = { primary: 70, same: 60, shadow: 50, over: 40, usual: 0.06, offset: 0.01 };
  const good = { primary: 30, over: 20, usual: 0.04, better: 0.02 };

  it.each(LATENCIES.flatMap((metric) => [0, 4, 400].map((n0) => [metric, n0] as const)))(
    'says as much less in %s, beside %i operations of the primary, as its variance is larger than that of counting',
    (metric, n0) => {
      const [n1, excess, share] = [500, 0.003, 1 - QUANTILES[metric]];
      const measured = (noise: number) =>
        METRIC_ROWS[metric].measure({
          compared: {
            n0,
            n1: 900,
            timed: n1,
            busy: [],
            errors: { primary: 0, shadow: 0, usual: 0.01, offset: 0 },
            latency: LATENCIES.map(() => ({ ...seen, good })),
            // Of a primary that serves nothing its past stands for it.
            fewLeft: false,
            past: n0 === 0 ? 10_000 : null,
            expected: null,
            arrived: 900,
          },
          shadow: null,
          policy: POLICY,
          clusters: 1,
          noise: LATENCIES.map(() => noise),
          noiseBeyond: LATENCIES.map(() => 0),
        })!;
      const counting = share * (1 - share) * (1 / n1 + (n0 === 0 ? 0 : 1 / n0));
      const less = 1 + (2 * excess) / counting;
      const [plain, scattered] = [measured(0), measured(excess)];
      expect(plain.size).not.toBe(0);
      expect(scattered.size * less).toBeCloseTo(plain.size, 9);
      expect(scattered.good * less).toBeCloseTo(plain.good, 9);
      plain.logRatios.forEach((ratio, k) => {
        expect(scattered.logRatios[k]! * less).toBeCloseTo(ratio, 9);
      });
      expect(scattered.usuallyGood).toBe(plain.usuallyGood);
    },
  );
});
