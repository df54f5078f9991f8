/** Whether rows are written to the following side: what the stage says, and the switches for one cutover and for all. */

import type { CutoverState, SystemState } from './cutover.ts';
import { type Condition, condition } from './gates/verdict.ts';

const KEPT_EQUAL = ['dual_write', 'ramp', 'full', 'completed'];

export function writesShadow(
  state: Pick<CutoverState, 'stageKind' | 'shadowWrites'>,
  system: Pick<SystemState, 'shadowWritesEnabled'>,
): boolean {
  return KEPT_EQUAL.includes(state.stageKind) && state.shadowWrites && system.shadowWritesEnabled;
}

/** Bars every step forward while nothing is written: what readers would be sent to falls behind. No force helps. */
export function writesCondition(
  state: Pick<CutoverState, 'id' | 'shadowWrites'>,
  system: Pick<SystemState, 'shadowWritesEnabled'>,
): Condition {
  const on = state.shadowWrites && system.shadowWritesEnabled;
  const which = system.shadowWritesEnabled ? state.id : '(for all)';
  const text = on
    ? 'Rows are written to the shadow.'
    : `Writes to the shadow are switched off ${which}; changes wait in the outbox. 'crossfade writes on${system.shadowWritesEnabled ? ` ${state.id}` : ''}' lets them go on.`;
  return condition('shadow_writes', on, on ? 'on' : 'off', 'on', text);
}
