/**
 * The state store on DynamoDB: the truth about every cutover. Two writers never both succeed from the same state.
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
import { type CutoverId, type CutoverState, INITIAL_SYSTEM, type SystemState } from '../../core/cutover/cutover.ts';
import type { AuditEntry } from '../../core/stage/audit.ts';
import type { Event } from '../../core/stage/events.ts';
import type { Clock, Ids } from '../../ports/machine.ts';
import type { StateChange, StateStore, WriteResult } from '../../ports/state.ts';
import { auditEntry, cutoverState, idempotencyRecord, systemState } from '../../schemas/state.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { deadlineOf, nothingWasWritten, storeError, type Target } from './failures.ts';
import {
  auditKey,
  auditPartition,
  auditPlace,
  CUTOVER_PREFIX,
  cutoverKey,
  type ItemKey,
  idempotencyKey,
  STATES,
  systemKey,
} from './keys.ts';
import { pausesOf } from './pauses.ts';
import { believe, mustBelieve, queryItems, readItem, stateInvalid } from './state-items.ts';
import { stateTransaction } from './state-transaction.ts';

export type DynamoStateStoreOptions = Pick<Target, 'client' | 'tableName'> & {
  clock: Pick<Clock, 'now' | 'sleep'>;
  /** Marks each write; unique for ever, as UUIDs are. */
  ids: Ids;
  /** 0 ≤ x < 1, for the jitter between tries. */
  random: () => number;
  /** Deadline of one call with all attempts of the SDK. */
  requestTimeoutMs?: number;
};

const TRIES = 4;

/** What is written, and how to see what became of it. */
type Subject<State> = { name: string; key: ItemKey; current(): Promise<State | null> };

export function dynamoStateStore(options: DynamoStateStoreOptions): StateStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;
  const pause = pausesOf(options);

  const cutover = (id: CutoverId): Subject<CutoverState> => ({
    name: `cutover '${id}'`,
    key: cutoverKey(id),
    current: () => store.readCutover(id),
  });
  const system: Subject<SystemState> = {
    name: 'the system',
    key: systemKey(),
    current: () => store.readSystem(),
  };

  async function write<State extends CutoverState | SystemState>(
    subject: Subject<State>,
    change: StateChange<State>,
  ): Promise<WriteResult<State>> {
    const writeId = options.ids.next();
    const what = `write the state of ${subject.name}`;
    for (let tries = 1; ; tries += 1) {
      const input = stateTransaction({
        tableName,
        key: subject.key,
        change: change as StateChange<CutoverState> | StateChange<SystemState>,
        writeId,
        nowMs: options.clock.now(),
      });
      const problem = await client.send(new TransactWriteCommand(input), deadlineOf(target)).then(
        () => null,
        (error: unknown) => ({ error }),
      );
      if (!problem) return { kind: 'applied' };
      if (nothingWasWritten(problem.error)) throw await storeError(target, what, problem.error);
      const settled = await settle(subject, change, writeId);
      if (settled) return settled;
      if (tries === TRIES) throw await storeError(target, what, problem.error);
      await pause(tries);
    }
  }

  /** What became of a write that was not plainly accepted; `null` when nothing happened and it may be tried again. */
  async function settle<State extends CutoverState | SystemState>(
    subject: Subject<State>,
    change: StateChange<State>,
    writeId: string,
  ): Promise<WriteResult<State> | null> {
    const what = `find out whether the change of ${subject.name} was applied`;
    const [first] = change.entries;
    if (!first) throw new CrossfadeError('internal', `A change of ${subject.name} came without an audit entry.`);
    const place = auditKey(first.subject, first.seq);
    // The entry before the state: entries are never changed, so one that is ours stays ours whoever writes next.
    const entry = await readItem(target, what, place);
    if (entry?.writeId === writeId) return { kind: 'applied' };
    const record = change.idempotency && (await store.readIdempotency(change.idempotency.key));
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

  const store: StateStore = {
    async readCutover(id) {
      const what = `state of cutover '${id}'`;
      const item = await readItem(target, `read the ${what}`, cutoverKey(id));
      if (!item) return null;
      if (item.id !== id) throw stateInvalid(target, what, cutoverKey(id), `id: it says ${JSON.stringify(item.id)}`);
      return mustBelieve(cutoverState, item, target, what);
    },

    async readAll() {
      const items = await queryItems(target, 'read the state of all cutovers', {
        KeyConditionExpression: 'pk = :states AND begins_with(sk, :cutovers)',
        ExpressionAttributeValues: { ':states': STATES, ':cutovers': CUTOVER_PREFIX },
      });
      return items.map((item) => {
        const id = String(item.sk).slice(CUTOVER_PREFIX.length);
        if (item.id !== id) return { id, invalid: `id: it says ${JSON.stringify(item.id)}` };
        const believed = believe(cutoverState, item);
        return believed.ok ? believed.value : { id, invalid: believed.problems };
      });
    },

    async readSystem() {
      const item = await readItem(target, 'read the system state', systemKey());
      return item ? mustBelieve(systemState, item, target, 'system state') : INITIAL_SYSTEM;
    },

    writeCutover: (change) => write(cutover(change.after.id), change),
    writeSystem: (change) => write(system, change),

    async readIdempotency(key) {
      const item = await readItem(target, 'read an idempotency record', idempotencyKey(key));
      if (!item) return null;
      const record = mustBelieve(idempotencyRecord, item, target, 'idempotency record');
      return record.expiresAtMs > options.clock.now() ? record : null;
    },

    async readAudit(subject, page) {
      const items = await queryItems(target, `read the audit log of '${subject}'`, {
        ...auditRange(subject, page),
        ScanIndexForward: page.oldestFirst ?? false,
        Limit: page.limit,
      });
      return items.map(
        (item) => mustBelieve(auditEntry, item, target, `audit entry of '${subject}'`) as AuditEntry<Event>,
      );
    },
  };
  return store;
}

type Head = Pick<SystemState, 'version' | 'auditSeq' | 'auditHash'> & { epoch?: number };

function sameHead(a: Head, b: Head): boolean {
  return a.version === b.version && a.epoch === b.epoch && a.auditSeq === b.auditSeq && a.auditHash === b.auditHash;
}

function auditRange(subject: string, page: { afterSeq?: number; oldestFirst?: boolean }) {
  const beyond = page.afterSeq === undefined ? '' : ` AND sk ${page.oldestFirst ? '>' : '<'} :after`;
  return {
    KeyConditionExpression: `pk = :log${beyond}`,
    ExpressionAttributeValues: {
      ':log': auditPartition(subject),
      ...(page.afterSeq === undefined ? {} : { ':after': auditPlace(page.afterSeq) }),
    },
  };
}
