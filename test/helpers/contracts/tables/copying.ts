/** The copy: its rehearsal, its chunks, its controls. */

import { describe, expect, it } from 'vitest';
import { ID, NEWEST, type TableBench } from './bench.ts';

export function copyingContract(t: TableBench): void {
  describe('a rehearsal of the copy', () => {
    it('counts the rows and times a few of them, before the start too, and copies nothing', async () => {
      for (const key of [1, 2, 3]) await t.write(key, 'a');
      for (const began of [false, true]) {
        if (began) await t.ports.capture.arm(t.cutover, NEWEST);
        const seen = await t.ports.copying.rehearse(t.cutover);
        expect(seen).toMatchObject({ sourceRows: 3, shadowRows: 0, sample: { rows: 3 } });
        expect(seen.sample.tookMs).toBeGreaterThanOrEqual(0);
        expect(await t.follower()).toEqual({});
      }
      expect((await t.status()).backfill).toMatchObject({ state: 'running', rowsDone: 0 });
    });
  });

  describe('the backfill', () => {
    it('I16 copies in chunks and ends', async () => {
      for (let key = 1; key <= 5; key += 1) await t.write(key, `v${key}`);
      expect(await t.ports.copying.unfinished()).toEqual([]);
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(1);
      expect(await t.ports.verifying.verify(ID, 1, 1)).toMatchObject({ kind: 'unready' });
      expect(await t.ports.copying.backfill(ID, 1, 2)).toMatchObject({
        kind: 'copied',
        rows: 2,
        rowsDone: 2,
        rowsTotal: 5,
      });
      expect(await t.ports.copying.unfinished()).toEqual([ID]);
      await t.copy(1);
      expect(await t.ports.copying.unfinished()).toEqual([]);
      expect(await t.ports.copying.backfill(ID, 1, 2)).toEqual({ kind: 'done', rowsDone: 5 });
      expect((await t.status()).backfill).toMatchObject({ state: 'done', rowsDone: 5, rowsTotal: 5 });
      await t.same();
    });

    it('I16 is paused, goes on, is cancelled and begins anew', async () => {
      for (let key = 1; key <= 5; key += 1) await t.write(key, `v${key}`);
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(1);
      const control = (action: 'pause' | 'resume' | 'cancel') => t.ports.copying.controlBackfill(ID, 1, action);
      await t.ports.copying.backfill(ID, 1, 2);
      expect(await t.ports.copying.controlBackfill(ID, 2, 'pause')).toEqual({ kind: 'stale', have: 1, got: 2 });
      expect(await control('resume')).toEqual({ kind: 'unchanged', state: 'running' });
      expect(await control('pause')).toEqual({ kind: 'changed', state: 'paused' });
      expect(await t.ports.copying.backfill(ID, 1, 2)).toEqual({ kind: 'paused' });
      expect(await t.ports.verifying.verify(ID, 1, 1)).toMatchObject({ kind: 'unready' });
      expect(await control('resume')).toEqual({ kind: 'changed', state: 'running' });
      expect(await t.ports.copying.backfill(ID, 1, 2)).toMatchObject({ kind: 'copied', rowsDone: 4 });
      expect(await control('cancel')).toEqual({ kind: 'changed', state: 'cancelled' });
      expect((await t.status()).backfill).toMatchObject({ state: 'cancelled', rowsDone: 0 });
      expect(await t.ports.copying.backfill(ID, 1, 2)).toEqual({ kind: 'cancelled' });
      await t.tamper(1, 'wrong');
      await control('resume');
      await t.copy(1);
      await t.settle(1);
      await t.same();
      expect(await control('pause')).toEqual({ kind: 'unchanged', state: 'done' });
      expect(await t.ports.copying.pressure(t.cutover)).toMatchObject({ waitsFor: [], goOn: true });
    });

    it('what was in the shadow before is completed and cleared', async () => {
      await t.write(1, 'a');
      await t.write(2, 'b');
      await t.tamper(2, 'wrong');
      await t.tamper(9, 'ghost');
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(1);
      await t.copy(1);
      await t.settle(1);
      await t.same();
    });
  });
}
