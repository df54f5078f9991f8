/**
 * Figures that rise towards the limit at which a cutover is rolled back: a warning, and a reason to stay. A forecast
 * never rolls back by itself.
 */

import { type Condition, condition } from '../conditions/condition.ts';
import { ms, percent, round } from '../conditions/figures.ts';
import { usualErrorRate } from './baseline.ts';
import { bucketsQuantileMs } from './buckets.ts';
import type { RecentMinute } from './evidence.ts';
import { type Seen, slowest } from './seen.ts';
import { mannKendallZ, median, type Series, theilSenSlope } from './trend.ts';

/** A rise that chance explains less often than once in a hundred looks. */
const RISING_Z = 2.33;
const FEWEST_POINTS = 10;
/** What a figure is now: the median of so many newest points. */
const NOW_POINTS = 5;
/** Twice the two minutes that a rollback may take would be four; a stage shorter than a quarter of an hour is not wanted. */
const SOONEST_MINUTES = 15;
/** Beyond this share of a server's connections the next burst finds none. */
const MOST_CONNECTIONS = 0.9;

type Watched = {
  code: 'lag' | 'connections' | 'errors' | 'latency_p95' | 'validation' | 'connection_drops' | 'memory';
  what: string;
  series: Series;
  limit: number;
  shown: (value: number) => string;
};

export function earlyWarnings(seen: Seen): Condition[] {
  const warnings = watched(seen).flatMap(warning);
  if (warnings.length > 0) return warnings;
  const says = 'No figure is on its way to its limit.';
  return [condition('early_warning', { ok: true, seen: null, limit: SOONEST_MINUTES, says })];
}

function warning({ code, what, series, limit, shown }: Watched): Condition[] {
  const { values } = series;
  if (values.length < FEWEST_POINTS || isOver(values) || mannKendallZ(values) <= RISING_Z) return [];
  const slope = theilSenSlope(series) ?? 0;
  const now = median(values.slice(-NOW_POINTS));
  const left = now >= limit ? 0 : slope > 0 ? (limit - now) / slope : Number.POSITIVE_INFINITY;
  if (left >= SOONEST_MINUTES) return [];
  return [
    condition(`early_warning_${code}`, {
      ok: false,
      seen: round(left),
      limit: SOONEST_MINUTES,
      says: `${what} rises: ${shown(now)} now, and in about ${Math.ceil(left)} minutes beyond ${shown(limit)}.`,
      release: { wait: 'rise_ends' },
    }),
  ];
}

/** A rise that is over, such as that of a queue which has been emptied: the newest value is none of the upper half. */
function isOver(values: readonly number[]): boolean {
  const newest = values.at(-1)!;
  let lower = 0;
  for (const value of values) if (value < newest) lower += 1;
  return lower < values.length / 2;
}

function watched(seen: Seen): Watched[] {
  const ofDatabase = seen.input.table ? [lag(seen), connections(seen)] : [];
  return seen.servesReads
    ? [...ofDatabase, errors(seen), latency(seen), mismatches(seen), ...connectionDrops(seen), ...memory(seen)]
    : ofDatabase;
}

/** What `value` finds in the minutes; one of which it knows nothing is left out. */
function found<Of extends { minute: number }>(all: readonly Of[], value: (of: Of) => number | undefined): Series {
  const minutes: number[] = [];
  const values: number[] = [];
  for (const of of all) {
    const seen = value(of);
    if (seen === undefined) continue;
    minutes.push(of.minute);
    values.push(seen);
  }
  return { minutes, values };
}

function lag({ evidence: { looks }, input: { policy } }: Seen): Watched {
  return {
    code: 'lag',
    what: 'The age of the oldest un-applied change',
    series: found(looks, ({ lagMs }) => lagMs),
    limit: policy.lagAdvanceMs,
    shown: ms,
  };
}

function connections({ evidence: { looks } }: Seen): Watched {
  return {
    code: 'connections',
    what: "The share of the database server's connections in use",
    series: found(looks, (look) => look.connections),
    limit: MOST_CONNECTIONS,
    shown: percent,
  };
}

function errors(seen: Seen): Watched {
  const usual = usualErrorRate(seen.evidence.baseline);
  const primary = (of: RecentMinute) => (seen.share >= 1 || of.n0 === 0 ? usual : of.e0 / of.n0);
  return {
    code: 'errors',
    what: "The excess of the shadow's errors",
    series: found(seen.evidence.recent, (of) => (of.n1 > 0 ? of.e1 / of.n1 - primary(of) : undefined)),
    limit: seen.input.policy.errorRateRollback,
    shown: percent,
  };
}

/** As the ratio of both sides, in logarithms; where the primary serves nothing, against what was usual. */
function latency(seen: Seen): Watched {
  const { policy } = seen.input;
  const usual = bucketsQuantileMs(seen.evidence.baseline.latency, 0.95);
  return {
    code: 'latency_p95',
    what: "The shadow's p95 over the primary's",
    series: found(seen.evidence.recent, ({ p95Primary, p95Shadow }) => {
      const before = p95Primary ?? usual;
      return before && p95Shadow ? Math.log(p95Shadow / before) : undefined;
    }),
    limit: usual ? Math.log(slowest(usual, policy.latencyIncreaseRollback, policy) / usual) : Number.POSITIVE_INFINITY,
    shown: (value) => `${percent(Math.exp(value) - 1)} more`,
  };
}

function mismatches(seen: Seen): Watched {
  return {
    code: 'validation',
    what: 'The share of the checked rows that differ',
    series: found(seen.evidence.recent, (of) => (of.checks > 0 ? of.mismatches / of.checks : undefined)),
    limit: 1 - seen.input.policy.validationScoreRollback,
    shown: percent,
  };
}

/** Only where a guard says how many are too many. */
function connectionDrops(seen: Seen): Watched[] {
  const limit = seen.input.policy.connectionDropsMax;
  if (limit === null) return [];
  const series = found(seen.evidence.recent, ({ told, drops = 0 }) => (told ? drops / told : undefined));
  const what = "The share of the shadow's operations that lose their connection";
  return [{ code: 'connection_drops', what, series, limit, shown: percent }];
}

function memory(seen: Seen): Watched[] {
  const limit = seen.input.policy.memoryMax;
  if (limit === null) return [];
  const what = 'The memory of a process that serves the shadow';
  return [{ code: 'memory', what, series: found(seen.evidence.recent, (of) => of.memory), limit, shown: percent }];
}
