/**
 * Alerts on DynamoDB: one item each, under one partition key, so that one consistent query reads them together. Every
 * write is conditional on the version it is based on; of two ticks that raise the same alert at once, one does.
 */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Alert } from '../../core/alerts/alert.ts';
import type { AlertStore } from '../../ports/alerts.ts';
import type { Ids } from '../../ports/machine.ts';
import { alertSchema } from '../../schemas/alerts.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { ALERTS, alertKey } from './keys.ts';
import { type Item, mustBelieve, queryItems, readItem } from './state-items.ts';

export function dynamoAlertStore(
  options: Pick<Target, 'client' | 'tableName'> & { ids: Ids; requestTimeoutMs?: number },
): AlertStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;

  const alertOf = ({ pk: _, sk: __, writeId: ___, ...fields }: Item, id: string): Alert =>
    mustBelieve(alertSchema, { ...fields, ...alertKey(id) }, target, `alert '${id}'`);

  return {
    async readAll() {
      const items = await queryItems(target, 'read the alerts', {
        KeyConditionExpression: 'pk = :alerts',
        ExpressionAttributeValues: { ':alerts': ALERTS },
      });
      return items.map((item) => alertOf(item, String(item.sk)));
    },

    async read(id) {
      const item = await readItem(target, `read alert '${id}'`, alertKey(id));
      return item ? alertOf(item, id) : null;
    },

    async write(alert, basedOn) {
      const writeId = options.ids.next();
      const command = new PutCommand({
        TableName: tableName,
        Item: { ...alert, ...alertKey(alert.id), writeId },
        ConditionExpression: basedOn === 0 ? 'attribute_not_exists(pk)' : 'version = :basedOn',
        ...(basedOn === 0 ? {} : { ExpressionAttributeValues: { ':basedOn': basedOn } }),
      });
      const what = `write alert '${alert.id}'`;
      return attempt(target, what, async (call) => {
        try {
          await client.send(command, call);
          return 'applied' as const;
        } catch (error) {
          if (!isConditionFailure(error)) throw error;
          // The SDK repeats a call whose answer was lost: the first attempt may have been this very write.
          const there = await readItem(target, what, alertKey(alert.id));
          return there?.writeId === writeId ? 'applied' : 'stale';
        }
      });
    },
  };
}
