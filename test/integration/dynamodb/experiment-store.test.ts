/** Totals of experiments on DynamoDB Local. */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { dynamoExperimentStore } from '../../../lib/adapters/dynamodb/experiment-store.ts';
import { cohort, experimentContract } from '../../helpers/contracts/experiments.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { faultyProxy } from '../../helpers/dynamodb-proxy.ts';
import { NOW } from '../../property/samples.ts';

const client = localClient();
afterAll(() => client.destroy());

async function fresh(using = client) {
  const { state: tableName } = await ownTables(client);
  return { tableName, store: dynamoExperimentStore({ client: using, tableName, requestTimeoutMs: PATIENT_CALL_MS }) };
}

experimentContract('DynamoDB', async () => (await fresh()).store);

describe('totals on DynamoDB', () => {
  const totals = { primary: cohort({ n: 1 }), shadow: cohort({}) };

  it('count a batch whose answer was lost once', async () => {
    const proxy = await faultyProxy();
    const { store } = await fresh(localClient(proxy.endpoint));
    proxy.fail('UpdateItem', 'after', 1);
    await store.add('customer.checkout', { batchId: '1', source: 'a', totals, atMs: NOW });
    expect(proxy.failed()).toBe(1);
    expect((await store.read('customer.checkout')).primary.n).toBe(1);
    await proxy.stop();
  });

  it('that cannot be are refused', async () => {
    const { store, tableName } = await fresh();
    await store.add('customer.checkout', { batchId: '1', source: 'a', totals, atMs: NOW });
    const Item = {
      pk: 'experiment#customer.checkout#0',
      sk: '0',
      p_n: 1,
      p_conversions: 2,
      p_values: 0,
      p_sum: 0,
      p_sumSquares: 0,
    };
    await client.send(new PutCommand({ TableName: tableName, Item }));
    await expect(store.read('customer.checkout')).rejects.toMatchObject({ code: 'state_invalid' });
  });
});
