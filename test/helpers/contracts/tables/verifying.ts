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

  describe('invariants of the user', () => {
    const ROWS = { equal: { primary: 'SELECT id, v FROM {primary}', shadow: 'SELECT s.id, s.v FROM {shadow} s' } };
    const NONE = { empty: "SELECT id FROM {shadow} WHERE v = 'wrong' -- nothing of this kind" };
    const asked = (epoch: number, queries: typeof ROWS | typeof NONE) =>
      t.ports.verifying.invariant(t.cutover, epoch, queries);

    it('are not evaluated before rows are captured and copied, nor for another state', async () => {
      await t.write(1, 'a');
      expect(await asked(1, ROWS)).toEqual({ kind: 'unready', why: 'capture is not armed' });
      await t.ports.capture.arm(t.cutover, { epoch: 1, version: 1 });
      await t.fence(1);
      expect(await asked(1, ROWS)).toEqual({ kind: 'unready', why: 'the copy of existing rows is not done' });
      await t.copy(1);
      expect(await asked(1, ROWS)).toMatchObject({ kind: 'compared', rows: 1, differing: 0 });
      expect(await asked(2, ROWS)).toMatchObject({ kind: 'unready' });
    });

    it('hold while changes wait, and break by what differs for good', async () => {
      await t.started();
      await t.write(1, 'late');
      await t.write(2, null);
      await t.write(8, 'born');
      expect(await asked(1, ROWS)).toEqual({ kind: 'compared', rows: 1, differing: 0, primary: [], shadow: [] });
      expect(await asked(1, NONE)).toEqual({ kind: 'found', rows: 0, samples: [] });
      await t.settle(1);
      await t.tamper(1, 'wrong');
      await t.tamper(9, 'wrong');
      expect(await asked(1, ROWS)).toEqual({
        kind: 'compared',
        rows: 4,
        differing: 2,
        primary: [['1', 'late']],
        shadow: [
          ['1', 'wrong'],
          ['9', 'wrong'],
        ],
      });
      expect(await asked(1, NONE)).toEqual({ kind: 'found', rows: 2, samples: [['1'], ['9']] });
    });

    it('are about the same tables after promotion', async () => {
      await t.copied(2);
      await t.promote(1);
      await t.write(50, 'born in the shadow');
      expect(await asked(2, ROWS)).toMatchObject({ kind: 'compared', rows: 2, differing: 0 });
      await t.settle(2);
      await t.tamper(50, 'wrong');
      expect(await asked(2, ROWS)).toMatchObject({
        differing: 1,
        primary: [['50', 'wrong']],
        shadow: [['50', 'born in the shadow']],
      });
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

    it('shows the values of one key on both sides, but for what is redacted', async () => {
      const shown = (key: string, redact?: readonly string[]) =>
        t.ports.verifying.rowValues(
          { ...t.cutover, table: { ...t.cutover.table, ...(redact ? { redact } : {}) } },
          key,
        );
      expect(await shown('2')).toBeNull();
      await t.copied();
      await t.tamper(2, 'canary');
      const [id, v] = (await shown('{"id": 2}'))!.columns;
      expect(id).toEqual({ primary: 'id', shadow: 'id', redacted: false, primaryValue: '2', shadowValue: '2' });
      expect(v).toMatchObject({ primaryValue: expect.any(String), shadowValue: 'canary' });
      const redacted = await shown('{"id": 2}', ['v']);
      expect(redacted).toMatchObject({ primary: true, shadow: true });
      expect(redacted!.columns[1]).toEqual({
        primary: 'v',
        shadow: 'v',
        redacted: true,
        primaryValue: null,
        shadowValue: null,
      });
      expect(JSON.stringify(redacted)).not.toContain('canary');
      await t.tamper(3, null);
      expect(await shown('3')).toMatchObject({ primary: true, shadow: false });
      expect(await shown('77')).toMatchObject({ primary: false, shadow: false });
      for (const bad of ['x', '{"key": 1}', '{"id": "x"}', '{', '']) {
        const refused = await shown(bad).then(
          () => null,
          (error: unknown) => error,
        );
        expect(refused).toMatchObject({ code: 'invalid_input' });
      }
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
      const values = await t.ports.verifying.rowValues(t.cutover, '50');
      expect(values).toMatchObject({ primary: false, shadow: true });
      expect(values!.columns[1]).toMatchObject({ primaryValue: null, shadowValue: 'born in the shadow' });
    });
  });
}
