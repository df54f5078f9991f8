/** One side's figures of a window, as verdicts and reports carry them. */

import type { SideFigures } from '../conditions/verdict.ts';
import { bucketsQuantileMs } from './buckets.ts';
import type { JudgedWindow } from './judged-window.ts';

export function figures(window: JudgedWindow): SideFigures {
  return {
    count: window.count,
    errors: window.errors,
    errorRate: window.count > 0 ? window.errors / window.count : null,
    p50Ms: bucketsQuantileMs(window.latency, 0.5),
    p95Ms: bucketsQuantileMs(window.latency, 0.95),
  };
}
