/**
 * The policy in force: what the cutover declares, what it declares for the stage, what was changed at run time, the later
 * over the earlier. Changes at run time are part of the state, so a replay of the audit log gives the policy, too.
 */

import type { CutoverDeclaration, CutoverKind, CutoverState, Policy, PolicyOverrides, StagePolicy } from './cutover.ts';
import { type Plan, withHoldBack } from './plan.ts';
import { isUnderWay } from './stage-kinds.ts';

export type PolicyKey = keyof StagePolicy;

/** Declared like code and reviewed like code: one person alone cannot loosen the two-person rule. */
export const DECLARED_ONLY: readonly PolicyKey[] = ['twoPersonApproval'];

/** @example policyOf(declaration, state).errorRateRollback */
export function policyOf(
  { policy, stages = {} }: Pick<CutoverDeclaration, 'policy' | 'stages'>,
  { stage, overrides }: Pick<CutoverState, 'stage' | 'overrides'>,
): Policy {
  const { dwellMinutes: _, ...resolved }: Policy & { dwellMinutes?: number } = {
    ...policy,
    ...stages[stage],
    ...overrides.everywhere,
    ...overrides.stages[stage],
  };
  return resolved.twoPersonApproval ? { ...resolved, approvalRequired: true } : resolved;
}

/** The overrides after a change; what is unset is as declared again. */
export function changedOverrides(
  before: PolicyOverrides,
  { stage, set, unset }: { stage: string | null; set: StagePolicy; unset: readonly PolicyKey[] },
): PolicyOverrides {
  const kept = (policy: StagePolicy | undefined): StagePolicy =>
    Object.fromEntries(
      Object.entries({ ...policy, ...set }).filter(([key]) => !(unset as readonly string[]).includes(key)),
    );
  if (stage === null) return { ...before, everywhere: kept(before.everywhere) };
  return { ...before, stages: { ...before.stages, [stage]: kept(before.stages[stage]) } };
}

/** The plan with the shortest stays that the overrides name. Stages in which nothing is decided keep theirs. */
export function withDwells(plan: Plan, { everywhere, stages }: PolicyOverrides): Plan {
  return {
    ...plan,
    stages: plan.stages.map((stage) => {
      const decides = isUnderWay({ stageKind: stage.kind });
      const dwellMinutes = stages[stage.name]?.dwellMinutes ?? (decides ? everywhere.dwellMinutes : undefined);
      return dwellMinutes === undefined ? stage : { ...stage, dwellMinutes };
    }),
  };
}

/** The plan as the overrides would have it: shortest stays, and what is held back. */
export function withOverrides(plan: Plan, overrides: PolicyOverrides): Plan {
  const { holdBackPercent } = overrides.everywhere;
  const dwelling = withDwells(plan, overrides);
  return holdBackPercent === undefined ? dwelling : withHoldBack(dwelling, holdBackPercent);
}

/** Values of the plan: a change replaces them, and no stage has one of its own. Which keys move must not depend on the stage. */
export const PLAN_WIDE: readonly PolicyKey[] = ['holdBackPercent'];

/** What contradicts itself in a policy, in words. `dwellMinutes`: the shortest stay of the stage it is for. */
export function policyProblems(policy: Policy, kind: CutoverKind, dwellMinutes = 0): string[] {
  const problems: string[] = [];
  if (kind === 'service' && policy.memoryMax !== null)
    problems.push('memoryMax is set, and upstreams of a service do not tell their memory: nothing could ever advance');
  const above = (lower: 'errorRate' | 'latencyIncrease') => {
    const [advance, rollback] = [policy[`${lower}Advance`], policy[`${lower}Rollback`]];
    if (advance > rollback) problems.push(`${lower}Advance ${advance} is above ${lower}Rollback ${rollback}`);
  };
  above('errorRate');
  above('latencyIncrease');
  if (policy.validationScoreAdvance < policy.validationScoreRollback)
    problems.push(
      `validationScoreAdvance ${policy.validationScoreAdvance} is below validationScoreRollback ${policy.validationScoreRollback}`,
    );
  if (policy.deadlineMinutes !== null && policy.deadlineMinutes <= dwellMinutes)
    problems.push(
      `deadlineMinutes ${policy.deadlineMinutes} is not above the shortest stay of ${dwellMinutes} minutes: nothing could ever advance`,
    );
  return problems;
}
