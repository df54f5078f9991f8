/**
 * Totals of experiments on DynamoDB, added to without being read. A batch counts once: each item keeps a short mark of
 * every batch it has taken. Items are per hour and shard, so that marks and writers of one item stay few.
 */

import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { HOUR_MS } from '../../core/base/units.ts';
import { type CohortTotals, NO_TOTALS } from '../../core/report/experiment.ts';
import type { ExperimentStore } from '../../ports/experiments.ts';
import { cohortTotals } from '../../schemas/experiments.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { experimentKey, experimentPartition, shardOf, WINDOW_SHARDS } from './keys.ts';
import { type Item, mustBelieve, queryItems } from './state-items.ts';
import { flushMark } from './window-item.ts';

const SIDES = { primary: 'p', shadow: 's' } as const;
const FIELDS = ['n', 'conversions', 'values', 'sum', 'sumSquares'] as const;

export function dynamoExperimentStore(
  options: Pick<Target, 'client' | 'tableName'> & { requestTimeoutMs?: number },
): ExperimentStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;
  return {
    async add(id, { batchId, source, totals, atMs }) {
      const mark = flushMark(source, batchId, 0);
      const names: Record<string, string> = {};
      const values: Record<string, unknown> = { ':mark': mark, ':marks': new Set([mark]) };
      const adds = ['batches :marks'];
      for (const [side, prefix] of Object.entries(SIDES)) {
        for (const field of FIELDS) {
          names[`#${prefix}${field}`] = `${prefix}_${field}`;
          values[`:${prefix}${field}`] = totals[side as keyof typeof SIDES][field];
          adds.push(`#${prefix}${field} :${prefix}${field}`);
        }
      }
      const command = new UpdateCommand({
        TableName: tableName,
        Key: experimentKey(id, shardOf(source), Math.floor(atMs / HOUR_MS)),
        UpdateExpression: `ADD ${adds.join(', ')}`,
        ConditionExpression: 'NOT contains(batches, :mark)',
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      });
      await attempt(target, `add to experiment '${id}'`, (call) =>
        client.send(command, call).catch((error: unknown) => {
          // Counted before: the batch came again, or the SDK repeated a call whose answer was lost.
          if (!isConditionFailure(error)) throw error;
        }),
      );
    },

    async read(id) {
      const shards = await Promise.all(
        Array.from({ length: WINDOW_SHARDS }, (_, shard) =>
          queryItems(target, `read experiment '${id}'`, {
            KeyConditionExpression: 'pk = :pk',
            ExpressionAttributeValues: { ':pk': experimentPartition(id, shard) },
          }),
        ),
      );
      const items = shards.flat();
      const total = (prefix: string) =>
        items.map((item) => totalsOf(item, prefix, target, id)).reduce(plus, { ...NO_TOTALS });
      return { primary: total('p'), shadow: total('s') };
    },
  };
}

function totalsOf(item: Item, prefix: string, target: Target, id: string): CohortTotals {
  const fields = Object.fromEntries(FIELDS.map((field) => [field, item[`${prefix}_${field}`]]));
  return mustBelieve(cohortTotals, { ...fields, pk: item.pk, sk: item.sk }, target, `totals of experiment '${id}'`);
}

const plus = (a: CohortTotals, b: CohortTotals): CohortTotals => ({
  n: a.n + b.n,
  conversions: a.conversions + b.conversions,
  values: a.values + b.values,
  sum: a.sum + b.sum,
  sumSquares: a.sumSquares + b.sumSquares,
});
