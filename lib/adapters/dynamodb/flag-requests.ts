/** The publisher's end of the requests for flags. See also asked-flags.ts, the end of those that ask. */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { CLOCKS_APART_MS } from '../../core/conditions/verdict.ts';
import { servedForm } from '../../core/routing/flags.ts';
import type { FlagRequests } from '../../ports/flag-requests.ts';
import { flagRequest } from '../../schemas/flag-requests.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { ANSWERED, ASKED, askedPlace, sightingKey } from './keys.ts';
import { packed, unpacked } from './packed-json.ts';
import { believe, queryItems } from './state-items.ts';

export type FlagRequestOptions = Pick<Target, 'client' | 'tableName'> & {
  /** Real epoch milliseconds. */
  realNow(): number;
  requestTimeoutMs?: number;
};

/** No caller waits longer. */
const WAITED_FOR_MS = 60_000;
const LIFE_SECONDS = 3_600;

export const expiry = (realMs: number): number => Math.floor(realMs / 1_000) + LIFE_SECONDS;

export function dynamoFlagRequests(options: FlagRequestOptions): FlagRequests {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;
  const { realNow } = options;

  const since = (partition: string) =>
    queryItems(target, 'read the requests for flags', {
      KeyConditionExpression: 'pk = :pk AND sk >= :from',
      ExpressionAttributeValues: { ':pk': partition, ':from': askedPlace(realNow() - WAITED_FOR_MS) },
    });

  return {
    async open() {
      const asked = await since(ASKED);
      if (asked.length === 0) return [];
      const answered = new Set((await since(ANSWERED)).map(({ sk }) => sk));
      return asked.flatMap((item) => {
        if (answered.has(item.sk)) return [];
        // One that cannot be read is not answered, and keeps no other waiting.
        const read = believe(flagRequest, { ...item, document: unpacked(item.document) });
        return read.ok && read.value.untilMs > realNow() ? [{ id: String(item.sk), ...read.value }] : [];
      });
    },

    async answer(id, answer) {
      const Item = { pk: ANSWERED, sk: id, ...answer, expires_at: expiry(realNow()) };
      const command = new PutCommand({ TableName: tableName, Item });
      await attempt(target, `answer the request for flags '${id}'`, (call) => client.send(command, call));
    },

    async note({ document, latestVersion, atMs }) {
      const command = new PutCommand({
        TableName: tableName,
        Item: { ...sightingKey(), document: document && packed(servedForm(document)), latestVersion, atMs },
        // Of two publishers at work at once the later look counts. One from the future had a wrong clock.
        ConditionExpression: 'attribute_not_exists(pk) OR atMs <= :at OR atMs > :future',
        ExpressionAttributeValues: { ':at': atMs, ':future': realNow() + CLOCKS_APART_MS },
      });
      await attempt(target, 'write down the deployed flags', (call) =>
        client.send(command, call).catch((error: unknown) => {
          if (!isConditionFailure(error)) throw error;
        }),
      );
    },
  };
}
