/** Totals of experiments in memory. */

import { type CohortTotals, type ExperimentTotals, NO_TOTALS } from '../../../lib/core/report/experiment.ts';
import type { ExperimentStore } from '../../../lib/ports/experiments.ts';

export type InMemoryExperiments = ExperimentStore & { applied(): number };

export function inMemoryExperiments(): InMemoryExperiments {
  const stored = new Map<string, { marks: Set<string>; totals: ExperimentTotals }>();
  let applied = 0;
  const plus = (a: CohortTotals, b: CohortTotals): CohortTotals => ({
    n: a.n + b.n,
    conversions: a.conversions + b.conversions,
    values: a.values + b.values,
    sum: a.sum + b.sum,
    sumSquares: a.sumSquares + b.sumSquares,
  });
  return {
    async add(id, { batchId, source, totals }) {
      const known = stored.get(id) ?? { marks: new Set(), totals: { primary: NO_TOTALS, shadow: NO_TOTALS } };
      const mark = JSON.stringify([source, batchId]);
      if (known.marks.has(mark)) return;
      known.marks.add(mark);
      const { primary, shadow } = known.totals;
      stored.set(id, {
        ...known,
        totals: { primary: plus(primary, totals.primary), shadow: plus(shadow, totals.shadow) },
      });
      applied += 1;
    },
    async read(id) {
      return stored.get(id)?.totals ?? { primary: { ...NO_TOTALS }, shadow: { ...NO_TOTALS } };
    },
    applied: () => applied,
  };
}
