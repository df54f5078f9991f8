/** Minute windows on DynamoDB Local: the contract, lost answers, and what the dedupe is for. */

import { GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { windowKey, windowPartition } from '../../../lib/adapters/dynamodb/keys.ts';
import { flushMark } from '../../../lib/adapters/dynamodb/window-item.ts';
import { dynamoWindowStore } from '../../../lib/adapters/dynamodb/window-store.ts';
import type { WindowAddition } from '../../../lib/ports/windows.ts';
import { START_MS, testClock } from '../../helpers/contracts/state.ts';
import { latencies, windowContract, windowOf } from '../../helpers/contracts/windows.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { faultyProxy } from '../../helpers/dynamodb-proxy.ts';

const client = localClient();
afterAll(() => client.destroy());

const MINUTE = START_MS / 60_000;
const READ = { minute: MINUTE, side: 'primary', operation: 'read' } as const;
const itemOf = (flushes: string) => windowKey('customer', { source: 'sender', flushes }, READ);
const flushed = (window = latencies(MINUTE, 5)): WindowAddition[] => [
  { cutover: 'customer', operation: 'read', window },
];

async function fresh(using = client) {
  const { state: tableName } = await ownTables(client);
  const clock = testClock();
  return {
    clock,
    tableName,
    store: dynamoWindowStore({ client: using, tableName, clock, requestTimeoutMs: PATIENT_CALL_MS }),
  };
}

windowContract('DynamoDB', fresh);

describe('a flush whose answers are lost', () => {
  it('is counted once by the attempts of the SDK and once by the next try of the sender', async () => {
    const proxy = await faultyProxy();
    const { store } = await fresh(localClient(proxy.endpoint));
    proxy.fail('UpdateItem', 'after', 2);
    await store.add('flush', 'sender', flushed(), START_MS);
    expect(proxy.failed()).toBe(2);
    await store.add('flush', 'sender', flushed(), START_MS);
    expect(await store.read('customer', MINUTE, MINUTE)).toEqual([latencies(MINUTE, 5)]);
    await proxy.stop();
  });

  it('is counted twice when each try has an id of its own: negative control', async () => {
    const proxy = await faultyProxy();
    const { store } = await fresh(localClient(proxy.endpoint));
    proxy.fail('UpdateItem', 'after', 3);
    await expect(store.add('flush', 'sender', flushed(), START_MS)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
    });
    await store.add('another id', 'sender', flushed(), START_MS);
    expect(await store.read('customer', MINUTE, MINUTE)).toEqual([latencies(MINUTE, 5, 5)]);
    await proxy.stop();
  });
});

describe('items of windows', () => {
  it('expire 30 days after their minute', async () => {
    const { store, tableName } = await fresh();
    await store.add('flush', 'sender', flushed(), START_MS);
    const Key = itemOf('flush');
    const { Item } = await client.send(new GetCommand({ TableName: tableName, Key }));
    expect(Item).toMatchObject({ minute: MINUTE, side: 'primary', operation: 'read', count: 1 });
    expect(Item?.expires_at).toBe(START_MS / 1000 + 30 * 86_400);
  });

  it('of many senders use all ten shards', async () => {
    const { store, tableName } = await fresh();
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.add(`f${n}`, `sender-${n}`, flushed(), START_MS)));
    const counts = await Promise.all(
      Array.from({ length: 10 }, async (_, shard) => {
        const { Items } = await client.send(
          new QueryCommand({
            TableName: tableName,
            KeyConditionExpression: 'pk = :pk',
            ExpressionAttributeValues: { ':pk': windowPartition('customer', shard) },
          }),
        );
        return (Items ?? []).reduce((sum, { count }) => sum + Number(count), 0);
      }),
    );
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
  });

  it('of the version before have no slices, and take those of newer senders', async () => {
    const { store, tableName } = await fresh();
    const Key = itemOf('flush');
    const before = { minute: MINUTE, side: 'primary', operation: 'read', count: 2, errors: 1, keyless: 0, checks: 0 };
    const Item = { ...Key, ...before, mismatches: 0, b3: 2, flushes: new Set(['a flush']) };
    await client.send(new PutCommand({ TableName: tableName, Item }));
    const old = { ...windowOf(MINUTE, { count: 2, errors: 1 }), latency: { 3: 2 } };
    expect(await store.readParts('customer', MINUTE, MINUTE)).toEqual([
      { slice: null, operation: 'read', window: old },
    ]);
    const window = { ...windowOf(MINUTE, { count: 1 }), latency: { 3: 1 } };
    await store.add('flush', 'sender', [{ cutover: 'customer', operation: 'read', slice: 1, window }], START_MS);
    expect(await store.readParts('customer', MINUTE, MINUTE)).toEqual([
      { slice: null, operation: 'read', window: old },
      { slice: 1, operation: 'read', window },
    ]);
    const found = await client.send(new GetCommand({ TableName: tableName, Key }));
    // What the version before adds up: attributes that it knows.
    expect(found.Item).toMatchObject({ count: 3, errors: 1, b3: 3 });
  });

  it.each([
    ['a counter that is text', { errors: 'none' }, 'errors: '],
    ['a bucket that is negative', { b17: -4 }, 'b17: '],
    ['an unknown side', { side: 'left' }, 'side: '],
  ])('edited by hand are refused: %s', async (_, fields, problem) => {
    const { store, tableName } = await fresh();
    await store.add('flush', 'sender', flushed(), START_MS);
    const Key = itemOf('flush');
    const { Item } = await client.send(new GetCommand({ TableName: tableName, Key }));
    await client.send(new PutCommand({ TableName: tableName, Item: { ...Item, ...fields } }));
    await expect(store.read('customer', MINUTE, MINUTE)).rejects.toMatchObject({
      code: 'state_invalid',
      message: expect.stringContaining(problem),
    });
  });

  it('edited by hand keep nobody from those of another cutover', async () => {
    const { store, tableName } = await fresh();
    const window = latencies(MINUTE, 5);
    for (const cutover of ['customer', 'invoice'])
      await store.add('flush', 'sender', [{ cutover, operation: 'read', window }], START_MS);
    const Key = itemOf('flush');
    await client.send(new PutCommand({ TableName: tableName, Item: { ...Key, minute: 'noon' } }));
    const [spoiled, whole] = await Promise.allSettled(
      ['customer', 'invoice'].map((id) => store.read(id, MINUTE, MINUTE)),
    );
    expect(spoiled).toMatchObject({ status: 'rejected', reason: { code: 'state_invalid' } });
    expect(whole).toEqual({ status: 'fulfilled', value: [window] });
  });

  it('do not grow with the flushes of a sender that numbers them', async () => {
    const { store, tableName } = await fresh();
    const attributes = async (flushes: string) => {
      const Key = itemOf(flushes);
      const { Item } = await client.send(new GetCommand({ TableName: tableName, Key }));
      return Object.keys(Item!).sort();
    };
    for (let n = 1; n <= 3; n += 1) await store.add(`sender~${n}`, 'sender', flushed(), START_MS);
    const [first, next] = [await attributes('sender~0'), await attributes('sender~1')];
    expect(next).toEqual(first);
    expect(first).not.toContain('flushes');
    // The control: a sender that does not number them leaves a mark.
    await store.add('one', 'sender', flushed(), START_MS);
    expect(await attributes('one')).toContain('flushes');
    expect(await store.read('customer', MINUTE, MINUTE)).toEqual([latencies(MINUTE, 5, 5, 5, 5)]);
  });

  it('take a thousand flushes each', async () => {
    const { store, tableName } = await fresh();
    const one = flushed(windowOf(MINUTE, { count: 1 }));
    await store.add('flush', 'sender', one, START_MS);
    const Key = itemOf('flush');
    const { Item } = await client.send(new GetCommand({ TableName: tableName, Key }));
    const mark = flushMark('sender', 'flush', 'null.0');
    expect(Item).toMatchObject({ count: 1, flushes: new Set([mark]) });
    // What 999 more leave behind; the one that was counted comes again.
    const marks = Array.from({ length: 999 }, (_, n) => flushMark('sender', `flush ${n} of a sender`, 'null.0'));
    const flushes = new Set([mark, ...marks]);
    await client.send(new PutCommand({ TableName: tableName, Item: { ...Item, count: 1_000, flushes } }));
    await store.add('flush', 'sender', one, START_MS);
    expect(await store.read('customer', MINUTE, MINUTE)).toEqual([windowOf(MINUTE, { count: 1_000 })]);
  });
});

describe('when DynamoDB is not there', () => {
  it('adding and reading say so and may be repeated', async () => {
    const store = dynamoWindowStore({
      client: localClient('http://127.0.0.1:9'),
      tableName: 't-1',
      clock: testClock(),
    });
    const expected = { code: 'store_unavailable', retryable: true, message: expect.stringContaining("table 't-1'") };
    await expect(store.add('f', 's', flushed(), START_MS)).rejects.toMatchObject(expected);
    await expect(store.read('customer', MINUTE, MINUTE)).rejects.toMatchObject(expected);
  });
});
