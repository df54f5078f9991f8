/** What floors, trends and times to proof see of a minute of both sides. */

import type { BucketedWindow } from './bucketed-window.ts';
import { bucketsQuantileMs } from './buckets.ts';
import type { RecentMinute } from './evidence.ts';
import { highestShare } from './minute-window.ts';

export function recentMinute(
  minute: number,
  primary: BucketedWindow | null,
  shadow: BucketedWindow | null,
): RecentMinute {
  const late = (primary?.late ?? 0) + (shadow?.late ?? 0);
  return {
    minute,
    n0: primary?.count ?? 0,
    e0: primary?.errors ?? 0,
    n1: shadow?.count ?? 0,
    e1: shadow?.errors ?? 0,
    p95Primary: p95(primary),
    p95Shadow: p95(shadow),
    checks: shadow?.checks ?? 0,
    mismatches: shadow?.mismatches ?? 0,
    ...(shadow?.incomparable ? { incomparable: shadow.incomparable } : {}),
    ...(primary?.left ? { left: primary.left } : {}),
    ...(shadow?.told ? { told: shadow.told, drops: shadow.drops ?? 0 } : {}),
    ...(late > 0 ? { late } : {}),
    ...(shadow?.memory ? { memory: highestShare(shadow.memory) } : {}),
  };
}

/** To a hundredth of a millisecond: it is stored with every verdict, and a bucket is coarser. */
function p95(window: BucketedWindow | null): number | null {
  const found = window && bucketsQuantileMs(window.latency, 0.95);
  return found === null ? null : Math.round(found * 100) / 100;
}
