/**
 * What the primary usually does: its minutes of about the past hour, older ones weighing less. The minute that is
 * judged is never part of it, so everything that is chosen from it was chosen before.
 */

import type { BucketedWindow } from './bucketed-window.ts';
import { added, type Buckets, NO_BUCKETS, weighed } from './buckets.ts';
import { wilsonInterval } from './statistics.ts';

export type Baseline = {
  /** The newest minute in it, and that to which older ones were last made to weigh less; null when there is none. */
  minute: number | null;
  fadedAt: number | null;
  /** Minutes in which it was looked at, whether anything came or not. */
  minutes: number;
  count: number;
  errors: number;
  latency: Buckets;
  /** Its newest minute, and how much the failures of neighbouring minutes differed. */
  newest: { count: number; errors: number };
  scatter: Scatter;
};

/** Pairs of neighbouring minutes in which something failed and something did not, and the sum of their χ². */
type Scatter = { pairs: number; squares: number };

export const EMPTY_BASELINE: Baseline = {
  minute: null,
  fadedAt: null,
  minutes: 0,
  count: 0,
  errors: 0,
  latency: NO_BUCKETS,
  newest: { count: 0, errors: 0 },
  scatter: { pairs: 0, squares: 0 },
};

/** A minute weighs 1/e of a new one after this many. */
export const MEMORY_MINUTES = 60;
/** The same of a slice, of which there is less to see. */
const SLICE_MEMORY_MINUTES = 120;
/** How failures scatter is a habit, and takes many minutes to be seen. */
const SCATTER_MEMORY_MINUTES = 240;
/** What is believed before anything was seen: one failure in a thousand, worth a hundred operations. */
const PRIOR_COUNT = 100;
const PRIOR_RATE = 0.001;
const TINY = 1e-6;

/**
 * Older minutes are made to weigh less every so many minutes of the clock, and not in every one: sums of whole numbers stay whole, and
 * wherever a fold begins it makes the same of the same minutes.
 */
const FADE_MINUTES = 10;
export const lastFade = (minute: number): number => minute - (((minute % FADE_MINUTES) + FADE_MINUTES) % FADE_MINUTES);

/** Adds a minute of the primary; a late one counts as if it came with the newest. */
export function withMinute(before: Baseline, window: BucketedWindow): Baseline {
  return window.count === 0 ? before : grown(before, window, MEMORY_MINUTES);
}

/** The same of a slice; in a minute without a window nothing came of it. */
export function sliceWithMinute(before: Baseline, minute: number, window: BucketedWindow | null): Baseline {
  const after =
    window && window.count > 0
      ? grown(before, window, SLICE_MEMORY_MINUTES)
      : faded(before, Math.max(minute, before.minute ?? minute), SLICE_MEMORY_MINUTES);
  return { ...after, minutes: after.minutes + 1 };
}

function grown(before: Baseline, window: BucketedWindow, memoryMinutes: number): Baseline {
  const minute = Math.max(window.minute, before.minute ?? window.minute);
  const baseline = faded(before, minute, memoryMinutes);
  return {
    minute,
    fadedAt: baseline.fadedAt,
    minutes: baseline.minutes,
    count: baseline.count + window.count,
    errors: baseline.errors + window.errors,
    latency: added(baseline.latency, window.latency),
    newest: { count: window.count, errors: window.errors },
    scatter: scattered(baseline, window),
  };
}

function faded(baseline: Baseline, minute: number, memoryMinutes: number): Baseline {
  const fadedAt = lastFade(minute);
  const since = fadedAt - (baseline.fadedAt ?? fadedAt);
  if (baseline.fadedAt === null) return { ...baseline, fadedAt };
  if (since < FADE_MINUTES) return baseline;
  const kept = Math.exp(-since / memoryMinutes);
  const { scatter } = baseline;
  const longer = Math.exp(-since / SCATTER_MEMORY_MINUTES);
  const latency = weighed(baseline.latency, kept);
  return {
    ...baseline,
    fadedAt,
    minutes: baseline.minutes * kept,
    count: latency.total,
    errors: (baseline.errors * latency.total) / Math.max(1, baseline.count),
    latency,
    scatter: { pairs: scatter.pairs * longer, squares: scatter.squares * longer },
  };
}

/** So many standard errors a pair counts at most: an incident, which begins and ends once, is no habit. */
const MOST_STANDARD_ERRORS = 4;

function scattered({ newest, scatter }: Baseline, { count, errors }: BucketedWindow): Scatter {
  const { pairs, squares } = scatter;
  const [n, e] = [newest.count + count, newest.errors + errors];
  if (newest.count === 0 || e === 0 || e === n) return { pairs, squares };
  const apart = newest.errors * (count - errors) - errors * (newest.count - newest.errors);
  const square = (n * apart ** 2) / (newest.count * count * e * (n - e));
  return { pairs: pairs + 1, squares: squares + Math.min(square, MOST_STANDARD_ERRORS ** 2) };
}

/** No client tries more often; and nothing may need more than so many times the evidence. */
const LARGEST_CLUSTER = 5;

/**
 * By how much the variance of the failures exceeds that of failures which are independent of each other, from 1 to 5: c
 * where each comes with c − 1 others, as those of clients that try again. It is the mean χ² of neighbouring minutes, whose
 * expectation is 1 for independent failures however few they are, less two of its standard errors √(3 / pairs), and twice what is left:
 * a cluster that is taken for half of what it is rolls a healthy stage back (3 and not 2, since every minute is in two pairs; von Neumann 1941).
 */
export function overdispersion({ scatter: { pairs, squares } }: Baseline): number {
  if (pairs === 0) return 1;
  const found = squares / pairs;
  const least = found / (1 + 2 * Math.sqrt(3 / pairs));
  return Math.min(LARGEST_CLUSTER, Math.max(1, 1 + 2 * (least - 1)));
}

/** The usual error rate, smoothed. */
export function usualErrorRate({ count, errors }: Pick<Baseline, 'count' | 'errors'>): number {
  return inside((errors + PRIOR_COUNT * PRIOR_RATE) / (count + PRIOR_COUNT));
}

const inside = (rate: number) => Math.min(1 - TINY, Math.max(TINY, rate));

/**
 * The most a rate seen in n operations may really be: the upper end of Wilson's interval, three standard errors wide.
 * Used where the primary serves nothing any more and what it did before must stand for it.
 */
export function highestRate(rate: number, n: number): number {
  return n <= 0 ? 1 : Math.min(1, wilsonInterval(rate, n, 3).high);
}
