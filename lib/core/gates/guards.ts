/** Guards: what forces a rollback. */

import type { Policy } from '../cutover.ts';
import { type MinuteWindow, poolWindows } from '../evidence.ts';
import { bucketUpperMs, type Histogram, quantileMs } from '../histogram.ts';
import { binomialTail } from '../statistics.ts';
import { currentVerification, type Seen, slowest } from './seen.ts';
import { type Condition, ms, percent } from './verdict.ts';

/** How far back the guards pool, in minutes: a short span for a sudden failure, a long one for a few operations a minute. */
const GUARD_SPANS = [10, 30] as const;
/** Chance of a false alarm of one test at one look. */
const GUARD_ALPHA = 1e-4;

/** The guards that force a rollback, and for how many minutes in a row a test has fired. */
export function firedGuards(seen: Seen): { fired: Condition[]; badMinutes: number } {
  const corrupted = corruption(seen);
  if (corrupted) return { fired: [corrupted], badMinutes: 0 };
  if (!seen.servesReads) return { fired: [], badMinutes: 0 };
  const { policy } = seen.input;
  let badMinutes = 0;
  let latest: Condition[] = [];
  for (let minute = seen.openMinute; minute > seen.firstMinute; minute -= 1) {
    const tests = guardTests(seen, minute);
    if (tests.length === 0) break;
    if (badMinutes === 0) latest = tests;
    badMinutes += 1;
    if (badMinutes >= policy.consecutiveFailures) break;
  }
  return { fired: badMinutes >= policy.consecutiveFailures ? latest : [], badMinutes };
}

/** A complete pass that found the shadow wrong. Lag is not counted: a diverged key has no un-applied hint. */
function corruption(seen: Seen): Condition | null {
  const { table, policy, state } = seen.input;
  const verification = currentVerification(table, state);
  if (!verification || verification.score >= policy.validationScoreRollback) return null;
  const where = verification.samples.map((sample) => `${sample.key} (${sample.columns.join(', ') || 'row'})`);
  return {
    code: 'validation',
    ok: false,
    value: verification.score,
    limit: policy.validationScoreRollback,
    text:
      `${verification.divergences} of ${verification.rowsCompared} rows differ from the primary: score ${percent(verification.score)}, ` +
      `limit ${percent(policy.validationScoreRollback)}. First keys: ${where.slice(0, 3).join('; ')}.`,
  };
}

/** Tests of the minutes before `minute` (excluded) that fire, each once: the shorter span speaks first. */
function guardTests(seen: Seen, minute: number): Condition[] {
  const fired = GUARD_SPANS.flatMap((span) => spanTests(seen, Math.max(seen.firstMinute, minute - span), minute));
  return fired.filter((test, i) => fired.findIndex((other) => other.code === test.code) === i);
}

/** Bad outcomes of the shadow from one minute to another (excluded), beyond what the limit explains. */
function spanTests(seen: Seen, from: number, minute: number): Condition[] {
  const { policy, windows } = seen.input;
  const pool = (side: 'primary' | 'shadow') =>
    poolWindows(
      from,
      side,
      windows.filter((window) => window.side === side && window.minute >= from && window.minute < minute),
    );
  const shadow = pool('shadow');
  const concurrent = pool('primary');
  const primary = concurrent.count >= 50 ? concurrent : seen.baseline;
  const primaryRate = primary.count > 0 ? primary.errors / primary.count : 0;
  return [
    tested(
      'errors',
      shadow.errors,
      shadow.count,
      primaryRate + policy.errorRateRollback,
      (rate) =>
        `The shadow fails ${percent(rate)} of its operations (${shadow.errors} of ${shadow.count}), the primary ${percent(primaryRate)}; the limit is ${percent(policy.errorRateRollback)} more.`,
    ),
    ...LATENCY_QUANTILES.map((q) => latencyTest(q, shadow, primary, policy)),
    tested(
      'mismatches',
      shadow.mismatches,
      shadow.checks,
      1 - policy.validationScoreRollback,
      (rate) =>
        `${shadow.mismatches} of ${shadow.checks} checked rows differ (${percent(rate)}); the limit is ${percent(1 - policy.validationScoreRollback)}.`,
    ),
  ].filter((condition) => condition !== null);
}

const LATENCY_QUANTILES = [0.5, 0.95, 0.99];

/** More of the shadow above the primary's quantile, raised by the limit, than the quantile allows. */
function latencyTest(q: number, shadow: MinuteWindow, primary: MinuteWindow, policy: Policy): Condition | null {
  const reference = quantileMs(primary.latency, q);
  if (reference === null) return null;
  const limitMs = slowest(reference, policy.latencyIncreaseRollback, policy);
  const name = `p${Math.round(q * 100)}`;
  const limit = upperShare(1 - q, primary.count);
  return tested(
    `latency_${name}`,
    countAbove(shadow.latency, limitMs),
    shadow.count,
    limit,
    (rate) =>
      `${percent(rate)} of the shadow's operations take longer than ${ms(limitMs)}, ${percent(policy.latencyIncreaseRollback)} over the primary's ${name} of ${ms(reference)}; ${percent(limit)} may.`,
  );
}

function tested(code: string, bad: number, n: number, limit: number, text: (rate: number) => string): Condition | null {
  if (n === 0 || bad / n <= limit || binomialTail(n, bad, limit) > GUARD_ALPHA) return null;
  return { code, ok: false, value: bad / n, limit, text: text(bad / n) };
}

/**
 * What a share seen in n operations may really be: the upper end of Wilson's interval, three standard errors wide. The
 * primary is a sample, too, and at a high share a small one: taken for exact, it convicts a healthy shadow.
 */
function upperShare(share: number, n: number): number {
  const z2 = 9;
  const middle = share + z2 / (2 * n);
  return (middle + Math.sqrt(z2 * ((share * (1 - share)) / n + z2 / (4 * n * n)))) / (1 + z2 / n);
}

function countAbove(latency: Histogram, limitMs: number): number {
  let above = 0;
  for (const [index, count] of Object.entries(latency)) if (bucketUpperMs(Number(index) - 1) >= limitMs) above += count;
  return above;
}
