/**
 * What later writes of a resource say of an earlier one, so that neither its side nor a person has to be asked. Pure.
 *
 *   PUT tasks/7 (key a) ─ no answer ─→ in doubt
 *   PUT tasks/7 (key a) ─ 200 ──────→ ready      the same write: the side has it, and the other one gets it here
 *   DELETE tasks/7      ─ 204 ──────→ ready      nothing is left of either
 *
 * Only what the authoritative side is known to have says anything: another write in doubt may turn out to be refused.
 */

import { type ForwardHead, INTENT_LIFE_MS } from './forward.ts';

type Earlier = Pick<ForwardHead, 'idempotencyKey' | 'request' | 'bodyBytes'>;

/** Made again by its caller under its key. A key that stands for two different requests stands for two writes. */
function isSameWrite(one: Earlier, other: Earlier): boolean {
  const [a, b] = [one.request, other.request];
  const isSameRequest = a.method === b.method && a.path === b.path && a.query === b.query;
  return one.idempotencyKey === other.idempotencyKey && isSameRequest && one.bodyBytes === other.bodyBytes;
}

/** After it, nothing is left of the other: a PUT replaces what is at its very address, a DELETE also what is below. */
function replaces({ request: { method, path, query } }: Earlier, { request: earlier }: Earlier): boolean {
  const isAtIt = earlier.path === path && earlier.query === query;
  if (method !== 'DELETE') return method === 'PUT' && isAtIt;
  return isAtIt || (query === '' && (earlier.path === path || earlier.path.startsWith(`${path}/`)));
}

const isInDoubt = ({ status }: ForwardHead): boolean => status === 'intended' || status === 'unsettled';
const isReady = ({ status }: ForwardHead): boolean => status === 'ready';

/** A later one takes its place on both sides, whichever of them has it now. */
export const isReplaced = (forward: ForwardHead, later: readonly ForwardHead[]): boolean =>
  later.some((one) => isReady(one) && replaces(one, forward));

/**
 * A later one removes what this one is about. Where what was there before is loaded meanwhile, such a write finds nothing
 * to change:
 *
 *   old service   PATCH tasks/7 ─ DELETE tasks/7 ─ read for the load: no task 7
 *   new service                                                                 PATCH tasks/7 ─→ 404, for ever
 */
export const isRemoved = (forward: ForwardHead, later: readonly ForwardHead[]): boolean =>
  later.some(
    (one) => isReady(one) && one.side === forward.side && one.request.method === 'DELETE' && replaces(one, forward),
  );

/** Its caller has made it again, with success. */
const isMadeAgain = (forward: ForwardHead, later: readonly ForwardHead[]): boolean =>
  later.some((one) => isReady(one) && isSameWrite(one, forward));

/** Those whose doubt ends with one that the authoritative side has: the same write, made again. */
export const sameInDoubt = (forward: ForwardHead, later: readonly ForwardHead[]): readonly ForwardHead[] =>
  later.filter((one) => isInDoubt(one) && isSameWrite(one, forward));

/**
 * True for one that nothing has to be done about any more, although its maker is at work on it or a person was asked.
 * @param keysKnown both sides know a write again by its key
 */
export function isMoot(forward: ForwardHead, later: readonly ForwardHead[], keysKnown: boolean): boolean {
  const isHad = keysKnown && isMadeAgain(forward, later);
  if (forward.status === 'intended') return isHad;
  if (forward.status !== 'quarantined') return false;
  // What the other side refuses it refuses again under the same key.
  return isReplaced(forward, later) || (isHad && forward.problem?.code === 'outcome_unknown');
}

/**
 * What to do about one in doubt. `ask` its side again; `first` ask about the last one, which may answer for it; `wait`: that
 * one is being made; `expect`: its caller may make it again; `unclear`: asked again it could undo what was written since.
 */
export type DoubtStep = { kind: 'ask' | 'moot' | 'wait' | 'expect' | 'unclear' } | { kind: 'first'; last: ForwardHead };

/** @param later everything of its order key that was made after it */
export function stepInDoubt(
  forward: ForwardHead,
  later: readonly ForwardHead[],
  keysKnown: boolean,
  nowMs: number,
): DoubtStep {
  if (isReplaced(forward, later) || (keysKnown && isMadeAgain(forward, later))) return { kind: 'moot' };
  const last = later.at(-1);
  if (!last) return { kind: 'ask' };
  const isYoung = ({ createdAtMs }: ForwardHead) => nowMs - createdAtMs < INTENT_LIFE_MS;
  if (last.status === 'intended' && isYoung(last)) return { kind: 'wait' };
  const mayAnswer = replaces(last, forward) || (keysKnown && isSameWrite(last, forward));
  if (mayAnswer && isInDoubt(last)) return { kind: 'first', last };
  return { kind: isYoung(forward) ? 'expect' : 'unclear' };
}
