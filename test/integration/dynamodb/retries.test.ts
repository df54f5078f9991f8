/**
 * Writes that fail at first and are made again under their key, on the real engine: forty of them were once four rollbacks
 * of a healthy cutover.
 */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { dynamoForwardStore } from '../../../lib/adapters/dynamodb/forwards/store.ts';
import { cutoverKey } from '../../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../../lib/adapters/dynamodb/state-store.ts';
import { systemClock, systemIds } from '../../../lib/adapters/system.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { ServiceDeclaration, Side } from '../../../lib/core/cutover/cutover.ts';
import { forwardsCondition } from '../../../lib/core/holds/forwards.ts';
import { DEFAULT_GATEWAY } from '../../../lib/core/net/upstream.ts';
import { applyForwards } from '../../../lib/flows/forwards/apply-forwards.ts';
import { outcomeBuffer } from '../../../lib/flows/forwards/outcome-buffer.ts';
import { proxyWrite, type WritePorts } from '../../../lib/flows/forwards/write-both.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { declarationOf, stateIn } from '../../property/samples.ts';

const client = localClient();
afterAll(() => client.destroy());

const declaration: ServiceDeclaration = {
  ...(declarationOf('service', { id: 'chat' }) as ServiceDeclaration),
  upstreams: { primary: 'https://primary.test', shadow: 'https://shadow.test' },
  gateway: { ...DEFAULT_GATEWAY, idempotencyKeys: true },
};

/** Two services that know their keys, in memory; a write is asked of them through the real store. */
async function bench(upstream: (side: Side, key: string) => number | null) {
  const tables = await ownTables(client);
  const clock = systemClock();
  const windows = inMemoryWindows({ clock });
  const [ids, log] = [systemIds(), { event() {}, failure() {} }];
  const ports: WritePorts = {
    ...dynamoForwardStore({ client, tableName: tables.changes, realNow: Date.now, requestTimeoutMs: PATIENT_CALL_MS }),
    clock,
    realNow: Date.now,
    ids,
    log,
    known: new Map(),
    outcomes: outcomeBuffer({ clock, ids, windows, log }, 0),
    state: dynamoStateStore({
      client,
      tableName: tables.state,
      clock,
      ids,
      random: () => 0,
      requestTimeoutMs: PATIENT_CALL_MS,
    }),
    deliver: async (_, side, { idempotencyKey }) => upstream(side, idempotencyKey) ?? 'unknown',
    async upstream({ url }, { headers }) {
      const status = upstream(url.includes('primary') ? 'primary' : 'shadow', headers['idempotency-key']!);
      if (status === null) throw new CrossfadeError('upstream_timeout', 'gone', { details: { sent: true } });
      return { status, headers: {}, cookies: [], body: Buffer.from('') };
    },
  };
  const state = stateIn('r1', { id: 'chat', kind: 'service' });
  await client.send(new PutCommand({ TableName: tables.state, Item: { ...cutoverKey('chat'), ...state } }));
  const flags = { side: 'primary' as const, reason: 'write', stage: 'r1', shadowIsWritten: true };
  return {
    ports,
    windows,
    write: (key: string, path: string) =>
      proxyWrite(ports, declaration, flags, {
        method: 'POST',
        mount: '/',
        path,
        query: '',
        headers: { 'idempotency-key': key },
        body: Buffer.from(key),
        deadlineMs: clock.monotonicMs() + 20_000,
      }),
    forward: () => applyForwards(ports, declaration, clock.monotonicMs() + 20_000),
  };
}

describe('forty writes that fail and are made again', () => {
  it('are forty on each side; nothing is in quarantine, and no difference was counted', async () => {
    const applied: Record<Side, Set<string>> = { primary: new Set(), shadow: new Set() };
    const failed = new Set<string>();
    const it_ = await bench((side, key) => {
      const isFirst = side === 'primary' && !failed.has(key);
      failed.add(key);
      // Nobody hears of the first attempt, whether it was applied or not.
      if (!isFirst || Number(key) % 2 === 1) applied[side].add(key);
      return isFirst ? null : 201;
    });
    const keys = Array.from({ length: 40 }, (_, n) => String(n));
    const write = (key: string) => it_.write(key, `tasks/${Number(key) % 8}`);
    const first = await Promise.all(keys.map((key) => write(key).catch((error: CrossfadeError) => error.code)));
    expect(new Set(first)).toEqual(new Set(['upstream_timeout']));
    const again = await Promise.all(keys.map(write));
    expect(new Set(again.map(({ status, forward }) => `${status} ${forward}`))).toEqual(new Set(['201 recorded']));
    for (let looks = 0; looks < 4; looks += 1) await it_.forward();
    await it_.ports.outcomes.flushIfDue();

    const summary = await it_.ports.forwards.summary('chat');
    expect(summary).toMatchObject({ open: 0, quarantined: 0 });
    expect(forwardsCondition('chat', summary, { lagAdvanceMs: 30_000 }).ok).toBe(true);
    for (const side of Object.values(applied)) expect([...side].toSorted()).toEqual(keys.toSorted());
    expect(it_.windows.additions('chat').filter(({ window }) => window.mismatches > 0)).toEqual([]);
  });
});

describe('what a write waits for', () => {
  it.each([
    ['the intent, and what became of it', 'tasks/0', ['PutItemCommand', 'UpdateItemCommand']],
    [
      'for the first one of a second the state, too, together with the intent',
      null,
      ['GetItemCommand', 'PutItemCommand', 'UpdateItemCommand'],
    ],
  ])('is DynamoDB twice: %s', async (_name, before, wanted) => {
    const it_ = await bench(() => 201);
    if (before) await it_.write('warm', before);
    let [open, waits] = [0, 0];
    const requests: string[] = [];
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          requests.push(commandName!);
          if (open === 0) waits += 1;
          open += 1;
          try {
            return await next(args);
          } finally {
            open -= 1;
          }
        },
      { step: 'initialize', name: 'counted' },
    );
    try {
      expect(await it_.write('counted', 'tasks/1')).toMatchObject({ status: 201, forward: 'recorded' });
    } finally {
      client.middlewareStack.remove('counted');
    }
    expect(waits).toBe(2);
    expect(requests.toSorted()).toEqual(wanted);
  });
});
