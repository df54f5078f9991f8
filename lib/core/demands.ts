/** What others than the windows demand of a cutover at one moment, and the rules that no evidence lifts. */

import { absoluteGuards } from './absolute-guards.ts';
import type { CutoverDeclaration, CutoverState, Policy, SystemState } from './cutover.ts';
import type { MinuteWindow } from './evidence.ts';
import { freezeCondition, frozenAt } from './freeze.ts';
import type { GateInput } from './gates/seen.ts';
import type { Condition } from './gates/verdict.ts';
import { deadlineCondition, policyOf } from './policy.ts';
import { writesCondition } from './shadow-writes.ts';
import type { Context } from './stage.ts';

type Situation = {
  declaration: CutoverDeclaration;
  policy: Policy;
  state: CutoverState;
  windows: readonly MinuteWindow[];
  nowMs: number;
};

/** Freeze windows, deadline and absolute limits, as the gates take them. */
export function demandsOf(situation: Situation): Required<Pick<GateInput, 'holds' | 'guards'>> {
  const { declaration, policy, state, nowMs } = situation;
  const moves = ['dual_write', 'ramp', 'full'].includes(state.stageKind);
  if (!moves) return { holds: [], guards: [] };
  const deadline = deadlineCondition(policy, state, nowMs);
  const goesBack = deadline !== null && !deadline.ok && policy.onDeadline === 'rollback';
  const writes = state.shadowWrites ? null : writesCondition(state, { shadowWritesEnabled: true });
  const holds = [writes, freezeCondition(declaration.freeze ?? [], nowMs), goesBack ? null : deadline];
  return {
    holds: holds.filter((hold): hold is Condition => hold !== null),
    guards: [...(goesBack ? [deadline] : []), ...absoluteGuards(situation)],
  };
}

/** What the stage machine must know besides the evidence. */
export function rulesFor(
  declaration: CutoverDeclaration,
  state: CutoverState,
  nowMs: number,
  system: Pick<SystemState, 'shadowWritesEnabled'>,
): Pick<Context, 'frozen' | 'twoPerson' | 'barred'> {
  return {
    barred: state.kind === 'table' ? [writesCondition(state, system)] : [],
    frozen: frozenAt(declaration.freeze ?? [], nowMs),
    twoPerson: policyOf(declaration, state).twoPersonApproval,
  };
}
