/** Custom metrics in memory: additions are kept as they came and summed when read. */

import type { MetricSum } from '../../../lib/core/cutover/criterion.ts';
import type { CustomMetricStore, MetricAddition } from '../../../lib/ports/custom-metrics.ts';

export function inMemoryCustomMetrics(): CustomMetricStore {
  const stored: MetricAddition[] = [];
  const flushes = new Set<string>();
  return {
    async add(flushId, source, additions) {
      for (const addition of additions) {
        const { cutover, minute, side, metric } = addition;
        const mark = JSON.stringify([flushId, source, cutover, minute, side, metric]);
        if (flushes.has(mark)) continue;
        flushes.add(mark);
        stored.push({ ...addition });
      }
    },
    async read(id, fromMinute, toMinute) {
      const sums = new Map<string, MetricSum>();
      for (const { cutover, ...one } of stored) {
        if (cutover !== id || one.minute < fromMinute || one.minute > toMinute) continue;
        const key = `${one.minute}#${one.side}#${one.metric}`;
        const known = sums.get(key) ?? { ...one, n: 0, sum: 0, squares: 0 };
        sums.set(key, {
          ...known,
          n: known.n + one.n,
          sum: known.sum + one.sum,
          squares: known.squares + one.squares,
        });
      }
      return [...sums.values()];
    },
  };
}
