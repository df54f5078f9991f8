/** The rules of other tools that run beside ours, and when each of them rolls a run back. */

import { poolWindows } from '../../../lib/core/gates/minute-window.ts';
import { HISTORY_MINUTES, type Run, traffic } from '../../helpers/gate-families.ts';
import { ARGO_BACKGROUND, ARGO_STEP } from './argo.ts';
import { CONFIDENCE_SEQUENCE } from './confidence-sequence.ts';
import { GROWTHBOOK } from './growthbook.ts';
import { KAYENTA } from './kayenta.ts';
import { MANN_WHITNEY } from './mann-whitney.ts';
import type { BothSides, PeerRule } from './rule.ts';

export const PEER_RULES: readonly PeerRule[] = [
  GROWTHBOOK,
  CONFIDENCE_SEQUENCE,
  MANN_WHITNEY,
  KAYENTA,
  ARGO_STEP,
  ARGO_BACKGROUND,
];

/** First minute in which each rule rolls back, in their order; null: never. They see every minute whole, late reports too. */
export function rolledBackBy(seed: number, run: Run, rules = PEER_RULES): (number | null)[] {
  const drawn = traffic(seed, run);
  for (let minute = 1 - HISTORY_MINUTES; minute <= 0; minute += 1) drawn.minute(minute);
  const looks = rules.map((rule) => rule.start());
  const found: (number | null)[] = rules.map(() => null);
  for (let minute = 1; minute <= run.minutes && found.includes(null); minute += 1) {
    const both = bothSides(
      minute,
      drawn.minute(minute).map(({ part }) => part.window),
    );
    for (const [i, look] of looks.entries()) if (look(both)) found[i] ??= minute;
  }
  return found;
}

function bothSides(minute: number, windows: readonly BothSides['primary'][]): BothSides {
  const of = (side: 'primary' | 'shadow') =>
    poolWindows(
      minute,
      side,
      windows.filter((window) => window.side === side),
    );
  return { minute, primary: of('primary'), shadow: of('shadow') };
}
