/**
 * Wakes the shadow writer by way of the stream of the changes table. A put that changes nothing emits no record, so
 * each wake-up counts one up. A call that happens twice costs one more record and nothing else.
 */

import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { WakeUps } from '../../ports/wake-ups.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, type Target } from './failures.ts';
import { comparisonKey, wakeUpKey } from './keys.ts';

/** The item is `{ id: <cutover>, place: 'wake', wakeUps: <number> }`. */
export function dynamoWakeUps(options: Pick<Target, 'client' | 'tableName'> & { requestTimeoutMs?: number }): WakeUps {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  return {
    async wake(id) {
      const command = new UpdateCommand({
        TableName: target.tableName,
        Key: wakeUpKey(id),
        UpdateExpression: 'ADD wakeUps :one',
        ExpressionAttributeValues: { ':one': 1 },
      });
      await attempt(target, `wake the shadow writer of cutover '${id}'`, (call) => target.client.send(command, call));
    },
    async compare(id, read, { unique, expiresAtMs }) {
      const Item = {
        ...comparisonKey(id, unique),
        read: JSON.stringify(read),
        expires_at: Math.floor(expiresAtMs / 1_000),
      };
      const command = new PutCommand({ TableName: target.tableName, Item });
      await attempt(target, `note a read of cutover '${id}' for comparison`, (call) =>
        target.client.send(command, call),
      );
    },
  };
}
