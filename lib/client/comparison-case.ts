/**
 * One comparison: what was served, how both sides are asked again and judged, and the closing of all that was asked for. It
 * has one place in its budget, and asks one side after the other.
 */

import type { Side } from '../core/cutover/cutover.ts';
import { close, kept, silence } from './answers.ts';
import type { ComparisonBudget } from './comparison-budget.ts';
import { type Comparison, type CutoverRun, type Served, type Settled, settle, within } from './cutover-run.ts';
import { type Judge, judgeOf, type Look, lookAt } from './judgement.ts';

type CaseParts = {
  /** Monotonic milliseconds. */
  now(): number;
  deadlineMs: number;
  budget: ComparisonBudget;
};

type Asked<T> = { settled: Settled<T>; latencyMs: number; look: Look };

export type Case<T> = {
  run: CutoverRun<T>;
  served: Served<T>;
  judge: Judge;
  noise: number | undefined;
  /** At what was served. */
  look(): Promise<Look | 'late'>;
  ask(side: Side): Promise<Asked<T> | 'late'>;
  /** Gives up all that was asked for, and then the place in the budget. */
  end(): void;
};

/** A side that does not answer keeps its place this long, so that hanging calls do not pile up. */
const HANGING_MS = 30_000;

/** @throws where what was served cannot be kept for the comparison */
export function caseOf<T>(parts: CaseParts, run: CutoverRun<T>, served: Served<T>, how: Comparison<T>): Case<T> {
  const { now, budget, deadlineMs } = parts;
  const over = new AbortController();
  const running: Promise<unknown>[] = [];
  const callers = answerOf(served.settled);
  const first = keptOf(served.settled, how);
  const opened: unknown[] = first === served.settled ? [] : [answerOf(first)];

  async function askNow(side: Side, call: Served<T>['call']): Promise<Asked<T>> {
    const startedMs = now();
    const settling = settle(run[side], call);
    budget.spend(now() - startedMs);
    const settled = await settling;
    const latencyMs = now() - startedMs;
    const answer = answerOf(settled);
    silence(answer);
    if (over.signal.aborted) close(answer, callers);
    opened.push(answer);
    return { settled, latencyMs, look: await lookAt(settled, how, over.signal) };
  }

  const judge = judgeOf(run, how, now, budget.spend);
  return {
    run,
    served,
    judge,
    // What `equals` judges are two sides: there is nothing to learn of one.
    noise: judge.alone ? how.noise : 0,
    look: () => within(deadlineMs, lookAt(first, how, over.signal), 'late' as const),
    async ask(side) {
      const call = served.call.other(side, true);
      const asking = askNow(side, call);
      running.push(within(HANGING_MS, asking, null).catch(() => {}));
      const asked = await within(deadlineMs, asking, 'late' as const);
      if (asked === 'late') call.end();
      return asked;
    },
    end() {
      over.abort();
      for (const answer of opened) close(answer, callers);
      void Promise.all(running).then(budget.end);
    },
  };
}

const answerOf = <T>(settled: Settled<T>): T | undefined => (settled.ok ? settled.answer : undefined);

function keptOf<T>(settled: Settled<T>, { snapshot = false }: Comparison<T>): Settled<T> {
  if (!settled.ok) return settled;
  return { ok: true, answer: kept(settled.answer, snapshot) };
}
