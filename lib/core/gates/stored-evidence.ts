/**
 * Folded evidence as it is stored: the counts of a histogram as text. Neighbouring buckets hold similar counts, so each is written as what it
 * differs by from the one before, in as few letters as that takes (VLQ in base 64, as in source maps). Packed it is half of what a list of
 * numbers is, and it is read without a look at every number.
 */

import type { Baseline } from './baseline.ts';
import type { Buckets } from './buckets.ts';
import type { Evidence } from './evidence.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Each letter holds five bits, the lowest first, and whether more follow. */
const HALF = 32;
const PLACES = new Map([...LETTERS].map((letter, place) => [letter, place]));

/** Whole numbers of any sign as text. */
export function countsText(counts: readonly number[]): string {
  let text = '';
  let before = 0;
  for (const count of counts) {
    const by = count - before;
    before = count;
    let rest = by < 0 ? -2 * by - 1 : 2 * by;
    for (; rest >= HALF; rest = Math.floor(rest / HALF)) text += LETTERS[HALF + (rest % HALF)];
    text += LETTERS[rest];
  }
  return text;
}

/** The numbers of a text; null where it is none of ours. */
export function countsIn(text: string): number[] | null {
  const counts: number[] = [];
  let [before, rest, unit] = [0, 0, 1];
  for (const letter of text) {
    const place = PLACES.get(letter);
    if (place === undefined) return null;
    rest += (place % HALF) * unit;
    unit *= HALF;
    if (place >= HALF) continue;
    before += rest % 2 === 1 ? -(rest + 1) / 2 : rest / 2;
    counts.push(before);
    [rest, unit] = [0, 1];
  }
  return unit === 1 && counts.every(Number.isSafeInteger) ? counts : null;
}

const storedBuckets = ({ first, counts }: Buckets) => ({ first, counts: countsText(counts) });
const withStored = <Of extends { latency: Buckets }>(of: Of) => ({ ...of, latency: storedBuckets(of.latency) });

export type StoredBuckets = ReturnType<typeof storedBuckets>;

/** The histogram that was stored; null where it counts nothing that can be. */
export function bucketsIn({ first, counts: text }: StoredBuckets): Buckets | null {
  const counts = countsIn(text);
  if (!counts || counts.some((count) => count < 0)) return null;
  return { first, counts, total: counts.reduce((sum, count) => sum + count, 0) };
}

export const storedEvidence = (evidence: Evidence) => ({
  ...evidence,
  baseline: withStored<Baseline>(evidence.baseline),
  slices: evidence.slices.map(withStored<Baseline>),
  primary: withStored(evidence.primary),
  shadow: withStored(evidence.shadow),
});
