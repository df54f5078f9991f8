/**
 * Compares both sides of a run when its caller has been answered: the other side runs under a deadline, within the
 * budget of its cutover, and its answer is compared with the one that was served. Nothing of it reaches the caller.
 */

import type { Side } from '../core/cutover/cutover.ts';
import { type Difference, MAX_DIFFERENCES, type Unseen } from '../core/forwards/json-diff.ts';
import { keyOf } from '../core/routing/routing.ts';
import { type BudgetLimits, type ComparisonBudget, comparisonBudget } from './comparison-budget.ts';
import { type Case, caseOf } from './comparison-case.ts';
import { type ComparisonCounts, type ComparisonReport, comparisonCounts } from './comparison-report.ts';
import {
  type CutoverRun,
  comparisonOf,
  operationOf,
  type Served,
  type Settled,
  succeeds,
  within,
} from './cutover-run.ts';
import { differs, FAILURE, isWhole, type Look, patternsOf } from './judgement.ts';
import { type MismatchGroup, type MismatchKind, mismatchGroups, redactPath } from './mismatch-groups.ts';
import { type NoiseFloor, noiseFloor } from './noise-floor.ts';
import type { ComparedPair, FailedAlone } from './recorder.ts';

export type ComparerParts = {
  /** Monotonic milliseconds. */
  now(): number;
  /** Epoch milliseconds, for when a mismatch was seen. */
  wallNow(): number;
  random(): number;
  /** Calls when everybody who waits has been served. */
  later(work: () => void): void;
  compared(pair: ComparedPair): void;
  deadlineMs: number;
  limits: BudgetLimits;
  /** Keep values and keys in samples. */
  values: boolean;
};

export type Comparer = {
  /** Takes what was served, and perhaps compares it later. Returns at once and never throws. */
  offer<T>(run: CutoverRun<T>, served: Served<T>): void;
  /** Ends when no comparison is under way, or after `ms`. */
  settle(ms: number): Promise<void>;
  mismatches(cutover?: string): readonly MismatchGroup[];
  report(cutover: string): ComparisonReport | null;
};

/** Share of the comparisons that run the primary against itself while differences wait for it. */
const WANTED_NOISE = 0.1;

type Bench = { budget: ComparisonBudget; noise: NoiseFloor; counts: ComparisonCounts };
type Judgement = {
  mismatch: ComparedPair['mismatch'];
  kind: MismatchKind;
  differences: readonly Difference[];
  unseen: readonly Unseen[];
};

export function createComparer(parts: ComparerParts): Comparer {
  const benches = new Map<string, Bench>();
  const groups = mismatchGroups({ values: parts.values });
  const running = new Set<Promise<void>>();

  function benchOf(cutover: string): Bench {
    let bench = benches.get(cutover);
    if (!bench) {
      bench = { budget: comparisonBudget(parts.limits), noise: noiseFloor(), counts: comparisonCounts() };
      benches.set(cutover, bench);
    }
    return bench;
  }

  async function compareNow<T>(the: Case<T>, bench: Bench): Promise<void> {
    const { run, served } = the;
    if (parts.random() < (the.noise ?? (bench.noise.isWanted() ? WANTED_NOISE : 0))) return learn(the, bench.noise);
    const side = otherOf(served.side);
    const other = await the.ask(side);
    const late = other === 'late';
    bench.counts.ran(served, late ? null : { side, latencyMs: other.latencyMs });
    // What one path takes too long for says nothing where the old one was as slow.
    if (late && (side === 'primary' || served.latencyMs > parts.deadlineMs)) return bench.counts.compared(null);
    const judgement = late ? TIMEOUT : await judged(the, other.look, bench);
    count(run, served, judgement, failedAlone(run, served, late ? null : other.settled));
  }

  function count<T>(run: CutoverRun<T>, served: Served<T>, judgement: Judgement, alone: FailedAlone): void {
    const { mismatch, kind, unseen } = judgement;
    const { cutover, key } = run;
    const operation = operationOf(run);
    parts.compared({ cutover, operation, slice: served.slice, mismatch, alone });
    benchOf(cutover).counts.compared(mismatch ?? null, unseen);
    const differences = judgement.differences.filter(({ path }) => !isWhole(path));
    if (mismatch) groups.add({ cutover, operation, kind, differences, atMs: parts.wallNow(), key: keyOf(key) });
  }

  function begin<T>(run: CutoverRun<T>, served: Served<T>, the: Case<T>): void {
    const comparing = new Promise<void>((resolve) => {
      const compare = () => compareNow(the, benchOf(run.cutover)).catch(() => count(run, served, THROWN, undefined));
      parts.later(() => void compare().then(the.end).then(resolve));
    });
    running.add(comparing);
    void comparing.then(() => running.delete(comparing));
  }

  return {
    offer(run, served) {
      const how = comparisonOf(run);
      if (!how || !(parts.random() < (how.sample ?? 1))) return;
      const { budget, counts } = benchOf(run.cutover);
      const usedUp = budget.begin(parts.now());
      if (usedUp) return counts.shed(usedUp);
      try {
        begin(run, served, caseOf({ ...parts, budget }, run, served, how));
      } catch {
        count(run, served, THROWN, undefined);
        budget.end();
      }
    },
    async settle(ms) {
      if (running.size > 0) await within(ms, Promise.all(running), undefined);
    },
    mismatches: (cutover) => groups.list(cutover),
    report(cutover) {
      const bench = benches.get(cutover);
      if (!bench) return null;
      const shown = <Of extends { path: string }>(of: Of): Of =>
        parts.values || isWhole(of.path) ? of : { ...of, path: redactPath(of.path) };
      const { unseen, ...counted } = bench.counts.report();
      const noise = bench.noise.report();
      return {
        ...counted,
        unseen: unseen.map(shown),
        running: bench.budget.running(),
        noise: { ...noise, paths: noise.paths.map(shown) },
      };
    },
  };
}

const otherOf = (side: Side): Side => (side === 'primary' ? 'shadow' : 'primary');
const TIMEOUT: Judgement = { mismatch: true, kind: 'timeout', differences: [], unseen: [] };
const LATE: Judgement = { ...TIMEOUT, mismatch: undefined };
/** A fault of the comparison, of a host's `equals` or `as`, or an answer that cannot be kept: never the caller's. */
const THROWN: Judgement = {
  mismatch: null,
  kind: 'difference',
  differences: [],
  unseen: [{ path: '$', what: 'comparison that throws' }],
};

/** What both answers come to, after a second look at what differs. */
async function judged<T>(the: Case<T>, other: Look, { noise, budget }: Bench): Promise<Judgement> {
  const { judge, served } = the;
  const own = await the.look();
  if (own === 'late') return LATE;
  const bySide = (first: Look, second: Look) => (served.side === 'primary' ? [first, second] : [second, first]) as Pair;
  const [primary, shadow] = bySide(own, other);
  const { differences, unseen } = await judge.both(primary, shadow);
  noise.compared(served.side);
  const kind = differences.some(({ path }) => path === FAILURE) ? 'failure' : 'difference';
  if (differences.length === 0) return { mismatch: unseen.length > 0 ? null : false, kind, differences, unseen };
  budget.again();
  const again = await the.ask(served.side);
  const last = await the.ask(otherOf(served.side));
  if (again === 'late' || last === 'late') return LATE;
  const [primary2, shadow2] = bySide(again.look, last.look);
  const pattern = await patternsOf(judge, { primary: [primary, primary2], shadow: [shadow, shadow2] });
  const paths = [...new Set(differences.map(({ path }) => path))];
  const counting = new Set(paths.filter((path) => noise.counts(path, pattern(path), served.side)));
  const left = differences.filter(({ path }) => counting.has(path));
  if (left.length > 0) return { mismatch: true, kind, differences: left, unseen };
  noise.excused();
  // A list that is full may not be all.
  const isAll = unseen.length === 0 && differences.length < MAX_DIFFERENCES;
  return { mismatch: isAll ? false : null, kind, differences: left, unseen };
}

type Pair = readonly [Look, Look];

/** The primary against itself: what differs is noise. A third answer says which of both was the odd one. */
async function learn<T>({ served, judge, look, ask }: Case<T>, noise: NoiseFloor): Promise<void> {
  const alone = judge.alone!;
  const first = served.side === 'primary' ? await look() : lookOf(await ask('primary'));
  const second = lookOf(await ask('primary'));
  if (first === 'late' || second === 'late') return;
  const { differences } = alone(first, second);
  const third = differences.length > 0 ? lookOf(await ask('primary')) : 'late';
  const [isFirst, isSecond] = third === 'late' ? [] : [alone(second, third), alone(first, third)];
  const odd = (path: string) =>
    isFirst && !differs(isFirst, path) ? 'first' : isSecond && !differs(isSecond, path) ? 'second' : null;
  noise.alone(new Map(differences.map(({ path }) => [path, odd(path)])));
}

const lookOf = <T>(asked: Awaited<ReturnType<Case<T>['ask']>>): Look | 'late' =>
  asked === 'late' ? asked : asked.look;

/**
 * Which side alone failed a request that both were asked. Only where the old path served: what the new one serves and
 * fails is answered by the old one and never compared, so that the rest would flatter it.
 */
function failedAlone<T>(run: CutoverRun<T>, served: Served<T>, settled: Settled<T> | null): FailedAlone {
  if (served.side === 'shadow') return undefined;
  const primary = succeeds(run, served.settled);
  const shadow = settled !== null && succeeds(run, settled);
  return primary === shadow ? null : primary ? 'onlyShadow' : 'onlyPrimary';
}
