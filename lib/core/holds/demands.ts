/** What others than the windows demand of a cutover at one moment. */

import type { Condition } from '../conditions/condition.ts';
import type { CutoverDeclaration, CutoverState, Policy, SystemState } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { isNormal } from '../cutover/switches.ts';
import { absoluteGuards, guardHolds } from '../gates/absolute-guards.ts';
import type { MinuteWindow } from '../gates/minute-window.ts';
import type { GateInput } from '../gates/seen.ts';
import { deadlineCondition } from './deadline.ts';
import { freezeCondition } from './freeze.ts';
import { phaseHold } from './phase-order.ts';
import { switchHolds, writesGuard, writesHold } from './switches.ts';

type Situation = {
  declaration: CutoverDeclaration;
  policy: Policy;
  state: CutoverState;
  system: Pick<SystemState, 'phases' | 'shadowWritesEnabled'>;
  windows: readonly MinuteWindow[];
  nowMs: number;
};

/** Freeze windows, the order of phases, deadline and absolute limits, as the gates take them. */
export function demandsOf(situation: Situation): Required<Pick<GateInput, 'holds' | 'guards'>> {
  const { declaration, policy, state, system, nowMs } = situation;
  if (!isUnderWay(state)) return { holds: [], guards: [] };
  // At 100 % a cutover waits for a person, or soaks with its phase: no proof is missing there, however long it takes.
  // Nor while a person has switched reads or writes.
  const timed = state.stageKind !== 'full' && isNormal(state);
  const deadline = timed ? deadlineCondition(policy, state, nowMs) : null;
  const goesBack = deadline !== null && !deadline.ok && policy.onDeadline === 'rollback';
  const holds = [
    freezeCondition(declaration.freeze ?? [], nowMs),
    phaseHold(declaration, system),
    writesHold(state, system),
    ...switchHolds(state),
    goesBack ? null : deadline,
    ...guardHolds(situation),
  ];
  return {
    holds: holds.filter((hold): hold is Condition => hold !== null),
    guards: [writesGuard(state, system), goesBack ? deadline : null]
      .filter((guard): guard is Condition => guard !== null)
      .concat(absoluteGuards(situation)),
  };
}
