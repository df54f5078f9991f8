/** What an application hands to `runCutover`, and what becomes of one side of it. Types, and their reading. */

import type { Side } from '../core/cutover/cutover.ts';
import type { IgnoreRule } from '../core/forwards/json-diff.ts';
import { keyOf, type RouteRequest } from '../core/routing/routing.ts';
import type { RunCall } from './run-call.ts';

export type Path<T> = (call: RunCall) => T | PromiseLike<T>;

export type Comparison<T> = {
  /** Share of the calls that are compared, 0–1. Default 1: the budget sheds what is too much. */
  sample?: number | undefined;
  /**
   * Share of the comparisons that run the primary against itself instead, to learn how often what differs by itself.
   * Default 0, and 0.1 while differences cannot be distinguished from noise without it.
   */
  noise?: number | undefined;
  /** Copy the answer before the caller gets it: for callers that change it in place. */
  snapshot?: boolean | undefined;
  /** What is compared of an answer, where that is not its own data: of a stream, a class with private state. */
  as?: ((answer: T) => unknown) | undefined;
  /** Instead of the difference of both. */
  equals?: ((primary: T, shadow: T) => boolean | PromiseLike<boolean>) | undefined;
};

/** False, the default; true; a function, which is `equals`; or how. */
export type Compare<T> = boolean | Comparison<T>['equals'] | Comparison<T>;

type TwoPaths<T> = RouteRequest & {
  /** The code path of today. */
  primary: Path<T>;
  /** Its replacement. */
  shadow: Path<T>;
  /** What may differ, see `IgnoreRule`. */
  ignore?: readonly IgnoreRule[] | undefined;
  /**
   * Whether the old path answers when the new one fails; a function of what was thrown, or of the answer that `isFailure`
   * calls a failure. Default true, until the cutover is completed.
   */
  fallback?: boolean | ((failure: unknown) => boolean) | undefined;
  /**
   * What takes longer counts as failed, on either side: 2 s for reads and readonly paths, 10 s for others. A new path that is
   * readonly is then given up for the old one. Anything else is waited for, since it may have written. `Infinity` is no
   * deadline; what is no number above 0 is as if nothing was said.
   */
  deadlineMs?: number | undefined;
  /** An answer that counts as a failure although nothing was thrown: a status of 500, say. */
  isFailure?: ((answer: T) => boolean) | undefined;
  /** No side could finish: keeps the work and gives the caller what it gets meanwhile. See `workQueue`. */
  unfinished?: ((work: UnfinishedWork) => T | PromiseLike<T>) | undefined;
};

/** A read, which may run on both sides. */
export type CutoverRead<T> = TwoPaths<T> & { compare?: Compare<T> };

export type CutoverRun<T, Id extends string = string> = CutoverRead<T> & {
  cutover: Id;
  /**
   * Running it twice does no harm: it writes nothing to the outside, or only through `call.effect`. Only such paths are
   * compared, and only they are given up for the old path when they do not answer.
   */
  readonly?: boolean | undefined;
};

export type UnfinishedWork = {
  /** The same as `call.id` in both sides of the run. */
  id: string;
  cutover: string;
  key: string | null;
  operation: string;
  error: unknown;
};

/** How one side of a run ended. */
export type Settled<T> = { ok: true; answer: T; error?: undefined } | { ok: false; error: unknown };

export type Served<T> = { side: Side; slice: number | null; settled: Settled<T>; latencyMs: number; call: RunCall };

export function comparisonOf<T>(run: CutoverRun<T>): Comparison<T> | null {
  if (!run.compare) return null;
  if (run.compare === true) return {};
  return typeof run.compare === 'function' ? { equals: run.compare } : run.compare;
}

export function operationOf(run: RouteRequest): string {
  return run.operation ?? 'read';
}

export function isKeyless(request: RouteRequest): boolean {
  return keyOf(request.key) === null;
}

/** Starts a path; what it throws at once is what it fails with. A promise of it never rejects. */
export function settle<T>(path: Path<T>, call: RunCall): Settled<T> | Promise<Settled<T>> {
  try {
    const answer = path(call);
    return isPromise(answer) ? settleLater(answer) : { ok: true, answer };
  } catch (error) {
    return { ok: false, error };
  }
}

/** By `await`, as its caller would: some promises have a `then` of their own that gives nothing. */
async function settleLater<T>(answer: PromiseLike<T>): Promise<Settled<T>> {
  try {
    return { ok: true, answer: await answer };
  } catch (error) {
    return { ok: false, error };
  }
}

/** A function, too: proxies of remote objects are. */
function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  const mayBe = typeof value === 'object' ? value !== null : typeof value === 'function';
  return mayBe && typeof (value as { then?: unknown }).then === 'function';
}

/** An answer may be a failure, too. */
export const succeeds = <T>(run: CutoverRun<T>, settled: Settled<T>): boolean =>
  settled.ok && (run.isFailure === undefined || !says(() => run.isFailure!(settled.answer)));

/** What the host's own code thinks of something, which must not break the run. */
export const says = (ask: () => unknown): boolean => Boolean(said(ask));

/** The very answer; undefined where it throws, and for a promise, which is no word on it. */
export function said(ask: () => unknown): unknown {
  try {
    const answer = ask();
    if (!isPromise(answer)) return answer;
    void Promise.resolve(answer).catch(() => {});
  } catch {
    // As if it had said nothing.
  }
  return undefined;
}

/** A timer takes no more; what is longer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;
export const timerMs = (ms: number): number => Math.min(LONGEST_MS, Math.ceil(ms));

/** What the work gives, or `late` after `ms`. The timer keeps no process alive. */
export async function within<T, L>(ms: number, work: T | Promise<T>, late: L): Promise<T | L> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<L>((resolve) => {
    timer = setTimeout(resolve, timerMs(ms), late);
    timer.unref?.();
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
