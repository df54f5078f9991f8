/**
 * One minute of both sides, made comparable: how many operations of each lie above the edge of their own slice.
 */

import type { BucketedWindow } from './bucketed-window.ts';
import { countAboveEdge } from './buckets.ts';
import { type Ground, type Part, type SideMinute, sum } from './ground.ts';

type ComparedLatency = {
  /** Of the primary, and of the shadow where nothing is slower, beyond what may be, and beyond what forces a rollback. */
  primary: number;
  same: number;
  shadow: number;
  over: number;
  /** What is usual of the primary there; null without any past. */
  usual: number | null;
  /** To prove it good: the same a bucket lower. */
  good: { primary: number; over: number; usual: number; better: number };
  /** What the shadow's slices may lie above the others without being worse, as a share. */
  offset: number;
};

export type Compared = {
  n0: number;
  n1: number;
  /** Operations of the shadow whose latencies can be compared: without slices that have far more of them than they usually have. */
  timed: number;
  /** These slices. */
  busy: readonly number[];
  errors: { primary: number; shadow: number; usual: number; offset: number };
  /** By latency metric. */
  latency: readonly ComparedLatency[];
  /** So little is left on the primary that its past has to stand for it where health is to be proven. */
  fewLeft: boolean;
  /** Operations of the primary's past where the primary serves nothing that could be compared with; else null. */
  past: number | null;
  /** Operations that the slices of the shadow should have had by the traffic of the others, and what came; null when unknown. */
  expected: number | null;
  arrived: number;
};

/** The past stands for the primary where it serves less than one operation of so many. */
export const FEW_LEFT = 20;

/** So many standard deviations of what is not known of a slice are not held against the shadow. */
const UNCERTAIN = 1;

/** @param traffic of each slice in the last minutes, see `trafficAfter` */
export function compare(
  primary: SideMinute | null,
  shadow: SideMinute | null,
  ground: Ground,
  traffic: readonly Traffic[],
): Compared {
  const control = present(primary, ground.control);
  let [n0, failed, weight, weighed] = [0, 0, 0, 0];
  for (const { part, window } of control) {
    n0 += window.count;
    failed += window.errors;
    weight += part.weight;
    if (part.weight > 0) weighed += window.count;
  }
  const timed: Present[] = [];
  const busy: number[] = [];
  let [n1, shadowFailed, arrived] = [0, 0, 0];
  const served = present(shadow, ground.served).map(({ part, window }) => {
    const expected = weight > 0 ? (weighed * part.most) / weight : null;
    const surplus = surplusOf(window.count, expected, weighed, traffic[part.slice]);
    n1 += window.count - surplus;
    shadowFailed += Math.max(0, window.errors - surplus);
    if (part.weight > 0) arrived += window.count;
    if (surplus > 0) busy.push(part.slice);
    else timed.push({ part, window });
    return { part, counted: window.count - surplus };
  });
  const ofShadow = (of: (part: Part) => number) => {
    let total = 0;
    for (const { part, counted } of served) total += counted * of(part);
    return n1 > 0 ? total / n1 : 0;
  };
  const ofControl = (of: (part: Part) => number) => {
    let total = 0;
    for (const { part } of control) total += part.weight * of(part);
    return weight > 0 ? total / weight : 0;
  };
  const uncertain = (of: (part: Part) => number) => UNCERTAIN * (ofShadow(of) + ofControl(of));
  const usually = ofControl((part) => part.errorRate ?? 0);
  const offset = ofShadow((part) => (part.errorRate ?? usually) - usually) + uncertain((part) => part.errorUncertain);
  return {
    n0,
    n1,
    timed: sum(timed, ({ window }) => window.count),
    busy,
    errors: {
      primary: failed,
      shadow: shadowFailed,
      usual: ground.usualErrors,
      offset: Math.max(-ground.usualErrors / 2, offset),
    },
    latency: ground.usual.map((usual, at): ComparedLatency => {
      if (usual === null) return NOTHING;
      const primary = aboveOnPrimary(control, at);
      const shadow = aboveOnShadow(timed, at);
      return {
        primary: primary.usual,
        same: shadow.usual,
        shadow: shadow.slower,
        over: shadow.over,
        usual: usual.above,
        good: {
          primary: primary.lower,
          over: shadow.lowerOver,
          usual: usual.lower,
          better: usual.lowerOver,
        },
        offset: uncertain((part) => part.uncertain[at]!),
      };
    }),
    past: ground.past,
    fewLeft: ground.fewLeft && n0 * FEW_LEFT < n1,
    expected: weight > 0 ? (weighed * sum(ground.served, (part) => part.weight)) / weight : null,
    arrived: arrived + (primary?.all.left ?? 0),
  };
}

const NO_GOOD = { primary: 0, over: 0, usual: 0, better: 0 };
const NOTHING: ComparedLatency = { primary: 0, same: 0, shadow: 0, over: 0, usual: null, good: NO_GOOD, offset: 0 };

type Present = { part: Part; window: BucketedWindow };

function present(side: SideMinute | null, parts: readonly Part[]): Present[] {
  const found: Present[] = [];
  if (!side) return found;
  for (const part of parts) {
    const window = part.of(side);
    if (window && window.count > 0) found.push({ part, window });
  }
  return found;
}

/** How many operations of the primary lie above the edges of a latency metric, each slice having its own. */
function aboveOnPrimary(control: readonly Present[], at: number) {
  let usual = 0;
  let lower = 0;
  for (const { part, window } of control) {
    const edges = part.edges[at]!;
    usual += countAboveEdge(window.latency, edges.usual);
    lower += countAboveEdge(window.latency, edges.lower);
  }
  return { usual, lower };
}

/** The same of the shadow. */
function aboveOnShadow(timed: readonly Present[], at: number) {
  let [usual, slower, over, lowerOver] = [0, 0, 0, 0];
  for (const { part, window } of timed) {
    const edges = part.edges[at]!;
    usual += countAboveEdge(window.latency, edges.usual);
    slower += countAboveEdge(window.latency, edges.slower);
    over += countAboveEdge(window.latency, edges.over);
    lowerOver += countAboveEdge(window.latency, edges.lowerOver);
  }
  return { usual, slower, over, lowerOver };
}

/**
 * Operations beyond what a slice usually has beside the others: a batch that runs at night, or clients that try again. Of failures
 * so many are left out. Of latencies nothing is known then: work that comes on top makes the rest of a slice slower, too.
 */
function surplusOf(count: number, expected: number | null, n0: number, before: Traffic = NO_TRAFFIC): number {
  if (expected === null || expected === 0) return 0;
  const most = (of: number) => 1.5 * of + 2.5 * Math.sqrt(of + of ** 2 / n0) + 1;
  const lasts = before.came + count > most(before.expected + expected);
  if (before.more >= MOST_MINUTES) return 0;
  return count > most(expected) || lasts ? Math.max(0, count - expected) : 0;
}

/** Operations of a slice in about the last five minutes, and how many it should have had by the traffic of the others. */
export type Traffic = { came: number; expected: number /** Minutes in a row with far more than that. */; more: number };
const NO_TRAFFIC: Traffic = { came: 0, expected: 0, more: 0 };
/** What lasts longer is no batch: the keys have more to do than they had. */
const MOST_MINUTES = 60;
const TRAFFIC_KEPT = 0.8;

/** The same after one more minute. */
export function trafficAfter(
  before: readonly Traffic[],
  primary: SideMinute | null,
  shadow: SideMinute | null,
  { control, served }: Ground,
): readonly Traffic[] {
  let [weight, n0] = [0, 0];
  for (const { part, window } of present(primary, control)) {
    weight += part.weight;
    if (part.weight > 0) n0 += window.count;
  }
  if (weight === 0) return before;
  const after = Array.from(
    { length: Math.max(before.length, ...served.map(({ slice }) => slice + 1)) },
    (_, slice) => before[slice] ?? NO_TRAFFIC,
  );
  for (const part of served) {
    if (part.weight === 0) continue;
    const { came, expected, more } = after[part.slice]!;
    const next = {
      came: came * TRAFFIC_KEPT + ((shadow && part.of(shadow)?.count) || 0),
      expected: expected * TRAFFIC_KEPT + (n0 * part.most) / weight,
    };
    after[part.slice] = { ...next, more: next.came > 1.5 * next.expected ? more + 1 : 0 };
  }
  return after;
}
