/** What others than the windows demand of a cutover at one moment, and the rules that no evidence lifts. */

import { absoluteGuards, guardHolds } from './absolute-guards.ts';
import type { CutoverDeclaration, CutoverState, Policy, SystemState } from './cutover.ts';
import type { MinuteWindow } from './evidence.ts';
import { freezeCondition, frozenAt } from './freeze.ts';
import type { GateInput } from './gates/seen.ts';
import type { Condition } from './gates/verdict.ts';
import { phaseHold } from './phases/order.ts';
import { deadlineCondition, policyOf } from './policy.ts';
import type { Context } from './stage.ts';
import { isUnderWay } from './stage-kinds.ts';
import { switchHolds, writesGuard, writesHold } from './switch-holds.ts';
import { isNormal } from './switches.ts';

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

/** What the stage machine must know besides the evidence. */
export function rulesFor(
  declaration: CutoverDeclaration,
  state: CutoverState,
  system: Pick<SystemState, 'phases' | 'shadowWritesEnabled'>,
  nowMs: number,
): Pick<Context, 'frozen' | 'barred' | 'twoPerson'> {
  const holds = [phaseHold(declaration, system), writesHold(state, system)];
  return {
    barred: holds.filter((hold): hold is Condition => hold !== null),
    frozen: frozenAt(declaration.freeze ?? [], nowMs),
    twoPerson: policyOf(declaration, state).twoPersonApproval,
  };
}
