/** Where an operation type stands on the primary, in each slice of the plan: means of the logarithm of its latencies, in buckets. */

import { lastFade, MEMORY_MINUTES } from './baseline.ts';
import type { Buckets } from './buckets.ts';
import { believedUncertain, believedWhere, type Standing, spreadBeyondChance } from './levels.ts';

/** On the primary in about the last hour, by slice: operations, the sum of their buckets; and the squares of all. */
export type Usual = { n: readonly number[]; sums: readonly number[]; squares: number; fadedAt: number };

/** Where the keys of each slice stood as the stage began, in buckets: by themselves, as it is believed, and how uncertain that is as a share. */
export type Places = {
  own: readonly (number | null)[];
  edges: readonly (number | null)[];
  uncertain: readonly number[];
};

/** Of fewer the place of a type is not known. */
export const FEWEST = 20;

export function faded(usual: Usual, minute: number): Usual {
  const fadedAt = Math.max(lastFade(minute), usual.fadedAt);
  if (fadedAt === usual.fadedAt) return usual;
  const kept = Math.exp(-(fadedAt - usual.fadedAt) / MEMORY_MINUTES);
  const n = usual.n.map((count) => Math.round(count * kept));
  // Means stay as they are, whatever the counts lose by rounding.
  const parts = usual.n.map((count, i) => (count > 0 ? n[i]! / count : 0));
  const sums = usual.sums.map((sum, i) => Math.round(sum * parts[i]!));
  const [all, left] = [total(usual.n), total(n)];
  return { n, sums, squares: all > 0 ? Math.round((usual.squares * left) / all) : 0, fadedAt };
}

export function moments({ first, counts }: Buckets): { sum: number; square: number } {
  let [sum, square] = [0, 0];
  for (let i = 0; i < counts.length; i += 1) {
    const bucket = first + i;
    sum += counts[i]! * bucket;
    square += counts[i]! * bucket * bucket;
  }
  return { sum, square };
}

function total(figures: readonly number[]): number {
  let sum = 0;
  for (const figure of figures) sum += figure;
  return sum;
}

export const meanOf = (n: readonly number[], sums: readonly number[]): number | null =>
  total(n) > 0 ? total(sums) / total(n) : null;

export const meanIn = ({ n, sums }: Usual, slice: number): number | null =>
  n[slice]! > 0 ? sums[slice]! / n[slice]! : null;

export function placesOf(
  { usual, places }: { usual: Usual; places: Places | null },
  { fresh, sticky, total: all }: Standing,
): Places | null {
  const { n, sums, squares } = usual;
  const seen = [...fresh.keys()].filter((slice) => fresh[slice] && n[slice]! > 0);
  const count = seen.reduce((sum, slice) => sum + n[slice]!, 0);
  if (count < FEWEST) return places;
  const common = seen.reduce((sum, slice) => sum + sums[slice]!, 0) / count;
  let within = squares;
  for (const [slice, some] of n.entries()) if (some > 0) within -= sums[slice]! ** 2 / some;
  // Latencies that are all in one bucket are as certain as a bucket is wide.
  const variance = Math.max(1, within / total(n));
  const squaresOf = (slice: number) => (n[slice]! * (sums[slice]! / n[slice]! - common) ** 2) / variance;
  const differ = spreadBeyondChance(seen.map(squaresOf));
  const believed = believedWhere(Math.max(differ, (sticky * count) / Math.max(count, all)));
  const moved = places ? movedSince(usual, places, (slice) => fresh[slice]!) : 0;
  const own = [...fresh.keys()].map((slice) => (fresh[slice] ? meanIn(usual, slice) : null));
  return {
    own,
    edges: own.map((mean, slice) => {
      if (!fresh[slice]) return places?.edges[slice] == null ? null : places.edges[slice]! + moved;
      if (mean === null) return believed === 0 ? common : null;
      return common + believed * (mean - common);
    }),
    uncertain: own.map((_, slice) =>
      fresh[slice] ? believedUncertain(believed, 0.5, n[slice] ?? 0) : (places?.uncertain[slice] ?? 0),
    ),
  };
}

/** By how many buckets the slices that are still on the primary have moved since they were placed. */
export function movedSince(usual: Usual, { own }: Places, isThere: (slice: number) => boolean): number {
  let [moved, weight] = [0, 0];
  for (const [slice, before] of own.entries()) {
    const now = meanIn(usual, slice);
    if (before === null || now === null || !isThere(slice)) continue;
    moved += usual.n[slice]! * (now - before);
    weight += usual.n[slice]!;
  }
  return weight > 0 ? moved / weight : 0;
}
