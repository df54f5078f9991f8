/**
 * Optional guards in absolute figures: a p95 that must not be exceeded, a share of operations that must succeed. They
 * compare with a number instead of with the primary, so they fire only when the primary is not as bad itself.
 */

import type { CutoverState, Policy } from './cutover.ts';
import { type MinuteWindow, poolWindows } from './evidence.ts';
import { firstMinuteOf } from './gates/seen.ts';
import type { Condition } from './gates/verdict.ts';
import { bucketUpperMs, quantileMs } from './histogram.ts';
import { binomialTail } from './statistics.ts';
import { readsShadow } from './switches.ts';

const MINUTE_MS = 60_000;
const SPAN_MINUTES = 10;
/** Chance of a false alarm of one test of one minute. */
const ALPHA = 1e-4;
/** Fewest operations of the primary before it can be said to be as bad. */
const COMPARABLE = 50;

type Judged = { policy: Policy; state: CutoverState; windows: readonly MinuteWindow[]; nowMs: number };

/** How many minutes back the guards look. */
export const guardMinutes = ({ p95LimitMs, availabilityMin, consecutiveFailures }: Policy): number =>
  p95LimitMs === null && availabilityMin === null ? 0 : SPAN_MINUTES + consecutiveFailures;

/** The guards that have fired in each of the last `consecutiveFailures` minutes. */
export function absoluteGuards({ policy, state, windows, nowMs }: Judged): Condition[] {
  if (!readsShadow(state) || (policy.p95LimitMs === null && policy.availabilityMin === null)) return [];
  const first = firstMinuteOf(state);
  const last = Math.floor(nowMs / MINUTE_MS);
  const tests = [availability, p95] as const;
  return tests.flatMap((test) => {
    const verdicts = Array.from({ length: policy.consecutiveFailures }, (_, back) => {
      const to = last - back;
      const pool = (side: 'primary' | 'shadow') => pooled(windows, side, Math.max(first, to - SPAN_MINUTES), to);
      return to > first ? test(policy, pool('shadow'), pool('primary')) : null;
    });
    return verdicts.every((verdict) => verdict !== null) ? verdicts.slice(0, 1) : [];
  });
}

function pooled(windows: readonly MinuteWindow[], side: 'primary' | 'shadow', from: number, to: number): MinuteWindow {
  const within = windows.filter((window) => window.side === side && window.minute >= from && window.minute < to);
  return poolWindows(from, side, within);
}

function availability({ availabilityMin }: Policy, shadow: MinuteWindow, primary: MinuteWindow): Condition | null {
  if (availabilityMin === null || !proven(shadow.errors, shadow.count, 1 - availabilityMin)) return null;
  if (asBad(primary.errors, primary.count, shadow.errors, shadow.count)) return null;
  const seen = 1 - shadow.errors / shadow.count;
  return fired(
    'availability',
    seen,
    availabilityMin,
    `${percent(seen)} of the shadow's operations succeed (${shadow.errors} of ${shadow.count} failed in ${SPAN_MINUTES} minutes); ${percent(availabilityMin)} must.`,
  );
}

function p95({ p95LimitMs }: Policy, shadow: MinuteWindow, primary: MinuteWindow): Condition | null {
  if (p95LimitMs === null) return null;
  const above = (window: MinuteWindow) =>
    Object.entries(window.latency).reduce(
      (sum, [bucket, count]) => sum + (bucketUpperMs(Number(bucket) - 1) >= p95LimitMs ? count : 0),
      0,
    );
  if (!proven(above(shadow), shadow.count, 0.05)) return null;
  if (asBad(above(primary), primary.count, above(shadow), shadow.count)) return null;
  const seen = quantileMs(shadow.latency, 0.95)!;
  return fired(
    'p95_limit',
    Math.round(seen),
    p95LimitMs,
    `The shadow's p95 over ${SPAN_MINUTES} minutes is ${Math.round(seen)} ms; at most ${p95LimitMs} ms are allowed.`,
  );
}

const proven = (bad: number, n: number, limit: number) =>
  n > 0 && bad / n > limit && binomialTail(n, bad, limit) <= ALPHA;
const asBad = (primaryBad: number, primaryCount: number, shadowBad: number, shadowCount: number) =>
  primaryCount >= COMPARABLE && primaryBad / primaryCount >= shadowBad / shadowCount;
const fired = (code: string, value: number, limit: number, text: string): Condition => ({
  code,
  ok: false,
  value,
  limit,
  text,
});
const percent = (rate: number) => `${Number((rate * 100).toPrecision(4))} %`;
