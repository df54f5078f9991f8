/**
 * Latencies by operation type. One that has become slow may hide among others that have not, and what comes more often than usual may make
 * all of them look slow. So each type has edges of its own, one in each slice of the plan: the keys of a slice may always have had the large lists.
 */

import { lastFade, MEMORY_MINUTES } from './baseline.ts';
import { logNeededOf, OPERATIONS_LATENCY_BUDGET } from './budget.ts';
import { type Buckets, countAboveEdge } from './buckets.ts';
import { beginsOnShadow, edgeBeyond, onShadow, type Planned } from './ground.ts';
import { believedUncertain, believedWhere, spreadBeyondChance, type Standing } from './levels.ts';
import { binomialLogRatio, twoSampleLogRatio } from './likelihood.ts';
import { CERTAIN, inside } from './likelihood-of-minute.ts';
import {
  cap,
  logEvidence,
  loudest,
  type Martingale,
  newMartingale,
  step,
  withoutEvidence,
  withoutExcursions,
} from './martingale.ts';
import { excessVariance, NO_NOISE, type Noise, withShare } from './noise.ts';
import { NO_SIZE, type Size, sized } from './size.ts';

/** What came of one type in one minute, by slice; the last one is what came without. */
export type TypeMinute = { primary: readonly (Buckets | null)[]; shadow: readonly (Buckets | null)[] };

/** Operations of both sides, and how many lay above the edges: of the shadow those beyond what may be, and beyond what forces a rollback. */
type Waiting = { n0: number; e0: number; n1: number; e1: number; over: number };

/** Where the keys of each slice stood as the stage began, in buckets: by themselves, as it is believed, and how uncertain that is as a share. */
type Places = { own: readonly (number | null)[]; edges: readonly (number | null)[]; uncertain: readonly number[] };

export type OperationLatency = {
  name: string;
  /** On the primary in about the last hour, by slice: operations, the sum of their buckets; and the squares of all. */
  usual: { n: readonly number[]; sums: readonly number[]; squares: number; fadedAt: number };
  places: Places | null;
  /** Of the primary since the stage began, and of them above their edges. */
  above: { n: number; above: number };
  noise: Noise;
  waiting: Waiting;
  tested: Martingale;
  size: Size;
};

/** So many types are looked at, the first ones that came. */
export const MOST_TIMED = 12;
/** Shares of the shadow above an edge that has half of the primary above it. */
export const WORSE = [0.65, 0.8, 0.95] as const;
const PRIOR = [0.4, 0.4, 0.2] as const;
/** Sums of an excursion: `Waiting`, in its order. */
export const TIMED_SUMS = 5;
/** Of fewer the place of a type is not known. */
const FEWEST = 20;
const NOTHING: Waiting = { n0: 0, e0: 0, n1: 0, e1: 0, over: 0 };

/** What a minute is held against. */
type Ground = {
  planned: Planned;
  /** Minute of the horizon, and which horizon it is. */
  t: number;
  horizon: number;
  /** Slices that have far more to do than they usually have: their latencies say nothing. */
  busy: readonly number[];
  /** Variance of a minute's share above the median of all types, beyond the binomial one. */
  noise: number;
};

function newLatency(name: string, minute: number): OperationLatency {
  const usual = { n: [], sums: [], squares: 0, fadedAt: lastFade(minute) };
  return { name, usual, places: null, above: { n: 0, above: 0 }, noise: NO_NOISE, ...unjudged() };
}

const unjudged = () => ({
  waiting: NOTHING,
  tested: newMartingale(WORSE.length, TIMED_SUMS),
  size: NO_SIZE,
});

/** How a stage begins: what is usual of the primary is kept. */
export const latencyWithoutShadow = (before: readonly OperationLatency[]): readonly OperationLatency[] =>
  before.map((one) => ({ ...one, above: { n: 0, above: 0 }, ...unjudged() }));

/** The next day: the same counts, and evidence from zero. */
export const nextLatencyHorizon = (before: readonly OperationLatency[]): readonly OperationLatency[] =>
  before.map((one) => ({ ...one, tested: withoutEvidence(one.tested) }));

/** Caches are warm: what lay beyond the threshold says nothing any more. */
export const warmLatency = (before: readonly OperationLatency[]): readonly OperationLatency[] =>
  before.map((one) => ({ ...one, tested: withoutExcursions(one.tested), size: NO_SIZE }));

/** All that were seen before, and those that come for the first time. */
function known(before: readonly OperationLatency[], seen: ReadonlyMap<string, TypeMinute>, minute: number) {
  if (before.length >= MOST_TIMED) return before;
  const names = new Set(before.map(({ name }) => name));
  const more = [...seen.keys()].filter((name) => !names.has(name)).sort();
  return [...before, ...more.map((name) => newLatency(name, minute))].slice(0, MOST_TIMED);
}

/** What the primary did in a minute. @param elsewhere slices that the shadow serves: what is left of them on the primary is no sample */
export function learnLatency(
  before: readonly OperationLatency[],
  seen: ReadonlyMap<string, TypeMinute>,
  minute: number,
  elsewhere: (slice: number) => boolean,
): readonly OperationLatency[] {
  return known(before, seen, minute).map((one) => {
    const primary = seen.get(one.name)?.primary ?? [];
    const usual = faded(one.usual, minute);
    const [n, sums] = [[...usual.n], [...usual.sums]];
    let squares = usual.squares;
    const common = meanOf(usual.n, usual.sums);
    let [count, above] = [0, 0];
    for (const [slice, latency] of primary.entries()) {
      while (n.length <= slice) {
        n.push(0);
        sums.push(0);
      }
      if (!latency || elsewhere(slice)) continue;
      n[slice]! += latency.total;
      const { sum, square } = moments(latency);
      sums[slice]! += sum;
      squares += square;
      count += latency.total;
      if (common !== null) above += countAboveEdge(latency, common);
    }
    const noise = common === null ? one.noise : withShare(one.noise, minute, { n: count, above });
    return { ...one, usual: { n, sums, squares, fadedAt: usual.fadedAt }, noise };
  });
}

function faded(usual: OperationLatency['usual'], minute: number): OperationLatency['usual'] {
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

function moments({ first, counts }: Buckets): { sum: number; square: number } {
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

const meanOf = (n: readonly number[], sums: readonly number[]): number | null =>
  total(n) > 0 ? total(sums) / total(n) : null;

const meanIn = ({ n, sums }: OperationLatency['usual'], slice: number): number | null =>
  n[slice]! > 0 ? sums[slice]! / n[slice]! : null;

/** Where the slices stand at the first minute of a stage, see `levelsOf`: keys that differ, differ in each type. */
export function placeLatency(before: readonly OperationLatency[], standing: Standing): readonly OperationLatency[] {
  return before.map((one) => ({ ...one, places: placesOf(one, standing) }));
}

function placesOf({ usual, places }: OperationLatency, { fresh, sticky, total: all }: Standing): Places | null {
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
function movedSince(usual: OperationLatency['usual'], { own }: Places, isThere: (slice: number) => boolean): number {
  let [moved, weight] = [0, 0];
  for (const [slice, before] of own.entries()) {
    const now = meanIn(usual, slice);
    if (before === null || now === null || !isThere(slice)) continue;
    moved += usual.n[slice]! * (now - before);
    weight += usual.n[slice]!;
  }
  return weight > 0 ? moved / weight : 0;
}

/** One minute of both sides. Where all is one type, the sum says it. */
export function testLatency(
  before: readonly OperationLatency[],
  seen: ReadonlyMap<string, TypeMinute>,
  minute: number,
  ground: Ground,
): readonly OperationLatency[] {
  const all = known(before, seen, minute);
  if (all.length < 2) return all;
  const limits = cap(neededBy(all.length, ground.horizon), PRIOR);
  return all.map((one) => {
    const came = seen.get(one.name);
    const { counted, offset } = came ? compared(one, came, ground) : { counted: NOTHING, offset: 0 };
    const waiting = both(one.waiting, counted);
    const { n0, e0, n1, e1, over } = waiting;
    const speaks = n0 > 0 && n1 > 0;
    const usual = inside((one.above.above + 0.5 * FEWEST) / (one.above.n + FEWEST));
    const counting = usual * (1 - usual) * (1 / n0 + 1 / n1);
    const spread = 1 + (2 * Math.max(ground.noise, excessVariance(one.noise))) / counting;
    const border = usual + offset;
    const logRatios = WORSE.map((worse) => {
      const q1 = Math.min(CERTAIN, border + (2 * worse - 1) * (1 - usual));
      return speaks && q1 > border ? twoSampleLogRatio(waiting, usual, q1, offset) / spread : 0;
    });
    const [high, low] = usual > 0.4 ? [usual + 0.12, usual - 0.12] : [usual * 2, usual / 2];
    const size = speaks ? binomialLogRatio(n1, over, inside(high + offset), inside(low + offset)) / spread : 0;
    return {
      ...one,
      above: { n: one.above.n + counted.n0, above: one.above.above + counted.e0 },
      waiting: speaks ? NOTHING : waiting,
      tested: step(one.tested, { t: ground.t, logRatios, counts: speaks ? [n0, e0, n1, e1, over] : NO_COUNTS }, limits),
      size: speaks ? sized(one.size, size) : one.size,
    };
  });
}

const NO_COUNTS = [0, 0, 0, 0, 0] as const;

/** How many of each side lie above the edge of their own slice, and what is not known of these edges, as a share. */
function compared(one: OperationLatency, { primary, shadow }: TypeMinute, { planned, busy }: Ground) {
  const { policy, ends } = planned;
  const counted = { ...NOTHING };
  let [uncertain0, uncertain1] = [0, 0];
  const moved = one.places ? movedSince(one.usual, one.places, (slice) => !onShadow(planned, slice)) : 0;
  const edgeOf = (slice: number) => {
    // Of what came without a slice there is one place, which is where it is now.
    if (slice === ends.length) return one.usual.n[slice]! >= FEWEST ? meanIn(one.usual, slice) : null;
    const edge = one.places?.edges[slice] ?? null;
    return edge === null ? null : edge + moved;
  };
  for (let slice = 0; slice <= ends.length; slice += 1) {
    const edge = edgeOf(slice);
    if (edge === null) continue;
    const uncertain = slice < ends.length ? one.places!.uncertain[slice]! : 0;
    const [before, now] = [primary[slice], shadow[slice]];
    if (before && !onShadow(planned, slice)) {
      counted.n0 += before.total;
      counted.e0 += countAboveEdge(before, edge);
      uncertain0 += before.total * uncertain;
    }
    if (now && !busy.includes(slice) && (slice === ends.length || beginsOnShadow(planned, slice))) {
      const at = (increase: number) => countAboveEdge(now, edgeBeyond(edge, increase, policy.latencyFloorMs));
      counted.n1 += now.total;
      counted.e1 += at(policy.latencyIncreaseAdvance);
      counted.over += at(policy.latencyIncreaseRollback);
      uncertain1 += now.total * uncertain;
    }
  }
  const of = (sum: number, n: number) => (n > 0 ? sum / n : 0);
  return { counted, offset: of(uncertain0, counted.n0) + of(uncertain1, counted.n1) };
}

const both = (a: Waiting, b: Waiting): Waiting => ({
  n0: a.n0 + b.n0,
  e0: a.e0 + b.e0,
  n1: a.n1 + b.n1,
  e1: a.e1 + b.e1,
  over: a.over + b.over,
});

/** ln 1/α of one of so many types. */
const neededBy = (types: number, horizon: number) =>
  logNeededOf(OPERATIONS_LATENCY_BUDGET, horizon) + Math.log(Math.max(1, types));

/** What is known of one type: whether it is proven to be slower, the counts of its excursion, and where the primary is, in buckets. */
export type TimedOperation = { name: string; proven: boolean; size: Size; counts: Waiting; badMinutes: number; edge: number };

/** @param least bad minutes that the policy asks for */
export function timedOperations(
  { latencies, minutes, horizon }: { latencies: readonly OperationLatency[]; minutes: number; horizon: number },
  least: number,
): TimedOperation[] {
  if (latencies.length < 2) return [];
  const logNeeded = neededBy(latencies.length, horizon);
  return latencies.map(({ name, tested, size, usual }) => {
    const { bad, sums } = loudest(tested);
    const [n0, e0, n1, e1, over] = sums as [number, number, number, number, number];
    return {
      name,
      proven: logEvidence(tested, minutes, PRIOR) >= logNeeded && bad >= least,
      size,
      counts: { n0, e0, n1, e1, over },
      badMinutes: bad,
      edge: meanOf(usual.n, usual.sums) ?? 0,
    };
  });
}
