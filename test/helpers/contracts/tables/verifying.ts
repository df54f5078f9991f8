/** Comparison of both tables: a pass, all rows now, one key. */

import { describe, expect, it } from 'vitest';
import { ID, type TableBench } from './bench.ts';

export function verifyingContract(t: TableBench): void {
  describe('verification', () => {
    it('I7 finds exactly what was injected, and repair mends it', async () => {
      await t.started();
      expect(await t.verified(1, 77)).toEqual({ rowsCompared: 3, divergences: 0, score: 1, atMs: 77, samples: [] });
      await t.tamper(1, 'wrong');
      await t.tamper(2, null);
      await t.tamper(9, 'ghost');
      const result = await t.verified(1, 78);
      expect(result).toMatchObject({ rowsCompared: 3, divergences: 3, score: 0 });
      expect([...result.samples].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
        { key: '{"id": 1}', columns: ['v'] },
        { key: '{"id": 2}', columns: [] },
        { key: '{"id": 9}', columns: [] },
      ]);
      expect((await t.status()).verification).toEqual(result);
      expect(await t.ports.verifying.repair(ID)).toEqual({ enqueued: 3 });
      await t.settle(1);
      expect(await t.verified(1)).toMatchObject({ divergences: 0, score: 1 });
      await t.same();
    });

    it('I7 what has a hint is late, not wrong', async () => {
      await t.started();
      await t.write(1, 'new');
      await t.write(2, null);
      await t.write(8, 'born');
      expect(await t.verified(1)).toMatchObject({ rowsCompared: 3, divergences: 0 });
    });
  });

  describe('comparison for people', () => {
    it('compares both tables now, and stores nothing', async () => {
      await t.copied();
      await t.tamper(1, 'wrong');
      await t.tamper(9, 'ghost');
      await t.write(2, 'late');
      expect(await t.ports.verifying.consistency(ID)).toEqual({
        primaryRows: 4,
        shadowRows: 5,
        consistent: 2,
        diverged: 2,
        late: 1,
        quarantined: 0,
        errors: [],
        score: 0.5,
      });
      expect((await t.status()).verification).toBeNull();
    });

    it('shows one key on both sides, with the columns that differ', async () => {
      await t.copied();
      expect(await t.ports.verifying.compareRow(ID, '{"id": 2}')).toMatchObject({
        key: '{"id": 2}',
        equal: true,
        differingColumns: [],
        late: false,
        quarantined: false,
      });
      const equal = (await t.ports.verifying.compareRow(ID, '2'))!;
      expect(equal.primaryHash).toMatch(/^[0-9a-f]{64}$/);
      expect(equal.shadowHash).toBe(equal.primaryHash);
      await t.tamper(2, 'wrong');
      const wrong = (await t.ports.verifying.compareRow(ID, '2'))!;
      expect(wrong).toMatchObject({ equal: false, differingColumns: ['v'], primaryHash: equal.primaryHash });
      expect(wrong.shadowHash).not.toBe(wrong.primaryHash);
      await t.tamper(3, null);
      expect(await t.ports.verifying.compareRow(ID, '3')).toMatchObject({
        equal: false,
        shadowHash: null,
        differingColumns: [],
      });
      expect(await t.ports.verifying.compareRow(ID, '77')).toMatchObject({
        equal: true,
        primaryHash: null,
        shadowHash: null,
      });
      for (const bad of ['x', '{"key": 1}', '{"id": "x"}', '{', ''])
        await expect(t.ports.verifying.compareRow(ID, bad)).rejects.toMatchObject({ code: 'invalid_input' });
    });

    it('names the sides alike after promotion', async () => {
      await t.copied();
      await t.ports.swapping.promote(t.cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 9 });
      await t.write(50, 'born in the shadow');
      expect(await t.ports.verifying.consistency(ID)).toMatchObject({
        primaryRows: 4,
        shadowRows: 5,
        late: 1,
        diverged: 0,
        score: 1,
      });
      expect(await t.ports.verifying.compareRow(ID, '50')).toMatchObject({
        primaryHash: null,
        shadowHash: expect.any(String),
        late: true,
      });
    });
  });
}
