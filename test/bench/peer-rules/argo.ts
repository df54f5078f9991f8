/**
 * Argo Rollouts with its defaults: argo-rollouts.readthedocs.io, "Analysis & Progressive Delivery", sections "Background Analysis"
 * (it has no end) and "Analysis at a Predefined Step" (interval 60 s, count 5); `failureLimit` is 0 where nothing is said, so one
 * failed measurement ends the rollout. The conditions are the usual ones: a success rate of 95 %, the documented figure, and a p95 of
 * at most 1.2 times that of the stable pods in the same minute.
 */

import { quantileMs } from '../../../lib/core/gates/histogram.ts';
import type { BothSides, PeerRule } from './rule.ts';

const FAILURE_LIMIT = 0;

/** A measurement without data is inconclusive, and no failure. */
const CONDITIONS: readonly ((minute: BothSides) => boolean)[] = [
  ({ shadow: { count, errors } }) => count === 0 || 1 - errors / count >= 0.95,
  ({ primary, shadow }) => {
    const [old, now] = [quantileMs(primary.latency, 0.95), quantileMs(shadow.latency, 0.95)];
    return old === null || now === null || now <= 1.2 * old;
  },
];

const analysis = (name: string, count: number): PeerRule => ({
  name,
  start() {
    const failures = CONDITIONS.map(() => 0);
    return (minute) => {
      if (minute.minute > count) return false;
      for (const [i, holds] of CONDITIONS.entries()) if (!holds(minute)) failures[i]! += 1;
      return failures.some((failed) => failed > FAILURE_LIMIT);
    };
  },
});

export const ARGO_STEP = analysis('Argo, 5 min', 5);
export const ARGO_BACKGROUND = analysis('Argo, all day', Number.POSITIVE_INFINITY);
