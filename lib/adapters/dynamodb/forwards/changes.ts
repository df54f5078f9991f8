/** One conditional change of a forwarded write that is stored. A condition that does not hold is an answer, not an error. */

import { DeleteCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import { attempt, isConditionFailure, type Target } from '../failures.ts';
import { bodyKey, forwardKey } from '../keys.ts';
import type { Item } from '../state-items.ts';

type Change = Pick<UpdateCommandInput, 'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'>;

export type ForwardChanges = {
  /** False when the condition does not hold. `what` is a verb, for messages. */
  update(cutover: string, id: string, what: string, change: Change): Promise<boolean>;
  /** The same, with the whole item as it is afterwards, its body too: null when the condition does not hold. */
  updated(cutover: string, id: string, what: string, change: Change): Promise<Item | null>;
  /** Removes a forwarded write under a condition, and the parts of its body. Gone already counts as done. */
  remove(cutover: string, id: string, what: string, condition: Omit<Change, 'UpdateExpression'>): Promise<boolean>;
};

export function forwardChanges(target: Target): ForwardChanges {
  const { client, tableName: TableName } = target;
  const updating =
    (ReturnValues: 'ALL_NEW' | 'NONE'): ForwardChanges['updated'] =>
    async (cutover, id, what, change) => {
      const Key = forwardKey(cutover, id);
      if (!Key) return null;
      const names = namesIn(`${change.UpdateExpression} ${change.ConditionExpression}`);
      const command = new UpdateCommand({ TableName, Key, ...change, ...names, ReturnValues });
      return attempt(target, `${what} a forwarded write of cutover '${cutover}'`, (call) =>
        client.send(command, call).then(
          ({ Attributes }) => Attributes ?? {},
          (error: unknown) => {
            if (isConditionFailure(error)) return null;
            throw error;
          },
        ),
      );
    };
  const untold = updating('NONE');

  return {
    updated: updating('ALL_NEW'),
    update: async (...change) => (await untold(...change)) !== null,

    async remove(cutover, id, what, condition) {
      const Key = forwardKey(cutover, id);
      if (!Key) return false;
      const command = new DeleteCommand({
        TableName,
        Key,
        ConditionExpression: `attribute_not_exists(id) OR (${condition.ConditionExpression})`,
        ...namesIn(condition.ConditionExpression),
        ExpressionAttributeValues: condition.ExpressionAttributeValues,
        ReturnValues: 'ALL_OLD',
      });
      return attempt(target, `${what} a forwarded write of cutover '${cutover}'`, async (call) => {
        try {
          const { Attributes } = await client.send(command, call);
          const parts = Number(Attributes?.parts ?? 0);
          for (let part = 0; part < parts; part += 1)
            await client.send(new DeleteCommand({ TableName, Key: bodyKey(cutover, id, part) }), call);
          return true;
        } catch (error) {
          if (isConditionFailure(error)) return false;
          throw error;
        }
      });
    },
  };
}

/** A name that is not used is refused. */
const namesIn = (expression: string | undefined) =>
  expression?.includes('#status') ? { ExpressionAttributeNames: { '#status': 'status' } } : {};
