/**
 * How long something that grows takes to reach its limit at the present rate: the evidence for health, operations, a share that is
 * pooled since the stage began. The rate is that of the last ten minutes of the clock; where these hold fewer than a hundred
 * operations, of as many as hold them, thirty at most. It is a guess for a person, and decides nothing.
 */

import type { Policy } from '../cutover/cutover.ts';
import { type Evidence, logGood, type RecentMinute } from './evidence.ts';
import { PROVEN_GOOD, type ProvenGood } from './metrics.ts';

/** "At or beyond the rollback threshold" is rejected at 5 %. */
export const PROOF = 20;

/** Minutes; null where it does not come nearer at present, and undefined where there is no rate yet. */
export type TimeToProof = number | null | undefined;

/** What the rate is seen from. */
export type Watched = {
  evidence: Pick<Evidence, 'recent' | 'good' | 'usuallyGood'>;
  firstMinute: number;
  openMinute: number;
  input: { policy: Pick<Policy, 'warmUpMinutes'> };
};

const SPAN_MINUTES = 10;
/** One less than are remembered: the sum before the first of them is needed, too. */
const LONGEST_MINUTES = 29;
const ENOUGH = 100;

/** Until a proof of health, from what its evidence has gained. */
export function minutesToProof(metric: ProvenGood, watched: Watched): TimeToProof {
  const { evidence, openMinute } = watched;
  const began = firstProvingMinute(metric, watched);
  const span = spanOf(watched, metric === 'validation' ? ({ checks }) => checks : ({ n1 }) => n1);
  const start = evidence.recent.findLast(({ minute, good }) => good && minute < openMinute - span && minute >= began);
  const before = start ? start.good![PROVEN_GOOD.indexOf(metric)]! : 0;
  const now = logGood(evidence, metric);
  return timeTo(Math.log(PROOF) - now, now - before, openMinute - 1 - (start ? start.minute : began - 1));
}

/** Latencies prove nothing while caches are cold. */
export const firstProvingMinute = (metric: ProvenGood, { firstMinute, input: { policy } }: Watched): number =>
  metric === 'latency_p50' || metric === 'latency_p95' ? firstMinute + policy.warmUpMinutes : firstMinute;

/** Until so many more operations of the shadow have come. */
export function minutesToSamples(missing: number, watched: Watched): TimeToProof {
  const { sum, minutes } = lastMinutes(watched, ({ n1 }) => n1);
  return timeTo(missing, sum, minutes);
}

/**
 * Until a share of bad ones that is pooled since the stage began falls to what it may be, where good ones go on to come as they do.
 * @param pooled how many there are, and how many of these are bad beyond what the primary's rate explains
 */
export function minutesToShare(
  pooled: { n: number; bad: number },
  most: number,
  of: (minute: RecentMinute) => { n: number; bad: number },
  watched: Watched,
): TimeToProof {
  const { sum: n, minutes } = lastMinutes(watched, (minute) => of(minute).n);
  const { sum: bad } = lastMinutes(watched, (minute) => of(minute).bad);
  return timeTo(pooled.bad - most * pooled.n, most * n - bad, minutes);
}

/** From what it has gained in so many minutes. */
export function timeTo(missing: number, gained: number, minutes: number): TimeToProof {
  if (minutes <= 0) return undefined;
  return gained > 0 ? Math.max(0, (missing * minutes) / gained) : null;
}

function lastMinutes(watched: Watched, of: (minute: RecentMinute) => number): { sum: number; minutes: number } {
  const { evidence, openMinute, firstMinute } = watched;
  const from = Math.max(firstMinute, openMinute - spanOf(watched, ({ n1 }) => n1));
  let sum = 0;
  for (const one of evidence.recent) if (one.minute >= from) sum += of(one);
  return { sum, minutes: openMinute - from };
}

function spanOf({ evidence: { recent }, openMinute }: Watched, of: (minute: RecentMinute) => number): number {
  let seen = 0;
  for (let i = recent.length - 1; i >= 0; i -= 1) {
    seen += of(recent[i]!);
    if (seen >= ENOUGH) return Math.min(LONGEST_MINUTES, Math.max(SPAN_MINUTES, openMinute - recent[i]!.minute));
  }
  return LONGEST_MINUTES;
}
