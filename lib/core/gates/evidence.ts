/** What is known of a stage so far: counted, tested and remembered, small enough to be stored with the verdict. */

import { type Baseline, EMPTY_BASELINE } from './baseline.ts';
import { type BucketedWindow, bucketedWindow } from './bucketed-window.ts';
import type { Traffic } from './compared.ts';
import { LATENCIES, type Levels } from './levels.ts';
import { COUNTS } from './likelihood-of-minute.ts';
import { type Martingale, newMartingale } from './martingale.ts';
import { METRIC_ROWS, METRICS, type Metric, type ProvenGood } from './metrics.ts';
import { emptyWindow } from './minute-window.ts';
import { NO_NOISE, type Noise } from './noise.ts';
import { latencyWithoutShadow, type OperationLatency } from './operation-latency.ts';
import { type OperationEvidence, withoutShadow } from './operations.ts';
import { NO_SIZE, type Size } from './size.ts';

/** Grows when the folded state changes its meaning; an older one is rebuilt. */
export const EVIDENCE_SCHEMA = 6;

export const RECENT_MINUTES = 30;

/** One of the last thirty minutes, for floors and trends. */
export type RecentMinute = {
  minute: number;
  n0: number;
  e0: number;
  n1: number;
  e1: number;
  /** 95 % of each side lie below; null without operations. */
  p95Primary: number | null;
  p95Shadow: number | null;
  checks: number;
  mismatches: number;
  /** Comparisons beside the checks whose answers could not be compared. */
  incomparable?: number | undefined;
  /** Operations that processes took away from the shadow. */
  left?: number | undefined;
  /** Of the shadow: operations that lost their connection, of those whose sender tells; highest share of memory. */
  drops?: number | undefined;
  told?: number | undefined;
  memory?: number | undefined;
  /** Operations of both sides that came in this minute, and too late for their own. */
  late?: number | undefined;
  /** ln of the evidence for health after this minute, in the order of `PROVEN_GOOD`: how fast it grows is seen from these. */
  good?: readonly number[] | undefined;
};

/** What the database said in one minute. */
export type Look = {
  minute: number;
  /** Age of the oldest un-applied change. */
  lagMs: number;
  /** Share of the server's connections in use. */
  connections?: number | undefined;
  /** Un-applied changes, and rows copied; absent in looks of an earlier version of the program. */
  outboxRows?: number | undefined;
  rowsCopied?: number | undefined;
};

/** Operations of a stage by a latency metric: both sides, and how many lay above each edge, see `compared.ts`. */
export type Above = {
  n0: number;
  primary: number;
  n1: number;
  same: number;
  slower: number;
  over: number;
  /** What would have been usual of the shadow's operations. */
  usual: number;
};

export type Evidence = {
  schema: typeof EVIDENCE_SCHEMA;
  /** Stage, its entry, and what its policy asks: another value means another fold. */
  key: string;
  closedThrough: number;
  /** True until the first minute after the warm-up was judged. */
  cold: boolean;
  /** Judged minutes of the running horizon, and how many horizons have begun. */
  minutes: number;
  horizon: number;
  metrics: Readonly<Record<Metric, Martingale>>;
  sizes: Readonly<Record<Metric, Size>>;
  /** ln of the evidence that the shadow is better than the rollback threshold. */
  good: Readonly<Record<ProvenGood, number>>;
  /** The same against what the primary usually did. */
  usuallyGood: Readonly<Record<ProvenGood, number>>;
  baseline: Baseline;
  /** The run and the upper ends of the slices that the rest speaks of, as shares. */
  runMinute: number | null;
  ends: readonly number[];
  /** Share of the reads that the shadow got as the slices were last looked at. */
  share: number;
  /** What each slice of the plan does on the primary, the last one what came without a slice; empty without slices. */
  slices: readonly Baseline[];
  /** Where the slices stood as the stage began; null before, and without slices. */
  levels: Levels | null;
  /** By operation type, those that came first. */
  operations: readonly OperationEvidence[];
  latencies: readonly OperationLatency[];
  /** By latency metric: how the primary's share above its edge scatters. */
  noise: readonly Noise[];
  /** The same of its share beyond the rollback threshold. */
  noiseBeyond: readonly Noise[];
  /** By latency metric: how far the primary is from where it usually is, in the last minutes of the stage, in buckets. */
  drift: readonly number[];
  /** Both sides pooled since the stage began. */
  primary: BucketedWindow;
  shadow: BucketedWindow;
  /** By latency metric, since the stage began. */
  above: readonly Above[];
  /** Of each slice in the last minutes. */
  traffic: readonly Traffic[];
  recent: readonly RecentMinute[];
  /** What the database said, once a minute of the last thirty. */
  looks: readonly Look[];
  /** Newest minute in which each side had operations, and in which it reported anything. */
  active: { primary: number | null; shadow: number | null };
  reported: { primary: number | null; shadow: number | null };
  /** Newest minute with a window that cannot be true, and why. */
  impossible: { minute: number; why: string } | null;
  /** Newest minute with checks. */
  checkedMinute: number | null;
  /** Minutes in a row with a primary and no window of the shadow. */
  absent: number;
};

/**
 * ln of the evidence that the shadow is better than the rollback threshold. Of latencies what the primary usually did may prove it, too:
 * the primary may just have become faster than it ever was.
 */
export const logGood = ({ good, usuallyGood }: Pick<Evidence, 'good' | 'usuallyGood'>, metric: ProvenGood): number =>
  metric === 'latency_p50' || metric === 'latency_p95' ? Math.max(good[metric], usuallyGood[metric]) : good[metric];

type Before = Pick<
  Evidence,
  | 'baseline'
  | 'runMinute'
  | 'ends'
  | 'share'
  | 'slices'
  | 'levels'
  | 'noise'
  | 'noiseBeyond'
  | 'operations'
  | 'latencies'
>;

const NOTHING_BEFORE: Before = {
  baseline: EMPTY_BASELINE,
  runMinute: null,
  ends: [],
  share: 0,
  slices: [],
  levels: null,
  noise: LATENCIES.map(() => NO_NOISE),
  noiseBeyond: LATENCIES.map(() => NO_NOISE),
  operations: [],
  latencies: [],
};

const NOTHING_PROVEN = { errors: 0, latency_p50: 0, latency_p95: 0, validation: 0 };

/** @param before what is known of the primary from the stage before */
export function newEvidence(key: string, before: Before = NOTHING_BEFORE, closedThrough = -1e9): Evidence {
  const each = <Of>(of: (name: Metric) => Of) =>
    Object.fromEntries(METRICS.map((name) => [name, of(name)])) as Record<Metric, Of>;
  const { baseline, runMinute, ends, share, slices, levels, noise, noiseBeyond, operations, latencies } = before;
  return {
    schema: EVIDENCE_SCHEMA,
    key,
    closedThrough,
    cold: true,
    minutes: 0,
    horizon: 1,
    metrics: each((name) => newMartingale(METRIC_ROWS[name].prior.length, COUNTS)),
    sizes: each(() => NO_SIZE),
    good: NOTHING_PROVEN,
    usuallyGood: NOTHING_PROVEN,
    baseline,
    runMinute,
    ends,
    share,
    slices,
    levels,
    noise,
    noiseBeyond,
    operations: withoutShadow(operations),
    latencies: latencyWithoutShadow(latencies),
    drift: LATENCIES.map(() => 0),
    primary: bucketedWindow(emptyWindow(0, 'primary')),
    shadow: bucketedWindow(emptyWindow(0, 'shadow')),
    above: LATENCIES.map(() => ({ n0: 0, primary: 0, n1: 0, same: 0, slower: 0, over: 0, usual: 0 })),
    traffic: [],
    recent: [],
    looks: [],
    active: { primary: null, shadow: null },
    reported: { primary: null, shadow: null },
    impossible: null,
    checkedMinute: null,
    absent: 0,
  };
}
