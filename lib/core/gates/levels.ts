/**
 * Where each slice of the plan stands by itself, before the shadow serves it: keys are sticky and differ, so a slice may be
 * slower or fail more often than the others for ever. A slice is compared with what it did itself, corrected by what the slices
 * that are still on the primary have done since.
 *
 * How far slices differ by more than chance decides how much of a slice's own figure is believed (empirical Bayes): where all
 * keys are alike every slice is compared with all of them, and the small history of a small slice costs nothing.
 */

import type { Baseline } from './baseline.ts';
import { added, type Buckets, countAboveEdge, NO_BUCKETS, quantileEdge } from './buckets.ts';

export const LATENCIES = ['latency_p50', 'latency_p95', 'latency_p99'] as const;
export type LatencyMetric = (typeof LATENCIES)[number];
export const isLatency = (metric: string): metric is LatencyMetric => (LATENCIES as readonly string[]).includes(metric);
export const QUANTILES: Readonly<Record<LatencyMetric, number>> = {
  latency_p50: 0.5,
  latency_p95: 0.95,
  latency_p99: 0.99,
};

/** One slice as the stage began. */
export type Level = {
  /** Operations that it was seen with. */
  n: number;
  /** By latency metric: its own edge, the one that is believed, and how uncertain that is as a share of its operations. */
  own: readonly number[];
  edges: readonly number[];
  uncertain: readonly number[];
  /** Its rate of failures as it is believed, and the standard deviation of that. */
  errorRate: number;
  errorUncertain: number;
  /** Share of the traffic of all slices. */
  weight: number;
};

/** By slice; null for one that was never seen on the primary. */
export type Levels = readonly (Level | null)[];

/** A slice that was seen longer ago than this is where it was then, moved by what the others have done since. */
const FRESH_MINUTES = 60;
/** Slices scatter by so much more than chance before their own figures are believed. */
const BY_CHANCE = 1.5;

/** The levels of the stage before, and which slices the shadow had in it. */
type Earlier = { levels: Levels | null; served: (slice: number) => boolean };

/** What is known of all slices together as a stage begins. */
export type Standing = {
  /** By slice: it was seen on the primary not long ago. */
  fresh: readonly boolean[];
  /** Edges of the fresh ones together, by latency metric. */
  common: readonly number[];
  /** Operations of the fresh ones, and of them failures. */
  total: number;
  failed: number;
  /** By how much more the latencies of the fresh ones scatter than chance explains. */
  sticky: number;
};

export function standingOf(slices: readonly Baseline[], earlier: Earlier, firstMinute: number): Standing {
  const { levels: before, served } = earlier;
  const fresh = slices.map(
    ({ minute, count }, slice) =>
      minute !== null && count > 0 && firstMinute - minute <= FRESH_MINUTES && !(before?.[slice] && served(slice)),
  );
  const seen = slices.filter((_, slice) => fresh[slice]);
  const all = seen.reduce<Buckets>((sum, { latency }) => added(sum, latency), NO_BUCKETS);
  const total = seen.reduce((sum, { count }) => sum + count, 0);
  const failed = seen.reduce((sum, { errors }) => sum + errors, 0);
  const common = LATENCIES.map((metric) => quantileEdge(all, QUANTILES[metric]) ?? 0);
  const differ = LATENCIES.map((metric, at) =>
    spreadOf(seen, (slice) => {
      const share = 1 - QUANTILES[metric];
      return { found: countAboveEdge(slice.latency, common[at]!), n: slice.count, rate: share };
    }),
  );
  // Keys that differ, differ everywhere; of the slowest one in a hundred there are too few to see it.
  return { fresh, common, total, failed, sticky: Math.max(differ[0]!, differ[1]!) };
}

/** The levels at the first minute of a stage, from what each slice has done on the primary and the levels of the stage before. */
export function levelsOf(slices: readonly Baseline[], before: Levels | null, standing: Standing): Levels {
  const { fresh, common, total, failed, sticky } = standing;
  const seen = slices.filter((_, slice) => fresh[slice]);
  if (seen.length === 0) return before ?? slices.map(() => null);
  const rate = (failed + 0.1) / (total + 100);
  const believed = believedWhere(sticky);
  const errorsDiffer = spreadOf(seen, ({ count, errors }) => ({ found: errors, n: count, rate }));
  const rates = slices.reduce((sum, slice) => sum + rateOf(slice), 0);
  const moved = movedBy(slices, fresh, before);
  return slices.map((slice, index): Level | null => {
    if (!fresh[index]) return carried(before?.[index] ?? null, moved, rateOf(slice) / rates);
    const n = slice.count;
    const own = LATENCIES.map((metric) => quantileEdge(slice.latency, QUANTILES[metric])!);
    // Keys that differ in latency will differ in failures, of which there may be too few to see it.
    const spread = Math.max(errorsDiffer, sticky > 0 ? n * rate * STICKY_ERRORS : 0);
    const prior = spread > 0 ? n / spread : Number.POSITIVE_INFINITY;
    const errorRate = spread > 0 ? (slice.errors + prior * rate) / (n + prior) : rate;
    return {
      n,
      own,
      edges: own.map((edge, at) => common[at]! + believed * (edge - common[at]!)),
      uncertain: LATENCIES.map((metric) => believedUncertain(believed, QUANTILES[metric], n)),
      errorRate,
      errorUncertain: spread > 0 ? Math.sqrt(errorRate / (n + prior)) : 0,
      weight: rateOf(slice) / rates,
    };
  });
}

/** How much of a slice's own figure is believed where slices scatter by so much more than chance. */
export const believedWhere = (sticky: number): number => sticky / (1 + sticky);

/** How uncertain a slice's own edge of a quantile is, as a share of its operations. */
export function believedUncertain(believed: number, q: number, n: number): number {
  if (believed === 0) return 0;
  // Of a few operations above an edge their number says little of how many there will be.
  return n === 0 ? 1 : (1 + SMALL / Math.sqrt(n)) * Math.sqrt((believed * q * (1 - q)) / n) + (2 * believed) / n;
}

/** A deviation of few operations is larger than its formula says: by half again of a hundred, by a twentieth of ten thousand. */
const SMALL = 5;

/** The squared coefficient of variation of the failures of a slice whose keys differ. */
const STICKY_ERRORS = 0.5;

/** Variance of the slices beyond chance, in units of chance. */
function spreadOf(
  seen: readonly Baseline[],
  of: (slice: Baseline) => { found: number; n: number; rate: number },
): number {
  return spreadBeyondChance(
    seen.map((slice) => {
      const { found, n, rate } = of(slice);
      return (found - n * rate) ** 2 / (n * rate * (1 - rate));
    }),
  );
}

/** @param squares of each slice: the square of what it is off by, over what chance makes of it */
export function spreadBeyondChance(squares: readonly number[]): number {
  if (squares.length < 2) return 0;
  // What is common is theirs, too: a sum of squares with one degree of freedom less than there are slices.
  return Math.max(0, squares.reduce((sum, square) => sum + square, 0) / (squares.length - 1) - BY_CHANCE);
}

/** By how much the slices that are still on the primary have moved since the levels of the stage before, by latency metric. */
function movedBy(slices: readonly Baseline[], fresh: readonly boolean[], before: Levels | null): readonly number[] {
  return LATENCIES.map((metric, at) => {
    let [sum, weight] = [0, 0];
    for (const [index, slice] of slices.entries()) {
      const level = before?.[index];
      if (!fresh[index] || !level) continue;
      sum += slice.count * (quantileEdge(slice.latency, QUANTILES[metric])! - level.own[at]!);
      weight += slice.count;
    }
    return weight > 0 ? sum / weight : 0;
  });
}

/** Operations a minute while it was looked at. */
const rateOf = ({ count, minutes }: Baseline): number => (minutes > 0 ? count / minutes : 0);

function carried(level: Level | null, moved: readonly number[], weight: number): Level | null {
  if (!level) return null;
  const later = (edges: readonly number[]) => edges.map((edge, at) => edge + moved[at]!);
  return { ...level, own: later(level.own), edges: later(level.edges), weight };
}
