/** What is asked of the stores when everything that the API can do is done once: forwarded writes, experiments, an alert. */

import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { dynamoAlertStore } from '../../lib/adapters/dynamodb/alert-store.ts';
import { dynamoForwardStore } from '../../lib/adapters/dynamodb/forwards/store.ts';
import type { ApiCall } from './api-gateway.ts';
import type { ApiStack, Instance } from './api-stack.ts';
import { firing } from './contracts/alerts.ts';

const FORCED = { force: true, reason: 'a test' };
const CLAIM = { by: 'a writer', nowMs: Date.now(), untilMs: Date.now() + 60_000 };

const wakeUp = (id: string) => ({
  eventID: '1',
  eventName: 'MODIFY',
  eventSource: 'aws:dynamodb',
  dynamodb: {
    SequenceNumber: '1',
    Keys: { id: { S: id }, place: { S: 'wake' } },
    NewImage: { id: { S: id }, place: { S: 'wake' }, wakeUps: { N: '1' } },
  },
});

/** Neither `chat` nor `tried` has been started. */
export async function useAll(stack: ApiStack, api: Instance): Promise<void> {
  const done = async (call: ApiCall) => {
    const { status, body } = await stack.call(api, call);
    expect({ path: call.path, status, body }).toMatchObject({ status: 200 });
    return body as Record<string, string>;
  };
  const command = async (id: string, name: string, body: object) =>
    expect(await stack.command(api, id, name, body)).toMatchObject({ status: 200 });
  const { dynamodb: client, tables } = stack.on;

  await command('chat', 'start', {});
  const write = { path: '/gateway/chat/rooms/7', body: {}, headers: { 'idempotency-key': randomUUID() } };
  await done(write);
  // Its upstream is asked in vain, and nothing is left of the intent.
  await stack.call(api, { ...write, path: '/gateway/chat/refused', headers: { 'idempotency-key': randomUUID() } });
  const intent = (key: string) => {
    const names = { intent: randomUUID(), idempotencyKey: randomUUID() };
    const request = { method: 'POST', path: `rooms/${key}` };
    return { path: '/v1/forwards', body: { cutover: 'chat', key, ...names, payload: '{}', request } };
  };
  /** Twice: the answer to the first may have been lost. */
  const intend = async (key: string) => {
    const call = intent(key);
    const first = await done(call);
    expect(await done(call)).toEqual(first);
    return first;
  };
  const settle = (forward: string | undefined, outcome: string) =>
    done({ path: '/v1/forwards/settle', body: { cutover: 'chat', forward, outcome } });
  const attempts = dynamoForwardStore({ client, tableName: tables.changes, realNow: Date.now }).attempts;
  for (const action of ['retry', 'discard']) {
    const { forward } = await intend(action);
    await settle(forward, 'applied');
    expect(await attempts.claim('chat', forward!, CLAIM)).not.toBeNull();
    const problem = { code: 'refused', text: 'no', atMs: CLAIM.nowMs } as const;
    expect(await attempts.quarantine('chat', forward!, CLAIM.by, problem)).toBe(true);
    await done({ path: `/v1/cutovers/chat/forwards/${action}`, body: { id: forward } });
  }
  await settle((await intend('refused')).forward, 'refused');
  await done({ path: '/v1/cutovers/chat/forwards' });
  await done({ path: '/v1/cutovers/chat/history' });
  // Nothing of it is true any more, and the tick says so.
  const alerts = dynamoAlertStore({ client, tableName: tables.state, ids: { next: randomUUID } });
  const alert = firing();
  expect(await alerts.write(alert, 0)).toBe('applied');
  await done({ path: `/v1/alerts/${alert.id}/acknowledge`, body: { reason: 'seen' } });
  await stack.tick({ source: 'crossfade.local' });
  expect(await stack.shadowWriter({ Records: [wakeUp('chat')] })).toEqual({ batchItemFailures: [] });
  // After a change of sides the order of a key is looked at first, by whoever has not seen the state before.
  await command('chat', 'rollback', { reason: 'a test' });
  const anew = await stack.instances();
  for (const call of [write, intent('later')]) await stack.call(anew, call);

  await command('tried', 'start', { plan: 'canary' });
  await command('tried', 'advance', FORCED);
  const events = [{ key: '1', converted: true }];
  await done({ path: '/v1/experiments/tried.checkout/events', body: { batchId: randomUUID(), source: 'a', events } });
  await done({ path: '/v1/experiments/tried.checkout' });
  await done({ path: '/dashboard/data' });

  await stack.publisher.look();
}
