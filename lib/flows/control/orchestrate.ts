/** The phases on a tick: what follows from the state of their cutovers, and rollbacks that are still to be carried out. */

import type { CutoverDeclaration, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { phasesOf, stateOfPhase } from '../../core/holds/phase-order.ts';
import { phaseEvents } from '../../core/phases/events.ts';
import { type Members, stepPhases } from '../../core/phases/step.ts';
import { TICK } from '../../core/stage/events.ts';
import type { CarryOutPorts } from './carry-out.ts';
import { changeSystem } from './change-system.ts';
import { wayBack } from './cohorts.ts';
import type { By } from './commit.ts';
import { type MovedBack, rollBackOne, undoable } from './roll-back-one.ts';

export async function orchestrate(
  ports: CarryOutPorts,
  declarations: readonly CutoverDeclaration[],
  members: Members,
  nowMs: number,
): Promise<void> {
  const phases = phasesOf(declarations);
  if (phases.length === 0) return;
  const by = { nowMs, actor: TICK };
  const decide = (system: SystemState) => phaseEvents(phases, system, stepPhases(phases, system, members, nowMs));
  const { system } = await changeSystem(ports, decide, by);
  await carryOutRollbacks(ports, declarations, system, by);
}

/**
 * Level-triggered: whatever belongs to a phase that was rolled back goes back, the last phase first, and in each the last
 * cutover first. A phase waits until all that depend on it are back, since they may rely on its new side.
 */
export async function carryOutRollbacks(
  ports: CarryOutPorts,
  declarations: readonly CutoverDeclaration[],
  system: SystemState,
  by: By,
): Promise<readonly (MovedBack & { id: string })[]> {
  const phases = phasesOf(declarations);
  const moved: (MovedBack & { id: string })[] = [];
  const stuck = new Set<string>();
  for (const phase of [...phases].reverse()) {
    const state = stateOfPhase(system, phase.name);
    if (state.status !== 'rolled_back') continue;
    const waitsFor = phases.find(({ name, after }) => stuck.has(name) && after.includes(phase.name));
    if (waitsFor) {
      stuck.add(phase.name);
      ports.log.event('phase_rollback_waits', { phase: phase.name, waitsFor: waitsFor.name });
      continue;
    }
    const reason = `phase '${phase.name}' was rolled back: ${state.decision?.reason ?? ''}`;
    for (const id of [...phase.cutovers].reverse()) {
      const back = await goBack(ports, declarations, id, { ...by, reason });
      if (back.moved) moved.push({ id, ...back.moved });
      if (!back.done) stuck.add(phase.name);
    }
  }
  return moved;
}

async function goBack(
  ports: CarryOutPorts,
  declarations: readonly CutoverDeclaration[],
  id: string,
  by: By & { reason: string },
): Promise<{ moved: MovedBack | null; done: boolean }> {
  const declaration = declarations.find((candidate) => candidate.id === id);
  if (!declaration) return { moved: null, done: true };
  try {
    const state = await ports.state.readCutover(id);
    if (!state || isBack(state)) return { moved: null, done: true };
    if (!undoable(state) || !(await wayBack(ports, declaration, state))) return { moved: null, done: false };
    const moved = await rollBackOne(ports, declaration, undoable, { ...by, cause: 'guard' });
    const after = await ports.state.readCutover(id);
    return { moved, done: after !== null && isBack(after) };
  } catch (error) {
    ports.log.failure('phase_rollback_failed', error, { cutover: id });
    return { moved: null, done: false };
  }
}

/** Nothing is left to undo; after cleanup nothing can be. */
const isBack = (state: CutoverState) => !syncsShadow(state);
