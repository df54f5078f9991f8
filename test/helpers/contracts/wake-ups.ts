/** What every way of waking the shadow writer must do. Run against the one in memory and DynamoDB with its stream. */

import { describe, expect, it } from 'vitest';
import type { WakeUps } from '../../../lib/ports/wake-ups.ts';

export type WakeUpHarness = {
  wakeUps: WakeUps;
  /** The records of the stream, oldest first; waits until `count` are there. */
  records(count: number): Promise<readonly { id: string; wakeUps: number }[]>;
};

export function wakeUpContract(name: string, make: () => Promise<WakeUpHarness>): void {
  describe(`wake-up contract: ${name}`, () => {
    it('every wake-up is a record of its own, since each counts one up', async () => {
      const { wakeUps, records } = await make();
      for (const id of ['customer', 'customer', 'invoice', 'customer']) await wakeUps.wake(id);
      expect(await records(4)).toEqual([
        { id: 'customer', wakeUps: 1 },
        { id: 'customer', wakeUps: 2 },
        { id: 'invoice', wakeUps: 1 },
        { id: 'customer', wakeUps: 3 },
      ]);
    });

    it('twenty at once are twenty records', async () => {
      const { wakeUps, records } = await make();
      await Promise.all(Array.from({ length: 20 }, () => wakeUps.wake('customer')));
      const counts = (await records(20)).map((record) => record.wakeUps).sort((a, b) => a - b);
      expect(counts).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    });
  });
}
