/** What switched reads and writes hold, and the command that releases each: as conditions of the gates and of the stage machine. */

import { type Condition, condition } from '../conditions/verdict.ts';
import type { CutoverState, SystemState } from '../cutover/cutover.ts';
import { readsShadow } from '../cutover/switches.ts';

type Master = Pick<SystemState, 'shadowWritesEnabled'>;

/** What of a cutover's own switches holds it, each with the command that releases it. */
export function switchHolds({ id, switches }: Pick<CutoverState, 'id' | 'switches'>): Condition[] {
  const holds: Condition[] = [];
  if (!switches.shadowWrites) {
    const text = `Writes to the shadow are switched off, and changes wait. 'crossfade writes on ${id} --reason …' lets them go on.`;
    holds.push(condition('shadow_writes', false, 'off', 'on', text));
  }
  if (!switches.shadowReads) {
    const text = `Reads are on the primary, and the share of this stage waits. 'crossfade reads shadow ${id} --reason …' sends them back.`;
    holds.push(condition('shadow_reads', false, 'primary', 'shadow', text));
  }
  return holds;
}

/** Bars every step of a table forward while writes are off for all; null when they are on. No force helps. */
export function writesHold({ kind }: Pick<CutoverState, 'kind'>, { shadowWritesEnabled }: Master): Condition | null {
  if (kind !== 'table' || shadowWritesEnabled) return null;
  const text =
    "Writes to all shadows are switched off, and changes wait in the outboxes. 'crossfade writes on --reason …' lets them go on.";
  return condition('shadow_writes', false, 'off', 'on', text);
}

/** Readers who came to the shadow in the moment it was switched off for all are taken away again. */
export const writesGuard = (
  state: Pick<CutoverState, 'kind' | 'stageKind' | 'switches'>,
  master: Master,
): Condition | null => (readsShadow(state) ? writesHold(state, master) : null);
