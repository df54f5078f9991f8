/** A minute of one side as the gates reckon with it, and what cannot be true of one. */

import { added, type Buckets, bucketsOf, summed } from './buckets.ts';
import {
  addOptional,
  impossiblePairs,
  type MinuteWindow,
  type Mutable,
  type OptionalFigures,
} from './minute-window.ts';

export type BucketedWindow = Omit<MinuteWindow, 'latency'> & { latency: Buckets };

/** A minute is looked at again until it is closed, by a replay as the very same window. */
const KNOWN = new WeakMap<MinuteWindow, BucketedWindow>();

export function bucketedWindow(window: MinuteWindow): BucketedWindow {
  const known = KNOWN.get(window);
  if (known) return known;
  const bucketed = { ...window, latency: bucketsOf(window.latency) };
  KNOWN.set(window, bucketed);
  return bucketed;
}

const FIGURES = ['count', 'errors', 'keyless', 'checks', 'mismatches'] as const;

const isFigure = (value: number): boolean => value >= 0 && value < Number.POSITIVE_INFINITY;

/** Why the figures of a window cannot be true, or null. */
export function impossible(window: BucketedWindow): string | null {
  const { count, errors, keyless, checks, mismatches } = window;
  if (!(isFigure(count) && isFigure(errors) && isFigure(keyless) && isFigure(checks) && isFigure(mismatches))) {
    const name = FIGURES.find((figure) => !isFigure(window[figure]))!;
    return `${name} is ${window[name]}`;
  }
  const { left = 0, drops = 0, told = 0, incomparable = 0 } = window;
  if (!(incomparable >= 0)) return `incomparable is ${incomparable}`;
  if (!(left >= 0 && left <= count)) return `${left} of ${count} operations left the shadow`;
  if (!(drops >= 0 && drops <= errors)) return `${drops} lost connections of ${errors} errors`;
  if (!(told >= 0 && told <= count)) return `lost connections reported for ${told} of ${count} operations`;
  if (errors > count) return `${errors} errors of ${count} operations`;
  if (keyless > count) return `${keyless} keyless of ${count} operations`;
  if (mismatches > checks) return `${mismatches} mismatches of ${checks} checks`;
  const { total, counts } = window.latency;
  let least = 0;
  for (let i = 0; i < counts.length; i += 1) if (counts[i]! < least) least = counts[i]!;
  if (total !== count || least < 0) return `the histogram counts ${total} operations, the window ${count}`;
  return impossiblePairs(window);
}

/** Two windows of one side as one, of the newest of their minutes. */
export function pooled(minute: number, pool: BucketedWindow, window: BucketedWindow): BucketedWindow {
  return {
    side: pool.side,
    minute: Math.max(minute, pool.minute, window.minute),
    count: pool.count + window.count,
    errors: pool.errors + window.errors,
    keyless: pool.keyless + window.keyless,
    checks: pool.checks + window.checks,
    mismatches: pool.mismatches + window.mismatches,
    latency: added(pool.latency, window.latency),
  };
}

/** What was counted apart of one side in one minute, as one window. @param windows at least one */
export function summedWindows(windows: readonly BucketedWindow[]): BucketedWindow {
  const [first, second] = windows as readonly [BucketedWindow, ...BucketedWindow[]];
  if (!second) return first;
  const { side, minute } = first;
  let [count, errors, keyless, checks, mismatches] = [0, 0, 0, 0, 0];
  const optional: Mutable<OptionalFigures> = {};
  const latencies: Buckets[] = [];
  for (const window of windows) {
    count += window.count;
    errors += window.errors;
    keyless += window.keyless;
    checks += window.checks;
    mismatches += window.mismatches;
    latencies.push(window.latency);
    addOptional(optional, window);
  }
  return { side, minute, count, errors, keyless, checks, mismatches, latency: summed(latencies), ...optional };
}
