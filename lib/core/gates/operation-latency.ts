/**
 * Latencies by operation type. One that has become slow may hide among others that have not, and what comes more often than usual may make
 * all of them look slow. So each type has edges of its own, one in each slice of the plan: the keys of a slice may always have had the large lists.
 */

import { lastFade } from './baseline.ts';
import { countAboveEdge } from './buckets.ts';
import { logNeededOf, OPERATIONS_LATENCY_BUDGET } from './budget.ts';
import { beginsOnShadow, edgeBeyond, onShadow, type Planned } from './ground.ts';
import type { Standing } from './levels.ts';
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
import { countOf, type Mix, mixAfter, mixOf, NO_MIX, type TypeMinute } from './mix.ts';
import { excessVariance, NO_NOISE, type Noise, withShare } from './noise.ts';
import {
  FEWEST,
  faded,
  meanIn,
  meanOf,
  moments,
  movedSince,
  type Places,
  placesOf,
  type Usual,
} from './operation-places.ts';
import { newNames } from './operations.ts';
import { NO_SIZE, type Size, sized } from './size.ts';

/** Operations of both sides, and how many lay above the edges: of the shadow those beyond what may be, and beyond what forces a rollback. */
type Waiting = { n0: number; e0: number; n1: number; e1: number; over: number };

export type OperationLatency = {
  name: string;
  usual: Usual;
  places: Places | null;
  mix: Mix;
  /** Of the primary since the stage began, and of them above their edges. */
  above: { n: number; above: number };
  noise: Noise;
  waiting: Waiting;
  tested: Martingale;
  size: Size;
};

/** So many types are looked at: the first ones that came, of one minute the most frequent ones. */
export const MOST_TIMED = 8;
/** Shares of the shadow above an edge that has half of the primary above it. */
export const WORSE = [0.65, 0.8, 0.95] as const;
const PRIOR = [0.4, 0.4, 0.2] as const;
/** Sums of an excursion: `Waiting`, in its order. */
export const TIMED_SUMS = 5;
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
  return { name, usual, places: null, mix: NO_MIX, above: { n: 0, above: 0 }, noise: NO_NOISE, ...unjudged() };
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

/** All that were seen before, and those that come for the first time. Where all is one type, the sum says it. */
function known(before: readonly OperationLatency[], seen: ReadonlyMap<string, TypeMinute>, minute: number) {
  if (before.length >= MOST_TIMED) return before;
  const more = newNames(before, seen);
  if (more.length === 0 || before.length + more.length < 2) return before;
  const often = (name: string) => countOf(seen.get(name)!.primary) + countOf(seen.get(name)!.shadow);
  more.sort((a, b) => often(b) - often(a));
  const all = [...before, ...more.map((name) => newLatency(name, minute))].slice(0, MOST_TIMED);
  return all.length > 1 ? all : [];
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
    for (const [slice, window] of primary.entries()) {
      while (n.length <= slice) {
        n.push(0);
        sums.push(0);
      }
      if (!window || elsewhere(slice)) continue;
      const { latency } = window;
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

/** Where the slices stand at the first minute of a stage, see `levelsOf`: keys that differ, differ in each type. */
export function placeLatency(
  before: readonly OperationLatency[],
  standing: Standing | null,
  slices: Pick<Planned, 'ends' | 'share'>,
): readonly OperationLatency[] {
  const mixes = mixOf(
    before.map(({ usual }) => usual.n),
    slices,
  );
  return before.map((one, i) => ({
    ...one,
    places: standing ? placesOf(one, standing) : one.places,
    mix: mixes[i]!,
  }));
}

/** The types of a minute, and how often they have come in the last ones. */
export function mixLatency(
  before: readonly OperationLatency[],
  seen: ReadonlyMap<string, TypeMinute>,
  minute: number,
): readonly OperationLatency[] {
  return known(before, seen, minute).map((one) => ({ ...one, mix: mixAfter(one, seen.get(one.name)) }));
}

/** One minute of both sides. @param all from `mixLatency` */
export function testLatency(
  all: readonly OperationLatency[],
  seen: ReadonlyMap<string, TypeMinute>,
  ground: Ground,
): readonly OperationLatency[] {
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
    const [before, now] = [primary[slice]?.latency, shadow[slice]?.latency];
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
export type TimedOperation = {
  name: string;
  proven: boolean;
  size: Size;
  counts: Waiting;
  badMinutes: number;
  edge: number;
};

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
