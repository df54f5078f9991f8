/** What is open, listed and counted, and what a person says of forwarded writes in quarantine. */

import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { FORWARD_SHARDS, type ForwardHead } from '../../../core/forwards/forward.ts';
import { murmur3 } from '../../../core/routing/murmur3.ts';
import type { Forwards } from '../../../ports/forwards.ts';
import { attempt, type Target } from '../failures.ts';
import { forwardPartition } from '../keys.ts';
import type { Item } from '../state-items.ts';
import { forwardChanges } from './changes.ts';
import { forwardOf } from './item.ts';
import { forwardsSummary, LISTED, type Listed } from './summary.ts';

/** Everything but the body. Each under an alias: some are words that DynamoDB keeps for itself. */
const HEAD_FIELDS = [
  'place',
  'cutover',
  'side',
  'orderKey',
  'status',
  'known',
  'idempotencyKey',
  'attempts',
  'nextAttemptAtMs',
  'claimedUntilMs',
  'problem',
  'request',
  'bodyBytes',
  'parts',
];
const HEAD_PROJECTION = {
  ProjectionExpression: HEAD_FIELDS.map((name) => `#${name}`).join(', '),
  ExpressionAttributeNames: Object.fromEntries(HEAD_FIELDS.map((name) => [`#${name}`, name])),
};

export function dynamoForwards(target: Target, realNow: () => number): Forwards {
  const { client, tableName: TableName } = target;
  const { update, remove } = forwardChanges(target);

  /** Of one order key everything, however much else there is: what is not seen counts as not there. */
  async function listShard(cutover: string, shard: number, orderKey?: string): Promise<Listed> {
    const heads: ForwardHead[] = [];
    const only = orderKey === undefined ? {} : { FilterExpression: '#orderKey = :orderKey' };
    const values = orderKey === undefined ? {} : { ':orderKey': orderKey };
    let next: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'id = :id',
        ...HEAD_PROJECTION,
        ...only,
        ExpressionAttributeValues: { ':id': forwardPartition(cutover, shard), ...values },
        ...(orderKey === undefined ? { Limit: LISTED } : {}),
        ExclusiveStartKey: next,
      });
      const page = await attempt(target, `list the forwarded writes of cutover '${cutover}'`, (call) =>
        client.send(command, call),
      );
      heads.push(...(page.Items ?? []).map((item) => forwardOf(item).head));
      next = page.LastEvaluatedKey;
    } while (next && (orderKey !== undefined || heads.length < LISTED));
    return { heads, more: next !== undefined };
  }

  const listAll = async (cutover: string) =>
    Promise.all(Array.from({ length: FORWARD_SHARDS }, (_, shard) => listShard(cutover, shard)));

  return {
    async open(cutover, orderKey) {
      if (orderKey !== undefined) {
        const { heads } = await listShard(cutover, murmur3(orderKey) % FORWARD_SHARDS, orderKey);
        return heads;
      }
      const shards = await listAll(cutover);
      return shards.flatMap(({ heads }) => heads).sort((a, b) => (a.id < b.id ? -1 : 1));
    },

    async retry(cutover, id) {
      return update(cutover, id, 'retry', {
        UpdateExpression:
          'SET #status = :ready, known = :true, attempts = :none, nextAttemptAtMs = :none, problem = :null',
        ConditionExpression: '#status = :quarantined',
        ExpressionAttributeValues: {
          ':ready': 'ready',
          ':true': true,
          ':none': 0,
          ':null': null,
          ':quarantined': 'quarantined',
        },
      });
    },

    discard: (cutover, id) =>
      remove(cutover, id, 'discard', {
        ConditionExpression: '#status = :quarantined',
        ExpressionAttributeValues: { ':quarantined': 'quarantined' },
      }),

    summary: forwardsSummary(target, HEAD_FIELDS, listAll, realNow),
  };
}
