/**
 * The figures of a closed minute to seven digits or so: more is not known of them, and all sixteen would be a good part of what is stored. A
 * minute is settled before the next one is folded, so evidence is the same wherever a fold goes on.
 */

import type { Baseline } from './baseline.ts';
import type { Traffic } from './compared.ts';
import type { Above, Evidence } from './evidence.ts';
import type { Level } from './levels.ts';
import type { Excursion, Martingale } from './martingale.ts';
import type { Mix } from './mix.ts';
import type { Noise, Share } from './noise.ts';
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

/** To four digits. Text is made only of what may be half way between two of them, since that takes fifty times as long. */
export function digits(figure: number): number {
  if (figure === 0) return 0;
  const parts = 10 ** (3 - Math.floor(Math.log10(Math.abs(figure))));
  const inParts = figure * parts;
  const isSure = Math.abs((inParts % 1) - 0.5) > 1e-9 && parts >= 1 && parts <= 1e22 && figure > 0;
  return isSure ? Math.round(inParts) / parts : Number(figure.toPrecision(4));
}

export function settled(evidence: Figures): Figures {
  return {
    metrics: each(evidence.metrics, martingale),
    sizes: each(evidence.sizes, ({ at, bad }) => ({ at: less(at), bad })),
    good: each(evidence.good, less),
    usuallyGood: each(evidence.usuallyGood, less),
    baseline: baseline(evidence.baseline),
    slices: evidence.slices.map(baseline),
    levels: evidence.levels?.map(level) ?? null,
    operations: evidence.operations.map((one) => ({ ...one, tested: rough(one.tested) })),
    latencies: evidence.latencies.map(latency),
    noise: evidence.noise.map((one) => noise(one)),
    noiseBeyond: evidence.noiseBeyond.map((one) => noise(one)),
    drift: evidence.drift.map(less),
    above: evidence.above.map(above),
    traffic: evidence.traffic.map(traffic),
  };
}

function each<Name extends string, Of>(of: Readonly<Record<Name, Of>>, settle: (one: Of) => Of): Record<Name, Of> {
  const all: Record<Name, Of> = { ...of };
  for (const name in all) all[name] = settle(all[name]);
  return all;
}

function all(figures: readonly number[]): number[] {
  const settled: number[] = [];
  for (let i = 0; i < figures.length; i += 1) settled.push(less(figures[i]!));
  return settled;
}

const martingale = ({ logA, excursions }: Martingale): Martingale => ({
  logA: all(logA),
  excursions: excursions.map(excursion),
});

const excursion = (one: Excursion): Excursion => (one.g === 0 ? one : { ...one, g: less(one.g), sums: all(one.sums) });

const baseline = (one: Baseline): Baseline => ({
  ...one,
  minutes: less(one.minutes),
  errors: less(one.errors),
  scatter: { pairs: less(one.scatter.pairs), squares: less(one.scatter.squares) },
});

const level = (one: Level | null): Level | null =>
  one && {
    n: one.n,
    own: all(one.own),
    edges: all(one.edges),
    uncertain: all(one.uncertain),
    errorRate: less(one.errorRate),
    errorUncertain: less(one.errorUncertain),
    weight: less(one.weight),
  };

const latency = (one: OperationLatency): OperationLatency => ({
  ...one,
  places: one.places && {
    own: one.places.own.map(place),
    edges: one.places.edges.map(place),
    uncertain: one.places.uncertain.map(roughly),
  },
  mix: mix(one.mix),
  above: { n: one.above.n, above: roughly(one.above.above) },
  noise: noise(one.noise, digits),
  waiting: waiting(one.waiting),
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

const mix = ({ usually, elsewhere, shadow, primary }: Mix): Mix => ({
  usually: digits(usually),
  elsewhere: digits(elsewhere),
  shadow: digits(shadow),
  primary: digits(primary),
});

const waiting = ({ n0, e0, n1, e1, over }: OperationLatency['waiting']): OperationLatency['waiting'] => ({
  n0: roughly(n0),
  e0: roughly(e0),
  n1: roughly(n1),
  e1: roughly(e1),
  over: roughly(over),
});

const above = ({ n0, primary, n1, same, slower, over, usual }: Above): Above => ({
  n0: less(n0),
  primary: less(primary),
  n1: less(n1),
  same: less(same),
  slower: less(slower),
  over: less(over),
  usual: less(usual),
});

const traffic = ({ came, expected, more }: Traffic): Traffic => ({
  came: less(came),
  expected: less(expected),
  more: less(more),
});

type Settle = (figure: number) => number;

const noise = ({ minute, last, batch, lastBatch, minutes, batches }: Noise, settle: Settle = less): Noise => ({
  minute,
  last: share(last, settle),
  batch: { ...share(batch, settle), minutes: batch.minutes },
  lastBatch: share(lastBatch, settle),
  minutes: sums(minutes, settle),
  batches: sums(batches, settle),
});

const share = ({ n, above }: Share, settle: Settle): Share => ({ n: settle(n), above: settle(above) });

const sums = ({ weight, squares, excess, binomial }: Noise['minutes'], settle: Settle): Noise['minutes'] => ({
  weight: settle(weight),
  squares: settle(squares),
  excess: settle(excess),
  binomial: settle(binomial),
});
