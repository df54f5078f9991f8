/**
 * What is measured in a minute, and with which alternatives: one row per metric. Each turns a minute of both sides into
 * the log ratios of its alternatives (the shadow is worse than allowed), the log ratio of the mirrored test (it is better
 * than the rollback threshold), the counts behind them, and how far the rollback threshold itself is passed.
 */

import type { Policy } from '../cutover/cutover.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { logNeededOf } from './budget.ts';
import type { Compared } from './compared.ts';
import { LATENCIES, type LatencyMetric, QUANTILES } from './levels.ts';
import { binomialLogRatio, PAIR_LAMBDAS, pairLogRatio } from './likelihood.ts';
import { CERTAIN, type Counts, goodByPast, inside, type Measured, tested } from './likelihood-of-minute.ts';
import { logAdd } from './martingale.ts';

export const METRICS = ['errors', ...LATENCIES, 'validation', 'share'] as const;
export type Metric = (typeof METRICS)[number];

/** Metrics whose goodness must be proven, too, before a stage is left. */
export const PROVEN_GOOD = ['errors', 'latency_p50', 'latency_p95', 'validation'] as const;
export type ProvenGood = (typeof PROVEN_GOOD)[number];

export type MeasuredMinute = {
  compared: Compared;
  shadow: BucketedWindow | null;
  policy: Policy;
  /** By how much failures scatter more than independent ones: `overdispersion` of the baseline. */
  clusters: number;
  /** Variance of a share beyond the binomial one, by latency metric: `excessVariance` of the noise. */
  noise: readonly number[];
  /** The same of the share beyond the rollback threshold. */
  noiseBeyond: readonly number[];
};

type Row = {
  /** Share of the stage's budget of false rollbacks. What is left is that of the floors. */
  budget: number;
  /** How likely each alternative is held to be, in their order; together 1. */
  prior: readonly number[];
  measure(minute: MeasuredMinute): Measured | null;
  /** Operations of the shadow in a minute below which nothing is measured. */
  fewest: number;
};

/** Of fewer the slowest one in a hundred is the one that met a pause of the machine. */
const FEWEST_P99 = 50;

/**
 * The alternatives, and in the table below what is laid on each. Alternatives that are close to each other find the same
 * things and share the prior, so a few that are far apart and unequal priors find sooner: the smallest regressions are
 * found by many operations whatever their prior is, the large ones of a stage of a few operations a minute by two or
 * three failures. Measured by `npm run bench gates`, whose cells these choices decide.
 */
const ERROR_EXCESS = [0.004, 0.015, 0.045, 0.3] as const;
const ABOVE: Readonly<Record<LatencyMetric, readonly number[]>> = {
  latency_p50: [0.53, 0.6, 0.8, 0.95],
  latency_p95: [0.058, 0.075, 0.12, 0.3],
  latency_p99: [0.014, 0.025, 0.06, 0.2],
};
/** Multiples of the highest mismatch rate that is allowed: of 1 %, 1.5, 2.2, 5, 20 and 80 %. */
const MISMATCHES = [1.5, 2.2, 5, 20, 80] as const;
/** Next to nothing of what is expected arrives. */
const SHARES = [0.01, 0.05] as const;
const alike = (of: readonly number[]) => of.map(() => 1 / of.length);

export const METRIC_ROWS: Readonly<Record<Metric, Row>> = {
  errors: { budget: 0.345, prior: [0.12, 0.45, 0.4, 0.03], measure: errors, fewest: 0 },
  latency_p50: { budget: 0.165, prior: [0.3, 0.4, 0.2, 0.1], measure: latency('latency_p50'), fewest: 0 },
  latency_p95: { budget: 0.11, prior: [0.25, 0.3, 0.3, 0.15], measure: latency('latency_p95'), fewest: 0 },
  latency_p99: { budget: 0.03, prior: [0.25, 0.3, 0.3, 0.15], measure: latency('latency_p99'), fewest: FEWEST_P99 },
  validation: { budget: 0.08, prior: [0.3, 0.3, 0.2, 0.1, 0.1], measure: validation, fewest: 0 },
  share: { budget: 0.03, prior: alike(SHARES), measure: shareOfReads, fewest: 0 },
};

function errors(minute: MeasuredMinute): Measured | null {
  const { compared, policy, clusters } = minute;
  const { usual, offset } = compared.errors;
  const margin = policy.errorRateAdvance + offset;
  const e1 = compared.errors.shadow;
  const most = policy.errorRateRollback;
  const served = tested(compared, {
    e0: compared.errors.primary,
    e1,
    over: e1,
    usual,
    margin,
    worse: ERROR_EXCESS.map((excess) => Math.min(CERTAIN, usual + margin + excess)),
    good: { e0: compared.errors.primary, e1, usual, better: usual, margin: most },
    size: binomialLogRatio(
      compared.n1,
      e1,
      inside(usual + Math.max(0, offset) + 2 * most),
      inside(usual + Math.max(0, offset) + most),
    ),
  });
  const measured = blended(served, pairs(minute));
  return measured && spread(measured, clusters);
}

/** Requests that both sides were asked: what both fail says nothing, so few of them say much. */
function pairs({ shadow, policy }: MeasuredMinute): Measured | null {
  const { pairs: n = 0, onlyShadow = 0, onlyPrimary = 0 } = shadow ?? {};
  if (n === 0) return null;
  const seen = { n, shadowOnly: onlyShadow, primaryOnly: onlyPrimary };
  const turned = { n, shadowOnly: onlyPrimary, primaryOnly: onlyShadow };
  const most = policy.errorRateRollback;
  return {
    logRatios: PAIR_LAMBDAS.map((lambda) => pairLogRatio(seen, lambda, policy.errorRateAdvance)),
    counts: [n, onlyPrimary, n, onlyShadow, onlyShadow],
    good: pairLogRatio(turned, PAIR_LAMBDAS.at(-1)!, -most),
    size: binomialLogRatio(n, onlyShadow, inside(2 * most), inside(most)),
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
    size: mean(a.size, b.size),
  };
}

/**
 * Operations whose outcomes hold together say less than they count. The root of an e-variable is one, too (Jensen), so nothing
 * is lost of the bound where they only seem to.
 */
function spread({ logRatios, counts, good, size }: Measured, factor: number): Measured {
  return {
    logRatios: logRatios.map((l) => l / factor),
    counts,
    good: good / factor,
    size: size / factor,
  };
}

/**
 * "Not more than (1 + r) slower" implies that no more of the shadow lies above (1 + r)·y than of the primary above y, where y is
 * the quantile of the slice itself.
 */
function latency(metric: LatencyMetric) {
  const at = LATENCIES.indexOf(metric);
  const share = 1 - QUANTILES[metric];
  const [high, low] = share > 0.4 ? [share + 0.12, share - 0.12] : [share * 2, share / 2];
  return ({ compared, noise, noiseBeyond }: MeasuredMinute): Measured | null => {
    const seen = compared.latency[at]!;
    if (seen.usual === null) return null;
    const { usual, offset } = seen;
    const ofTimed = { ...compared, n1: compared.timed };
    // What is not known of a slice must not make the proof impossible.
    const good = {
      e0: seen.good.primary,
      e1: seen.good.over,
      usual: inside(seen.good.usual),
      better: inside(seen.good.better),
      margin: -Math.min(offset, seen.good.usual / 2),
    };
    const measured = tested(ofTimed, {
      e0: seen.primary,
      e1: seen.shadow,
      over: seen.over,
      usual: inside(usual),
      margin: offset,
      // Exactly the listed shares where the edge lies at the quantile; as far from what is usual where it does not.
      worse: ABOVE[metric].map((above) =>
        Math.min(CERTAIN, usual + offset + ((above - share) * (1 - usual)) / (1 - share)),
      ),
      good,
      size: binomialLogRatio(compared.timed, seen.over, inside(high + offset), inside(low + offset)),
    });
    const { n0, timed: n1 } = compared;
    const counting = share * (1 - share) * (1 / n1 + (n0 > 0 ? 1 / n0 : 0));
    // The past is steady; what scatters is how much of a minute of the shadow lies beyond the threshold. A larger share of it would scatter more.
    const scatter = (noiseBeyond[at]! * good.usual) / good.better;
    const steady = scatter > 0 ? (good.usual * (1 - good.usual)) / scatter - 1 : Number.POSITIVE_INFINITY;
    return (
      measured && { ...spread(measured, 1 + (2 * noise[at]!) / counting), usuallyGood: goodByPast(n1, good, steady) }
    );
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
    size: MOST_SIZE,
  };
}

function oneSample(n: number, e: number, allowed: number, multiples: readonly number[]): Omit<Measured, 'size'> {
  const highest = allowed + (1 - allowed) * 0.9;
  const logRatios = multiples.map((multiple) => binomialLogRatio(n, e, Math.min(multiple * allowed, highest), allowed));
  return { logRatios, counts: [0, 0, n, e, e], good: 0 };
}

/**
 * Next to nothing of what the slices of the shadow usually have has come, though the others have their traffic. Operations that
 * were taken away from it count as if they had come: its errors say why they were taken away.
 */
function shareOfReads({ compared }: MeasuredMinute): Measured | null {
  const { expected, arrived } = compared;
  if (expected === null || expected < 1) return null;
  const n = Math.round(expected + compared.n0);
  const n1 = Math.min(n, arrived);
  const least = (expected / (expected + compared.n0)) * ALMOST_NOTHING;
  return {
    logRatios: SHARES.map((multiple) => binomialLogRatio(n, n1, least * multiple, least)),
    counts: [n, 0, n, n1, n1],
    good: 0,
    size: MOST_SIZE,
  };
}

/** Less than this part of the usual traffic of its keys is no shortfall any more: nothing is there. */
const ALMOST_NOTHING = 0.1;
/** The clock of size stands at most here, so that what is over is soon forgotten. */
export const MOST_SIZE = 8;

/** ln 1/α of a metric. */
export const logNeeded = (metric: Metric, horizon: number): number => logNeededOf(METRIC_ROWS[metric].budget, horizon);
