/**
 * Floors: what is so bad that it is answered in the same minute. A shadow that fails half of its operations over one or
 * two minutes, or a quarter over three, five or ten, when chance and the primary's own errors cannot explain it.
 */

import { type Condition, fired } from '../conditions/condition.ts';
import { percent } from '../conditions/figures.ts';
import { overdispersion, usualErrorRate } from './baseline.ts';
import type { RecentMinute } from './evidence.ts';
import type { Seen } from './seen.ts';
import { binomialTail } from './statistics.ts';

const SPANS = [
  { minutes: 1, rate: 0.5 },
  { minutes: 2, rate: 0.5 },
  { minutes: 3, rate: 0.25 },
  { minutes: 5, rate: 0.25 },
  { minutes: 10, rate: 0.25 },
] as const;
const FEWEST = 5;
const CHANCE = 1e-7;

type Failing = {
  minutes: number;
  rate: number;
  limit: number;
  n1: number;
  e1: number;
  primaryRate: number;
  chance: number;
};

/** The shadow fails, and so much more than the primary that going back helps. */
export function unavailable(seen: Seen): Condition | null {
  const worst = failing(seen).find(explainedByPrimary(false));
  if (!worst) return null;
  const { minutes, rate, limit, n1, e1, primaryRate } = worst;
  return fired('unavailable', {
    seen: rate,
    limit,
    says: `The shadow fails ${percent(rate)} of its operations (${e1} of ${n1} in ${minutes} minutes), the primary ${percent(primaryRate)}; ${percent(limit)} is the limit at which nothing is waited for.`,
  });
}

/** So much fails that nothing advances, but the primary or chance explains it: going back may not help. */
export function explainedFailures(seen: Seen): Failing | null {
  return failing(seen).find(explainedByPrimary(true)) ?? null;
}

const explainedByPrimary =
  (explained: boolean) =>
  ({ chance }: Failing) =>
    chance > CHANCE === explained;

function failing({ evidence }: Seen): Failing[] {
  const newest = evidence.recent.at(-1)?.minute;
  if (newest === undefined) return [];
  return SPANS.flatMap(({ minutes, rate: limit }) => {
    const { n0, e0, n1, e1 } = last(evidence.recent, newest - minutes);
    if (n1 < FEWEST || e1 / n1 < limit) return [];
    const primaryRate = Math.max(n0 > 0 ? e0 / n0 : 0, usualErrorRate(evidence.baseline));
    const chance = chanceOf(n1, e1, primaryRate, overdispersion(evidence.baseline));
    return [{ minutes, rate: e1 / n1, limit, n1, e1, primaryRate, chance }];
  });
}

/** What came after a minute. */
function last(recent: readonly RecentMinute[], after: number) {
  const sums = { n0: 0, e0: 0, n1: 0, e1: 0 };
  for (let i = recent.length - 1; i >= 0 && recent[i]!.minute > after; i -= 1) {
    const { n0, e0, n1, e1 } = recent[i]!;
    sums.n0 += n0;
    sums.e0 += e0;
    sums.n1 += n1;
    sums.e1 += e1;
  }
  return sums;
}

/** That so many fail at a rate well above the primary's. Failures that come in clusters are counted by the cluster. */
function chanceOf(n1: number, e1: number, primaryRate: number, clusters: number): number {
  const rate = Math.min(1, Math.max(0.01, 1.5 * primaryRate + 0.01));
  return binomialTail(Math.ceil(n1 / clusters), Math.floor(e1 / clusters), rate);
}
