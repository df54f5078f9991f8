/** The state store on DynamoDB: the truth about every cutover. How a state is written: state-writes.ts. */

import { type CutoverId, type CutoverState, INITIAL_SYSTEM, type SystemState } from '../../core/cutover/cutover.ts';
import type { AuditEntry } from '../../core/stage/audit.ts';
import type { Event } from '../../core/stage/events.ts';
import type { Clock, Ids } from '../../ports/machine.ts';
import type { StateStore } from '../../ports/state.ts';
import { auditEntry, cutoverState, idempotencyRecord, systemState } from '../../schemas/state.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import type { Target } from './failures.ts';
import { auditPartition, auditPlace, CUTOVER_PREFIX, cutoverKey, idempotencyKey, STATES, systemKey } from './keys.ts';
import { pausesOf } from './pauses.ts';
import { believe, mustBelieve, queryItems, readItem, stateInvalid } from './state-items.ts';
import { type StateWriter, type Subject, writeState } from './state-writes.ts';

export type DynamoStateStoreOptions = Pick<Target, 'client' | 'tableName'> & {
  clock: Pick<Clock, 'now' | 'sleep'>;
  /** Marks each write; unique for ever, as UUIDs are. */
  ids: Ids;
  /** 0 ≤ x < 1, for the jitter between tries. */
  random: () => number;
  /** Deadline of one call with all attempts of the SDK. */
  requestTimeoutMs?: number;
};

export function dynamoStateStore(options: DynamoStateStoreOptions): StateStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
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

  const writer: StateWriter = {
    target,
    ids: options.ids,
    nowMs: () => options.clock.now(),
    pause: pausesOf(options),
    repeated: (key) => store.readIdempotency(key),
  };

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

    writeCutover: (change) => writeState(writer, cutover(change.after.id), change),
    writeSystem: (change) => writeState(writer, system, change),

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
