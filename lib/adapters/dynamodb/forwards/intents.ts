/**
 * Writes that are about to be made on the authoritative side. The place of an intent is free, and so is its receipt of a day.
 */

import { GetCommand, PutCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { ForwardHead } from '../../../core/forwards/forward.ts';
import type { ForwardIntents, NewForward } from '../../../ports/forwards.ts';
import { attempt, isConditionFailure, type Target } from '../failures.ts';
import { receiptKey } from '../keys.ts';
import type { Item } from '../state-items.ts';
import { forwardChanges } from './changes.ts';
import { itemsOf } from './item.ts';

const RECEIPT_SECONDS = 86_400;
/** The attribute is stored: it keeps its name. */
const RECEIPT_ID = 'copy';

export function dynamoForwardIntents(target: Target): ForwardIntents {
  const { client, tableName: TableName } = target;
  const { update, remove } = forwardChanges(target);

  /** What was recorded first under the name of this receipt. */
  async function firstOf(cutover: string, receipt: string): Promise<Pick<ForwardHead, 'id' | 'side'> | null> {
    const command = new GetCommand({ TableName, Key: receiptKey(cutover, receipt), ConsistentRead: true });
    const what = `read the receipt of a write of cutover '${cutover}'`;
    const { Item } = await attempt(target, what, (call) => client.send(command, call));
    return Item ? { id: String(Item[RECEIPT_ID]), side: Item.side === 'primary' ? 'primary' : 'shadow' } : null;
  }

  return {
    async intend(forward, options) {
      const { id, side, cutover } = forward;
      const { item, parts } = itemsOf(forward);
      const what = `record a write of cutover '${cutover}' that is to be forwarded`;
      // The parts first: a forwarded write that is there is whole.
      for (const Item of parts)
        await attempt(target, what, (call) => client.send(new PutCommand({ TableName, Item }), call));
      const Put = { TableName, Item: item, ConditionExpression: 'attribute_not_exists(id)' };
      const recorded = await attempt(target, what, async (call) => {
        try {
          if (options) {
            const receipt = { ...Put, Item: receiptOf(forward, options.receipt) };
            await client.send(new TransactWriteCommand({ TransactItems: [{ Put: receipt }, { Put }] }), call);
          } else await client.send(new PutCommand(Put), call);
          return true;
        } catch (error) {
          if (isConditionFailure(error) || cancelledByCondition(error)) return false;
          throw error;
        }
      });
      if (recorded) return { kind: 'recorded', id, side };
      const first = options ? await firstOf(cutover, options.receipt) : null;
      return { kind: 'repeated', ...(first ?? { id, side }) };
    },

    async settle(cutover, id, status) {
      return update(cutover, id, 'settle', {
        UpdateExpression: 'SET #status = :status, known = :known',
        ConditionExpression: '#status IN (:intended, :status)',
        ExpressionAttributeValues: { ':status': status, ':known': status === 'ready', ':intended': 'intended' },
      });
    },

    withdraw: (cutover, id) =>
      remove(cutover, id, 'withdraw', {
        ConditionExpression: '#status = :intended',
        ExpressionAttributeValues: { ':intended': 'intended' },
      }),
  };
}

const receiptOf = ({ id, side, cutover, createdAtMs }: NewForward, receipt: string): Item => ({
  ...receiptKey(cutover, receipt),
  [RECEIPT_ID]: id,
  side,
  expires_at: Math.floor(createdAtMs / 1_000) + RECEIPT_SECONDS,
});

/** A transaction whose only complaint is that something is there already. */
function cancelledByCondition(error: unknown): boolean {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] })?.CancellationReasons ?? [];
  return reasons.some(({ Code }) => Code === 'ConditionalCheckFailed');
}
