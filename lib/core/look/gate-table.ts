/** The conditions of a cutover as rows of a table, the worst first: what page and terminal show of them. Pure. */

import { MINUTE_MS } from '../base/units.ts';
import { aboutMinutesOf } from '../conditions/release.ts';
import { figuresOf, type ShownCondition, type ShownFigures, type ShownVerdict } from '../conditions/show.ts';
import { hasRole } from '../conditions/table.ts';
import { quantileMs } from '../gates/histogram.ts';
import { emptyWindow, type MinuteWindow, mergeWindows } from '../gates/minute-window.ts';
import type { TableStatus } from '../gates/table-status.ts';
import { mannKendallZ } from '../gates/trend.ts';

type Trend = 'rising' | 'falling' | 'steady';

export type Gate = Pick<ShownCondition, 'code' | 'row' | 'label' | 'ok' | 'fired' | 'says' | 'text'> &
  ShownFigures & {
    /** It does not hold yet, as it normally does not at this time. */
    waits: boolean;
    /** How many operations, comparisons or rows it was found from; null where it counts none. */
    samples: number | null;
    /** Since when every look in this stage found it so, held or not; null where that is not known. */
    sinceMs: number | null;
    /** Of what was seen, over the last quarter of an hour; null where there is too little of it. */
    trend: Trend | null;
  };

type Reported = {
  verdict: ShownVerdict;
  table: Pick<TableStatus, 'verification'> | null;
  windows: readonly MinuteWindow[];
};

/** @param group what stands between thousands */
export function gateTable({ verdict, table, windows }: Reported, nowMs: number, group: string): Gate[] {
  const minutes = shadowMinutes(windows, Math.floor(nowMs / MINUTE_MS));
  return [...verdict.conditions]
    .sort((a, b) => rank(b) - rank(a))
    .map((condition) => {
      const { code, row, label, ok, fired, says, text, sinceMs = null } = condition;
      const waits = isNormal(condition);
      const samples = samplesOf(condition, verdict.evidence, table);
      const figures = figuresOf(condition, group);
      return {
        code,
        row,
        label,
        ok,
        fired,
        says,
        text,
        ...figures,
        waits,
        samples,
        sinceMs,
        trend: trendOf(condition, minutes),
      };
    });
}

/** Guards, then what holds, then what is only a matter of time; within these and among what passes, what is nearest to its limit. */
function rank(condition: ShownCondition): number {
  const { ok, fired } = condition;
  const group = fired ? 3 : ok ? 0 : isNormal(condition) ? 1 : 2;
  return group * 10 + 9 * nearness(condition);
}

/** It does not hold yet, as it normally does not at this time. */
export const isNormal = ({ ok, fired, row }: ShownCondition): boolean =>
  !ok && !fired && hasRole({ code: row }, 'normal_course');

/** 0 far inside, 1 at the limit or beyond it. */
function nearness({ seen, limit, want, ok }: ShownCondition): number {
  if (typeof seen !== 'number' || typeof limit !== 'number') return ok ? 0 : 1;
  const [part, whole] = want === 'at_least' ? [limit, seen] : [seen, limit];
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}

const OF_OPERATIONS =
  /^(errors|latency_|proof_errors|proof_latency_|regression|keyless|left_reads|shadow_failing|unavailable)/;
const OF_COMPARISONS = /^(mismatches|validation|proof_validation|incomparable_answers)/;

function samplesOf(
  { row }: ShownCondition,
  { shadow, checks }: ShownVerdict['evidence'],
  table: Reported['table'],
): number | null {
  if (row === 'verification') return table?.verification?.rowsCompared ?? null;
  if (OF_OPERATIONS.test(row)) return shadow.count;
  return OF_COMPARISONS.test(row) ? checks : null;
}

// ------------------------------------------------------------------------------------------------------------ trend

const LAST_MINUTES = 15;
const FEWEST = 6;
/** Chance of a trend where there is none: 5 %. */
const SIGNIFICANT = 1.96;

const shadowMinutes = (windows: readonly MinuteWindow[], openMinute: number): MinuteWindow[] =>
  Array.from({ length: LAST_MINUTES }, (_, index) => openMinute - LAST_MINUTES + index).map((minute) =>
    windows
      .filter((window) => window.side === 'shadow' && window.minute === minute)
      .reduce(mergeWindows, emptyWindow(minute, 'shadow')),
  );

const SERIES: Readonly<Record<string, (window: MinuteWindow) => number | null>> = {
  errors: ({ errors, count }) => (count > 0 ? errors / count : null),
  latency_p50: ({ latency }) => quantileMs(latency, 0.5),
  latency_p95: ({ latency }) => quantileMs(latency, 0.95),
  latency_p99: ({ latency }) => quantileMs(latency, 0.99),
  mismatches: ({ mismatches, checks }) => (checks > 0 ? mismatches / checks : null),
};

function trendOf({ row, ok, release }: ShownCondition, minutes: readonly MinuteWindow[]): Trend | null {
  const { aboutMinutes } = aboutMinutesOf(release);
  if (!ok && aboutMinutes !== undefined && !(row in SERIES))
    return aboutMinutes === null ? 'steady' : row === 'lag' ? 'falling' : 'rising';
  const values = SERIES[row] ? minutes.map(SERIES[row]).filter((value) => value !== null) : [];
  if (values.length < FEWEST) return null;
  const z = mannKendallZ(values);
  return Math.abs(z) < SIGNIFICANT ? 'steady' : z > 0 ? 'rising' : 'falling';
}
