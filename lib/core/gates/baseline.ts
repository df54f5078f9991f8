/**
 * What the primary usually does: its minutes of about the past hour, older ones weighing less. The minute that is
 * judged is never part of it, so everything that is chosen from it was chosen before.
 */

import type { BucketedWindow } from './bucketed-window.ts';
import { added, type Buckets, bucketOf, countAbove, NO_BUCKETS } from './buckets.ts';
import { bucketIndex } from './histogram.ts';
import { wilsonInterval } from './statistics.ts';

export type Baseline = {
  /** The newest minute in it; null when there is none. */
  minute: number | null;
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
  count: 0,
  errors: 0,
  latency: NO_BUCKETS,
  newest: { count: 0, errors: 0 },
  scatter: { pairs: 0, squares: 0 },
};

/** A minute weighs 1/e of a new one after this many. */
const MEMORY_MINUTES = 60;
/** What is believed before anything was seen: one failure in a thousand, worth a hundred operations. */
const PRIOR_COUNT = 100;
const PRIOR_RATE = 0.001;
const TINY = 1e-6;

/** Adds a minute of the primary; a late one counts as if it came with the newest. */
export function withMinute(baseline: Baseline, window: BucketedWindow): Baseline {
  if (window.count === 0) return baseline;
  const minute = Math.max(window.minute, baseline.minute ?? window.minute);
  const kept = baseline.minute === null ? 0 : Math.exp(-(minute - baseline.minute) / MEMORY_MINUTES);
  return {
    minute,
    count: baseline.count * kept + window.count,
    errors: baseline.errors * kept + window.errors,
    latency: added(baseline.latency, window.latency, kept, 1e-3),
    newest: { count: window.count, errors: window.errors },
    scatter: scattered(baseline, window, kept),
  };
}

/** So many standard errors a pair counts at most: an incident, which begins and ends once, is no habit. */
const MOST_STANDARD_ERRORS = 4;

function scattered({ newest, scatter }: Baseline, { count, errors }: BucketedWindow, kept: number): Scatter {
  const [pairs, squares] = [scatter.pairs * kept, scatter.squares * kept];
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
 * expectation is 1 for independent failures however few they are, over what two of its standard errors √(3 / pairs) make
 * of it by chance (3 and not 2, since every minute is in two pairs; von Neumann 1941).
 */
export function overdispersion({ scatter: { pairs, squares } }: Baseline): number {
  const found = pairs === 0 ? 1 : squares / pairs / (1 + 2 * Math.sqrt(3 / pairs));
  return Math.min(LARGEST_CLUSTER, Math.max(1, found));
}

/** The usual error rate, smoothed. */
export function usualErrorRate({ count, errors }: Baseline): number {
  return inside((errors + PRIOR_COUNT * PRIOR_RATE) / (count + PRIOR_COUNT));
}

/**
 * Edges around the q-quantile, as bucket indexes: of `upper` at most 1 − q of the operations lie above, of `lower` at
 * least as many. `null` without latencies.
 */
export function quantileEdges(latency: Buckets, q: number): { lower: number; upper: number } | null {
  const upper = bucketOf(latency, q * latency.total - 1e-9);
  return upper === null ? null : { lower: upper - 1, upper };
}

/** The usual share above an edge, kept off 0 and 1. */
export function usualShareAbove({ latency }: Baseline, edge: number): number {
  return inside((countAbove(latency, edge) + TINY) / (latency.total + 2 * TINY));
}

/** The first edge at or beyond `ms`. */
export const edgeAt = (ms: number) => bucketIndex(ms);

const inside = (rate: number) => Math.min(1 - TINY, Math.max(TINY, rate));

/**
 * The most a rate seen in n operations may really be: the upper end of Wilson's interval, three standard errors wide.
 * Used where the primary serves nothing any more and what it did before must stand for it.
 */
export function highestRate(rate: number, n: number): number {
  return n <= 0 ? 1 : Math.min(1, wilsonInterval(rate, n, 3).high);
}
