/**
 * Custom metrics on DynamoDB: an item for each minute, side and metric, in the partitions of the windows. As for windows, ADD is not
 * idempotent, so an item keeps a mark of every flush that it has taken.
 */

import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { DAY_MINUTES } from '../../core/base/units.ts';
import type { CustomMetricStore, MetricAddition } from '../../ports/custom-metrics.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { metricKey, metricPlace, shardOf, windowPartitions } from './keys.ts';
import { mustBelieve, selectItems } from './state-items.ts';
import { flushMark } from './window-item.ts';

export type CustomMetricOptions = Pick<Target, 'client' | 'tableName'> & {
  requestTimeoutMs?: number;
};

/** A criterion looks a day back at most. */
const RETENTION_MINUTES = 2 * DAY_MINUTES;

const stored = z.object({
  minute: z.int().nonnegative(),
  side: z.enum(['primary', 'shadow']),
  metric: z.string(),
  n: z.number().nonnegative(),
  total: z.number(),
  squares: z.number().nonnegative(),
});

export function dynamoCustomMetrics(options: CustomMetricOptions): CustomMetricStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;

  async function addOne(shard: number, mark: string, { cutover, ...sum }: MetricAddition): Promise<void> {
    const { minute, side, metric, n, sum: total, squares } = sum;
    const command = new UpdateCommand({
      TableName: tableName,
      Key: metricKey(cutover, shard, sum),
      UpdateExpression:
        'SET #minute = :minute, #side = :side, #metric = :metric, expires_at = :expires ADD n :n, #total :total, squares :squares, flushes :marks',
      ConditionExpression: 'NOT contains(flushes, :mark)',
      ExpressionAttributeNames: { '#minute': 'minute', '#side': 'side', '#metric': 'metric', '#total': 'total' },
      ExpressionAttributeValues: {
        ':minute': minute,
        ':side': side,
        ':metric': metric,
        ':expires': (minute + RETENTION_MINUTES) * 60,
        ':n': n,
        ':total': total,
        ':squares': squares,
        ':marks': new Set([mark]),
        ':mark': mark,
      },
    });
    await attempt(target, `add to a metric of cutover '${cutover}'`, (call) =>
      client.send(command, call).catch((error: unknown) => {
        // Counted before.
        if (!isConditionFailure(error)) throw error;
      }),
    );
  }

  return {
    async add(flushId, source, additions) {
      const shard = shardOf(source);
      const mark = flushMark(source, flushId, 0);
      await Promise.all(additions.map((addition) => addOne(shard, mark, addition)));
    },

    async read(id, fromMinute, toMinute) {
      const { items } = await selectItems(target, `read the metrics of cutover '${id}'`, {
        key: 'pk',
        partitions: windowPartitions(id),
        between: [metricPlace(fromMinute), metricPlace(toMinute + 1)],
      });
      const sums = new Map<
        string,
        { minute: number; side: 'primary' | 'shadow'; metric: string; n: number; sum: number; squares: number }
      >();
      for (const item of items) {
        const { total, ...one } = mustBelieve(stored, item, target, `metric of cutover '${id}'`);
        const key = `${one.minute}#${one.side}#${one.metric}`;
        const known = sums.get(key) ?? { ...one, n: 0, sum: 0, squares: 0 };
        sums.set(key, { ...known, n: known.n + one.n, sum: known.sum + total, squares: known.squares + one.squares });
      }
      return [...sums.values()];
    },
  };
}
