/**
 * Forwarded writes: what one side has and the other one must get. What one is, what may be done with it next, and when it
 * goes to a person. Pure; flows/forwards/write-both.ts (gateway) and flows/forwards/record-write.ts (SDK) make them,
 * flows/forwards/apply-forwards.ts carries them out.
 *
 *   intended ─ the authoritative side answered ─→ ready ─ the other side has it ─→ (gone)
 *       │ ╲─ refused it ─→ (gone)                  │ ╲─ refused, or in doubt, too often ─→ quarantined
 *       ╰─── unknown ────→ unsettled ─ asked again ╯                                       retry ↰ ↳ discard
 */

import type { CutoverState, Side } from '../cutover/cutover.ts';
import { isPromoted, syncsShadow } from '../cutover/stage-kinds.ts';
import { murmur3 } from '../routing/murmur3.ts';

type ForwardStatus = 'intended' | 'unsettled' | 'ready' | 'quarantined';

/** Why a forwarded write waits for a person. Never a body or a header: those are the application's. */
export type ForwardProblem = { code: ForwardProblemCode; text: string; atMs: number };
export type ForwardProblemCode = 'outcome_unknown' | 'refused' | 'copy_in_doubt';

/** What a forwarded write sends. Headers as they went to the authoritative side, without the connection's. */
type ForwardRequest = {
  method: string;
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
};

/** Everything of a forwarded write but its body. */
export type ForwardHead = {
  /** `<createdAtMs, 13 digits>.<shard>.<unique part>`: sorts by time, and says where the forwarded write is. */
  id: string;
  cutover: string;
  /** The side that still has to get it. */
  side: Side;
  /** Forwarded writes of one key are carried out in the order in which they were made. */
  orderKey: string;
  createdAtMs: number;
  status: ForwardStatus;
  /** True when the authoritative side is known to have it. */
  known: boolean;
  /** Sent with every attempt, the first one included. */
  idempotencyKey: string;
  attempts: number;
  nextAttemptAtMs: number;
  /** Until then one instance is at work on it. */
  claimedUntilMs: number;
  problem: ForwardProblem | null;
  request: ForwardRequest;
  bodyBytes: number;
};

export type Forward = ForwardHead & { body: Uint8Array | null };

/** What waits, for gates, status and alarms. */
export type ForwardsSummary = {
  /** Forwarded writes that were not carried out, those in quarantine included. */
  open: number;
  quarantined: number;
  /** Age of the oldest of them; 0 when there is none. */
  lagMs: number;
  /** True when there are more than were counted. */
  more: boolean;
};

export const FORWARD_SHARDS = 10;
/**
 * A gateway lives at most 30 s; an intent that is older has lost its maker. An application may live longer: the address of
 * its side answers 503 while it is still at work.
 */
export const INTENT_LIFE_MS = 35_000;
/** Tries of a forwarded write that is refused, or whose outcome is unknown, before it goes to a person. */
export const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const FORWARD_ID = /^(\d{13})\.(\d)\.[A-Za-z0-9_-]{1,80}$/;

/** @param unique never used before, letters, digits, `_` and `-` */
export function forwardId(orderKey: string, unique: string, nowMs: number): string {
  return `${String(Math.floor(nowMs)).padStart(13, '0')}.${murmur3(orderKey) % FORWARD_SHARDS}.${unique}`;
}

/** What every new one has: of a write that went to `side`, for the other one. @param unique as for `forwardId` */
export function forwardOfWrite(
  { cutover, side, orderKey }: { cutover: string; side: Side; orderKey: string },
  unique: string,
  createdAtMs: number,
): Pick<ForwardHead, 'id' | 'cutover' | 'side' | 'orderKey' | 'createdAtMs'> {
  return { id: forwardId(orderKey, unique, createdAtMs), cutover, side: otherSide(side), orderKey, createdAtMs };
}

/** Where a forwarded write is, or null for what is no id of one. */
export function placeOfForward(id: string): { createdAtMs: number; shard: number } | null {
  const match = FORWARD_ID.exec(id);
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

/** The side that writes go to is not the one that they went to before. */
export const isHandedOver = (state: Pick<CutoverState, 'stageKind' | 'plan' | 'rollback'>): boolean => {
  const { stageKind, plan, rollback } = state;
  if (stageKind !== 'rolled_back') return isPromoted(state);
  return plan.stages.some(({ name, kind }) => name === rollback?.fromStage && kind === 'completed');
};

/** What to do with a forwarded write now. `settle`: ask the authoritative side again; `drop`: its side was given up. */
export type ForwardStep = 'wait' | 'settle' | 'send' | 'drop';

/** @param writesOn forwarded writes to the shadow may be carried out */
export function nextStep(forward: ForwardHead, state: CutoverState, writesOn: boolean, nowMs: number): ForwardStep {
  const givenUp = forward.side !== authoritativeSide(state) && !syncsShadow(state);
  if (forward.claimedUntilMs > nowMs) return 'wait';
  if (forward.status === 'intended' && nowMs - forward.createdAtMs < INTENT_LIFE_MS) return 'wait';
  if (givenUp) return 'drop';
  if (forward.status === 'quarantined' || forward.nextAttemptAtMs > nowMs) return 'wait';
  if (forward.side === 'shadow' && !writesOn) return 'wait';
  return forward.status === 'ready' ? 'send' : 'settle';
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
 * The same for the address of a component, which only forwarded writes are sent to: a redirect, or 401, 403, 404 … of a
 * wrong one, says nothing of what the component has, and taking it for a yes or a no would lose the write.
 */
export function outcomeOfHandler(status: number): CallOutcome {
  const outcome = outcomeOfStatus(status);
  const says = outcome === 'refused' ? HANDLER_REFUSALS.has(status) : status < 300 || status >= 400;
  return says ? outcome : 'unknown';
}

/** Whom it does not know, a service has not answered: the first time the caller's own token was there. */
const UNANSWERED = new Set([401, 403, 407]);

/** What was to be removed is not there: an earlier attempt may have done it. */
const isGone = (method: string, status: number): boolean => method === 'DELETE' && (status === 404 || status === 410);

type Attempt = { isService: boolean; method: string; attempts: number };

/** What the other side means with its answer to a forwarded write. */
export function outcomeOfSending({ isService, method, attempts }: Attempt, status: number): CallOutcome {
  if (!isService) return outcomeOfHandler(status);
  return attempts > 1 && isGone(method, status) ? 'applied' : outcomeOfStatus(status);
}

/**
 * What a side means that is asked again about a write in doubt. A conflict may be that write itself, still at work; one that
 * stays is a refusal.
 */
export function outcomeOfAsking({ isService, method, attempts }: Attempt, status: number): CallOutcome {
  if (status === 409 && attempts < MAX_ATTEMPTS) return 'unknown';
  if (!isService) return outcomeOfHandler(status);
  if (isGone(method, status)) return 'applied';
  return UNANSWERED.has(status) ? 'unknown' : outcomeOfStatus(status);
}

/**
 * After a failed attempt: when to try again, or why not.
 * @param repeatable true when a second application does no harm
 */
export function afterFailure(
  forward: Pick<ForwardHead, 'attempts'>,
  outcome: Exclude<CallOutcome, 'applied'>,
  repeatable: boolean,
  nowMs: number,
): { kind: 'again'; atMs: number } | { kind: 'quarantine'; code: ForwardProblemCode } {
  const again = { kind: 'again', atMs: nowMs + pauseMs(forward.attempts) } as const;
  if (outcome === 'away') return again;
  if (outcome === 'unknown' && !repeatable) return { kind: 'quarantine', code: 'copy_in_doubt' };
  if (forward.attempts < MAX_ATTEMPTS) return again;
  return { kind: 'quarantine', code: outcome === 'refused' ? 'refused' : 'copy_in_doubt' };
}

/** @param attempts made so far, at least one */
function pauseMs(attempts: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS);
}

const IDEMPOTENT = new Set(['PUT', 'DELETE']);

/** May this be sent again although the last attempt may have been applied? In its order, a PUT only repeats itself. */
export const isRepeatable = (method: string, idempotencyKeys: boolean): boolean =>
  idempotencyKeys || IDEMPOTENT.has(method);
