/** Alerts on DynamoDB Local: the contract, answers that are lost, and items that were edited by hand. */

import { randomUUID } from 'node:crypto';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { dynamoAlertStore } from '../../../lib/adapters/dynamodb/alert-store.ts';
import { alertContract, firing } from '../../helpers/contracts/alerts.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { faultyProxy } from '../../helpers/dynamodb-proxy.ts';

const client = localClient();
afterAll(() => client.destroy());

async function fresh(using = client) {
  const { state: tableName } = await ownTables(client);
  const options = { client: using, tableName, ids: { next: randomUUID }, requestTimeoutMs: PATIENT_CALL_MS };
  return { tableName, store: dynamoAlertStore(options) };
}

alertContract('DynamoDB', async () => (await fresh()).store);

describe('a write whose answer is lost', () => {
  it('is found to have been applied', async () => {
    const proxy = await faultyProxy();
    const { store } = await fresh(localClient(proxy.endpoint));
    proxy.fail('PutItem', 'after', 1);
    expect(await store.write(firing(), 0)).toBe('applied');
    expect(proxy.failed()).toBe(1);
    expect(await store.write(firing(), 0)).toBe('stale');
    await proxy.stop();
  });
});

describe('an alert edited by hand', () => {
  it('is refused, and named', async () => {
    const { store, tableName } = await fresh();
    const Item = { ...firing(), pk: 'alert', sk: 'customer.errors', status: 'loud' };
    await client.send(new PutCommand({ TableName: tableName, Item }));
    await expect(store.readAll()).rejects.toMatchObject({
      code: 'state_invalid',
      message: expect.stringMatching(/alert 'customer.errors'.*status: /),
    });
  });
});
