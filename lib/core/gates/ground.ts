/**
 * What a minute is compared with: the edges of each slice, and what is usual above them. Without slices both sides have those of the
 * primary's past hour; with them each slice has its own, moved by what the slices that are still on the primary have done since. Both
 * follow the primary of the last minutes, so that the edge lies where its quantile is now.
 */

import type { Policy } from '../cutover/cutover.ts';
import { type Baseline, usualErrorRate } from './baseline.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { type Buckets, countAboveEdge, quantileEdge } from './buckets.ts';
import { bucketIndexAt, bucketUpperMs } from './histogram.ts';
import { LATENCIES, type Level, type Levels, QUANTILES } from './levels.ts';

/** The operations of one side in one minute: all, and by slice; what came without a slice is the last one. */
export type SideMinute = { all: BucketedWindow; slices: readonly (BucketedWindow | null)[] };

/** What is known of the primary. */
export type Known = {
  baseline: Baseline;
  /** What each slice does on the primary; empty without slices. */
  slices: readonly Baseline[];
  levels: Levels | null;
  /** How far the primary is from there in the last minutes, by latency metric, in buckets. */
  drift: readonly number[];
};

export type Planned = {
  policy: Policy;
  /** Share of the reads that the shadow should get, 0–1. */
  share: number;
  /** Upper ends of the slices as shares, the last one 1; empty without slices. */
  ends: readonly number[];
};

/**
 * The edges of a latency metric in one slice, in buckets. To prove it good, one a bucket lower stands for the quantile, so that there is
 * something above it to compare with in the narrowest histogram, too.
 */
type Edges = { usual: number; slower: number; over: number; lower: number; lowerOver: number };

/** A slice of the plan, or all operations where no slices are known. */
export type Part = {
  slice: number;
  of: (side: SideMinute) => BucketedWindow | null;
  edges: readonly (Edges | null)[];
  /** Share of the traffic, as it was seen; and the most that is expected, since it was seen for a while only. 0 when it is not known. */
  weight: number;
  most: number;
  uncertain: readonly number[];
  /** Null where it is that of the control. */
  errorRate: number | null;
  errorUncertain: number;
};

/** What a minute is compared with: the same for all minutes that are judged by what was known before them. */
export type Ground = {
  control: readonly Part[];
  served: readonly Part[];
  usualErrors: number;
  /** By latency metric: shares of the control's past above the first and the last edge. */
  usual: readonly UsualAbove[];
  past: number | null;
  /** The stage leaves next to nothing on the primary. */
  fewLeft: boolean;
};

type Ends = Pick<Planned, 'ends' | 'share'>;
const NEAR = 1e-9;

/** A slice that ends within the share is served by the shadow alone. */
export const onShadow = ({ ends, share }: Ends, slice: number): boolean =>
  slice < ends.length && ends[slice]! <= share + NEAR;

/** So is a part of one that begins there, where stages are more than slices can be. */
export const beginsOnShadow = ({ ends, share }: Ends, slice: number): boolean =>
  slice < ends.length && (slice === 0 ? 0 : ends[slice - 1]!) < share - NEAR;

/** Slices are known, and of some that the shadow serves it is known what they were on the primary. */
export const isSliced = (levels: Levels | null, ends: Ends): boolean =>
  levels?.some((level, slice) => level !== null && beginsOnShadow(ends, slice)) ?? false;

export function groundOf(known: Known, planned: Planned): Ground {
  return isSliced(known.levels, planned) ? slicedGround(known, planned, known.levels!) : wholeGround(known, planned);
}

/** From this share on. */
export const MOSTLY_SERVED = 0.9;

function wholeGround({ baseline, drift }: Known, { policy, share }: Planned): Ground {
  const usual = LATENCIES.map((metric) => quantileEdge(baseline.latency, QUANTILES[metric]));
  const edges = usual.map((edge, at) => edgesAt(drifted(edge, drift[at]!), policy));
  const whole = unknownPart(0, ({ all }) => all, edges);
  return {
    control: [whole],
    served: [whole],
    usualErrors: usualErrorRate(baseline),
    usual: usual.map((edge) =>
      edge !== null ? usualAbove([{ latency: baseline.latency, edge: edgesAt(edge, policy)! }]) : null,
    ),
    past: share >= 1 ? baseline.count : null,
    fewLeft: share >= MOSTLY_SERVED,
  };
}

function slicedGround(known: Known, planned: Planned, levels: Levels): Ground {
  const { slices, drift } = known;
  const { policy, ends } = planned;
  const control = [...levels.keys()].filter((slice) => levels[slice] && !onShadow(planned, slice));
  // Of slices that have no traffic nothing is known.
  if (control.every((slice) => slices[slice]!.count === 0)) return wholeGround(known, planned);
  const moved = LATENCIES.map((metric, at) => movedSince(control, slices, levels, { q: QUANTILES[metric], at }));
  const partOf = (slice: number): Part => {
    const { edges, weight, uncertain, errorRate, errorUncertain } = levels[slice]!;
    return {
      slice,
      of: (side) => side.slices[slice] ?? null,
      edges: edges.map((edge, at) => edgesAt(moved[at] === null ? null : edge + moved[at]! + drift[at]!, policy)),
      weight,
      most: Math.max(weight, ends[slice]! - (slice > 0 ? ends[slice - 1]! : 0)),
      uncertain,
      errorRate,
      errorUncertain,
    };
  };
  const usualEdge = (slice: number, at: number) => edgesAt(levels[slice]!.edges[at]! + moved[at]!, policy)!;
  const served = [...levels.keys()].filter((slice) => levels[slice] && beginsOnShadow(planned, slice)).map(partOf);
  const rest = withoutSlice(slices[levels.length]!, levels.length, { policy, drift });
  return {
    control: [...control.map(partOf), ...rest],
    served: [...served, ...rest],
    usualErrors: usualErrorRate({
      count: sum(control, (slice) => slices[slice]!.count),
      errors: sum(control, (slice) => slices[slice]!.errors),
    }),
    usual: moved.map((by, at) =>
      by === null
        ? null
        : usualAbove(control.map((slice) => ({ latency: slices[slice]!.latency, edge: usualEdge(slice, at) }))),
    ),
    past: null,
    fewLeft: planned.share >= MOSTLY_SERVED,
  };
}

type Placed = { policy: Policy; drift: readonly number[] };

/** Operations of senders that tell no slice are compared with those of the primary. */
function withoutSlice({ count, latency }: Baseline, slice: number, { policy, drift }: Placed): Part[] {
  if (count === 0) return [];
  const edges = LATENCIES.map((metric, at) =>
    edgesAt(drifted(quantileEdge(latency, QUANTILES[metric]), drift[at]!), policy),
  );
  return [unknownPart(slice, (side) => side.slices[slice] ?? null, edges)];
}

/** Operations of which no level of their own is known. */
const unknownPart = (slice: number, of: Part['of'], edges: Part['edges']): Part => ({
  slice,
  of,
  edges,
  weight: 0,
  most: 0,
  uncertain: LATENCIES.map(() => 0),
  errorRate: null,
  errorUncertain: 0,
});

const drifted = (edge: number | null, by: number) => (edge === null ? null : edge + by);

/** So many operations above the edge move it half of the way to where it should have been. */
const HALF_WAY = 20;
/** In one minute by 6 % at most. */
const MOST_BUCKETS = 3;

/**
 * The drift after a minute: by how much more of the primary lay above its edge than is usual, over the share that one bucket holds.
 * @param minute so many of the primary's operations, and of them above the edge
 * @param usual shares of the past above the edge, and above one a bucket lower
 */
export function driftAfter(
  before: number,
  { n, above }: { n: number; above: number },
  usual: { above: number; lower: number },
): number {
  const inBucket = usual.lower - usual.above;
  if (n === 0 || !(inBucket > 0)) return before;
  const expected = n * usual.above * (1 - usual.above);
  const by = ((above / n - usual.above) / inBucket) * (expected / (expected + HALF_WAY));
  return before + Math.min(MOST_BUCKETS, Math.max(-MOST_BUCKETS, by));
}

function edgesAt(usual: number | null, policy: Policy): Edges | null {
  if (usual === null) return null;
  const { latencyIncreaseAdvance, latencyIncreaseRollback, latencyFloorMs } = policy;
  const lower = usual - 1;
  return {
    usual,
    slower: edgeBeyond(usual, latencyIncreaseAdvance, latencyFloorMs),
    over: edgeBeyond(usual, latencyIncreaseRollback, latencyFloorMs),
    lower,
    lowerOver: edgeBeyond(lower, latencyIncreaseRollback, latencyFloorMs),
  };
}

/** Shares of the past above the quantile's edge, and above the two by which health is proven; null without a past. */
type UsualAbove = { above: number; lower: number; lowerOver: number } | null;

function usualAbove(parts: readonly { latency: Buckets; edge: Edges }[]): UsualAbove {
  let [all, above, lower, lowerOver] = [0, 0, 0, 0];
  for (const { latency, edge } of parts) {
    all += latency.total;
    above += countAboveEdge(latency, edge.usual);
    lower += countAboveEdge(latency, edge.lower);
    lowerOver += countAboveEdge(latency, edge.lowerOver);
  }
  return all === 0 ? null : { above: above / all, lower: lower / all, lowerOver: lowerOver / all };
}

/** By how many buckets the slices that are still on the primary have moved since the stage began. */
function movedSince(
  control: readonly number[],
  slices: readonly Baseline[],
  levels: Levels,
  { q, at }: { q: number; at: number },
): number | null {
  let [moved, weight] = [0, 0];
  for (const slice of control) {
    const { latency, count } = slices[slice]!;
    const edge = quantileEdge(latency, q);
    if (edge === null) continue;
    moved += count * (edge - levels[slice]!.own[at]!);
    weight += count;
  }
  return weight > 0 ? moved / weight : null;
}

/** The edge an increase leads to, never nearer than the floor of milliseconds that matter. */
export function edgeBeyond(edge: number, increase: number, floorMs: number): number {
  const ms = bucketUpperMs(edge);
  return bucketIndexAt(Math.max(ms * (1 + increase), ms + floorMs));
}

/** By how much more the slices of the shadow usually fail than the others. */
export function errorsBySlice(levels: Levels, planned: Pick<Planned, 'ends' | 'share'>): number {
  const rateOf = (served: boolean) => {
    const own = levels.filter((level, slice): level is Level => level !== null && onShadow(planned, slice) === served);
    const weight = sum(own, (level) => level.weight);
    return weight > 0 ? sum(own, (level) => level.weight * level.errorRate) / weight : 0;
  };
  return rateOf(true) - rateOf(false);
}

export function sum<Of>(all: readonly Of[], of: (one: Of) => number): number {
  let total = 0;
  for (const one of all) total += of(one);
  return total;
}
