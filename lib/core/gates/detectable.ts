/**
 * What a stage can see, said before it starts: how long a regression from its first minute on takes to be proven, from what the
 * primary does now and the share of the stage. It is what the evidence gains a minute when both sides do just what is expected of
 * them, so of two real stages one is faster. Keys that differ, and comparisons of both answers, are left out.
 */

import { DAY_MINUTES, MINUTE_MS } from '../base/units.ts';
import { percent } from '../conditions/figures.ts';
import { inText } from '../conditions/release.ts';
import type { Policy } from '../cutover/cutover.ts';
import { overdispersion, usualErrorRate } from './baseline.ts';
import { countAboveEdge, quantileEdge } from './buckets.ts';
import { type Compared, FEW_LEFT } from './compared.ts';
import type { Evidence } from './evidence.ts';
import { edgeBeyond, MOSTLY_SERVED } from './ground.ts';
import { bucketIndexAt } from './histogram.ts';
import { LATENCIES, type LatencyMetric, QUANTILES } from './levels.ts';
import { cap, logWeight } from './martingale.ts';
import { logNeeded, METRIC_ROWS, type Metric } from './metrics.ts';
import { excessVariance } from './noise.ts';
import { WARM_INCREASE } from './size.ts';

/** What is known of the primary. */
type Known = Pick<Evidence, 'baseline' | 'noise' | 'noiseBeyond'>;

/** What the shadow does worse: failures beyond the primary's as a rate, and by how much it is slower. */
type Regression = { moreErrors: number; slower: number };
/** Operations of both sides a minute, and the share of them that the shadow gets. */
type Traffic = { perMinute: number; share: number };

export type Detectable = {
  /** Operations of both sides a second, and the share of them that the shadow gets. */
  perSecond: number;
  share: number;
  /** Twice the rollback threshold of errors, and half more than that of latencies; null for more than a day. */
  errors: { more: number; minutes: number | null };
  latency: { more: number; minutes: number | null };
  /** The fewest more errors that are proven within a day; null where all are missed. */
  fewestErrors: number | null;
};

/** Null where nothing is known of the primary, and where the stage serves nothing. */
export function detectable(known: Known, policy: Policy, traffic: Traffic): Detectable | null {
  const { perMinute, share } = traffic;
  if (!(perMinute > 0 && share > 0) || known.baseline.count === 0) return null;
  const errors = (more: number) => minutesOf('errors', known, policy, { ...traffic, moreErrors: more, slower: 0 });
  const mostErrors = Math.min(1, 2 * policy.errorRateRollback);
  const slower = Number((1.5 * policy.latencyIncreaseRollback).toPrecision(6));
  const late = LATENCIES.map((metric) => minutesOf(metric, known, policy, { ...traffic, moreErrors: 0, slower }));
  const soonest = Math.min(...late.map((minutes) => minutes ?? Number.POSITIVE_INFINITY));
  return {
    perSecond: Number(((perMinute * 1_000) / MINUTE_MS).toPrecision(3)),
    share,
    errors: { more: mostErrors, minutes: errors(mostErrors) },
    latency: { more: slower, minutes: Number.isFinite(soonest) ? soonest : null },
    fewestErrors: firstOf(ERROR_STEPS, (more) => errors(more) !== null),
  };
}

/** Finer steps are more than is known. */
const ERROR_STEPS = [0.001, 0.01, 0.1].flatMap((decade) =>
  [1, 1.5, 2, 3, 4, 6, 8].map((step) => Number((decade * step).toPrecision(2))),
);

/** The first of which something holds that holds of all after it, too. */
function firstOf(steps: readonly number[], holds: (step: number) => boolean): number | null {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(steps[middle]!)) high = middle;
    else low = middle + 1;
  }
  return steps[low] ?? null;
}

/** @example detectableText(found) // 'at 5 operations a second and 1 % 2 % more errors are proven in about 75 min, …' */
export function detectableText({ perSecond, share, errors, latency, fewestErrors }: Detectable): string {
  const when = ({ minutes }: { minutes: number | null }) =>
    minutes === null ? 'only after more than a day' : inText(minutes);
  const least =
    fewestErrors === null
      ? 'errors alone prove nothing within a day'
      : `below ${percent(fewestErrors)} more errors nothing is proven within a day`;
  return `at ${perSecond} operations a second and ${percent(share)}, ${percent(errors.more)} more errors are proven ${when(errors)}, ${percent(latency.more)} more latency ${when(latency)}; ${least}`;
}

/**
 * Where each minute gives the same log ratio l, an alternative stands at ln w₁ + t·l after t of them. Never fewer minutes than a
 * rollback takes.
 */
function minutesOf(metric: Metric, known: Known, policy: Policy, traffic: Traffic & Regression): number | null {
  const { prior, measure } = METRIC_ROWS[metric];
  const measured = measure({
    compared: expected(known, policy, traffic),
    shadow: null,
    policy,
    clusters: overdispersion(known.baseline),
    noise: known.noise.map(excessVariance),
    noiseBeyond: known.noiseBeyond.map(excessVariance),
  });
  const needed = logNeeded(metric, 1);
  const limits = cap(needed, prior);
  const minutes = (measured?.logRatios ?? []).map((logRatio, k) => {
    const gained = Math.min(logRatio, limits[k]!);
    return gained > 0 ? (needed - logWeight(1) - Math.log(prior[k]!)) / gained : Number.POSITIVE_INFINITY;
  });
  // What a cold cache could explain counts from the warm-up on.
  const cold = metric !== 'errors' && traffic.slower < WARM_INCREASE ? policy.warmUpMinutes : 0;
  const least = Math.ceil(Math.max(cold + policy.consecutiveFailures, Math.min(...minutes)));
  return least <= DAY_MINUTES ? least : null;
}

/** One minute of both sides as it is expected. */
function expected(
  { baseline }: Known,
  policy: Policy,
  { perMinute, share, moreErrors, slower }: Traffic & Regression,
): Compared {
  const [n0, n1] = [perMinute * (1 - share), perMinute * share];
  const usualErrors = usualErrorRate(baseline);
  const shift = bucketIndexAt(1 + slower) - bucketIndexAt(1);
  const above = (edge: number) => countAboveEdge(baseline.latency, edge) / baseline.latency.total;
  const latencyOf = (metric: LatencyMetric): Compared['latency'][number] => {
    const edge = quantileEdge(baseline.latency, QUANTILES[metric]);
    if (edge === null) return { ...NO_LATENCY };
    const beyond = (increase: number) => n1 * above(edgeBeyond(edge, increase, policy.latencyFloorMs) - shift);
    return {
      ...NO_LATENCY,
      primary: n0 * above(edge),
      same: n1 * above(edge - shift),
      shadow: beyond(policy.latencyIncreaseAdvance),
      over: beyond(policy.latencyIncreaseRollback),
      usual: above(edge),
    };
  };
  return {
    n0,
    n1,
    timed: n1,
    errors: {
      primary: n0 * usualErrors,
      shadow: n1 * Math.min(1, usualErrors + moreErrors),
      usual: usualErrors,
      offset: 0,
    },
    latency: LATENCIES.map(latencyOf),
    past: share >= 1 ? baseline.count : null,
    fewLeft: share >= MOSTLY_SERVED && n0 * FEW_LEFT < n1,
    busy: [],
    expected: null,
    arrived: n1,
  };
}

const NO_LATENCY = {
  primary: 0,
  same: 0,
  shadow: 0,
  over: 0,
  usual: null,
  good: { primary: 0, over: 0, usual: 0, better: 0 },
  offset: 0,
};
