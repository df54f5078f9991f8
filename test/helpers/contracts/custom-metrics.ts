/** What every store of custom metrics must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import type { MetricSum } from '../../../lib/core/cutover/criterion.ts';
import type { CustomMetricStore, MetricAddition } from '../../../lib/ports/custom-metrics.ts';

const MINUTE = Math.floor(Date.UTC(2100, 0, 1) / 60_000);

const addition = (over: Partial<MetricAddition> = {}): MetricAddition => ({
  cutover: 'planner',
  minute: MINUTE,
  side: 'shadow',
  metric: 'value.basket',
  n: 2,
  sum: 12.5,
  squares: 100.25,
  ...over,
});
const sorted = (sums: readonly MetricSum[]) =>
  [...sums].sort((a, b) => a.minute - b.minute || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

export function customMetricContract(name: string, make: () => Promise<CustomMetricStore>): void {
  describe(`store of custom metrics: ${name}`, () => {
    it('adds what senders record, each minute, side and metric apart', async () => {
      const store = await make();
      expect(await store.read('planner', 0, MINUTE)).toEqual([]);
      await store.add('f1', 'a', [
        addition(),
        addition({ side: 'primary', sum: -3 }),
        addition({ minute: MINUTE + 1 }),
      ]);
      await store.add('f1', 'b', [addition({ sum: 0.5 }), addition({ metric: 'flags', sum: 0, squares: 0 })]);
      await store.add('f2', 'a', [addition({ cutover: 'bundler' }), addition({ minute: MINUTE + 2 })]);
      const { cutover: _, ...one } = addition();
      expect(sorted(await store.read('planner', MINUTE, MINUTE + 1))).toEqual(
        sorted([
          { ...one, n: 4, sum: 13, squares: 200.5 },
          { ...one, side: 'primary', sum: -3 },
          { ...one, metric: 'flags', sum: 0, squares: 0 },
          { ...one, minute: MINUTE + 1 },
        ]),
      );
    });

    it('counts a flush that comes again once', async () => {
      const store = await make();
      for (let times = 0; times < 3; times += 1) await store.add('f1', 'a', [addition()]);
      expect(await store.read('planner', MINUTE, MINUTE)).toMatchObject([{ n: 2, sum: 12.5 }]);
    });
  });
}
