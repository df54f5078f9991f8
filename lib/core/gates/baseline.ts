/**
 * What the primary usually does: its minutes of about the past hour, older ones weighing less. The minute that is
 * judged is never part of it, so everything that is chosen from it was chosen before.
 */

import type { MinuteWindow } from '../evidence.ts';
import { bucketIndex, type Histogram } from '../histogram.ts';
import { added, bucketOf, countAbove, ranked } from '../ranked.ts';

export type Baseline = {
  /** The newest minute in it; null when there is none. */
  minute: number | null;
  count: number;
  errors: number;
  latency: Histogram;
};

export const EMPTY_BASELINE: Baseline = { minute: null, count: 0, errors: 0, latency: {} };

/** A minute weighs 1/e of a new one after this many. */
const MEMORY_MINUTES = 60;
/** What is believed before anything was seen: one failure in a thousand, worth a hundred operations. */
const PRIOR_COUNT = 100;
const PRIOR_RATE = 0.001;
const TINY = 1e-6;

/** Adds a minute of the primary; a late one counts as if it came with the newest. */
export function withMinute(baseline: Baseline, window: MinuteWindow): Baseline {
  if (window.count === 0) return baseline;
  const minute = Math.max(window.minute, baseline.minute ?? window.minute);
  const kept = baseline.minute === null ? 0 : Math.exp(-(minute - baseline.minute) / MEMORY_MINUTES);
  return {
    minute,
    count: baseline.count * kept + window.count,
    errors: baseline.errors * kept + window.errors,
    latency: added(baseline.latency, window.latency, kept, 1e-3),
  };
}

/** The usual error rate, smoothed. */
export function usualErrorRate({ count, errors }: Baseline): number {
  return inside((errors + PRIOR_COUNT * PRIOR_RATE) / (count + PRIOR_COUNT));
}

/**
 * Edges around the q-quantile, as bucket indexes: of `upper` at most 1 − q of the operations lie above, of `lower` at
 * least as many. `null` without latencies.
 */
export function quantileEdges(latency: Histogram, q: number): { lower: number; upper: number } | null {
  const { total } = ranked(latency);
  const upper = total === 0 ? null : bucketOf(latency, q * total - 1e-9);
  return upper === null ? null : { lower: upper - 1, upper };
}

/** The usual share above an edge, kept off 0 and 1. */
export function usualShareAbove({ latency }: Baseline, edge: number): number {
  const { total } = ranked(latency);
  return inside((countAbove(latency, edge) + TINY) / (total + 2 * TINY));
}

/** The first edge at or beyond `ms`. */
export const edgeAt = (ms: number) => bucketIndex(ms);

const inside = (rate: number) => Math.min(1 - TINY, Math.max(TINY, rate));

/**
 * The most a rate seen in n operations may really be: the upper end of Wilson's interval, three standard errors wide.
 * Used where the primary serves nothing any more and what it did before must stand for it.
 */
export function highestRate(rate: number, n: number): number {
  if (n <= 0) return 1;
  const z2 = 9;
  const middle = rate + z2 / (2 * n);
  return Math.min(1, (middle + Math.sqrt(z2 * ((rate * (1 - rate)) / n + z2 / (4 * n * n)))) / (1 + z2 / n));
}
