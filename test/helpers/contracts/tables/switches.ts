/** The mirror row, writes that are switched off, and the primary read-only. */

import { describe, expect, it } from 'vitest';
import { ID, type TableBench } from './bench.ts';

export function switchesContract(t: TableBench): void {
  describe('the mirror row', () => {
    it('never goes back, and takes the same row twice', async () => {
      await t.started();
      await t.fence(3, { version: 7 });
      expect(await t.fence(2, { version: 9 })).toEqual({ kind: 'stale', epoch: 3, version: 7 });
      expect(await t.fence(3, { version: 6 })).toEqual({ kind: 'stale', epoch: 3, version: 7 });
      expect(await t.fence(3, { version: 7 })).toEqual({ kind: 'written' });
      expect(await t.fence(3, { version: 8, stage: 'test_1' })).toEqual({ kind: 'written' });
      expect((await t.status()).mirror).toEqual({ epoch: 3, version: 8, stage: 'test_1' });
    });
  });

  describe('writes that are switched off', () => {
    it('leave every change as a hint that wakes nobody, and the shadow as it was; on again, everything arrives', async () => {
      await t.started();
      await t.fence(1, { version: 2, shadowWrites: false });
      for (const [key, value] of [
        [4, 'd'],
        [2, 'changed'],
        [1, null],
      ] as const)
        await t.write(key, value);
      expect((await t.status()).outboxRows).toBeGreaterThanOrEqual(3);
      expect(await t.ports.converging.waiting()).toEqual([]);
      expect(await t.follower()).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
      expect((await t.verified(1)).divergences).toBe(0);
      await t.fence(1, { version: 3 });
      expect(await t.ports.converging.waiting()).toMatchObject([{ id: ID }]);
      await t.settle(1);
      await t.same();
    });
  });

  describe('the primary read-only', () => {
    it('is refused by an older epoch and after promotion, and ended once', async () => {
      await t.started({ 1: 'a' });
      expect(await t.ports.switches.makeReadOnly(ID, 7, 60)).toEqual({ kind: 'stale', have: 1, got: 7 });
      expect(await t.ports.switches.endReadOnly(ID)).toBe(false);
      expect(await t.ports.switches.makeReadOnly(ID, 1, 60)).toMatchObject({ kind: 'read_only' });
      expect(await t.promote(1)).toMatchObject({ kind: 'swapped' });
      await t.write(1, 'b');
      expect(await t.authoritative()).toEqual({ 1: 'b' });
      expect(await t.ports.switches.makeReadOnly(ID, 2, 60)).toMatchObject({ kind: 'stale' });
      await t.settle(2);
      await t.same();
      expect([await t.ports.switches.endReadOnly(ID), await t.ports.switches.endReadOnly(ID)]).toEqual([true, false]);
    });
  });
}
