/** The rules that no evidence lifts: freeze windows, the order of phases, the approval of a second person. */

import type { Condition } from '../conditions/condition.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../cutover/cutover.ts';
import { policyOf } from '../cutover/policy.ts';
import { frozenAt } from '../holds/freeze.ts';
import { phaseHold } from '../holds/phase-order.ts';
import { writesHold } from '../holds/switches.ts';
import type { Context } from './decision.ts';

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
