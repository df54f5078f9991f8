/**
 * A refused command leaves one entry in the log of its subject, and changes nothing else. Best effort: losing the race for the head
 * of the log means that something else happened, which has its own entry.
 */

import type { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import type { Event } from '../../core/stage/events.ts';
import { record } from '../../core/stage/evolve.ts';
import { recordSystem } from '../../core/stage/system.ts';
import type { Ports } from '../../ports/ports.ts';
import type { By } from './commit.ts';

type Needs = Pick<Ports, 'state' | 'metrics' | 'log'>;

/** @param declaration null: the command was for all cutovers, and the entry is in the log of the system */
export async function recordDenial(
  ports: Needs,
  declaration: CutoverDeclaration | null,
  { command, error }: { command: string; error: CrossfadeError },
  by: By,
): Promise<void> {
  ports.metrics.record('DeniedCommands', 1);
  const denied: Event = { type: 'denied', command, code: error.code, why: error.message };
  try {
    await (declaration ? onCutover(ports, declaration, denied, by) : onSystem(ports, denied, by));
  } catch (failure) {
    ports.log.failure('denial_not_recorded', failure, { command, ...(declaration ? { cutover: declaration.id } : {}) });
  }
}

async function onCutover(ports: Needs, declaration: CutoverDeclaration, denied: Event, by: By): Promise<void> {
  const before = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  const { state: after, entries } = record(before, [denied], by);
  await ports.state.writeCutover({ before, after, entries });
}

async function onSystem(ports: Needs, denied: Event, by: By): Promise<void> {
  const before = await ports.state.readSystem();
  const { state: after, entries } = recordSystem(before, [denied], by);
  await ports.state.writeSystem({ before, after, entries });
}
