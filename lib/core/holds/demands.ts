/** What others than the windows demand of a cutover at one moment. */

import type { Condition } from '../conditions/condition.ts';
import type { CutoverDeclaration, CutoverState, Policy, SystemState } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { absoluteGuards, guardHolds } from '../gates/absolute-guards.ts';
import type { MinuteWindow } from '../gates/minute-window.ts';
import type { GateInput } from '../gates/seen.ts';
import { deadlineDemands } from './deadline.ts';
import { freezeCondition } from './freeze.ts';
import { phaseHold } from './phase-order.ts';
import { switchHolds, writesGuard, writesHold } from './switches.ts';

type Demands = Required<Pick<GateInput, 'holds' | 'guards'>>;

type Situation = {
  declaration: CutoverDeclaration;
  policy: Policy;
  state: CutoverState;
  system: Pick<SystemState, 'phases' | 'shadowWritesEnabled'>;
  windows: readonly MinuteWindow[];
  nowMs: number;
};

/** Freeze windows, the order of phases, deadline and absolute limits, as the gates take them. */
export function demandsOf(situation: Situation): Demands {
  const { declaration, state, system, nowMs } = situation;
  if (!isUnderWay(state)) return { holds: [], guards: [] };
  const ofStage = stageDemands(situation);
  const holds = [
    freezeCondition(declaration.freeze ?? [], nowMs),
    phaseHold(declaration, system),
    writesHold(state, system),
    ...switchHolds(state),
    ...ofStage.holds,
  ];
  return {
    holds: holds.filter((hold): hold is Condition => hold !== null),
    guards: [writesGuard(state, system), ...ofStage.guards].filter((guard): guard is Condition => guard !== null),
  };
}

/** Deadline and absolute limits: what follows from state and windows alone, so that a replay of them finds the same. */
export function stageDemands(stage: Pick<Situation, 'policy' | 'state' | 'windows' | 'nowMs'>): Demands {
  const deadline = deadlineDemands(stage.policy, stage.state, stage.nowMs);
  return {
    holds: [...deadline.holds, ...guardHolds(stage)],
    guards: [...deadline.guards, ...absoluteGuards(stage)],
  };
}
