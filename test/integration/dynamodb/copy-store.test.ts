/** Copies of writes on DynamoDB Local. */

import { QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { dynamoCopyStore } from '../../../lib/adapters/dynamodb/copy-store.ts';
import { CONTRACT_NOW, copyContract, newCopy } from '../../helpers/contracts/copies.ts';
import { localClient, ownTables } from '../../helpers/dynamodb.ts';

const client = localClient();
afterAll(() => client.destroy());

const make = async () => {
  const { changes } = await ownTables(client);
  return { tableName: changes, store: dynamoCopyStore({ client, tableName: changes, realNow: () => CONTRACT_NOW }) };
};

copyContract('DynamoDB', async () => (await make()).store);

describe('items of copies', () => {
  it('leave nothing behind when they are carried out: neither themselves nor parts of their bodies', async () => {
    const { store, tableName } = await make();
    const copy = newCopy({ n: 1, body: Buffer.alloc(900_000, 7) });
    await store.intend(copy);
    const { Items: parts } = await client.send(
      new ScanCommand({
        TableName: tableName,
        FilterExpression: 'begins_with(id, :b)',
        ExpressionAttributeValues: { ':b': 'body#' },
      }),
    );
    expect(parts!.length).toBe(3);
    await store.settle('chat', copy.id, 'ready');
    await store.claim('chat', copy.id, { by: 'a', nowMs: CONTRACT_NOW, untilMs: CONTRACT_NOW + 1 });
    await store.finish('chat', copy.id, 'a');
    expect((await client.send(new ScanCommand({ TableName: tableName }))).Items).toEqual([]);
  });

  it('of one key lie under one partition key, oldest first, whatever else is written', async () => {
    const { store, tableName } = await make();
    for (const n of [2, 9, 4]) await store.intend(newCopy({ n, orderKey: 'users/1' }));
    const [first] = await store.open('chat');
    const { Items } = await client.send(
      new QueryCommand({
        TableName: tableName,
        KeyConditionExpression: 'id = :id',
        ExpressionAttributeValues: { ':id': `chat#${first!.id[14]}` },
      }),
    );
    expect(Items!.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['key-2', 'key-4', 'key-9']);
  });

  it('edited by hand are refused by name and never guessed', async () => {
    const { store, tableName } = await make();
    const copy = newCopy({ n: 1 });
    await store.intend(copy);
    await client.send(
      new UpdateCommand({
        TableName: tableName,
        Key: { id: `chat#${copy.id[14]}`, place: copy.id },
        UpdateExpression: 'SET side = :side',
        ExpressionAttributeValues: { ':side': 'left' },
      }),
    );
    await expect(store.open('chat')).rejects.toMatchObject({
      code: 'state_invalid',
      message: expect.stringContaining(copy.id),
    });
  });
});
