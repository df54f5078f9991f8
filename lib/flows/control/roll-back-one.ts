/** Rolls back one cutover for a reason that lies outside of it: a stop, its cohort, its phase. */

import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type RollbackCause,
} from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { decide } from '../../core/stage/decide.ts';
import { droppedText, pendingWord } from '../../core/stage/intents.ts';
import type { Ports } from '../../ports/ports.ts';
import { type Carried, type CarryOutPorts, carryOut } from './carry-out.ts';
import { type By, commit } from './commit.ts';

const TRIES = 5;

export type MovedBack = { from: string; to: string; problem?: string };

/** `null` when there was nothing to undo. `which` says whether there is, for each state that is seen on the way. */
export async function rollBackOne(
  ports: CarryOutPorts,
  declaration: CutoverDeclaration,
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: RollbackCause },
): Promise<MovedBack | null> {
  const decided = await decideRollback(ports, declaration, which, by);
  if (!decided) return null;
  const { from, state, problem } = decided;
  if (problem !== undefined) return { from, to: state.stage, problem };
  return movedBack(from, await carryOut(ports, declaration, state, by));
}

/** What is written without asking Postgres: rolled back, or an intent to be. `null` when there was nothing to undo. */
export async function decideRollback(
  ports: Pick<Ports, 'state'>,
  declaration: CutoverDeclaration,
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: RollbackCause },
): Promise<{ from: string; state: CutoverState; problem?: string } | null> {
  return rollBackState(ports, (await ports.state.readCutover(declaration.id)) ?? initialState(declaration), which, by);
}

/** The same from a state that was read, which needs no declaration. */
export async function rollBackState(
  ports: Pick<Ports, 'state'>,
  seen: CutoverState,
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: RollbackCause },
): Promise<{ from: string; state: CutoverState; problem?: string } | null> {
  let state = seen;
  const from = state.stage;
  for (let attempt = 0; attempt < TRIES && which(state); attempt += 1) {
    const decision = decide(
      state,
      { type: 'rollback', reason: by.reason, cause: by.cause },
      { ...by, emergencyStop: by.cause === 'emergency' },
    );
    if (decision.kind === 'refused') return { from, state, problem: decision.message };
    const result = await commit(ports, state, decision, by);
    if (result.kind !== 'stale') return { from, state: result.kind === 'repeated' ? state : result.state };
    state = result.current;
  }
  return state.stage === from ? null : { from, state };
}

export function movedBack(from: string, { state, waits }: Carried): MovedBack {
  const pending = pendingWord(state);
  const problem = droppedText(state);
  const to = pending ? `${state.stage} (${pending} pending${waits ? `: ${waits}` : ''})` : state.stage;
  return { from, to, ...(problem ? { problem } : {}) };
}

/** Stages from which there is something to undo, and no rollback is under way yet. */
export const undoable = (state: CutoverState): boolean =>
  syncsShadow(state) && state.pending?.action !== 'revert' && !state.pending?.withdrawn;
