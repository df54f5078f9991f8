/** What is said of a table cutover: to the gates, and to people. */

import { describe, expect, it } from 'vitest';
import { ID, type TableBench } from './bench.ts';

export function inspectingContract(t: TableBench): void {
  const outlook = async () => (await t.ports.inspecting.outlooks([ID])).get(ID);
  const alerts = async () => (await outlook())!.alerts.map(({ alert }) => alert);

  describe('many at once', () => {
    it('are what each is alone, and those that nobody knows are not among them', async () => {
      expect(await t.ports.inspecting.statuses([])).toEqual(new Map());
      expect(await t.ports.inspecting.statuses([ID, 'nobody'])).toEqual(new Map());
      await t.started();
      const status = await t.status();
      const some = { lagMs: expect.any(Number), connections: status.connections && expect.any(Object) };
      expect(await t.ports.inspecting.statuses(['nobody', ID, ID])).toEqual(new Map([[ID, { ...status, ...some }]]));
      expect(await t.ports.inspecting.outlooks([])).toEqual(new Map());
      expect([...(await t.ports.inspecting.outlooks(['nobody', ID, ID])).keys()]).toEqual([ID]);
    });
  });

  describe('what is said to people', () => {
    it('before the first start there is nothing to compare, and the tables can be checked', async () => {
      expect(await outlook()).toBeUndefined();
      expect(await t.ports.verifying.consistency(ID)).toBeNull();
      expect(await t.ports.verifying.compareRow(ID, '1')).toBeNull();
      const findings = await t.ports.inspecting.health(t.cutover);
      expect(findings.find(({ check }) => check === 'primary exists')).toMatchObject({ status: 'pass', remedy: '' });
      for (const { status, remedy } of findings) expect(remedy === '').toBe(status === 'pass');
      expect(await t.ports.inspecting.status(ID)).toBeNull();
    });

    it('shows how far the copy is, and is ready once everything is proven', async () => {
      await t.armedWith(4);
      await t.ports.copying.backfill(ID, 1, 2);
      const halfway = (await outlook())!;
      expect(halfway.progress).toMatchObject({
        cutover: ID,
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
      while ((await t.ports.copying.backfill(ID, 1, 2)).kind === 'copied');
      expect(await alerts()).toEqual(['stale verification']);
      await t.verified(1, Date.now());
      const ready = (await outlook())!;
      expect(ready).toMatchObject({
        progress: { backfill: 'done', backfillPercent: 100, syncPercent: 100, score: 1, divergences: 0 },
        alerts: [],
      });
      expect(ready.verdict).toEqual({ verdict: 'READY_FOR_CUTOVER', reasons: [] });
    });

    it('recommends to go back when rows differ for no reason', async () => {
      await t.copied();
      await t.tamper(1, 'wrong');
      await t.verified(1, Date.now());
      expect((await outlook())!.verdict).toMatchObject({
        verdict: 'ROLLBACK_RECOMMENDED',
        reasons: expect.arrayContaining([expect.any(String)]),
      });
      expect(await alerts()).toEqual(['divergence', 'sync']);
    });
  });
}
