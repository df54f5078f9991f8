/**
 * Writes that fail at first and are made again under their key, on the real engine: forty of them were once four rollbacks
 * of a healthy cutover.
 */

import { afterAll, describe, expect, it } from 'vitest';
import { dynamoForwardStore } from '../../../lib/adapters/dynamodb/forwards/store.ts';
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
import { declarationOf, stateIn, systemOf } from '../../property/samples.ts';

const client = localClient();
afterAll(() => client.destroy());

const WRITES = 40;
const declaration: ServiceDeclaration = {
  ...(declarationOf('service', { id: 'chat' }) as ServiceDeclaration),
  upstreams: { primary: 'https://primary.test', shadow: 'https://shadow.test' },
  gateway: { ...DEFAULT_GATEWAY, idempotencyKeys: true },
};

describe('forty writes that fail and are made again', () => {
  it('are forty on each side; nothing is in quarantine, and no difference was counted', async () => {
    const { changes: tableName } = await ownTables(client);
    const clock = systemClock();
    const windows = inMemoryWindows({ clock });
    const [ids, log] = [systemIds(), { event() {}, failure() {} }];
    const applied: Record<Side, string[]> = { primary: [], shadow: [] };
    const failed = new Set<string>();
    const serve = (side: Side, key: string) => {
      if (!applied[side].includes(key)) applied[side].push(key);
    };
    const ports: WritePorts = {
      ...dynamoForwardStore({ client, tableName, realNow: Date.now, requestTimeoutMs: PATIENT_CALL_MS }),
      clock,
      realNow: Date.now,
      ids,
      log,
      outcomes: outcomeBuffer({ clock, ids, windows, log }, 0),
      state: {
        readCutover: async () => stateIn('r1', { id: 'chat', kind: 'service' }),
        readSystem: async () => systemOf(),
      } as never,
      deliver: async (_, side, { idempotencyKey }) => {
        serve(side, idempotencyKey);
        return 201;
      },
      // The first attempt is applied or not, and nobody hears of it.
      async upstream(_, { headers }) {
        const key = headers['idempotency-key']!;
        if (failed.has(key) || Number(key) % 2 === 1) serve('primary', key);
        if (failed.has(key)) return { status: 201, headers: {}, cookies: [], body: Buffer.from('') };
        failed.add(key);
        throw new CrossfadeError('upstream_timeout', 'gone', { details: { sent: true } });
      },
    };
    const write = (n: number) =>
      proxyWrite(
        ports,
        declaration,
        { side: 'primary', reason: 'write', stage: 'r1' },
        {
          method: 'POST',
          mount: '/',
          path: `tasks/${n % 8}`,
          query: '',
          headers: { 'idempotency-key': String(n) },
          body: Buffer.from(String(n)),
          deadlineMs: clock.monotonicMs() + 20_000,
        },
      );
    const numbers = Array.from({ length: WRITES }, (_, n) => n);
    const first = await Promise.all(numbers.map((n) => write(n).catch((error: CrossfadeError) => error.code)));
    expect(new Set(first)).toEqual(new Set(['upstream_timeout']));
    const again = await Promise.all(numbers.map(write));
    expect(new Set(again.map(({ status, forward }) => `${status} ${forward}`))).toEqual(new Set(['201 recorded']));
    for (let looks = 0; looks < 4; looks += 1) await applyForwards(ports, declaration, clock.monotonicMs() + 20_000);
    await ports.outcomes.flushIfDue();

    const summary = await ports.forwards.summary('chat');
    expect(summary).toMatchObject({ open: 0, quarantined: 0 });
    expect(forwardsCondition('chat', summary, { lagAdvanceMs: 30_000 }).ok).toBe(true);
    for (const side of ['primary', 'shadow'] as const)
      expect(applied[side].map(Number).sort((a, b) => a - b)).toEqual(numbers);
    expect(windows.additions('chat').map(({ window }) => [window.checks, window.mismatches])).not.toContainEqual([
      1, 1,
    ]);
  });
});
