/**
 * Forwarded writes: what one side has, or may have, and the other one must get. Each is kept with its whole request.
 * Every change is durable before its promise resolves, and wakes the shadow writer when there is something to do. A change that
 * finds the forwarded write in another state answers false and changes nothing. @throws CrossfadeError `store_unavailable`
 */

import type { CutoverDeclaration, CutoverId, Side } from '../core/cutover/cutover.ts';
import type { Forward, ForwardHead, ForwardProblem, ForwardsSummary } from '../core/forwards/forward.ts';

/** As it is made: nothing was tried yet, and no writer is at work on it. */
export type NewForward = Omit<
  Forward,
  'status' | 'known' | 'attempts' | 'nextAttemptAtMs' | 'claimedUntilMs' | 'problem' | 'bodyBytes'
>;

/** What is recorded now: the one that was given, or the first of its name. */
type RecordedIntent = { kind: 'recorded' | 'repeated' } & Pick<Forward, 'id' | 'side'>;

/** Of the caller of the authoritative side: what it is about to write there, and what became of that. */
export type ForwardIntents = {
  /**
   * `receipt`: by which name the caller may ask for the same again. `repeated`: under that name, or under this id, one was
   * recorded before, even if it has been carried out or withdrawn since (receipts are kept for a day). Nothing is recorded then.
   */
  intend(forward: NewForward, options?: { receipt: string }): Promise<RecordedIntent>;
  /** What became of the authoritative write: it has it, or that is unknown. */
  settle(cutover: CutoverId, id: string, status: 'ready' | 'unsettled'): Promise<boolean>;
  /** The authoritative side does not have it: nothing is left of an intent. */
  withdraw(cutover: CutoverId, id: string): Promise<boolean>;
};

/** What is open, for gates and people, and a person's word on what is in quarantine. */
export type Forwards = {
  /** Consistent: everything that was not carried out, oldest first; of one key only when it is given. */
  open(cutover: CutoverId, orderKey?: string): Promise<readonly ForwardHead[]>;
  summary(cutover: CutoverId): Promise<ForwardsSummary>;
  /** The authoritative side has it, try again. */
  retry(cutover: CutoverId, id: string): Promise<boolean>;
  /** The other side shall not get it. */
  discard(cutover: CutoverId, id: string): Promise<boolean>;
};

/** One attempt at a forwarded write: it is claimed first, and all else is refused to everybody but its claimer. */
export type ForwardAttempts = {
  /** With its body. Null when another has it, or it is not due any more. */
  claim(cutover: CutoverId, id: string, claim: { by: string; nowMs: number; untilMs: number }): Promise<Forward | null>;
  /** The authoritative side has it after all; stays with its claimer. */
  known(cutover: CutoverId, id: string, by: string): Promise<boolean>;
  postpone(cutover: CutoverId, id: string, by: string, untilMs: number): Promise<boolean>;
  quarantine(cutover: CutoverId, id: string, by: string, problem: ForwardProblem): Promise<boolean>;
  /** Carried out, or to be dropped: nothing is left of it. */
  finish(cutover: CutoverId, id: string, by: string): Promise<boolean>;
};

/** Sends one to a side: the status of the answer, or what is known without one. Never throws for what a network does. */
export type ForwardDelivery = (
  declaration: CutoverDeclaration,
  side: Side,
  forward: Forward,
  deadlineMs: number,
) => Promise<number | 'away' | 'unknown'>;

/** What is kept of forwarded writes, in one store. */
export type ForwardStore = {
  intents: ForwardIntents;
  forwards: Forwards;
  attempts: ForwardAttempts;
};

export type ForwardPorts = ForwardStore & {
  deliver: ForwardDelivery;
  /** Real epoch milliseconds: forwarded writes do not live in accelerated time. */
  realNow(): number;
};
