/**
 * Takes the schema out of the databases before the stack goes. A cutover that stands would lose what it stands on: while one is armed its
 * shadow stops following, after a promotion the way back is gone. So nothing is dropped while one does.
 */

import type { CutoverState } from '../../core/cutover/cutover.ts';
import { isPromoted, syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Schemas } from '../../ports/schema.ts';
import { dropAll } from './schemas.ts';

/** A cutover for which the schema is needed, and the commands after which it is not. */
export type Standing = { id: string; stage: string; commands: readonly string[] };

export type Uninstalled =
  | { kind: 'standing'; cutovers: readonly Standing[] }
  /** Nothing stands in the way, and nothing was asked for but that. */
  | { kind: 'ready' }
  /** `tables`: those of the application that capture was taken off. */
  | { kind: 'dropped'; tables: readonly string[] };

type Needs = Pick<Ports, 'state'> & Schemas<'drop'>;

/** @throws CrossfadeError `store_unavailable`, `database_unavailable`; nothing was dropped then */
export async function uninstall(ports: Needs, { dryRun }: { dryRun: boolean }): Promise<Uninstalled> {
  const cutovers = (await ports.state.readAll()).flatMap(standingOf);
  if (cutovers.length > 0) return { kind: 'standing', cutovers };
  return dryRun ? { kind: 'ready' } : { kind: 'dropped', ...(await dropAll(ports)) };
}

function standingOf(state: CutoverState | { id: string; invalid: string }): Standing[] {
  // What cannot be read may be anything.
  if ('invalid' in state) return [{ id: state.id, stage: 'not readable', commands: [`history ${state.id} --verify`] }];
  if (!syncsShadow(state)) return [];
  const back = `rollback ${state.id} --reason REASON`;
  const commands = isPromoted(state) ? [`cleanup ${state.id} --confirm ${state.id}`, back] : [back];
  return [{ id: state.id, stage: state.stage, commands }];
}
