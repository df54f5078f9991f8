/** The preview, promotion, the way back, and the end. */

import { describe, expect, it } from 'vitest';
import { ID, NEWEST, type TableBench } from './bench.ts';

export function swappingContract(t: TableBench): void {
  describe('the preview', () => {
    it('says what a swap would do, and changes nothing', async () => {
      const preview = await t.ports.swapping.preview(t.cutover);
      expect(preview).toMatchObject({
        ok: true,
        primary: t.cutover.table.primary,
        key: [{ column: 'id', type: 'integer' }],
      });
      expect(preview.wayBack).toBeUndefined();
      expect(await t.ports.inspecting.status(ID)).toBeNull();
    });

    it('looks at the rows when it is asked to', async () => {
      for (const key of [1, 2, 3]) await t.write(key, 'a');
      expect((await t.ports.swapping.preview(t.cutover, { scanMs: 1_000 })).wayBack).toEqual({
        rows: 3,
        complete: true,
        limitMs: 1_000,
        cannotCross: 0,
        cannotReturn: 0,
        changed: 0,
        samples: [],
      });
    });
  });

  describe('promotion', () => {
    it('is put off while the copy is not complete', async () => {
      await t.write(1, 'a');
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(1);
      expect((await t.promote(1)).kind).toMatch(/postponed|refused/);
      expect(await t.authoritative()).toEqual({ 1: 'a' });
      expect((await t.status()).armed).toBe('forward');
    });

    it('I9 from another epoch does nothing', async () => {
      await t.started();
      expect((await t.promote(7)).kind).toMatch(/postponed|refused/);
      expect(await t.ports.inspecting.status(ID)).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
    });

    it('swaps once, drains what was left, and says so when it is asked again', async () => {
      await t.started();
      await t.write(4, 'just before');
      const result = await t.promote(1);
      expect(result).toMatchObject({ kind: 'swapped', attempts: expect.any(Number) });
      expect(await t.authoritative()).toEqual({ 1: 'a', 2: 'b', 3: 'c', 4: 'just before' });
      expect(await t.ports.inspecting.status(ID)).toMatchObject({
        armed: 'reverse',
        mirror: { epoch: 2, stage: 'completed' },
        outboxRows: 0,
      });
      expect(await t.promote(1)).toEqual({ kind: 'already' });
      expect(await t.ports.converging.converge(ID, 1, 10)).toMatchObject({ kind: 'stale', have: 2 });
    });

    it('I13 once it is given up it never happens; asked for anew it does, and then cannot be given up', async () => {
      await t.started();
      const { toEpoch, version } = t.swap(1, 'completed');
      expect(await t.ports.swapping.abandon(ID, { toEpoch, version })).toEqual({ kind: 'abandoned' });
      expect((await t.promote(1)).kind).toBe('postponed');
      expect(await t.ports.inspecting.status(ID)).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
      const anew = { ...t.swap(1, 'completed'), version: version + 2 };
      expect(await t.ports.swapping.promote(t.cutover, anew)).toMatchObject({ kind: 'swapped' });
      expect(await t.ports.swapping.abandon(ID, { toEpoch, version: version + 2 })).toEqual({ kind: 'swapped' });
      expect(await t.ports.swapping.promote(t.cutover, anew)).toEqual({ kind: 'already' });
    });

    it('I1 afterwards the old table follows, verified, and the way back loses nothing', async () => {
      await t.started();
      await t.promote(1);
      await t.write(1, 'after');
      await t.write(2, null);
      await t.write(7, 'born after');
      expect(await t.ports.converging.waiting()).toMatchObject([{ id: ID }]);
      await t.settle(2);
      await t.same();
      expect(await t.verified(2)).toMatchObject({ rowsCompared: 3, divergences: 0 });
      await t.write(8, 'last moment');
      expect(await t.ports.swapping.rollbackReady(ID)).toEqual({ ready: true });
      expect(await t.revert(2)).toMatchObject({ kind: 'swapped' });
      expect(await t.authoritative()).toEqual({ 1: 'after', 3: 'c', 7: 'born after', 8: 'last moment' });
      expect(await t.ports.inspecting.status(ID)).toMatchObject({
        armed: 'none',
        mirror: { epoch: 3, stage: 'rolled_back' },
      });
      expect(await t.revert(2)).toEqual({ kind: 'already' });
    });

    it('can be done again after the way back', async () => {
      await t.started();
      await t.promote(1);
      await t.write(1, 'second');
      await t.revert(2);
      await t.ports.capture.forget(ID, NEWEST);
      await t.write(3, 'third');
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(4);
      await t.copy(4);
      await t.settle(4);
      expect(await t.promote(4)).toMatchObject({ kind: 'swapped' });
      expect(await t.authoritative()).toEqual({ 1: 'second', 2: 'b', 3: 'third' });
    });

    it('I13 a row that cannot go back is named, and the way back waits for it', async () => {
      await t.started();
      await t.promote(1);
      await t.block(6, true);
      await t.write(6, 'stuck');
      await t.settle(2);
      expect(await t.ports.swapping.rollbackReady(ID)).toMatchObject({
        ready: false,
        key: '{"id": 6}',
        why: expect.any(String),
      });
      expect((await t.revert(2)).kind).toMatch(/postponed|refused/);
      expect((await t.authoritative())[6]).toBe('stuck');
      await t.block(6, false);
      await t.write(6, 'free');
      await t.settle(2);
      expect(await t.ports.swapping.rollbackReady(ID)).toEqual({ ready: true });
      expect(await t.revert(2)).toMatchObject({ kind: 'swapped' });
      expect((await t.authoritative())[6]).toBe('free');
    });

    it('I10 both directions are never armed', async () => {
      await t.started();
      await t.promote(1);
      await expect(t.ports.capture.arm(t.cutover, NEWEST)).rejects.toThrow();
      expect((await t.status()).armed).toBe('reverse');
    });
  });

  describe('cleanup', () => {
    it('is refused before promotion', async () => {
      await t.started();
      expect((await t.ports.swapping.cleanup(t.cutover, 1)).kind).toBe('refused');
      expect((await t.status()).armed).toBe('forward');
    });

    it('I14 ends the cutover; the table stays as it is', async () => {
      await t.started();
      await t.promote(1);
      await t.write(5, 'e');
      expect((await t.ports.swapping.cleanup(t.cutover, 1)).kind).toBe('refused');
      expect(await t.ports.swapping.cleanup(t.cutover, 2)).toEqual({ kind: 'cleaned' });
      expect(await t.ports.swapping.cleanup(t.cutover, 2)).toEqual({ kind: 'already' });
      expect(await t.ports.inspecting.status(ID)).toMatchObject({
        armed: 'none',
        outboxRows: 0,
        quarantined: 0,
        mirror: { epoch: 3 },
      });
      await t.write(6, 'f');
      expect(await t.authoritative()).toEqual({ 1: 'a', 2: 'b', 3: 'c', 5: 'e', 6: 'f' });
    });
  });
}
