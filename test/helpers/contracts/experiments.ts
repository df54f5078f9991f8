/** What every store of experiments must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import { type CohortTotals, NO_TOTALS } from '../../../lib/core/report/experiment.ts';
import type { ExperimentStore } from '../../../lib/ports/experiments.ts';
import { NOW } from '../../property/samples.ts';

export const cohort = (fields: Partial<CohortTotals>): CohortTotals => ({ ...NO_TOTALS, ...fields });

export function experimentContract(name: string, make: () => Promise<ExperimentStore>): void {
  describe(`experiment store contract: ${name}`, () => {
    const totals = {
      primary: cohort({ n: 3, conversions: 1, values: 2, sum: 0.3, sumSquares: 0.05 }),
      shadow: cohort({ n: 1, values: 1, sum: -1.5, sumSquares: 2.25 }),
    };

    it('nothing is there before', async () => {
      const store = await make();
      expect(await store.read('customer.checkout')).toEqual({ primary: NO_TOTALS, shadow: NO_TOTALS });
    });

    it('batches add up per side, whatever their sender and hour', async () => {
      const store = await make();
      await store.add('customer.checkout', { batchId: '1', source: 'a', totals, atMs: NOW });
      await store.add('customer.checkout', { batchId: '2', source: 'b', totals, atMs: NOW + 7_200_000 });
      await store.add('customer.other', { batchId: '2', source: 'b', totals, atMs: NOW });
      const { primary, shadow } = await store.read('customer.checkout');
      expect(primary).toEqual(cohort({ n: 6, conversions: 2, values: 4, sum: 0.6, sumSquares: 0.1 }));
      expect(shadow).toEqual(cohort({ n: 2, values: 2, sum: -3, sumSquares: 4.5 }));
    });

    it('a batch counts once, and twenty at once count twenty times', async () => {
      const store = await make();
      const add = (batchId: string) =>
        store.add('customer.checkout', {
          batchId,
          source: 'a',
          totals: { primary: cohort({ n: 1 }), shadow: NO_TOTALS },
          atMs: NOW,
        });
      await add('0');
      await add('0');
      await Promise.all(Array.from({ length: 20 }, (_, n) => add(String(n))));
      expect((await store.read('customer.checkout')).primary.n).toBe(20);
    });
  });
}
