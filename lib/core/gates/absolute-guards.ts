/**
 * Optional guards in absolute figures: a p95 that must not be exceeded, shares of the operations that must succeed or may
 * lose their connection, the memory of the processes. They compare with a number instead of with the primary, so they
 * fire only when the primary is not as bad itself. Memory alone is not compared: both sides may live in one process, and
 * what the shadow takes there is missing to the primary as well.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, fired } from '../conditions/condition.ts';
import { percent as shortPercent } from '../conditions/figures.ts';
import type { CutoverState, Policy } from '../cutover/cutover.ts';
import { readsShadow } from '../cutover/switches.ts';
import { bucketUpperMs, histogramCount, quantileMs } from './histogram.ts';
import { highestShare, type MinuteWindow, poolWindows } from './minute-window.ts';
import { firstMinuteOf } from './seen.ts';
import { binomialTail } from './statistics.ts';

const SPAN_MINUTES = 10;
/** Chance of a false alarm of one test of one minute. */
const ALPHA = 1e-4;
/** Fewest operations of the primary before it can be said to be as bad. */
const COMPARABLE = 50;

type GuardInput = {
  policy: Policy;
  state: CutoverState;
  windows: readonly MinuteWindow[];
  nowMs: number;
};

/** Both sides over the minutes a guard looks at. */
type Pools = { shadow: MinuteWindow; primary: MinuteWindow };

type Guard = {
  limit: 'availabilityMin' | 'p95LimitMs' | 'connectionDropsMax' | 'memoryMax';
  minutes: number;
  /** What is seen where that is proven to be beyond the limit. */
  broken(pools: Pools, limit: number): Condition | null;
  /** Whether the figures are there at all, for those that a sender may leave out. */
  told?(shadow: MinuteWindow, limit: number): Condition;
};

const GUARDS: readonly Guard[] = [
  { limit: 'availabilityMin', minutes: SPAN_MINUTES, broken: availability },
  { limit: 'p95LimitMs', minutes: SPAN_MINUTES, broken: p95 },
  { limit: 'connectionDropsMax', minutes: SPAN_MINUTES, broken: connectionDrops, told: dropsTold },
  // The most that any process used lingers in a longer span after one bad minute.
  { limit: 'memoryMax', minutes: 1, broken: memory, told: memoryTold },
];

const guardsOf = (policy: Policy) => GUARDS.filter(({ limit }) => policy[limit] !== null);

/** How many minutes back the guards look. */
export const guardMinutes = (policy: Policy): number =>
  guardsOf(policy).length === 0 ? 0 : SPAN_MINUTES + policy.consecutiveFailures;

/** The guards that have fired in each of the last `consecutiveFailures` minutes. */
export function absoluteGuards({ policy, state, windows, nowMs }: GuardInput): Condition[] {
  if (!readsShadow(state)) return [];
  const first = firstMinuteOf(state);
  const last = Math.floor(nowMs / MINUTE_MS);
  return guardsOf(policy).flatMap(({ limit, minutes, broken }) => {
    const verdicts = Array.from({ length: policy.consecutiveFailures }, (_, back) => {
      const to = last - back;
      const pool = (side: 'primary' | 'shadow') => pooled(windows, side, Math.max(first, to - minutes), to);
      if (to <= first) return null;
      return broken({ shadow: pool('shadow'), primary: pool('primary') }, policy[limit]!);
    });
    return verdicts.every((verdict) => verdict !== null) ? verdicts.slice(0, 1) : [];
  });
}

/** Guards whose figures senders may leave out: without them, and beyond the limit, nothing advances. */
export function guardHolds({ policy, state, windows, nowMs }: GuardInput): Condition[] {
  if (!readsShadow(state)) return [];
  const first = firstMinuteOf(state);
  const last = Math.floor(nowMs / MINUTE_MS);
  const shadow = pooled(windows, 'shadow', Math.max(first, last - SPAN_MINUTES), last);
  return guardsOf(policy).flatMap(({ limit, told }) => told?.(shadow, policy[limit]!) ?? []);
}

function pooled(windows: readonly MinuteWindow[], side: 'primary' | 'shadow', from: number, to: number): MinuteWindow {
  const inRange = windows.filter((window) => window.side === side && window.minute >= from && window.minute < to);
  return poolWindows(from, side, inRange);
}

function availability(pools: Pools, limit: number): Condition | null {
  const { shadow } = pools;
  if (!proven(shadow.errors, shadow.count, 1 - limit)) return null;
  if (asBad(pools, ({ errors }) => errors)) return null;
  const seen = 1 - shadow.errors / shadow.count;
  return fired('availability', {
    seen,
    limit,
    says: `${percent(seen)} of the shadow's operations succeed (${shadow.errors} of ${shadow.count} failed in ${SPAN_MINUTES} minutes); ${percent(limit)} must.`,
  });
}

function p95(pools: Pools, limit: number): Condition | null {
  const { shadow } = pools;
  const above = (window: MinuteWindow) =>
    Object.entries(window.latency).reduce(
      (sum, [bucket, count]) => sum + (bucketUpperMs(Number(bucket) - 1) >= limit ? count : 0),
      0,
    );
  if (!proven(above(shadow), shadow.count, 0.05) || asBad(pools, above)) return null;
  const seen = Math.round(quantileMs(shadow.latency, 0.95)!);
  return fired('p95_limit', {
    seen,
    limit,
    says: `The shadow's p95 over ${SPAN_MINUTES} minutes is ${seen} ms; at most ${limit} ms are allowed.`,
  });
}

function connectionDrops(pools: Pools, limit: number): Condition | null {
  const { drops = 0, told = 0 } = pools.shadow;
  if (!proven(drops, told, limit)) return null;
  if (asBad(pools, (window) => (window.drops ?? 0) * (window.count / (window.told || window.count)))) return null;
  const seen = drops / told;
  return fired('connection_drops', {
    seen,
    limit,
    says: `${percent(seen)} of the shadow's operations lost their connection (${drops} of ${told} in ${SPAN_MINUTES} minutes); at most ${percent(limit)} may.`,
  });
}

function memory({ shadow }: Pools, limit: number): Condition | null {
  const seen = highestShare(shadow.memory ?? {});
  if (seen <= limit) return null;
  return fired('memory', {
    seen,
    limit,
    says: `A process that serves the shadow uses ${percent(seen)} of its memory, minute after minute; at most ${percent(limit)} may be used.`,
  });
}

function dropsTold({ count, told = 0, drops = 0 }: MinuteWindow, limit: number): Condition {
  const seen = told > 0 ? drops / told : null;
  const says = `${percent(seen ?? 0)} of the shadow's operations lost their connection in ${SPAN_MINUTES} minutes; at most ${percent(limit)} may.`;
  return toldCondition('connection_drops', { count, told, seen, limit }, says, 'whether their connection was lost');
}

function memoryTold({ count, memory = {} }: MinuteWindow, limit: number): Condition {
  const told = histogramCount(memory);
  const seen = told > 0 ? highestShare(memory) : null;
  const says = `Processes that serve the shadow used up to ${percent(seen ?? 0)} of their memory in ${SPAN_MINUTES} minutes; at most ${percent(limit)} may be used.`;
  return toldCondition('memory', { count, told, seen, limit }, says, 'how much of its memory their process uses');
}

type Told = { count: number; told: number; seen: number | null; limit: number };

/** What no sender reports is no sign of health. */
function toldCondition(
  code: 'connection_drops' | 'memory',
  { count, told, seen, limit }: Told,
  says: string,
  what: string,
): Condition {
  if (seen === null || told < count)
    return condition(code, {
      ok: false,
      seen,
      limit,
      says: `Only ${told} of ${count} operations of the shadow in ${SPAN_MINUTES} minutes came with ${what}; every sender must tell.`,
      release: { person: 'An SDK of this version does, for memory where the process has a limit' },
    });
  const release = { wait: 'inside_limit', etaMs: SPAN_MINUTES * MINUTE_MS } as const;
  return condition(code, { ok: seen <= limit, seen, limit, says, release });
}

const proven = (bad: number, n: number, limit: number) =>
  n > 0 && bad / n > limit && binomialTail(n, bad, limit) <= ALPHA;
/** The primary is as bad, by as many operations as can be compared with. */
function asBad({ shadow, primary }: Pools, bad: (window: MinuteWindow) => number): boolean {
  if (primary.count < COMPARABLE) return false;
  return bad(primary) / primary.count >= bad(shadow) / shadow.count;
}

/** Limits lie close to 100 %. */
const percent = (rate: number) => shortPercent(rate, 4);
