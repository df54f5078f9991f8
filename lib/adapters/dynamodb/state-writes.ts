/**
 * One conditional write of a state: two writers never both succeed from the same state.
 *
 *   A   read v7 ──────── write if v7 ─ applied (v8)
 *   B   read v7 ───────────────── write if v7 ─ cancelled ─ read back: v8, entry 12 is not mine → stale
 *   C   read v7 ─ write if v7 ─ applied, answer lost ────── read back: entry 12 carries my mark → applied
 *   D   read v7 ─ write if v7 ─ nothing known ─ read back: still v7 ─ the same write again, if v7: whichever of the two
 *       arrives first has its effect, the other is cancelled and the read back finds the mark → applied
 *
 * After every write that was not plainly accepted the store reads back, consistently, and only what is there decides.
 */

import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import type { Ids } from '../../ports/machine.ts';
import type { IdempotencyRecord, StateChange, WriteResult } from '../../ports/state.ts';
import { nothingWasWritten, storeError, type Target, withDeadline } from './failures.ts';
import { auditKey, type ItemKey } from './keys.ts';
import { readItem, stateInvalid } from './state-items.ts';
import { stateTransaction } from './state-transaction.ts';

const TRIES = 4;

/** What is written, and how to see what became of it. */
export type Subject<State> = { name: string; key: ItemKey; current(): Promise<State | null> };

export type StateWriter = {
  target: Target;
  /** Marks each write; unique for ever, as UUIDs are. */
  ids: Ids;
  nowMs(): number;
  /** Before the next try, after so many. */
  pause(tries: number): Promise<void>;
  /** The record of an idempotency key that was used before. */
  repeated(key: string): Promise<IdempotencyRecord | null>;
};

export async function writeState<State extends CutoverState | SystemState>(
  writer: StateWriter,
  subject: Subject<State>,
  change: StateChange<State>,
): Promise<WriteResult<State>> {
  const { target } = writer;
  const writeId = writer.ids.next();
  const what = `write the state of ${subject.name}`;
  for (let tries = 1; ; tries += 1) {
    const input = stateTransaction({
      tableName: target.tableName,
      key: subject.key,
      change: change as StateChange<CutoverState> | StateChange<SystemState>,
      writeId,
      nowMs: writer.nowMs(),
    });
    const send = (call: { abortSignal: AbortSignal }) => target.client.send(new TransactWriteCommand(input), call);
    const problem = await withDeadline(target, send).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    if (!problem) return { kind: 'applied' };
    if (nothingWasWritten(problem.error)) throw await storeError(target, what, problem.error);
    const settled = await settle(writer, subject, change, writeId);
    if (settled) return settled;
    if (tries === TRIES) throw await storeError(target, what, problem.error);
    await writer.pause(tries);
  }
}

/** What became of a write that was not plainly accepted; `null` when nothing happened and it may be tried again. */
async function settle<State extends CutoverState | SystemState>(
  writer: StateWriter,
  subject: Subject<State>,
  change: StateChange<State>,
  writeId: string,
): Promise<WriteResult<State> | null> {
  const { target } = writer;
  const what = `find out whether the change of ${subject.name} was applied`;
  const [first] = change.entries;
  if (!first) throw new CrossfadeError('internal', `A change of ${subject.name} came without an audit entry.`);
  const place = auditKey(first.subject, first.seq);
  // The entry before the state: entries are never changed, so one that is ours stays ours after the next write.
  const entry = await readItem(target, what, place);
  if (entry?.writeId === writeId) return { kind: 'applied' };
  const record = change.idempotency && (await writer.repeated(change.idempotency.key));
  if (record) return { kind: 'repeated', record };
  const current = await subject.current();
  if (current === null && change.before.auditSeq > 0)
    throw stateInvalid(target, `state of ${subject.name}`, subject.key, 'it was read before and is gone now');
  if (current !== null && !sameHead(current, change.before)) return { kind: 'stale', current };
  if (entry)
    throw stateInvalid(
      target,
      `state of ${subject.name}`,
      subject.key,
      `it ends at audit entry ${change.before.auditSeq}, but entry ${first.seq} exists`,
    );
  return null;
}

type Head = Pick<SystemState, 'version' | 'auditSeq' | 'auditHash'> & { epoch?: number };

function sameHead(a: Head, b: Head): boolean {
  return a.version === b.version && a.epoch === b.epoch && a.auditSeq === b.auditSeq && a.auditHash === b.auditHash;
}
