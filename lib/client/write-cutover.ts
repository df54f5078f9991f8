/**
 * One write to a cutover whose two sides are kept equal:
 *
 *   intent recorded ─→ authoritative side writes ─→ what became of it is noted ─→ caller
 *
 * A process that dies on the way leaves the intent behind, and the shadow writer asks the authoritative side again, with the
 * same id, before it gives the other one what that side has. Without a recorded intent nothing is written, unless the
 * flags say that nothing is being forwarded.
 */

import { CrossfadeError, isCrossfadeError } from '../core/base/errors.ts';
import type { Side } from '../core/cutover/cutover.ts';
import { keyOf } from '../core/routing/routing.ts';
import { type Path, said, settle, timerMs } from './cutover-run.ts';
import type { Outcome } from './outcome.ts';
import { type CallParts, RunCall } from './run-call.ts';

export type CutoverWrite<T, Id extends string = string> = {
  cutover: Id;
  /** Writes of one key reach the other side in their order. A number is its text. */
  key: string | number | bigint;
  /** What the other side gets, as JSON; at most some 48 KB of it. */
  payload: unknown;
  primary: Path<T>;
  shadow: Path<T>;
  /** By which both sides know this write again: `call.id`, and the `Idempotency-Key` when it is forwarded. Default: a new one. */
  id?: string | undefined;
  /** Of a `service`: what its upstreams are asked, below their base. Default: POST to the base itself. */
  request?: { method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string } | undefined;
  /** True for an error that says for certain that nothing was written. Others are found out by asking that side again. */
  isRefused?: ((error: unknown) => boolean) | undefined;
  operation?: string | undefined;
};

/** Where to write now; `forward` is null when nothing has to be forwarded. */
export type WritePlace = { side: Side; forward: string | null };

export type WriteIntent = Pick<CutoverWrite<never>, 'cutover' | 'request'> & {
  key: string;
  /** The same for every attempt to record this write. */
  intent: string;
  idempotencyKey: string;
  payload: string;
};

export type WriteOutcome = { cutover: string; forward: string; outcome: 'applied' | 'refused' | 'unknown' };

/** Makes intents durable. `intend` throws a CrossfadeError that is not retryable for a write that is refused as such. */
export type ForwardRecorder = {
  intend(write: WriteIntent, signal: AbortSignal): Promise<WritePlace>;
  settle(outcome: WriteOutcome, signal: AbortSignal): Promise<unknown>;
};

export type WriteParts = CallParts & {
  forwards: ForwardRecorder | undefined;
  /** By the flags. `stage` is null without any. */
  believed(cutover: string): { side: Side; stage: string | null };
  /** The slice of the plan that a key lies in. */
  sliceOf(cutover: string, key: string): number | null;
  record(outcome: Outcome): void;
  /** A write goes on by the flags alone. */
  unasked(): void;
  /** Monotonic milliseconds. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
  deadlineMs: number;
};

/** Stages in which nothing is forwarded, and nothing is on its way: there is little to ask and not much to wait for. */
const UNFOLLOWED: readonly (string | null)[] = ['disabled', 'cleaned'];
/** Stages in which no side follows the other. */
const UNFORWARDED = [...UNFOLLOWED, 'rolled_back'];
const BRIEF_MS = 1_000;
const PAUSE_MS = 100;
const SETTLE_MS = 1_000;

/** @throws what the side throws; CrossfadeError when nothing was written: `copy_not_recorded`, `invalid_input`, or why it is refused */
export async function writeCutover<T>(parts: WriteParts, write: CutoverWrite<T>): Promise<T> {
  const { cutover, operation = 'write' } = write;
  const id = write.id ?? parts.nextId();
  const key = keyOf(write.key);
  if (key === null) throw invalid(cutover, `its key is ${typeof write.key}, and has to be a text or a number`);
  const { side, forward } = parts.isReadonly()
    ? { ...parts.believed(cutover), forward: null }
    : await intend(parts, { ...write, key }, id);
  const startedMs = parts.now();
  const settled = await settle(write[side], new RunCall(parts, cutover, side, { id }));
  const { ok: success, error } = settled;
  const slice = parts.sliceOf(cutover, key);
  parts.record({ cutover, side, slice, latencyMs: parts.now() - startedMs, success, operation, error });
  if (forward) {
    const outcome = settled.ok
      ? 'applied'
      : said(() => write.isRefused?.(settled.error)) === true
        ? 'refused'
        : 'unknown';
    // That it cannot be noted is nothing to the caller: the intent is there, and is found out.
    await parts.forwards!.settle({ cutover, forward, outcome }, AbortSignal.timeout(SETTLE_MS)).catch(() => {});
  }
  if (settled.ok) return settled.answer;
  throw settled.error;
}

async function intend<T>(parts: WriteParts, write: CutoverWrite<T> & { key: string }, id: string): Promise<WritePlace> {
  const { cutover, key, request } = write;
  const payload = payloadOf(write);
  const intent = { cutover, key, request, intent: parts.nextId(), idempotencyKey: id, payload };
  const untilMs = parts.now() + parts.deadlineMs;
  for (;;) {
    const { side, stage } = parts.believed(cutover);
    const leftMs = Math.ceil(untilMs - parts.now());
    const patienceMs = Math.min(leftMs, UNFOLLOWED.includes(stage) ? BRIEF_MS : leftMs);
    try {
      if (!parts.forwards) throw new CrossfadeError('invalid_config', 'createClient needs forwards: httpForwards().');
      return await parts.forwards.intend(intent, AbortSignal.timeout(timerMs(Math.max(1, patienceMs))));
    } catch (error) {
      const known = isCrossfadeError(error) ? error : null;
      if (known && !known.retryable) throw known;
      if (known?.code !== 'copy_pending' && UNFORWARDED.includes(stage)) {
        parts.unasked();
        return { side, forward: null };
      }
      if (parts.now() + PAUSE_MS >= untilMs) throw notRecorded(cutover, id, error);
      await parts.sleep(PAUSE_MS);
    }
  }
}

function notRecorded(cutover: string, id: string, cause: unknown): CrossfadeError {
  const text = `Nothing was written to '${cutover}': it could not be recorded (${cause}). Try again with id '${id}'.`;
  return new CrossfadeError('copy_not_recorded', text, { retryable: true, details: { id }, cause });
}

/** @throws CrossfadeError `invalid_input` for what JSON has no words for */
function payloadOf<T>({ cutover, payload }: CutoverWrite<T>): string {
  let why = `${typeof payload} is no JSON`;
  try {
    const text: string | undefined = JSON.stringify(payload);
    if (text !== undefined) return text;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  throw invalid(cutover, `its payload cannot be sent to the other side as JSON (${why})`);
}

const invalid = (cutover: string, why: string) =>
  new CrossfadeError('invalid_input', `Nothing was written to '${cutover}': ${why}.`);
