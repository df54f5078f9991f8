/** What applications record with their operations, beside success and latency: sums by minute. */

import type { MetricSum } from '../core/cutover/criterion.ts';
import type { CutoverId } from '../core/cutover/cutover.ts';

export type MetricAddition = { cutover: CutoverId } & MetricSum;

export type CustomMetricStore = {
  /** Adds; the same `flushId` of a source is counted once. `source` spreads the writers over shards. */
  add(flushId: string, source: string, additions: readonly MetricAddition[]): Promise<void>;
  /** All metrics of a cutover, one sum for each minute, side and metric, both minutes included. */
  read(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly MetricSum[]>;
};
