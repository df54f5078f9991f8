/** What switched reads and writes hold, and the command that releases each: as conditions of the gates and of the stage machine. */

import { type Condition, condition } from '../conditions/condition.ts';
import type { CutoverState, SystemState } from '../cutover/cutover.ts';
import { readsShadow } from '../cutover/switches.ts';

type Master = Pick<SystemState, 'shadowWritesEnabled'>;

/** What of a cutover's own switches holds it, each with the command that releases it. */
export function switchHolds({ id, switches }: Pick<CutoverState, 'id' | 'switches'>): Condition[] {
  const holds: Condition[] = [];
  if (!switches.shadowWrites) holds.push(writesOff('Writes to the shadow are switched off, and changes wait.', [id]));
  if (!switches.shadowReads)
    holds.push(
      condition('shadow_reads', {
        ok: false,
        seen: 'primary',
        limit: 'shadow',
        says: 'Reads are on the primary, and the share of this stage waits.',
        release: { command: ['crossfade', 'reads', 'shadow', id, '--reason', '…'], does: 'sends them back' },
      }),
    );
  return holds;
}

/** Bars every step of a table forward while writes are off for all; null when they are on. No force helps. */
export function writesHold({ kind }: Pick<CutoverState, 'kind'>, { shadowWritesEnabled }: Master): Condition | null {
  if (kind !== 'table' || shadowWritesEnabled) return null;
  return writesOff('Writes to all shadows are switched off, and changes wait in the outboxes.', []);
}

/** @param of the cutover whose writes are meant, or none for all of them */
const writesOff = (says: string, of: readonly string[]): Condition =>
  condition('shadow_writes', {
    ok: false,
    seen: 'off',
    limit: 'on',
    says,
    release: { command: ['crossfade', 'writes', 'on', ...of, '--reason', '…'], does: 'lets them go on' },
  });

/** Readers who came to the shadow in the moment it was switched off for all are taken away again. */
export const writesGuard = (
  state: Pick<CutoverState, 'kind' | 'stageKind' | 'switches'>,
  master: Master,
): Condition | null => (readsShadow(state) ? writesHold(state, master) : null);
