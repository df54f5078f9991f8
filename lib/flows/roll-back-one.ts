/** Rolls back one cutover for a reason that lies outside of it: a stop, its cohort, its phase. */

import { type CutoverDeclaration, type CutoverState, initialState, type RollbackCause } from '../core/cutover.ts';
import { decide } from '../core/stage.ts';
import { syncsShadow } from '../core/stage-kinds.ts';
import type { Ports } from '../ports.ts';
import { carryOut } from './carry-out.ts';
import { type By, commit } from './commit.ts';

const TRIES = 5;

export type MovedBack = { from: string; to: string; problem?: string };

/** `null` when there was nothing to undo. `which` says whether there is, for each state that is seen on the way. */
export async function rollBackOne(
  ports: Pick<Ports, 'state' | 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: RollbackCause },
): Promise<MovedBack | null> {
  let state = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  const from = state.stage;
  for (let attempt = 0; attempt < TRIES && which(state); attempt += 1) {
    const decision = decide(
      state,
      { type: 'rollback', reason: by.reason, cause: by.cause },
      { ...by, emergencyStop: by.cause === 'emergency' },
    );
    if (decision.kind === 'refused') return { from, to: state.stage, problem: decision.message };
    const result = await commit(ports, state, decision, by);
    if (result.kind === 'stale') {
      state = result.current;
      continue;
    }
    state = result.kind === 'repeated' ? state : result.state;
    if (state.pending) state = await carryOut(ports, declaration, state, by.nowMs);
    return { from, to: state.pending ? `${state.stage} (${state.pending.action} pending)` : state.stage };
  }
  return state.stage === from ? null : { from, to: state.stage };
}

/** Stages from which there is something to undo. */
export const undoable = (state: CutoverState): boolean => !state.pending && syncsShadow(state);
