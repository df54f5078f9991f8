/**
 * Writes that one side has and the other one must get: what a copy is, what may be done with it next, and when it goes to
 * a person. Pure; flows/forwards/write-both.ts (gateway) and flows/forwards/record-write.ts (SDK) make copies, flows/forwards/apply-copies.ts
 * carries them out.
 *
 *   intended ─ the authoritative side answered ─→ ready ─ the other side has it ─→ (gone)
 *       │ ╲─ refused it ─→ (gone)                  │ ╲─ refused, or in doubt, too often ─→ quarantined
 *       ╰─── unknown ────→ unsettled ─ asked again ╯                                       retry ↰ ↳ discard
 */

import type { CutoverState, Side } from '../cutover/cutover.ts';
import { isPromoted, syncsShadow } from '../cutover/stage-kinds.ts';
import { murmur3 } from '../routing/murmur3.ts';

type CopyStatus = 'intended' | 'unsettled' | 'ready' | 'quarantined';

/** Why a copy waits for a person. Never a body or a header: those are the application's. */
export type CopyProblem = { code: CopyProblemCode; text: string; atMs: number };
export type CopyProblemCode = 'outcome_unknown' | 'refused' | 'copy_in_doubt';

/** What a copy sends. Headers as they went to the authoritative side, without the connection's. */
type CopyRequest = {
  method: string;
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
};

/** Everything of a copy but its body. */
export type CopyHead = {
  /** `<createdAtMs, 13 digits>.<shard>.<unique part>`: sorts by time, and says where the copy is. */
  id: string;
  cutover: string;
  /** The side that still has to get it. */
  side: Side;
  /** Copies of one key are carried out in the order in which they were made. */
  orderKey: string;
  createdAtMs: number;
  status: CopyStatus;
  /** True when the authoritative side is known to have it. */
  known: boolean;
  /** Sent with every attempt, the first one included. */
  idempotencyKey: string;
  attempts: number;
  nextAttemptAtMs: number;
  /** Until then one instance is at work on it. */
  claimedUntilMs: number;
  problem: CopyProblem | null;
  request: CopyRequest;
  bodyBytes: number;
};

export type Copy = CopyHead & { body: Uint8Array | null };

/** What waits, for gates, status and alarms. */
export type CopiesSummary = {
  /** Copies that were not carried out, those in quarantine included. */
  open: number;
  quarantined: number;
  /** Age of the oldest of them; 0 when there is none. */
  lagMs: number;
  /** True when there are more than were counted. */
  more: boolean;
};

export const COPY_SHARDS = 10;
/**
 * A gateway lives at most 30 s; an intent that is older has lost its maker. An application may live longer: the address of
 * its side answers 503 while it is still at work.
 */
export const INTENT_LIFE_MS = 35_000;
/** Tries of a copy that is refused, or whose outcome is unknown, before it goes to a person. */
export const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const COPY_ID = /^(\d{13})\.(\d)\.[A-Za-z0-9_-]{1,80}$/;

/** @param unique never used before, letters, digits, `_` and `-` */
export function copyId(orderKey: string, unique: string, nowMs: number): string {
  return `${String(Math.floor(nowMs)).padStart(13, '0')}.${murmur3(orderKey) % COPY_SHARDS}.${unique}`;
}

/** What every new copy has: of a write that went to `side`, for the other one. @param unique as for `copyId` */
export function copyOfWrite(
  { cutover, side, orderKey }: { cutover: string; side: Side; orderKey: string },
  unique: string,
  createdAtMs: number,
): Pick<CopyHead, 'id' | 'cutover' | 'side' | 'orderKey' | 'createdAtMs'> {
  return { id: copyId(orderKey, unique, createdAtMs), cutover, side: otherSide(side), orderKey, createdAtMs };
}

/** Where a copy is, or null for what is no id of one. */
export function placeOfCopy(id: string): { createdAtMs: number; shard: number } | null {
  const match = COPY_ID.exec(id);
  return match ? { createdAtMs: Number(match[1]), shard: Number(match[2]) } : null;
}

/** The resource a path names: its first segments. What is below it keeps its order with it. */
export function orderKeyOf(path: string, segments: number): string {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .slice(0, segments)
    .join('/');
}

export const otherSide = (side: Side): Side => (side === 'primary' ? 'shadow' : 'primary');

/** The side that writes go to. */
export function authoritativeSide(state: Pick<CutoverState, 'stageKind'>): Side {
  return isPromoted(state) ? 'shadow' : 'primary';
}

/** After the authority has changed hands, a side may still have to get writes from before. */
export const hasChangedHands = ({ stageKind }: Pick<CutoverState, 'stageKind'>): boolean =>
  stageKind === 'completed' || stageKind === 'rolled_back';

/** What to do with a copy now. `settle`: ask the authoritative side again; `drop`: its side was given up. */
export type CopyStep = 'wait' | 'settle' | 'send' | 'drop';

/** @param writesOn copies to the shadow may be carried out */
export function nextStep(copy: CopyHead, state: CutoverState, writesOn: boolean, nowMs: number): CopyStep {
  const givenUp = copy.side !== authoritativeSide(state) && !syncsShadow(state);
  if (copy.claimedUntilMs > nowMs) return 'wait';
  if (copy.status === 'intended' && nowMs - copy.createdAtMs < INTENT_LIFE_MS) return 'wait';
  if (givenUp) return 'drop';
  if (copy.status === 'quarantined' || copy.nextAttemptAtMs > nowMs) return 'wait';
  if (copy.side === 'shadow' && !writesOn) return 'wait';
  return copy.status === 'ready' ? 'send' : 'settle';
}

export type CallOutcome =
  | 'applied'
  /** It answered that it will not. */
  | 'refused'
  /** Nothing can have arrived, or it asked to come back later. */
  | 'away'
  /** It may or may not have been applied. */
  | 'unknown';

/** What an answer to a write means. A 5xx is no answer to the question whether it was applied. */
export function outcomeOfStatus(status: number): CallOutcome {
  if (status === 429 || status === 503) return 'away';
  if (status >= 500) return 'unknown';
  return status >= 400 ? 'refused' : 'applied';
}

/** What says that the write itself is refused. Anything else below 500 is about the address or about us. */
const HANDLER_REFUSALS = new Set([400, 409, 410, 412, 413, 422]);

/**
 * The same for the address of a component, which only copies are sent to: a redirect, or 401, 403, 404 … of a wrong one,
 * says nothing of what the component has, and taking it for a yes or a no would lose the write.
 */
export function outcomeOfHandler(status: number): CallOutcome {
  const outcome = outcomeOfStatus(status);
  const says = outcome === 'refused' ? HANDLER_REFUSALS.has(status) : status < 300 || status >= 400;
  return says ? outcome : 'unknown';
}

/**
 * After a failed attempt: when to try again, or why not.
 * @param repeatable true when a second application does no harm
 */
export function afterFailure(
  copy: Pick<CopyHead, 'attempts'>,
  outcome: Exclude<CallOutcome, 'applied'>,
  repeatable: boolean,
  nowMs: number,
): { kind: 'again'; atMs: number } | { kind: 'quarantine'; code: CopyProblemCode } {
  const again = { kind: 'again', atMs: nowMs + pauseMs(copy.attempts) } as const;
  if (outcome === 'away') return again;
  if (outcome === 'unknown' && !repeatable) return { kind: 'quarantine', code: 'copy_in_doubt' };
  if (copy.attempts < MAX_ATTEMPTS) return again;
  return { kind: 'quarantine', code: outcome === 'refused' ? 'refused' : 'copy_in_doubt' };
}

/**
 * True when a later write, which the authoritative side has, removes what this one is about: whether this one was applied
 * makes no difference then. Where what was there before is loaded beside the copies, such a write finds nothing to change:
 *
 *   old service   PATCH tasks/7 ─ DELETE tasks/7 ─ read for the load: no task 7
 *   new service                                                                 PATCH tasks/7 ─→ 404, for ever
 */
export function isSuperseded(copy: CopyHead, later: readonly CopyHead[]): boolean {
  return later.some(
    ({ side, status, request: { method, path, query } }) =>
      side === copy.side &&
      status === 'ready' &&
      method === 'DELETE' &&
      query === '' &&
      (copy.request.path === path || copy.request.path.startsWith(`${path}/`)),
  );
}

/** @param attempts made so far, at least one */
function pauseMs(attempts: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS);
}

const IDEMPOTENT = new Set(['PUT', 'DELETE']);

/** May this be sent again although the last attempt may have been applied? In its order, a PUT only repeats itself. */
export const isRepeatable = (method: string, idempotencyKeys: boolean): boolean =>
  idempotencyKeys || IDEMPOTENT.has(method);
