/** Minute windows as series for plots: one value per minute and side, `null` where nothing was recorded. */

import { MINUTE_MS } from '../core/base/units.ts';
import type { Side } from '../core/cutover/cutover.ts';
import { quantileMs } from '../core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow, mergeWindows } from '../core/gates/minute-window.ts';

export type SideSeries = {
  p50Ms: readonly (number | null)[];
  p95Ms: readonly (number | null)[];
  /** Failed operations / operations, 0–1. */
  errorRate: readonly (number | null)[];
  count: readonly number[];
};

/** `startMinute + i` is the minute of index i of every list. */
export type Series = { startMinute: number; primary: SideSeries; shadow: SideSeries };

const MINUTES = 60;

/** The last sixty closed minutes before `atMs`. The open minute is left out: half a minute looks like a drop. */
export function seriesOf(windows: readonly MinuteWindow[], atMs: number): Series {
  const startMinute = Math.floor(atMs / MINUTE_MS) - MINUTES;
  return {
    startMinute,
    primary: sideSeries(windows, 'primary', startMinute),
    shadow: sideSeries(windows, 'shadow', startMinute),
  };
}

function sideSeries(windows: readonly MinuteWindow[], side: Side, startMinute: number): SideSeries {
  const minutes = Array.from({ length: MINUTES }, (_, index) =>
    windows
      .filter((window) => window.side === side && window.minute === startMinute + index)
      .reduce(mergeWindows, emptyWindow(startMinute + index, side)),
  );
  return {
    p50Ms: minutes.map((window) => short(quantileMs(window.latency, 0.5))),
    p95Ms: minutes.map((window) => short(quantileMs(window.latency, 0.95))),
    errorRate: minutes.map((window) => (window.count > 0 ? short(window.errors / window.count) : null)),
    count: minutes.map((window) => window.count),
  };
}

/** Four digits: the histogram knows no more, and the answer stays small. */
const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(4)));
