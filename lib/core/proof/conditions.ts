/** Everything that must hold to advance, each with value, limit, and what would release it. */

import { type Condition, condition, round } from '../gates/verdict.ts';
import { dataConditions } from './data-conditions.ts';
import type { Judged } from './guards.ts';
import { readConditions } from './read-conditions.ts';
import { minutesInStage, type Seen } from './seen.ts';

export function advanceConditions(seen: Seen, judged: readonly Judged[]): Condition[] {
  const minutes = minutesInStage(seen);
  const needed = seen.stage?.dwellMinutes ?? 0;
  const text = `${round(minutes)} of ${needed} minutes in stage ${seen.input.state.stage}.`;
  return [
    condition('dwell', minutes >= needed, round(minutes), needed, text),
    ...dataConditions(seen),
    ...(seen.servesReads ? readConditions(seen, judged) : []),
  ];
}
