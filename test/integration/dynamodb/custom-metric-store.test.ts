/** Custom metrics on DynamoDB Local keep the contract, and are out of the way of the windows beside them. */

import { afterAll, expect, it } from 'vitest';
import { dynamoCustomMetrics } from '../../../lib/adapters/dynamodb/custom-metric-store.ts';
import { dynamoWindowStore } from '../../../lib/adapters/dynamodb/window-store.ts';
import { customMetricContract } from '../../helpers/contracts/custom-metrics.ts';
import { START_MS, testClock } from '../../helpers/contracts/state.ts';
import { latencies } from '../../helpers/contracts/windows.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';

const client = localClient();
afterAll(() => client.destroy());

async function fresh() {
  const { state: tableName } = await ownTables(client);
  return { tableName, store: dynamoCustomMetrics({ client, tableName, requestTimeoutMs: PATIENT_CALL_MS }) };
}

customMetricContract('DynamoDB', async () => (await fresh()).store);

it('a metric and a window of one minute do not see each other', async () => {
  const { store, tableName } = await fresh();
  const windows = dynamoWindowStore({ client, tableName, clock: testClock(), requestTimeoutMs: PATIENT_CALL_MS });
  const minute = START_MS / 60_000;
  const sum = { minute, side: 'primary', metric: 'value.basket', n: 1, sum: 2, squares: 4 } as const;
  await windows.add('f', 's', [{ cutover: 'planner', operation: 'read', window: latencies(minute, 5) }], START_MS);
  await store.add('f', 's', [{ cutover: 'planner', ...sum }]);
  expect(await windows.read('planner', minute - 1, minute + 1)).toEqual([latencies(minute, 5)]);
  expect(await store.read('planner', minute, minute)).toEqual([sum]);
});
