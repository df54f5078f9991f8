/** How far the rollback threshold itself is passed in a minute: twice of it against it, beyond what is usual of the slice. */

import { expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import type { Compared } from '../../../lib/core/gates/compared.ts';
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
