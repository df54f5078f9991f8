/** Checks a change of policy against the cutover it is for, before the stage machine takes it. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { changedOverrides, PLAN_WIDE, policyOf, policyProblems, withDwells } from '../../core/cutover/policy.ts';
import type { Command } from '../../core/stage/events.ts';

type Change = Extract<Command, { type: 'policy' }>;

/** @throws CrossfadeError `invalid_input`, `forbidden` */
export function checkedChange(declaration: CutoverDeclaration, state: CutoverState, change: Change): Change {
  const { stage, set, unset } = change;
  const names = state.plan.stages.map(({ name }) => name);
  if (stage !== null && !names.includes(stage)) {
    const hint = didYouMean(stage, names);
    throw refused(declaration, `'${stage.slice(0, 40)}' is no stage of plan '${state.plan.name}'.${hint}`);
  }
  const planWide = PLAN_WIDE.filter((key) => stage !== null && key in set);
  if (planWide.length > 0)
    throw refused(declaration, `${planWide.join(', ')} holds for the whole plan: leave out the stage`);
  if (Object.keys(set).length + unset.length === 0) throw refused(declaration, 'nothing is set and nothing unset');
  const loosens = declaration.policy.twoPersonApproval && [...Object.keys(set), ...unset].includes('approvalRequired');
  if (loosens) {
    throw new CrossfadeError(
      'forbidden',
      `Cutover '${declaration.id}' is declared with the two-person rule, so approvals cannot be switched off at run time. Change the declaration, and deploy it.`,
    );
  }
  const overrides = changedOverrides(state.overrides, change);
  const problems = withDwells(state.plan, overrides).stages.flatMap(({ name, dwellMinutes }) =>
    policyProblems(policyOf(declaration, { stage: name, overrides }), declaration.kind, dwellMinutes).map(
      (text) => `${name}: ${text}`,
    ),
  );
  if (problems.length > 0) throw refused(declaration, problems.join('; '));
  return change;
}

function refused({ id }: CutoverDeclaration, why: string): CrossfadeError {
  return new CrossfadeError(
    'invalid_input',
    `The policy of cutover '${id}' cannot be changed so: ${why}. Nothing was changed.`,
  );
}
