/** The publisher's end of the requests for flags. See also asked-flags.ts, the end of those that ask. */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { CLOCKS_APART_MS } from '../../core/conditions/verdict.ts';
import { servedForm } from '../../core/routing/flags.ts';
import type { FlagRequests } from '../../ports/flag-requests.ts';
import { flagRequest } from '../../schemas/publisher-requests.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { sightingKey } from './keys.ts';
import { packed } from './packed-json.ts';
import { type PublisherRequestOptions, publisherRequests } from './publisher-requests.ts';

export function dynamoFlagRequests(options: PublisherRequestOptions): FlagRequests {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { open, answer } = publisherRequests(options);
  return {
    answer,
    async open() {
      return (await open('flags')).flatMap(({ id, body, untilMs }) => {
        // One that cannot be read is not answered, and keeps no other waiting.
        const read = flagRequest.safeParse(body);
        return read.success ? [{ id, untilMs, ...read.data }] : [];
      });
    },

    async note({ document, latestVersion, atMs }) {
      const command = new PutCommand({
        TableName: target.tableName,
        Item: { ...sightingKey(), document: document && packed(servedForm(document)), latestVersion, atMs },
        // Of two publishers at work at once the later look counts. One from the future had a wrong clock.
        ConditionExpression: 'attribute_not_exists(pk) OR atMs <= :at OR atMs > :future',
        ExpressionAttributeValues: { ':at': atMs, ':future': options.realNow() + CLOCKS_APART_MS },
      });
      await attempt(target, 'write down the deployed flags', (call) =>
        target.client.send(command, call).catch((error: unknown) => {
          if (!isConditionFailure(error)) throw error;
        }),
      );
    },
  };
}
