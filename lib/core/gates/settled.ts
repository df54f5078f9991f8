/**
 * The figures of a closed minute to seven digits or so: more is not known of them, and all sixteen would be a good part of what is stored. A
 * minute is settled before the next one is folded, so evidence is the same wherever a fold goes on.
 */

import type { Baseline } from './baseline.ts';
import type { Evidence } from './evidence.ts';
import type { Level } from './levels.ts';
import type { Martingale } from './martingale.ts';
import type { Noise } from './noise.ts';
import type { OperationLatency } from './operation-latency.ts';

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
  | 'latencies'
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

/** Of operation types, of which there are many, four digits are enough: a day of minutes loses less than a tenth of a nat by that. */
const roughly = (figure: number): number => Math.floor(figure * 1e4) / 1e4;
const digits = (figure: number): number => (figure === 0 ? 0 : Number(figure.toPrecision(4)));

export function settled(evidence: Figures): Figures {
  return {
    metrics: each(evidence.metrics, martingale),
    sizes: each(evidence.sizes, ({ at, bad }) => ({ at: less(at), bad })),
    good: each(evidence.good, less),
    usuallyGood: each(evidence.usuallyGood, less),
    baseline: baseline(evidence.baseline),
    slices: evidence.slices.map(baseline),
    levels: evidence.levels?.map((one) => one && level(one)) ?? null,
    operations: evidence.operations.map((one) => ({ ...one, tested: rough(one.tested) })),
    latencies: evidence.latencies.map(latency),
    noise: evidence.noise.map((one) => noise(one)),
    noiseBeyond: evidence.noiseBeyond.map((one) => noise(one)),
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

const latency = (one: OperationLatency): OperationLatency => ({
  ...one,
  places: one.places && {
    own: one.places.own.map(place),
    edges: one.places.edges.map(place),
    uncertain: one.places.uncertain.map(roughly),
  },
  mix: each(one.mix, digits),
  above: { n: one.above.n, above: roughly(one.above.above) },
  noise: noise(one.noise, digits),
  waiting: each(one.waiting, roughly),
  tested: rough(one.tested),
  size: { at: roughly(one.size.at), bad: one.size.bad },
});

/** To a fiftieth of a per cent of the latency. */
const place = (edge: number | null): number | null => (edge === null ? null : Math.round(edge * 100) / 100);

const rough = ({ logA, excursions }: Martingale): Martingale => ({
  logA: logA.map(roughly),
  excursions: excursions.map((one) =>
    one.g === 0 ? one : { ...one, g: roughly(one.g), sums: one.sums.map((sum) => Math.floor(sum * 100) / 100) },
  ),
});

const noise = (one: Noise, settle: (figure: number) => number = less): Noise => ({
  minute: one.minute,
  last: each(one.last, settle),
  batch: { ...each(one.batch, settle), minutes: one.batch.minutes },
  lastBatch: each(one.lastBatch, settle),
  minutes: each(one.minutes, settle),
  batches: each(one.batches, settle),
});
