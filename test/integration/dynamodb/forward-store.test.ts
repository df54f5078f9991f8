/** Forwarded writes on DynamoDB Local. */

import { BatchWriteCommand, QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { dynamoForwardStore } from '../../../lib/adapters/dynamodb/forwards/store.ts';
import { forwardDelivery } from '../../../lib/adapters/http/deliver-forward.ts';
import { httpUpstream } from '../../../lib/adapters/http/upstream.ts';
import { systemClock, systemIds } from '../../../lib/adapters/system.ts';
import type { CutoverDeclaration } from '../../../lib/core/cutover/cutover.ts';
import { INTENT_LIFE_MS } from '../../../lib/core/forwards/forward.ts';
import { applyForwards } from '../../../lib/flows/forwards/apply-forwards.ts';
import { intendWrite, settleWrite } from '../../../lib/flows/forwards/record-write.ts';
import { CONTRACT_NOW, forwardContract, newForward } from '../../helpers/contracts/forwards.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { inMemoryWakeUps } from '../../helpers/fakes/wake-ups.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { upstreamServer } from '../../helpers/upstream-server.ts';
import { declarationOf, stateIn, systemOf } from '../../property/samples.ts';

const client = localClient();
afterAll(() => client.destroy());

const make = async () => {
  const { changes: tableName } = await ownTables(client);
  const options = { client, tableName, realNow: () => CONTRACT_NOW, requestTimeoutMs: PATIENT_CALL_MS };
  return { tableName, store: dynamoForwardStore(options) };
};

forwardContract('DynamoDB', async () => (await make()).store);

describe('items of forwarded writes', () => {
  it('leave nothing behind when they are carried out: neither themselves nor parts of their bodies', async () => {
    const { store, tableName } = await make();
    const forward = newForward({ n: 1, body: Buffer.alloc(900_000, 7) });
    await store.intents.intend(forward);
    const { Items: parts } = await client.send(
      new ScanCommand({
        TableName: tableName,
        FilterExpression: 'begins_with(id, :b)',
        ExpressionAttributeValues: { ':b': 'body#' },
      }),
    );
    expect(parts!.length).toBe(3);
    await store.intents.settle('chat', forward.id, 'ready');
    await store.attempts.claim('chat', forward.id, { by: 'a', nowMs: CONTRACT_NOW, untilMs: CONTRACT_NOW + 1 });
    await store.attempts.finish('chat', forward.id, 'a');
    expect((await client.send(new ScanCommand({ TableName: tableName }))).Items).toEqual([]);
  });

  it('of one key lie under one partition key, oldest first, whatever else is written', async () => {
    const { store, tableName } = await make();
    for (const n of [2, 9, 4]) await store.intents.intend(newForward({ n, orderKey: 'users/1' }));
    const [first] = await store.forwards.open('chat');
    const { Items } = await client.send(
      new QueryCommand({
        TableName: tableName,
        KeyConditionExpression: 'id = :id',
        ExpressionAttributeValues: { ':id': `chat#${first!.id[14]}` },
      }),
    );
    expect(Items!.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['key-2', 'key-4', 'key-9']);
  });

  it('that are many are counted shard by shard, and those beside them as exactly', async () => {
    const { store, tableName } = await make();
    const { id } = newForward({ n: 0, orderKey: 'users/1' });
    await store.intents.intend(newForward({ n: 0, orderKey: 'users/1' }));
    await store.intents.intend({ ...newForward({ n: 7 }), cutover: 'plan' });
    const { Items } = await client.send(new ScanCommand({ TableName: tableName }));
    const first = Items!.find((item) => item.place === id)!;
    for (let start = 0; start < 700; start += 25) {
      const puts = Array.from({ length: 25 }, (_, n) => {
        const place = `${id.slice(0, 13)}.${(start + n) % 10}.more-${start + n}`;
        return { PutRequest: { Item: { ...first, id: `chat#${(start + n) % 10}`, place } } };
      });
      await client.send(new BatchWriteCommand({ RequestItems: { [tableName]: puts } }));
    }
    const [chat, plan] = await Promise.all(['chat', 'plan'].map((cutover) => store.forwards.summary(cutover)));
    expect(chat).toMatchObject({ open: 701, more: false });
    expect(plan).toMatchObject({ open: 1, more: false });
  });

  it('of one key are all seen, however many others lie before them', async () => {
    const { store, tableName } = await make();
    const { id } = newForward({ n: 0, orderKey: 'users/1' });
    await store.intents.intend(newForward({ n: 0, orderKey: 'users/1' }));
    await store.intents.intend(newForward({ n: 9, orderKey: 'users/1' }));
    const { Items } = await client.send(new ScanCommand({ TableName: tableName }));
    const first = Items!.find((item) => item.place === id)!;
    for (let start = 0; start < 525; start += 25) {
      const puts = Array.from({ length: 25 }, (_, n) => ({
        PutRequest: { Item: { ...first, place: `${id}-more-${start + n}`, orderKey: 'users/2' } },
      }));
      await client.send(new BatchWriteCommand({ RequestItems: { [tableName]: puts } }));
    }
    const seen = await store.forwards.open('chat', 'users/1');
    expect(seen.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['key-0', 'key-9']);
  });

  it('edited by hand are refused by name and never guessed', async () => {
    const { store, tableName } = await make();
    const forward = newForward({ n: 1 });
    await store.intents.intend(forward);
    await client.send(
      new UpdateCommand({
        TableName: tableName,
        Key: { id: `chat#${forward.id[14]}`, place: forward.id },
        UpdateExpression: 'SET side = :side',
        ExpressionAttributeValues: { ':side': 'left' },
      }),
    );
    await expect(store.forwards.open('chat')).rejects.toMatchObject({
      code: 'state_invalid',
      message: expect.stringContaining(forward.id),
    });
  });
});

describe('writes of the SDK to a component', () => {
  it('reach the other side once: the settled one at once, the one of a dead process when its time is up', async () => {
    const { changes } = await ownTables(client);
    const clock = systemClock();
    let passedMs = 0;
    const realNow = () => CONTRACT_NOW + passedMs;
    const known = new Set<string>();
    const applied: string[] = [];
    const app = await upstreamServer(({ path, headers, body }, response) => {
      const once = `${path} ${headers['idempotency-key']}`;
      if (!known.has(once)) applied.push(`${path} ${body}`);
      known.add(once);
      response.writeHead(204).end();
    });
    const writes = { primary: `${app.url}/old`, shadow: `${app.url}/new`, privateHosts: [] };
    const declaration = { ...declarationOf('component', { id: 'planner' }), writes } as CutoverDeclaration;
    const state = stateIn('r1', { id: 'planner', kind: 'component' });
    const ports = {
      clock,
      ids: systemIds(),
      known: new Map(),
      log: { event() {}, failure() {} },
      ...dynamoForwardStore({ client, tableName: changes, realNow, requestTimeoutMs: PATIENT_CALL_MS }),
      realNow,
      deliver: forwardDelivery(httpUpstream({ clock, profile: 'local' })),
      windows: inMemoryWindows({ clock }),
      wakeUps: inMemoryWakeUps(),
      state: { readCutover: async () => state, readSystem: async () => systemOf() } as never,
    };
    const later = () => clock.monotonicMs() + 20_000;
    const intend = (id: string, payload: string) =>
      intendWrite(ports, declaration, { key: `users/${id}`, intent: id, idempotencyKey: id, payload }, later());
    try {
      const large = JSON.stringify('x'.repeat(40_000));
      const [settled, left] = [await intend('a', large), await intend('b', '2')];
      // Its answer was lost.
      expect(await intend('a', large)).toEqual(settled);
      expect(settled.side).toBe('primary');
      expect(await settleWrite(ports, 'planner', settled.forward!, 'applied')).toEqual({ settled: true });
      expect(await applyForwards(ports, declaration, later())).toMatchObject({ applied: 1 });
      expect(applied).toEqual([`/new ${large}`]);
      passedMs = INTENT_LIFE_MS;
      expect(await applyForwards(ports, declaration, later())).toMatchObject({ applied: 1 });
      expect(applied.slice(1)).toEqual(['/old 2', '/new 2']);
      expect(await settleWrite(ports, 'planner', left.forward!, 'applied')).toEqual({ settled: false });
      expect(await ports.forwards.open('planner')).toEqual([]);
    } finally {
      await app.close();
    }
  });
});
