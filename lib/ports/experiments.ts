/** Totals of experiments. */

import type { ExperimentTotals } from '../core/report/experiment.ts';

export type ExperimentStore = {
  /** Adds a batch of one sender; the same batch again is counted once. `id` is `<cutover>.<experiment>`. */
  add(id: string, batch: { batchId: string; source: string; totals: ExperimentTotals; atMs: number }): Promise<void>;
  read(id: string): Promise<ExperimentTotals>;
};
