/**
 * The figures of a closed minute to seven digits or so: more is not known of them, and all sixteen would be a good part of what is stored. A
 * minute is settled before the next one is folded, so evidence is the same wherever a fold goes on.
 */

import type { Baseline } from './baseline.ts';
import type { Evidence } from './evidence.ts';
import type { Level } from './levels.ts';
import type { Martingale } from './martingale.ts';
import type { Noise, Share, Sums } from './noise.ts';

type Figures = Pick<
  Evidence,
  | 'metrics'
  | 'sizes'
  | 'good'
  | 'usuallyGood'
  | 'baseline'
  | 'slices'
  | 'levels'
  | 'operations'
  | 'noise'
  | 'noiseBeyond'
  | 'drift'
  | 'above'
  | 'traffic'
>;

/** Rounded down, so that evidence never gains by it and its bound stays. */
function less(figure: number): number {
  const size = Math.abs(figure);
  const parts = size < 1e-3 ? 1e9 : size < 1e6 ? 1e6 : 1;
  return Math.floor(figure * parts) / parts;
}

export function settled(evidence: Figures): Figures {
  return {
    metrics: each(evidence.metrics, martingale),
    sizes: each(evidence.sizes, ({ at, bad }) => ({ at: less(at), bad })),
    good: each(evidence.good, less),
    usuallyGood: each(evidence.usuallyGood, less),
    baseline: baseline(evidence.baseline),
    slices: evidence.slices.map(baseline),
    levels: evidence.levels?.map((one) => one && level(one)) ?? null,
    operations: evidence.operations.map((one) => ({ ...one, tested: martingale(one.tested) })),
    noise: evidence.noise.map(noise),
    noiseBeyond: evidence.noiseBeyond.map(noise),
    drift: evidence.drift.map(less),
    above: evidence.above.map((one) => each(one, less)),
    traffic: evidence.traffic.map((one) => each(one, less)),
  };
}

function each<Name extends string, Of>(of: Readonly<Record<Name, Of>>, settle: (one: Of) => Of): Record<Name, Of> {
  const all: Record<Name, Of> = { ...of };
  for (const name in all) all[name] = settle(all[name]);
  return all;
}

function all(figures: readonly number[]): number[] {
  const settled: number[] = [];
  for (const figure of figures) settled.push(less(figure));
  return settled;
}

const martingale = ({ logA, excursions }: Martingale): Martingale => ({
  logA: all(logA),
  excursions: excursions.map((one) => (one.g === 0 ? one : { ...one, g: less(one.g), sums: all(one.sums) })),
});

const baseline = (one: Baseline): Baseline => ({
  ...one,
  minutes: less(one.minutes),
  errors: less(one.errors),
  scatter: { pairs: less(one.scatter.pairs), squares: less(one.scatter.squares) },
});

const level = (one: Level): Level => ({
  n: one.n,
  own: one.own.map(less),
  edges: one.edges.map(less),
  uncertain: one.uncertain.map(less),
  errorRate: less(one.errorRate),
  errorUncertain: less(one.errorUncertain),
  weight: less(one.weight),
});

const noise = (one: Noise): Noise => ({
  minute: one.minute,
  last: share(one.last),
  batch: { ...share(one.batch), minutes: one.batch.minutes },
  lastBatch: share(one.lastBatch),
  minutes: sums(one.minutes),
  batches: sums(one.batches),
});

const share = ({ n, above }: Share): Share => ({ n: less(n), above: less(above) });

const sums = ({ weight, squares, excess, binomial }: Sums): Sums => ({
  weight: less(weight),
  squares: less(squares),
  excess: less(excess),
  binomial: less(binomial),
});
