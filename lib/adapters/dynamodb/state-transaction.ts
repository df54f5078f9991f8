/**
 * The one transaction that changes a state: the new state, the audit entries that explain it and the caller's record.
 * Its conditions are what makes two writers from one version impossible, so they are all in this file:
 *
 *   state         the item is exactly the one the change is based on: version, epoch, number and hash of the audit head;
 *                 or it is absent, when the change is based on a state that was never written
 *   audit entry   its place in the chain is free
 *   record        the idempotency key is unused, or its record has expired
 *
 * State and audit place each stop a second writer alone; the second is there for a state item restored or edited by hand.
 */

import type { TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import type { IdempotencyRecord, StateChange } from '../../ports/state.ts';
import { auditKey, type ItemKey, idempotencyKey } from './keys.ts';

export type StateWrite = {
  tableName: string;
  key: ItemKey;
  change: StateChange<CutoverState> | StateChange<SystemState>;
  /** Marks the audit entries of this write, so that it is recognised when its answer was lost. */
  writeId: string;
  nowMs: number;
};

const ABSENT = 'attribute_not_exists(pk)';

export function stateTransaction(write: StateWrite): TransactWriteCommandInput {
  const { tableName, change, writeId } = write;
  const state = { TableName: tableName, Item: { ...write.key, ...change.after }, ...unchanged(change.before) };
  const entries = change.entries.map((entry) => ({
    TableName: tableName,
    Item: { ...auditKey(entry.subject, entry.seq), ...entry, event: JSON.stringify(entry.event), writeId },
    ConditionExpression: ABSENT,
  }));
  const record = change.idempotency ? [unusedRecord(tableName, change.idempotency, write.nowMs)] : [];
  return { TransactItems: [state, ...entries, ...record].map((Put) => ({ Put })) };
}

/** A state that was ever written has at least one audit entry: `denied` leaves the version, but not the audit head. */
function unchanged(before: CutoverState | SystemState) {
  if (before.auditSeq === 0) return { ConditionExpression: ABSENT };
  const fields = ['version', 'auditSeq', 'auditHash', ...('epoch' in before ? ['epoch'] : [])] as const;
  return {
    ConditionExpression: fields.map((field) => `#${field} = :${field}`).join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(fields.map((field) => [`#${field}`, field])),
    ExpressionAttributeValues: Object.fromEntries(
      fields.map((field) => [`:${field}`, (before as Record<string, unknown>)[field]]),
    ),
  };
}

function unusedRecord(tableName: string, record: IdempotencyRecord, nowMs: number) {
  return {
    TableName: tableName,
    Item: {
      ...idempotencyKey(record.key),
      ...record,
      answer: JSON.stringify(record.answer),
      expires_at: Math.ceil(record.expiresAtMs / 1000),
    },
    // Expired items stay readable until TTL removes them, which may take days.
    ConditionExpression: `${ABSENT} OR expiresAtMs <= :now`,
    ExpressionAttributeValues: { ':now': nowMs },
  };
}
