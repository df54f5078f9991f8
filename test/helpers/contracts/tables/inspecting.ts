/** What is said of a table cutover: to the gates, and to people. */

import { describe, expect, it } from 'vitest';
import { ID, type TableBench } from './bench.ts';

export function inspectingContract(t: TableBench): void {
  const progress = async () => (await t.ports.inspecting.progress([ID])).get(ID);

  describe('many at once', () => {
    it('are what each is alone, and those that nobody knows are not among them', async () => {
      expect(await t.ports.inspecting.statuses([])).toEqual(new Map());
      expect(await t.ports.inspecting.statuses([ID, 'nobody'])).toEqual(new Map());
      await t.started();
      const status = await t.status();
      const some = { lagMs: expect.any(Number), connections: status.connections && expect.any(Object) };
      expect(await t.ports.inspecting.statuses(['nobody', ID, ID])).toEqual(new Map([[ID, { ...status, ...some }]]));
      expect(await t.ports.inspecting.progress([])).toEqual(new Map());
      expect([...(await t.ports.inspecting.progress(['nobody', ID, ID])).keys()]).toEqual([ID]);
    });
  });

  describe('what is said to people', () => {
    it('before the first start there is nothing to compare, and the tables can be checked', async () => {
      expect(await progress()).toBeUndefined();
      expect(await t.ports.verifying.consistency(ID)).toBeNull();
      expect(await t.ports.verifying.compareRow(ID, '1')).toBeNull();
      const findings = await t.ports.inspecting.health(t.cutover);
      expect(findings.find(({ check }) => check === 'primary exists')).toMatchObject({ status: 'pass', remedy: '' });
      for (const { status, remedy } of findings) expect(remedy === '').toBe(status === 'pass');
      expect(await t.ports.inspecting.status(ID)).toBeNull();
    });

    it('shows how far the copy is, and what the last verification has found', async () => {
      await t.armedWith(4);
      await t.ports.copying.backfill(ID, 1, 2);
      expect(await progress()).toMatchObject({
        cutover: ID,
        stage: 'dual_write',
        direction: 'forward',
        backfill: 'running',
        rowsDone: 2,
        rowsTotal: 4,
        backfillPercent: 50,
        score: null,
        verifiedAtMs: null,
      });
      while ((await t.ports.copying.backfill(ID, 1, 2)).kind === 'copied');
      await t.verified(1, Date.now());
      expect(await progress()).toMatchObject({ backfill: 'done', backfillPercent: 100, score: 1, divergences: 0 });
      await t.tamper(1, 'wrong');
      await t.verified(1, Date.now());
      expect(await progress()).toMatchObject({ divergences: 1, rowsCompared: 4, score: 0.75 });
    });
  });
}
