/** Hints that become rows, and keys in quarantine. */

import { describe, expect, it } from 'vitest';
import { ID, type TableBench } from './bench.ts';

export function convergingContract(t: TableBench): void {
  describe('converge', () => {
    it('I2 I3 inserts, updates and deletes reach the shadow', async () => {
      await t.started();
      await t.write(4, 'd');
      await t.write(2, 'changed');
      await t.write(1, null);
      const status = await t.status();
      expect(status.outboxRows).toBe(3);
      expect(status.connections!.used).toBeGreaterThan(0);
      expect(status.connections!.most).toBeGreaterThan(status.connections!.used);
      expect(await t.ports.converging.waiting()).toMatchObject([{ id: ID, hints: 3 }]);
      expect(await t.ports.converging.converge(ID, 1, 10)).toMatchObject({
        claimed: 3,
        written: 2,
        deleted: 1,
        checked: 3,
        mismatched: 0,
        remaining: 0,
      });
      expect(await t.follower()).toEqual({ 2: 'changed', 3: 'c', 4: 'd' });
      expect(await t.ports.converging.waiting()).toEqual([]);
    });

    it('takes no more than it is asked, and says what remains', async () => {
      await t.started();
      for (const key of [11, 12, 13]) await t.write(key, 'x');
      expect(await t.ports.converging.converge(ID, 1, 2)).toMatchObject({ claimed: 2, written: 2, remaining: 1 });
      for (const limit of [0, -1, 1e9]) await expect(t.ports.converging.converge(ID, 1, limit)).rejects.toThrow();
    });

    it('I5 waking up more often changes nothing', async () => {
      await t.started();
      await t.write(2, 'z');
      await t.settle(1);
      expect(await t.ports.converging.converge(ID, 1, 10)).toMatchObject({ claimed: 0, written: 0, deleted: 0 });
      await t.same();
    });

    it('I8 the lag is 0 without hints and never negative', async () => {
      await t.started();
      expect((await t.status()).lagMs).toBe(0);
      await t.write(2, 'z');
      expect((await t.status()).lagMs).toBeGreaterThanOrEqual(0);
    });

    it('I15 a row that does not fit is put into quarantine and delays nobody', async () => {
      await t.started();
      await t.block(5, true);
      for (const key of [4, 5, 6]) await t.write(key, `n${key}`);
      expect(await t.ports.converging.converge(ID, 1, 10)).toMatchObject({
        claimed: 3,
        written: 2,
        postponed: 1,
        quarantined: 0,
      });
      await t.settle(1);
      const status = await t.status();
      expect(status).toMatchObject({ quarantined: 1, quarantine: [{ key: '{"id": 5}', sqlstate: '23514' }] });
      await t.block(5, false);
      await t.write(5, 'fits');
      await t.settle(1);
      expect((await t.status()).quarantined).toBe(0);
      await t.same();
    });
  });

  describe('quarantine', () => {
    it('I15 keys in quarantine are listed, tried again and given up', async () => {
      await t.started();
      for (const key of [5, 6, 7]) {
        await t.block(key, true);
        await t.write(key, `n${key}`);
      }
      await t.settle(1);
      const first = await t.ports.converging.quarantined(ID, { limit: 2 });
      expect(first).toMatchObject({
        total: 3,
        keys: [{ key: '{"id": 5}', sqlstate: '23514' }, { key: '{"id": 6}' }],
      });
      const next = await t.ports.converging.quarantined(ID, { after: '{"id": 6}', limit: 2 });
      expect(next).toMatchObject({ total: 3, keys: [{ key: '{"id": 7}' }] });
      await t.block(5, false);
      expect(await t.ports.converging.retryQuarantined(ID, '{"id": 5}')).toEqual({ enqueued: 1 });
      await t.settle(1);
      expect((await t.follower())[5]).toBe('n5');
      expect(await t.ports.converging.discardQuarantined(ID, '{"id": 6}')).toEqual({ discarded: 1 });
      expect(await t.ports.converging.discardQuarantined(ID, '{"id": 6}')).toEqual({ discarded: 0 });
      expect(await t.verified(1)).toMatchObject({ divergences: 1, samples: [{ key: '{"id": 6}' }] });
      await t.block(7, false);
      expect(await t.ports.converging.retryQuarantined(ID, null)).toEqual({ enqueued: 1 });
      await t.settle(1);
      expect((await t.status()).quarantined).toBe(0);
      expect((await t.follower())[7]).toBe('n7');
    });
  });
}
