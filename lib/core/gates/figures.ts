/** One side's figures of a window, as verdicts and reports carry them. */

import type { SideFigures } from '../conditions/verdict.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { bucketsQuantileMs } from './buckets.ts';

export function figures(window: BucketedWindow): SideFigures {
  return {
    count: window.count,
    errors: window.errors,
    errorRate: window.count > 0 ? window.errors / window.count : null,
    p50Ms: bucketsQuantileMs(window.latency, 0.5),
    p95Ms: bucketsQuantileMs(window.latency, 0.95),
  };
}
