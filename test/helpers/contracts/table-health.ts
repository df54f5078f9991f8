/** What every data plane must say to people: checks, progress, alerts, verdict, comparisons. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataPlane } from '../../../lib/ports.ts';
import type { TablesHarness } from './tables.ts';

export function tableHealthContract(name: string, open: () => Promise<TablesHarness>): void {
  describe(`what the data plane ${name} says to people`, () => {
    let it_: TablesHarness;
    let plane: DataPlane;
    let id: string;

    beforeEach(async () => {
      it_ = await open();
      ({ plane } = it_);
      ({ id } = it_.cutover);
    });
    afterEach(() => it_.close());

    async function started(rows: number): Promise<void> {
      for (let key = 1; key <= rows; key += 1) await it_.write(key, `v${key}`);
      await plane.arm(it_.cutover, { epoch: 1, version: 1 });
      await plane.mirror({ id, epoch: 1, version: 1, stage: 'dual_write', shadowWrites: true, readPpm: 0, salt: id });
    }
    async function copied(rows = 4): Promise<void> {
      await started(rows);
      while ((await plane.backfill(id, 1, 2)).kind === 'copied');
    }
    const alerts = async () => (await plane.outlook(id))!.alerts.map(({ alert }) => alert);
    const verify = () => plane.verify(id, 1, Date.now());

    it('before the first start there is nothing to compare, and the tables can be checked', async () => {
      expect(await plane.outlook(id)).toBeNull();
      expect(await plane.consistency(id)).toBeNull();
      expect(await plane.compareRecord(id, '1')).toBeNull();
      const findings = await plane.health(it_.cutover);
      expect(findings.find(({ check }) => check === 'primary exists')).toMatchObject({ status: 'pass', remedy: '' });
      for (const { status, remedy } of findings) expect(remedy === '').toBe(status === 'pass');
      expect(await plane.status(id)).toBeNull();
    });

    it('shows how far the copy is, and is ready once everything is proven', async () => {
      await started(4);
      await plane.backfill(id, 1, 2);
      const halfway = (await plane.outlook(id))!;
      expect(halfway.progress).toMatchObject({
        cutover: id,
        stage: 'dual_write',
        direction: 'forward',
        backfill: 'running',
        rowsDone: 2,
        rowsTotal: 4,
        backfillPercent: 50,
        syncPercent: 50,
        score: null,
      });
      expect(halfway.verdict.verdict).toBe('MONITORING_REQUIRED');
      while ((await plane.backfill(id, 1, 2)).kind === 'copied');
      expect(await alerts()).toEqual(['stale verification']);
      await verify();
      const ready = (await plane.outlook(id))!;
      expect(ready).toMatchObject({
        progress: { backfill: 'done', backfillPercent: 100, syncPercent: 100, score: 1, divergences: 0 },
        alerts: [],
      });
      expect(ready.verdict).toEqual({ verdict: 'READY_FOR_CUTOVER', reasons: [] });
    });

    it('recommends to go back when rows differ for no reason', async () => {
      await copied();
      await it_.tamper(1, 'wrong');
      await verify();
      expect((await plane.outlook(id))!.verdict).toMatchObject({
        verdict: 'ROLLBACK_RECOMMENDED',
        reasons: expect.arrayContaining([expect.any(String)]),
      });
      expect(await alerts()).toEqual(['divergence', 'sync']);
    });

    it('compares both tables now, and stores nothing', async () => {
      await copied();
      await it_.tamper(1, 'wrong');
      await it_.tamper(9, 'ghost');
      await it_.write(2, 'late');
      expect(await plane.consistency(id)).toEqual({
        primaryRows: 4,
        shadowRows: 5,
        consistent: 2,
        diverged: 2,
        late: 1,
        quarantined: 0,
        errors: [],
        score: 0.5,
      });
      expect((await plane.status(id))!.verification).toBeNull();
    });

    it('shows one key on both sides, with the columns that differ', async () => {
      await copied();
      expect(await plane.compareRecord(id, '{"id": 2}')).toMatchObject({
        key: '{"id": 2}',
        equal: true,
        differingColumns: [],
        late: false,
        quarantined: false,
      });
      const equal = (await plane.compareRecord(id, '2'))!;
      expect(equal.primaryHash).toMatch(/^[0-9a-f]{64}$/);
      expect(equal.shadowHash).toBe(equal.primaryHash);
      await it_.tamper(2, 'wrong');
      const wrong = (await plane.compareRecord(id, '2'))!;
      expect(wrong).toMatchObject({ equal: false, differingColumns: ['v'], primaryHash: equal.primaryHash });
      expect(wrong.shadowHash).not.toBe(wrong.primaryHash);
      await it_.tamper(3, null);
      expect(await plane.compareRecord(id, '3')).toMatchObject({
        equal: false,
        shadowHash: null,
        differingColumns: [],
      });
      expect(await plane.compareRecord(id, '77')).toMatchObject({ equal: true, primaryHash: null, shadowHash: null });
      for (const bad of ['x', '{"key": 1}', '{"id": "x"}', '{', ''])
        await expect(plane.compareRecord(id, bad)).rejects.toMatchObject({ code: 'invalid_input' });
    });

    it('names the sides alike after promotion', async () => {
      await copied();
      await plane.promote(it_.cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 9 });
      await it_.write(50, 'born in the shadow');
      expect(await plane.consistency(id)).toMatchObject({
        primaryRows: 4,
        shadowRows: 5,
        late: 1,
        diverged: 0,
        score: 1,
      });
      expect(await plane.compareRecord(id, '50')).toMatchObject({
        primaryHash: null,
        shadowHash: expect.any(String),
        late: true,
      });
    });
  });
}
