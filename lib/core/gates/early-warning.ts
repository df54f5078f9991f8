/**
 * Figures that rise towards the limit at which a cutover is rolled back: a warning, and a reason to stay. A forecast
 * never rolls back by itself.
 */

import { settledQuantileMs } from '../ranked.ts';
import { mannKendallZ, median, type Point, theilSenSlope } from '../trend.ts';
import { usualErrorRate } from './baseline.ts';
import type { RecentMinute } from './fold.ts';
import { type Seen, slowest } from './seen.ts';
import { type Condition, condition, ms, percent, round } from './verdict.ts';

/** A rise that chance explains less often than once in a hundred looks. */
const RISING_Z = 2.33;
const FEWEST_POINTS = 10;
/** What a figure is now: the median of so many newest points. */
const NOW_POINTS = 5;
/** Twice the two minutes that a rollback may take would be four; below a quarter of an hour nobody wants to advance. */
const SOONEST_MINUTES = 15;

type Series = {
  code: string;
  what: string;
  /** Oldest first. */
  points: readonly Point[];
  limit: number;
  shown: (value: number) => string;
};

export function earlyWarnings(seen: Seen): Condition[] {
  const warnings = seriesOf(seen).flatMap(warning);
  if (warnings.length > 0) return warnings;
  return [condition('early_warning', true, null, SOONEST_MINUTES, 'No figure is on its way to its limit.')];
}

function warning({ code, what, points, limit, shown }: Series): Condition[] {
  if (points.length < FEWEST_POINTS || mannKendallZ(points) <= RISING_Z) return [];
  const values = points.map(([, value]) => value);
  // A rise that is over, such as that of a queue which has been emptied.
  if (values.at(-1)! <= median(values)) return [];
  const slope = theilSenSlope(points) ?? 0;
  const now = median(values.slice(-NOW_POINTS));
  const minutes = now >= limit ? 0 : slope > 0 ? (limit - now) / slope : Number.POSITIVE_INFINITY;
  if (minutes >= SOONEST_MINUTES) return [];
  const text = `${what} rises: ${shown(now)} now, and in about ${Math.ceil(minutes)} minutes beyond ${shown(limit)}. It is released when the rise ends.`;
  return [condition(`early_warning_${code}`, false, round(minutes), SOONEST_MINUTES, text)];
}

function seriesOf(seen: Seen): Series[] {
  const { policy, table } = seen.input;
  const lag: Series = {
    code: 'lag',
    what: 'The age of the oldest un-applied change',
    points: table ? seen.evidence.lags : [],
    limit: policy.lagAdvanceMs,
    shown: ms,
  };
  return seen.servesReads
    ? [lag, errors(seen), latency(seen), mismatches(seen), ...connectionDrops(seen), ...memory(seen)]
    : [lag];
}

function errors({ evidence, share, input: { policy } }: Seen): Series {
  const usual = usualErrorRate(evidence.baseline);
  const primary = ({ n0, e0 }: RecentMinute) => (share >= 1 || n0 === 0 ? usual : e0 / n0);
  return {
    code: 'errors',
    what: "The excess of the shadow's errors",
    points: evidence.recent.flatMap((of): Point[] => (of.n1 > 0 ? [[of.minute, of.e1 / of.n1 - primary(of)]] : [])),
    limit: policy.errorRateRollback,
    shown: percent,
  };
}

/** As the ratio of both sides, in logarithms; where the primary serves nothing, against what was usual. */
function latency({ evidence, input: { policy } }: Seen): Series {
  const usual = settledQuantileMs(evidence.baseline.latency, 0.95);
  return {
    code: 'latency_p95',
    what: "The shadow's p95 over the primary's",
    points: evidence.recent.flatMap(({ minute, p95Primary, p95Shadow }): Point[] => {
      const before = p95Primary ?? usual;
      return before && p95Shadow ? [[minute, Math.log(p95Shadow / before)]] : [];
    }),
    limit: usual ? Math.log(slowest(usual, policy.latencyIncreaseRollback, policy) / usual) : Number.POSITIVE_INFINITY,
    shown: (value) => `${percent(Math.exp(value) - 1)} more`,
  };
}

function mismatches({ evidence, input: { policy } }: Seen): Series {
  return {
    code: 'validation',
    what: 'The share of the checked rows that differ',
    points: evidence.recent.flatMap((of): Point[] => (of.checks > 0 ? [[of.minute, of.mismatches / of.checks]] : [])),
    limit: 1 - policy.validationScoreRollback,
    shown: percent,
  };
}

/** Only where a guard says how many are too many. */
function connectionDrops({ evidence, input: { policy } }: Seen): Series[] {
  if (policy.connectionDropsMax === null) return [];
  const points = evidence.recent.flatMap(({ minute, told, drops = 0 }): Point[] =>
    told ? [[minute, drops / told]] : [],
  );
  const what = "The share of the shadow's operations that lose their connection";
  return [{ code: 'connection_drops', what, points, limit: policy.connectionDropsMax, shown: percent }];
}

function memory({ evidence, input: { policy } }: Seen): Series[] {
  if (policy.memoryMax === null) return [];
  const points = evidence.recent.flatMap((of): Point[] => (of.memory === undefined ? [] : [[of.minute, of.memory]]));
  const what = 'The memory of a process that serves the shadow';
  return [{ code: 'memory', what, points, limit: policy.memoryMax, shown: percent }];
}
