/** What both sides did over some hours, in all and for each operation type. Pure. */

import type { Side } from '../cutover/cutover.ts';
import { quantileMs } from '../gates/histogram.ts';
import { poolWindows, type WindowPart } from '../gates/minute-window.ts';

/** A minute of one side and one operation type, over all slices. */
export type OperationWindow = Omit<WindowPart, 'slice'>;

export type SidePerformance = {
  count: number;
  errors: number;
  errorRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  checks: number;
  mismatches: number;
  keyless: number;
};

export type Performance = {
  all: Readonly<Record<Side, SidePerformance>>;
  /** By name. */
  operations: readonly { operation: string; primary: SidePerformance; shadow: SidePerformance }[];
};

export function performanceOf(windows: readonly OperationWindow[]): Performance {
  const names = [...new Set(windows.map(({ operation }) => operation))].sort();
  const of = (operation: string | null) => ({
    primary: sideOf(windows, operation, 'primary'),
    shadow: sideOf(windows, operation, 'shadow'),
  });
  return { all: of(null), operations: names.map((operation) => ({ operation, ...of(operation) })) };
}

function sideOf(windows: readonly OperationWindow[], operation: string | null, side: Side): SidePerformance {
  const pool = poolWindows(
    0,
    side,
    windows
      .filter((one) => one.window.side === side && (operation === null || one.operation === operation))
      .map(({ window }) => window),
  );
  const { count, errors, checks, mismatches, keyless, latency } = pool;
  return {
    count,
    errors,
    errorRate: count > 0 ? errors / count : null,
    p50Ms: quantileMs(latency, 0.5),
    p95Ms: quantileMs(latency, 0.95),
    p99Ms: quantileMs(latency, 0.99),
    checks,
    mismatches,
    keyless,
  };
}
