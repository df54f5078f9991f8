/**
 * Compares both sides of a run when its caller has been answered: the other side runs under a deadline, within the
 * budget of its cutover, and its answer is compared with the one that was served. Nothing of it reaches the caller.
 */

import type { Side } from '../core/cutover/cutover.ts';
import { compileRules, type Difference, diffJson } from '../core/forwards/json-diff.ts';
import { keyOf } from '../core/routing/routing.ts';
import { type BudgetLimits, type ComparisonBudget, comparisonBudget } from './comparison-budget.ts';
import { type ComparisonCounts, type ComparisonReport, comparisonCounts } from './comparison-report.ts';
import {
  type Comparison,
  type CutoverRun,
  comparisonOf,
  operationOf,
  type Served,
  type Settled,
  settle,
  succeeds,
  within,
} from './cutover-run.ts';
import { type MismatchGroup, type MismatchKind, mismatchGroups } from './mismatch-groups.ts';
import { type NoiseFloor, noiseFloor } from './noise-floor.ts';
import type { ComparedPair, FailedAlone } from './recorder.ts';
import type { RunCall } from './run-call.ts';

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

/** A side that does not answer keeps its place this long, so that hanging calls do not pile up. */
const HANGING_MS = 30_000;

type Bench = { budget: ComparisonBudget; noise: NoiseFloor; counts: ComparisonCounts };
type Ran<T> = { side: Side; settled: Settled<T> | 'late'; latencyMs: number };
type Judgement = { kind: MismatchKind; differences: readonly Difference[] };

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

  async function compareNow<T>(run: CutoverRun<T>, served: Served<T>, how: Comparison<T>, bench: Bench): Promise<void> {
    const again = parts.random() < (how.noise ?? 0);
    const side = again === (served.side === 'primary') ? 'primary' : 'shadow';
    const other = await runOther(parts, bench.budget, run[side], served.call.other(side, true));
    if (again) return learn(bench, run, served, other);
    const operation = operationOf(run);
    const late = other.settled === 'late';
    bench.counts.ran(served, late ? null : other);
    // What one path takes too long for says nothing where the old one was as slow.
    if (late && (side === 'primary' || served.latencyMs > parts.deadlineMs)) return bench.counts.compared(null);
    const startedMs = parts.now();
    const judgement = judge(
      bench.noise,
      run,
      how,
      side === 'shadow' ? [served.settled, other.settled] : [other.settled, served.settled],
    );
    bench.budget.spend(parts.now() - startedMs);
    const mismatch = judgement === undefined ? null : !!judgement;
    const { cutover } = run;
    const { slice } = served;
    parts.compared({ cutover, operation, slice, mismatch, alone: failedAlone(run, served, other) });
    bench.counts.compared(mismatch);
    if (judgement) groups.add({ ...judgement, cutover, operation, atMs: parts.wallNow(), key: keyOf(run.key) });
  }

  return {
    offer(run, served) {
      const how = comparisonOf(run);
      if (!how || !(parts.random() < (how.sample ?? 1))) return;
      const bench = benchOf(run.cutover);
      const usedUp = bench.budget.begin(parts.now());
      if (usedUp) return bench.counts.shed(usedUp);
      const kept = how.snapshot ? snapshotOf(served) : served;
      if (!kept) {
        bench.budget.end();
        return bench.counts.compared(null);
      }
      const comparing = new Promise<void>((resolve) => {
        // A failure here is a fault of the comparison, of a host's `equals` or of a getter, never the caller's.
        const compare = () => compareNow(run, kept, how, bench).catch(() => bench.counts.compared(null));
        parts.later(() => void compare().then(resolve));
      });
      running.add(comparing);
      void comparing.then(() => running.delete(comparing));
    },
    async settle(ms) {
      if (running.size > 0) await within(ms, Promise.all(running), undefined);
    },
    mismatches: (cutover) => groups.list(cutover),
    report(cutover) {
      const bench = benches.get(cutover);
      if (!bench) return null;
      return { ...bench.counts.report(), running: bench.budget.running(), noise: bench.noise.report() };
    },
  };
}

/** Runs one side in the place that the budget gave; the place is free again when the side has ended. */
async function runOther<T>(
  parts: ComparerParts,
  budget: ComparisonBudget,
  path: CutoverRun<T>[Side],
  call: RunCall,
): Promise<Ran<T>> {
  const startedMs = parts.now();
  const settling = settle(path, call);
  budget.spend(parts.now() - startedMs);
  void within(HANGING_MS, settling, null).then(budget.end);
  const settled = await within(parts.deadlineMs, settling, 'late' as const);
  if (settled === 'late') call.end();
  return { side: call.side, settled, latencyMs: parts.now() - startedMs };
}

/** Both ran the same side: what differs is noise. */
function learn<T>(bench: Bench, run: CutoverRun<T>, served: Served<T>, other: Ran<T>): void {
  if (other.settled === 'late' || !other.settled.ok || !served.settled.ok) return;
  bench.noise.learn(diffJson(served.settled.answer, other.settled.answer, compileRules(run.ignore ?? [])).differences);
}

/** What differs; null for nothing, undefined where both cannot be compared. */
function judge<T>(
  noise: NoiseFloor,
  run: CutoverRun<T>,
  how: Comparison<T>,
  [primary, shadow]: readonly [Ran<T>['settled'], Ran<T>['settled']],
): Judgement | null | undefined {
  if (primary === 'late' || shadow === 'late') return { kind: 'timeout', differences: [] };
  if (!primary.ok || !shadow.ok) {
    return failureOf(primary) === failureOf(shadow) ? null : { kind: 'failure', differences: [] };
  }
  if (how.equals) return how.equals(primary.answer, shadow.answer) ? null : { kind: 'difference', differences: [] };
  const diff = diffJson(primary.answer, shadow.answer, compileRules(run.ignore ?? []));
  const differences = noise.withoutNoise(diff.differences);
  if (differences.length > 0) return { kind: 'difference', differences };
  return diff.complete ? null : undefined;
}

/**
 * Which side alone failed a request that both were asked. Only where the old path served: what the new one serves and
 * fails is answered by the old one and never compared, so that the rest would flatter it.
 */
function failedAlone<T>(run: CutoverRun<T>, served: Served<T>, { settled }: Ran<T>): FailedAlone {
  if (served.side === 'shadow') return undefined;
  const primary = succeeds(run, served.settled);
  const shadow = settled !== 'late' && succeeds(run, settled);
  return primary === shadow ? null : primary ? 'onlyShadow' : 'onlyPrimary';
}

/** Both may refuse the same request: then they must refuse it in the same way. */
function failureOf<T>(settled: Settled<T>): string | null {
  if (settled.ok) return null;
  const { error } = settled;
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}

function snapshotOf<T>(served: Served<T>): Served<T> | null {
  if (!served.settled.ok) return served;
  try {
    return { ...served, settled: { ok: true, answer: structuredClone(served.settled.answer) } };
  } catch {
    return null;
  }
}
