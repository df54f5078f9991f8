/**
 * What a program without the SDK knows of its operations (each duration, or counts between bounds as OpenTelemetry and
 * Prometheus keep them), as a minute window.
 */

import { HOUR_MS } from '../base/units.ts';
import type { Side } from '../cutover/cutover.ts';
import { bucketIndex } from './histogram.ts';
import type { MinuteWindow } from './minute-window.ts';

export type PlainWindow = {
  side: Side;
  /** Epoch milliseconds / 60,000, rounded down; default: the minute of now. */
  minute?: number | undefined;
  /** Of those that failed, too. */
  durationsMs?: readonly number[] | undefined;
  /** `counts[i]` operations took up to `boundsMs[i]`, and more than the bound before; the last count is of all beyond. */
  histogram?: { boundsMs: readonly number[]; counts: readonly number[] } | undefined;
  errors?: number | undefined;
  keyless?: number | undefined;
  left?: number | undefined;
  checks?: number | undefined;
  mismatches?: number | undefined;
};

/** Both sides are counted in the same way, so that where in its bucket an operation lies cancels out. */
export function plainWindow(plain: PlainWindow, nowMinute: number): MinuteWindow {
  const {
    side,
    minute = nowMinute,
    durationsMs = [],
    histogram,
    errors = 0,
    keyless = 0,
    left,
    checks = 0,
    mismatches = 0,
  } = plain;
  const latency: Record<number, number> = {};
  let count = 0;
  const add = (latencyMs: number, operations: number) => {
    if (operations === 0) return;
    const index = bucketIndex(latencyMs);
    latency[index] = (latency[index] ?? 0) + operations;
    count += operations;
  };
  for (const durationMs of durationsMs) add(durationMs, 1);
  for (const [i, operations] of (histogram?.counts ?? []).entries()) add(histogram!.boundsMs[i] ?? HOUR_MS, operations);
  return { minute, side, count, errors, keyless, ...(left === undefined ? {} : { left }), latency, checks, mismatches };
}
