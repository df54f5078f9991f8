/**
 * What is measured in a minute, and with which alternatives: one row per metric. Each turns a minute of both sides into
 * the log ratios of its alternatives (the shadow is worse than allowed), the log ratio of the mirrored test (it is better
 * than the rollback threshold), and the counts behind them.
 */

import type { Policy } from '../cutover/cutover.ts';
import { type Baseline, edgeAt, highestRate, quantileEdges, usualErrorRate, usualShareAbove } from './baseline.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { countAbove } from './buckets.ts';
import { bucketUpperMs } from './histogram.ts';
import { binomialLogRatio, PAIR_LAMBDAS, pairLogRatio, type TwoSample, twoSampleLogRatio } from './likelihood.ts';
import { logAdd } from './martingale.ts';

export const METRICS = ['errors', 'latency_p50', 'latency_p95', 'validation', 'share'] as const;
export type Metric = (typeof METRICS)[number];

/** Metrics whose goodness must be proven, too, before a stage is left. */
export const PROVEN_GOOD = ['errors', 'latency_p50', 'latency_p95', 'validation'] as const;
export type ProvenGood = (typeof PROVEN_GOOD)[number];

export type MeasuredMinute = {
  primary: BucketedWindow | null;
  shadow: BucketedWindow | null;
  baseline: Baseline;
  policy: Policy;
  /** By how much failures scatter more than independent ones: `overdispersion` of the baseline. */
  clusters: number;
  /** Share of the reads that the shadow should get, 0–1. At 1 the primary is what it was before the stage. */
  share: number;
};

/** Sums of an excursion, in this order. `over` counts what lies beyond the rollback threshold itself. */
type Counts = readonly [n0: number, e0: number, n1: number, e1: number, over: number];
export const COUNTS = 5;

type Measured = { logRatios: readonly number[]; counts: Counts; good: number };

type Row = {
  /** Share of the stage's budget of false rollbacks. What is left is that of the floors. */
  budget: number;
  /** How likely each alternative is held to be, in their order; together 1. */
  prior: readonly number[];
  measure(minute: MeasuredMinute): Measured | null;
};

/**
 * The alternatives, and in the table below what is laid on each. Alternatives that are close to each other find the same
 * things and share the prior, so a few that are far apart and unequal priors find sooner: the smallest regressions are
 * found by many operations whatever their prior is, the large ones of a stage of a few operations a minute by two or
 * three failures. Measured by `npm run bench gates`, whose cells these choices decide.
 */
const ERROR_EXCESS = [0.004, 0.015, 0.045, 0.3] as const;
const ABOVE_P50 = [0.53, 0.6, 0.8, 0.95] as const;
const ABOVE_P95 = [0.058, 0.075, 0.12, 0.3] as const;
/** Multiples of the highest mismatch rate that is allowed: of 1 %, 1.5, 2.2, 5, 20 and 80 %. */
const MISMATCHES = [1.5, 2.2, 5, 20, 80] as const;
/** Multiples of the planned share: next to nothing arrives. */
const SHARES = [0.01, 0.05, 0.2] as const;

const alike = (of: readonly number[]) => of.map(() => 1 / of.length);

export const METRIC_ROWS: Readonly<Record<Metric, Row>> = {
  errors: { budget: 0.38, prior: [0.12, 0.45, 0.4, 0.03], measure: errors },
  latency_p50: { budget: 0.19, prior: [0.3, 0.4, 0.2, 0.1], measure: (minute) => latency(minute, 0.5, ABOVE_P50) },
  latency_p95: { budget: 0.13, prior: [0.25, 0.3, 0.3, 0.15], measure: (minute) => latency(minute, 0.95, ABOVE_P95) },
  validation: { budget: 0.17, prior: [0.3, 0.3, 0.2, 0.1, 0.1], measure: validation },
  share: { budget: 0.03, prior: alike(SHARES), measure: shareOfReads },
};

const CERTAIN = 1 - 1e-6;

function errors(minute: MeasuredMinute): Measured | null {
  const { baseline, policy, shadow } = minute;
  const usual = usualErrorRate(baseline);
  const margin = policy.errorRateAdvance;
  const e1 = shadow?.errors ?? 0;
  const served = compared(minute, {
    e0: minute.primary?.errors ?? 0,
    e1,
    over: e1,
    usual,
    margin,
    worse: ERROR_EXCESS.map((excess) => Math.min(CERTAIN, usual + margin + excess)),
    good: { e0: minute.primary?.errors ?? 0, e1, usual, better: usual, margin: policy.errorRateRollback },
  });
  const measured = blended(served, pairs(minute));
  return measured && spread(measured, minute.clusters);
}

/** Requests that both sides were asked: what both fail says nothing, so few of them say much. */
function pairs({ shadow, policy }: MeasuredMinute): Measured | null {
  const { pairs: n = 0, onlyShadow = 0, onlyPrimary = 0 } = shadow ?? {};
  if (n === 0) return null;
  const seen = { n, shadowOnly: onlyShadow, primaryOnly: onlyPrimary };
  const turned = { n, shadowOnly: onlyPrimary, primaryOnly: onlyShadow };
  return {
    logRatios: PAIR_LAMBDAS.map((lambda) => pairLogRatio(seen, lambda, policy.errorRateAdvance)),
    counts: [n, onlyPrimary, n, onlyShadow, onlyShadow],
    good: pairLogRatio(turned, PAIR_LAMBDAS.at(-1)!, -policy.errorRateRollback),
  };
}

/**
 * The mean of two e-variables, weighed by how many operations of the shadow speak in each. It is one itself however they
 * depend on each other, and they do: a pair's request was served, too.
 */
function blended(a: Measured | null, b: Measured | null): Measured | null {
  if (!a || !b) return a ?? b;
  const share = b.counts[2] / (a.counts[2] + b.counts[2]);
  const mean = (x: number, y: number) => logAdd(x + Math.log1p(-share), y + Math.log(share));
  const [n0, e0, n1, e1, over] = a.counts.map((count, i) => count + b.counts[i]!) as [...Counts];
  return {
    logRatios: a.logRatios.map((l, k) => mean(l, b.logRatios[k]!)),
    counts: [n0, e0, n1, e1, over],
    good: mean(a.good, b.good),
  };
}

/**
 * Failures that come in clusters of c say as much as one failure in c operations. The root of an e-variable is one, too
 * (Jensen), so nothing is lost of the bound where the primary's failures only seem to come in clusters.
 */
function spread({ logRatios, counts, good }: Measured, factor: number): Measured {
  return { logRatios: logRatios.map((l) => l / factor), counts, good: good / factor };
}

/**
 * "Not more than (1 + r) slower" implies that no more of the shadow lies above (1 + r)·y than of the primary above y.
 * To find it worse, y is the upper edge of the quantile, to prove it good the lower one: whatever the histogram, both
 * have something above them to compare with.
 */
function latency(minute: MeasuredMinute, q: number, above: readonly number[]): Measured | null {
  const { baseline, policy } = minute;
  const edges = quantileEdges(baseline.latency, q);
  if (!edges) return null;
  const primaryAbove = (edge: number) => (minute.primary ? countAbove(minute.primary.latency, edge) : 0);
  const shadowAbove = (edge: number) => (minute.shadow ? countAbove(minute.shadow.latency, edge) : 0);
  const slowest = (edge: number, increase: number) => edgeBeyond(edge, increase, policy.latencyFloorMs);
  const { lower, upper } = edges;
  const usual = usualShareAbove(baseline, upper);
  const usualLower = usualShareAbove(baseline, lower);
  return compared(minute, {
    e0: primaryAbove(upper),
    e1: shadowAbove(slowest(upper, policy.latencyIncreaseAdvance)),
    over: shadowAbove(slowest(upper, policy.latencyIncreaseRollback)),
    usual,
    margin: 0,
    // Exactly the listed shares where the edge lies at the quantile; as far from what is usual where it does not.
    worse: above.map((share) => Math.min(CERTAIN, usual + ((share - (1 - q)) * (1 - usual)) / q)),
    good: {
      e0: primaryAbove(lower),
      e1: shadowAbove(slowest(lower, policy.latencyIncreaseRollback)),
      usual: usualLower,
      better: usualShareAbove(baseline, slowest(lower, policy.latencyIncreaseRollback)),
      margin: 0,
    },
  });
}

/** The edge an increase leads to, rounded up, and never nearer than the floor of milliseconds that matter. */
export function edgeBeyond(edge: number, increase: number, floorMs: number): number {
  const ms = bucketUpperMs(edge);
  return Math.max(edgeAt(ms * (1 + increase)), floorMs > 0 ? edgeAt(ms + floorMs) : edge);
}

type Comparison = {
  e0: number;
  e1: number;
  over: number;
  /** What the baseline says of the primary's rate. */
  usual: number;
  margin: number;
  worse: readonly number[];
  good: { e0: number; e1: number; usual: number; better: number; margin: number };
};

function compared({ primary, shadow, baseline, share }: MeasuredMinute, seen: Comparison): Measured | null {
  const n1 = shadow?.count ?? 0;
  if (n1 === 0) return null;
  if (share >= 1) return againstUsual(n1, baseline.count, seen);
  const n0 = primary?.count ?? 0;
  if (n0 === 0) return null;
  const minute: TwoSample = { n0, e0: seen.e0, n1, e1: seen.e1 };
  const { good } = seen;
  return {
    logRatios: seen.worse.map((q1) => twoSampleLogRatio(minute, seen.usual, q1, seen.margin)),
    counts: [n0, seen.e0, n1, seen.e1, seen.over],
    good: twoSampleLogRatio({ n0, e0: good.e0, n1, e1: good.e1 }, good.usual, good.better, good.margin),
  };
}

/** The primary serves nothing: the most that its past allows stands for it. */
function againstUsual(n1: number, pastCount: number, seen: Comparison): Measured | null {
  if (pastCount === 0) return null;
  const highest = highestRate(seen.usual, pastCount) + seen.margin;
  const { good } = seen;
  const border = good.usual + good.margin;
  return {
    logRatios: seen.worse.map((q) =>
      q > highest && highest < CERTAIN ? binomialLogRatio(n1, seen.e1, q, highest) : 0,
    ),
    counts: [n1, n1 * highest, n1, seen.e1, seen.over],
    good: border < 1 && good.better < border ? binomialLogRatio(n1, good.e1, good.better, border) : 0,
  };
}

/** With the mirrored alternative q → 0, 299 clean checks prove less than 1 %; a mismatch costs about 800 clean ones. */
const ALMOST_NONE = 1 / 4_000;

function validation({ shadow, policy }: MeasuredMinute): Measured | null {
  const n = shadow?.checks ?? 0;
  if (n === 0) return null;
  const e = shadow!.mismatches;
  const allowed = 1 - policy.validationScoreRollback;
  return {
    ...oneSample(n, e, allowed, MISMATCHES),
    good: binomialLogRatio(n, e, allowed * ALMOST_NONE, allowed),
  };
}

function oneSample(n: number, e: number, allowed: number, multiples: readonly number[]): Measured {
  const highest = allowed + (1 - allowed) * 0.9;
  const logRatios = multiples.map((multiple) => binomialLogRatio(n, e, Math.min(multiple * allowed, highest), allowed));
  return { logRatios, counts: [0, 0, n, e, e], good: 0 };
}

/**
 * Of the reads that could have gone either way, at least half the planned share should have come to the shadow. Those that
 * were taken away from it count as if they had come: its errors say why they were taken away.
 */
function shareOfReads({ primary, shadow, share }: MeasuredMinute): Measured | null {
  const n = (primary ? primary.count - primary.keyless : 0) + (shadow?.count ?? 0);
  const n1 = Math.min(n, (shadow?.count ?? 0) + (primary?.left ?? 0));
  if (n === 0 || share === 0) return null;
  const least = share / 2;
  return {
    logRatios: SHARES.map((multiple) => binomialLogRatio(n, n1, share * multiple, least)),
    counts: [n, 0, n, n1, n1],
    good: 0,
  };
}

/** How often a healthy stage may be rolled back by chance. */
const ALPHA = 0.01;

/** All days after the first together spend a twentieth of what the first one does: Σ 1/(10 h(h + 1)) from h = 2 on. */
const LATER = 10;

/** ln 1/α of a metric. The budget of a stage is spent on its first day; every later day gets less. */
export function logNeeded(metric: Metric, horizon: number): number {
  const later = horizon === 1 ? 1 : LATER * horizon * (horizon + 1);
  return Math.log(later / (ALPHA * METRIC_ROWS[metric].budget));
}
