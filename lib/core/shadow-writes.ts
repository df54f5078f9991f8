/** The master switch of writes to shadows. While it is off changes wait in the outboxes, and what readers see there falls behind. */

import type { CutoverState, SystemState } from './cutover.ts';
import { type Condition, condition } from './gates/verdict.ts';

type Switch = Pick<SystemState, 'shadowWritesEnabled'>;

/** Bars every step of a table forward while writes are off; null when they are on. No force helps. */
export function writesHold({ kind }: Pick<CutoverState, 'kind'>, { shadowWritesEnabled }: Switch): Condition | null {
  if (kind !== 'table' || shadowWritesEnabled) return null;
  const text =
    "Writes to shadows are switched off, and changes wait in the outboxes. 'crossfade writes on --reason …' lets them go on.";
  return condition('shadow_writes', false, 'off', 'on', text);
}

/** Readers who came to the shadow in the moment it was switched off are taken away again. */
export function writesGuard(state: Pick<CutoverState, 'kind' | 'stageKind'>, system: Switch): Condition | null {
  return ['ramp', 'full'].includes(state.stageKind) ? writesHold(state, system) : null;
}
