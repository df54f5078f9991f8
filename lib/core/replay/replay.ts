/**
 * Replays recorded minutes through the gates: one call a minute, with the rows that have been delivered by then, until
 * the first rollback. The stage is not changed by an advance. Pure.
 *
 * Rows come in delivery order, so a row is there when its minute has come and every row before it is there:
 *
 *   file       (7 primary) (7 shadow) (8 primary) (5 shadow) (8 shadow)
 *   delivered       7          7           8          8 late      8
 *
 * A row more than an hour out of order is taken as sorted otherwise, and delivered in its own minute.
 */

import { MINUTE_MS } from '../base/units.ts';
import { fired, idOf } from '../conditions/condition.ts';
import type { Figure } from '../conditions/figures.ts';
import { aboutMinutesOf } from '../conditions/release.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { type CutoverState, DEFAULT_POLICY, initialState, type Policy } from '../cutover/cutover.ts';
import { guardMinutes } from '../gates/absolute-guards.ts';
import { bucketedWindow, impossible } from '../gates/bucketed-window.ts';
import { evaluateGates } from '../gates/evaluate.ts';
import type { Evidence } from '../gates/evidence.ts';
import { bucketIndex, type Histogram } from '../gates/histogram.ts';
import { lateWindow, type MinuteWindow, type WindowPart, wholeWindows } from '../gates/minute-window.ts';
import { stageDemands } from '../holds/demands.ts';

export type ReplayRow = {
  part: WindowPart;
  /** Rows of several senders add up; a row that one of them sends again is a duplicate. */
  source: string;
  /** So many minutes after its own it arrived; null where the order of the file says it. */
  late: number | null;
  /** One row of the shadow is known to be wrong. */
  confirmedCorruption: boolean;
};

/** Rows by their place in the file. A row is made when it is asked for: a million of them do not fit into memory at once. */
export type ReplayRows = {
  length: number;
  minute(index: number): number;
  /** See `ReplayRow`. */
  late(index: number): number | null;
  row(index: number): ReplayRow;
};

export type ReplayTrace = {
  id: string;
  policy: Partial<Policy>;
  /** Share of the reads that the shadow should get, 0–1. */
  share: number;
  /** Shares of the plan's slices, together 1; null in a file that tells none. */
  slices: readonly number[] | null;
  /** First minute of the stage. */
  startsAtMinute: number;
  minDwellMinutes: number;
  stageMaxMinutes: number | null;
  /** In delivery order. Minutes before the stage are history of the primary. */
  rows: ReplayRows;
};

export type ReplayedMinute = {
  minute: number;
  verdict: Verdict['verdict'];
  /** `aboutMinutes`: how long it would take at the rate of that minute; null where it did not come nearer, absent where none was known. */
  reasons: readonly { code: string; value: Figure; limit: Figure; aboutMinutes?: number | null }[];
  evidence: ReplayedEvidence;
  /** Of a stored cutover: the criteria of its phase that its state and windows speak of. */
  phase?: readonly ReplayedCriterion[];
};

export type ReplayedCriterion = { name: string; ok: boolean; value: Figure; limit: Figure; says: string };

/** What was seen of the stage so far, and how far each test has come: evidence, and what would prove it. */
type ReplayedEvidence = {
  primary: { count: number; errors: number };
  shadow: { count: number; errors: number };
  checks: number;
  mismatches: number;
  tests: Readonly<Record<string, readonly [evidence: number, needed: number]>>;
};

/** Minutes are looked at even when the rows end before. */
const FEWEST_MINUTES = 120;
const MOST_LATE_MINUTES = 60;

/** Bucket i of the file covers (γ^(i−1), γ^i] ms with this γ; it is replayed at γ^(i − ½). */
const FILE_LOG_GAMMA = Math.log(1.2) / 4;

/** `[i0, c0, c1, …]` as a histogram of ours. */
export function histogramOf(latency: readonly number[]): Histogram {
  const histogram: Record<number, number> = {};
  for (let i = 1; i < latency.length; i += 1) {
    const count = latency[i]!;
    if (count === 0) continue;
    const index = bucketIndex(Math.exp((latency[0]! + i - 1 - 0.5) * FILE_LOG_GAMMA));
    histogram[index] = (histogram[index] ?? 0) + count;
  }
  return histogram;
}

/** The verdict of every minute, one after another, the last one the first rollback. */
export function* replay(trace: ReplayTrace): Generator<ReplayedMinute> {
  const state = stateOf(trace);
  const policy = policyOf(trace);
  const ends = trace.slices ? endsOf(trace.slices) : [];
  const deliveries = deliveriesOf(trace.rows);
  const last = Math.max(deliveries.newest, FEWEST_MINUTES);
  const rest = buffer();
  const lookedAt = guardMinutes(policy);
  let evidence: Evidence | null = null;
  let [corrupted, checked] = [false, trace.slices === null];
  for (let minute = 1; minute <= last; minute += 1) {
    const arrived = deliveries.of(minute === 1 ? Number.NEGATIVE_INFINITY : minute, minute);
    rest.add(arrived, minute);
    corrupted ||= arrived.some(
      ({ part, confirmedCorruption }) => confirmedCorruption && part.window.minute >= trace.startsAtMinute,
    );
    checked ||= arrived.some(({ part }) => part.window.checks > 0);
    const nowMs = (minute + 1) * MINUTE_MS;
    const demanded = stageDemands({ policy, state, windows: lookedAt > 0 ? rest.windows() : [], nowMs });
    const evaluated = evaluateGates({
      state,
      policy,
      parts: rest.parts(),
      ends,
      table: null,
      evidence,
      checksRequired: checked,
      flagsDeployed: true,
      nowMs,
      holds: demanded.holds,
      guards: [...(corrupted ? [CORRUPTION] : []), ...demanded.guards],
    });
    evidence = evaluated.evidence;
    // The next look is asked in the minute after the next one.
    rest.forget(evidence.closedThrough, minute + 2 - lookedAt);
    yield shownMinute(minute, evaluated.verdict);
    if (evaluated.verdict.verdict === 'rollback') return;
  }
}

function endsOf(slices: readonly number[]): number[] {
  let sum = 0;
  const ends = slices.map((share) => {
    sum += share;
    return sum;
  });
  // The last one in spite of what rounding makes of it.
  return [...ends.slice(0, -1), 1];
}

const CORRUPTION = fired('corruption', {
  seen: 1,
  limit: 0,
  says: 'A row of the shadow is confirmed to be corrupt; one is enough.',
});

export function shownMinute(minute: number, { verdict, reasons, evidence }: Verdict): ReplayedMinute {
  const { primary, shadow, checks, mismatches, tests = [] } = evidence;
  return {
    minute,
    verdict,
    reasons: reasons.map((reason) => ({
      code: idOf(reason),
      value: reason.seen,
      limit: reason.limit,
      ...aboutMinutesOf(reason.release),
    })),
    evidence: {
      primary: { count: primary.count, errors: primary.errors },
      shadow: { count: shadow.count, errors: shadow.errors },
      checks,
      mismatches,
      tests: Object.fromEntries(
        tests.map((test) => [test.code, [Number(test.evidence.toPrecision(4)), Math.round(test.needed)]]),
      ),
    },
  };
}

/** The limits that a trace is judged by: what its file does not tell is as this version has it. */
export function policyOf({ policy, slices, stageMaxMinutes }: ReplayTrace): Policy {
  // The format knows no floor of milliseconds and no fewest samples: proof decides. A file of the first edition knows no warm-up, and
  // every one of its stages needs validation.
  return {
    ...DEFAULT_POLICY,
    latencyFloorMs: 0,
    minSamples: 1,
    ...(slices === null ? { warmUpMinutes: 0 } : {}),
    ...policy,
    deadlineMinutes: stageMaxMinutes,
  };
}

function stateOf({ id, share, startsAtMinute, minDwellMinutes }: ReplayTrace): CutoverState {
  const kind = share >= 1 ? 'full' : 'ramp';
  const stage = {
    name: 'replayed',
    kind,
    sharePpm: Math.round(share * 1_000_000),
    dwellMinutes: minDwellMinutes,
  } as const;
  return {
    ...initialState({ id, kind: 'component', plan: { name: 'replay', stages: [stage] } }),
    version: 1,
    stage: stage.name,
    stageKind: kind,
    // Just before its first minute, which then belongs to it.
    enteredAtMs: startsAtMinute * MINUTE_MS - 1,
  };
}

// ----------------------------------------------------------------------------------------------------------- delivery

/** Rows by the minute of the call that gets them, in the order of the file. */
function deliveriesOf(rows: ReplayRows) {
  const { minutes, newest } = deliveryMinutes(rows);
  const first = minutes.reduce((least, minute) => Math.min(least, minute), newest);
  const latest = minutes.reduce((most, minute) => Math.max(most, minute), first);
  // Where the rows of each minute begin in `order`: a counting sort, which keeps the order of the file.
  const begins = new Uint32Array(latest - first + 2);
  for (const minute of minutes) begins[minute - first + 1]! += 1;
  for (let i = 1; i < begins.length; i += 1) begins[i]! += begins[i - 1]!;
  const free = begins.slice();
  const order = new Uint32Array(rows.length);
  for (let index = 0; index < rows.length; index += 1) {
    const place = minutes[index]! - first;
    order[free[place]!] = index;
    free[place]! += 1;
  }
  const begin = (minute: number) => begins[Math.min(begins.length - 1, Math.max(0, minute - first))]!;
  return {
    newest,
    /** What is delivered from one minute to another, both included. */
    of: (from: number, to: number): ReplayRow[] =>
      Array.from(order.subarray(begin(from), begin(to + 1)), (index) => rows.row(index)),
  };
}

function deliveryMinutes(rows: ReplayRows): { minutes: Int32Array; newest: number } {
  const minutes = new Int32Array(rows.length);
  let clock = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < rows.length; index += 1) {
    const minute = rows.minute(index);
    const late = rows.late(index);
    if (late !== null) {
      minutes[index] = minute + late;
      clock = Math.max(clock, minute);
      continue;
    }
    clock = Math.max(clock, minute);
    minutes[index] = clock - minute > MOST_LATE_MINUTES ? minute : clock;
  }
  return { minutes, newest: rows.length === 0 ? 0 : clock };
}

/** Rows of minutes that are still looked at. The first delivery of a row that can be true counts, others are ignored. */
function buffer() {
  const kept = new Map<number, Map<string, WindowPart>>();
  const seen = new Set<string>();
  let closed = Number.NEGATIVE_INFINITY;
  const put = (key: string, part: WindowPart) => {
    const { minute } = part.window;
    kept.set(minute, (kept.get(minute) ?? new Map<string, WindowPart>()).set(key, part));
  };
  const parts = () => [...kept.values()].flatMap((ofMinute) => [...ofMinute.values()]);
  return {
    /** @param now the minute in which they come */
    add(rows: readonly ReplayRow[], now: number): void {
      for (const { part, source } of rows) {
        const { minute, side } = part.window;
        const key = [minute, side, part.slice ?? '', part.operation, source].join('\n');
        if (seen.has(key)) continue;
        if (impossible(bucketedWindow(part.window)) === null) seen.add(key);
        if (minute > closed) put(key, part);
        else put(`late\n${key}`, { ...part, slice: null, window: lateWindow(now, part.window) });
      }
    },
    /** What is not folded yet, and minutes before it where they are looked at once more. */
    parts,
    /** What can be true of them, both sides whole. */
    windows: (): MinuteWindow[] =>
      wholeWindows(parts().flatMap(({ window }) => (impossible(bucketedWindow(window)) === null ? [window] : []))),
    forget(closedThrough: number, keptFrom: number): void {
      closed = closedThrough;
      for (const minute of kept.keys()) if (minute <= closedThrough && minute < keptFrom) kept.delete(minute);
    },
  };
}
