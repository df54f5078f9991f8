/** A minute of one side as the gates reckon with it, and what cannot be true of one. */

import { added, type Buckets, bucketsOf, summed } from './buckets.ts';
import { impossiblePairs, type MinuteWindow, mergedOptional } from './minute-window.ts';

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

/** Why the figures of a window cannot be true, or null. */
export function impossible(window: BucketedWindow): string | null {
  const { count, errors, keyless, checks, mismatches } = window;
  for (const name of FIGURES) {
    const value = window[name];
    if (!Number.isFinite(value) || value < 0) return `${name} is ${value}`;
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
  const sum: { -readonly [Name in keyof BucketedWindow]: BucketedWindow[Name] } = {
    side: first.side,
    minute: first.minute,
    count: 0,
    errors: 0,
    keyless: 0,
    checks: 0,
    mismatches: 0,
    latency: summed(windows.map(({ latency }) => latency)),
  };
  for (const window of windows) {
    for (const name of FIGURES) sum[name] += window[name];
    Object.assign(sum, mergedOptional(sum, window));
  }
  return sum;
}
