/**
 * Where a cutover of a table may go, and what is recorded as it does: exactly what the model does, and no more than that in any life
 * of the product.
 */

import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { evolve } from '../../../lib/core/stage/evolve.ts';
import type { World } from './world.ts';

export const EDGES: readonly string[] = [
  'completed ─intent_recorded→ completed, cleanup',
  'completed ─intent_recorded→ completed, revert',
  'completed, cleanup withdrawn ─cleaned→ cleaned',
  'completed, cleanup withdrawn ─intent_recorded→ completed, revert',
  'completed, cleanup ─cleaned→ cleaned',
  'completed, cleanup ─intent_abandoned→ completed',
  'completed, cleanup ─intent_withdrawn→ completed, cleanup withdrawn',
  'completed, revert ─intent_abandoned→ completed',
  'completed, revert ─reverted→ rolled_back',
  'disabled ─started→ dual_write',
  'dual_write ─advanced→ full',
  'dual_write ─rolled_back→ rolled_back',
  'full ─intent_recorded→ full, promote',
  'full ─rolled_back→ rolled_back',
  'full, promote withdrawn ─completed→ completed',
  'full, promote withdrawn ─completed→ completed, revert',
  'full, promote withdrawn ─rolled_back→ rolled_back',
  'full, promote ─completed→ completed',
  'full, promote ─intent_abandoned→ full',
  'full, promote ─intent_withdrawn→ full, promote withdrawn',
];

/** A cutover that was rolled back is over in the model. */
export const BEYOND: readonly string[] = ['rolled_back ─reset→ disabled'];

/** Ramps and the full stage are one place here. */
function placeOf({ stageKind, pending }: CutoverState): string {
  const place = stageKind === 'ramp' ? 'full' : stageKind;
  return pending ? `${place}, ${pending.action}${pending.withdrawn ? ' withdrawn' : ''}` : place;
}

/** @param initial the state before each of the logs */
export function edgesOf(logs: Iterable<World['log']>, initial: CutoverState): Set<string> {
  const edges = new Set<string>();
  for (const log of logs) {
    let state = initial;
    for (const entry of log) {
      const after = evolve(state, entry);
      if (placeOf(after) !== placeOf(state)) edges.add(`${placeOf(state)} ─${entry.event.type}→ ${placeOf(after)}`);
      state = after;
    }
  }
  return edges;
}
