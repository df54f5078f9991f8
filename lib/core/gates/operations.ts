/**
 * Failures by operation type. One that is rare may fail every time and change nothing of the sum, so each has evidence of its own that the
 * shadow fails it more often than the primary does; what one may fail by chance is shared out among all of them.
 */

import { lastFade, MEMORY_MINUTES, usualErrorRate } from './baseline.ts';
import { logNeededOf, OPERATIONS_BUDGET } from './budget.ts';
import { twoSampleLogRatio } from './likelihood.ts';
import { CERTAIN } from './likelihood-of-minute.ts';
import {
  HORIZON_MINUTES,
  logEvidence,
  logWeight,
  loudest,
  type Martingale,
  newMartingale,
  step,
  withoutEvidence,
} from './martingale.ts';

/** Operations and failures of both sides. */
export type Tally = { n0: number; e0: number; n1: number; e1: number };

export type OperationEvidence = {
  name: string;
  /** On the primary in about the last hour, and the minute to which older ones were last made to weigh less. */
  usual: { count: number; errors: number; fadedAt: number };
  /** What came since there last was some of both sides: a rare one seldom has both in one minute. */
  waiting: Tally;
  /** On the shadow since the stage began. */
  n1: number;
  tested: Martingale;
};

/** What a minute is held against. */
type Ground = {
  /** Minute of the horizon, and which horizon it is. */
  t: number;
  horizon: number;
  /** By how much the shadow may fail more often, as a share. */
  margin: number;
  /** How many failures come together. */
  clusters: number;
};

/** So many types are looked at, the first ones that came. */
export const MOST_OPERATIONS = 24;
/**
 * By how much more of its operations fail: some, many, or all. What is laid on each decides the most of the last one: of a type that comes
 * once in half an hour, two failures are a proof then, and three where nothing speaks for "all".
 */
export const EXCESS = [0.04, 0.4, 0.95] as const;
const PRIOR = [0.2, 0.3, 0.5] as const;
export const SUMS = 4;
/** Two minutes may prove it of a rare type, of which there are fewer operations than this in one. */
const LEAST_MINUTES = 2;
const RARE = 5;
const NOTHING: Tally = { n0: 0, e0: 0, n1: 0, e1: 0 };

/** How a stage begins: what is usual of the primary is kept. */
export const withoutShadow = (before: readonly OperationEvidence[]): readonly OperationEvidence[] =>
  before.map(({ name, usual }) => newOperation(name, usual));

/** The next day: the same counts, and evidence from zero. */
export const nextHorizon = (before: readonly OperationEvidence[]): readonly OperationEvidence[] =>
  before.map((one) => ({ ...one, tested: withoutEvidence(one.tested) }));

function newOperation(name: string, usual: OperationEvidence['usual']): OperationEvidence {
  return { name, usual, waiting: NOTHING, n1: 0, tested: newMartingale(EXCESS.length, SUMS) };
}

/** All that were seen before, and those that come for the first time. */
function known(before: readonly OperationEvidence[], seen: ReadonlyMap<string, Tally>, minute: number) {
  const more = newNames(before, seen);
  if (more.length === 0) return before;
  const usual = { count: 0, errors: 0, fadedAt: lastFade(minute) };
  return [...before, ...more.map((name) => newOperation(name, usual))].slice(0, MOST_OPERATIONS);
}

/** Names of a minute that were not there before, in their order. */
export function newNames(before: readonly { name: string }[], seen: ReadonlyMap<string, unknown>): string[] {
  const more: string[] = [];
  for (const name of seen.keys()) if (!before.some((one) => one.name === name)) more.push(name);
  return more.sort();
}

/** What the primary did in a minute. */
export function learnOperations(
  before: readonly OperationEvidence[],
  seen: ReadonlyMap<string, Tally>,
  minute: number,
): readonly OperationEvidence[] {
  return known(before, seen, minute).map((one) => {
    const { n0, e0 } = seen.get(one.name) ?? NOTHING;
    const fadedAt = lastFade(minute);
    const kept = Math.exp(-Math.max(0, fadedAt - one.usual.fadedAt) / MEMORY_MINUTES);
    const left = (n: number) => (kept < 1 ? Math.round(n * kept) : n);
    return {
      ...one,
      usual: {
        count: left(one.usual.count) + n0,
        errors: left(one.usual.errors) + e0,
        fadedAt: Math.max(fadedAt, one.usual.fadedAt),
      },
    };
  });
}

/** One minute of both sides. Where all is one type, the sum says it. */
export function testOperations(
  before: readonly OperationEvidence[],
  seen: ReadonlyMap<string, Tally>,
  minute: number,
  ground: Ground,
): readonly OperationEvidence[] {
  const all = known(before, seen, minute);
  const most = neededBy(all.length, ground.horizon) - logWeight(HORIZON_MINUTES);
  const limits = PRIOR.map((weight) => (most - Math.log(weight)) / LEAST_MINUTES);
  return all.map((one) => {
    const came = seen.get(one.name) ?? NOTHING;
    const waiting = both(one.waiting, came);
    const speaks = all.length > 1 && waiting.n0 > 0 && waiting.n1 > 0;
    const logRatios = EXCESS.map((excess) => (speaks ? logRatio(waiting, one.usual, excess, ground) : 0));
    const { n0, e0, n1, e1 } = waiting;
    const counts = speaks ? [n0, e0, n1, e1] : [0, 0, 0, 0];
    return {
      ...one,
      waiting: speaks ? NOTHING : waiting,
      n1: one.n1 + came.n1,
      tested: step(one.tested, { t: ground.t, logRatios, counts }, limits),
    };
  });
}

function logRatio(
  tally: Tally,
  usual: OperationEvidence['usual'],
  excess: number,
  { margin, clusters }: Ground,
): number {
  const rate = usualErrorRate(usual);
  const worse = Math.min(CERTAIN, rate + margin + excess);
  return worse > rate + margin ? twoSampleLogRatio(tally, rate, worse, margin) / clusters : 0;
}

const both = (a: Tally, b: Tally): Tally => ({ n0: a.n0 + b.n0, e0: a.e0 + b.e0, n1: a.n1 + b.n1, e1: a.e1 + b.e1 });

/** ln 1/α of one of so many types. */
const neededBy = (types: number, horizon: number) =>
  logNeededOf(OPERATIONS_BUDGET, horizon) + Math.log(Math.max(1, types));

/** What is known of one type: how far its evidence is, and the counts of its excursion. */
export type TestedOperation = { name: string; logEvidence: number; logNeeded: number; proven: boolean; counts: Tally };

/** @param least bad minutes that the policy asks for, which a rare type may do without */
export function testedOperations(
  { operations, minutes, horizon }: { operations: readonly OperationEvidence[]; minutes: number; horizon: number },
  least: number,
): TestedOperation[] {
  if (operations.length < 2) return [];
  const logNeeded = neededBy(operations.length, horizon);
  return operations.map(({ name, tested }) => {
    const { bad, sums } = loudest(tested);
    const [n0, e0, n1, e1] = sums as [number, number, number, number];
    const evidence = logEvidence(tested, minutes, PRIOR);
    const needed = n1 < RARE * bad ? Math.min(LEAST_MINUTES, least) : least;
    const proven = evidence >= logNeeded && bad >= needed;
    return { name, logEvidence: evidence, logNeeded, proven, counts: { n0, e0, n1, e1 } };
  });
}

/** A type that is less than this share of the primary's operations need not have been seen on the shadow. */
const COMMON = 0.01;
export const FEWEST = 5;

/** Of so many the shadow would have got one if it got any: this type is never routed. */
const NEVER_ROUTED = 100;

/** Common types of which the shadow has not served enough in this stage, and how many it has. */
export function unseenOperations(
  operations: readonly OperationEvidence[],
  share: number,
): { name: string; n1: number }[] {
  if (operations.length < 2 || share >= 1) return [];
  const all = operations.reduce((sum, { usual }) => sum + usual.count, 0);
  const isUnseen = ({ usual: { count }, n1 }: OperationEvidence) =>
    count >= COMMON * all && n1 < FEWEST && (n1 > 0 || (count * share) / (1 - share) < NEVER_ROUTED);
  return operations.filter(isUnseen).map(({ name, n1 }) => ({ name, n1 }));
}
