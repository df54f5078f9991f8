/** What two answers to one question come to: alike, different, or not to be compared; and what a second look says of it. */

import { compileRules, type Difference, diffJson, MAX_DIFFERENCES, type Unseen } from '../core/forwards/json-diff.ts';
import { loaded } from './answers.ts';
import type { Comparison, CutoverRun, Settled } from './cutover-run.ts';
import type { Pattern } from './noise-floor.ts';

/** What is compared of how one side ended. */
export type Look = { value: unknown; failure?: undefined } | { failure: string };

export type Found = { differences: readonly Difference[]; unseen: readonly Unseen[] };
export type Judge = {
  both(primary: Look, shadow: Look): Promise<Found>;
  /** Null where only the application can say what differs: it compares a primary with a shadow. */
  alone: ((one: Look, other: Look) => Found) | null;
};

/** Paths of what has none: that one side failed, and that `equals` said no. */
export const FAILURE = '(failure)';
const JUDGED = '(equals)';
export const isWhole = (path: string): boolean => path === FAILURE || path === JUDGED;

const NOTHING: Found = { differences: [], unseen: [] };
const whole = (path: string): Found => ({
  differences: [{ path, kind: 'value', primary: null, shadow: null }],
  unseen: [],
});

/** @param over ends the reading of bodies */
export async function lookAt<T>(settled: Settled<T>, how: Comparison<T>, over: AbortSignal): Promise<Look> {
  if (!settled.ok) return { failure: failureOf(settled.error) };
  if (how.equals) return { value: settled.answer };
  return { value: await loaded(how.as ? await how.as(settled.answer) : settled.answer, over) };
}

/** By name, status and code. A message holds ids and times, so it is no difference; what is no error is all there is. */
function failureOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return `${typeof error} ${String(error)}`;
  const { name, status, statusCode, code } = error as Record<string, unknown>;
  return [name, status ?? statusCode, code].map(String).join(' ');
}

/** @param spent called with the thread's time, in milliseconds */
export function judgeOf<T>(
  run: CutoverRun<T>,
  how: Comparison<T>,
  now: () => number,
  spent: (ms: number) => void,
): Judge {
  const rules = compileRules(run.ignore ?? []);
  function timed<Result>(work: () => Result): Result {
    const startedMs = now();
    try {
      return work();
    } finally {
      spent(now() - startedMs);
    }
  }
  const failed = (one: Look, other: Look): Found | null => {
    if (one.failure === undefined && other.failure === undefined) return null;
    return one.failure === other.failure ? NOTHING : whole(FAILURE);
  };
  const answerOf = (look: Look) => (look as { value: T }).value;
  const alone = (one: Look, other: Look) =>
    failed(one, other) ?? timed(() => diffJson(answerOf(one), answerOf(other), rules));
  const { equals } = how;
  if (!equals) return { both: async (primary, shadow) => alone(primary, shadow), alone };
  return {
    async both(primary, shadow) {
      const failure = failed(primary, shadow);
      if (failure) return failure;
      return (await timed(() => equals(answerOf(primary), answerOf(shadow)))) ? NOTHING : whole(JUDGED);
    },
    alone: null,
  };
}

type Twice = { primary: readonly [Look, Look]; shadow: readonly [Look, Look] };

/** What a second look says of the paths that differed in the first, see `noise-floor.ts`. */
export async function patternsOf(judge: Judge, { primary, shadow }: Twice): Promise<(path: string) => Pattern> {
  const [a1, a2] = primary;
  const [b1, b2] = shadow;
  const [again, a1b2, a2b1] = [await judge.both(a2, b2), await judge.both(a1, b2), await judge.both(a2, b1)];
  const itself = judge.alone?.(a1, a2);
  return (path) => {
    const isCrossed = !differs(a1b2, path);
    if (differs(again, path)) {
      if (isCrossed) return 'crossed';
      return itself && differs(itself, path) ? null : differs(a2b1, path) ? 'straight' : null;
    }
    const isOld = !differs(a2b1, path);
    return isCrossed === isOld ? null : isCrossed ? 'shadow' : 'primary';
  };
}

/** A list of differences that is full does not say what else is alike, and a failure not what the answer would have been. */
export const differs = ({ differences }: Found, path: string): boolean =>
  differences.length >= MAX_DIFFERENCES || differences.some((one) => one.path === path || one.path === FAILURE);
