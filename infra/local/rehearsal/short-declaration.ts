/**
 * The declaration that is rehearsed: the user's own, with short stages and the limits of a small machine. Gates, guards, proofs and
 * fences are those of any cutover. What differs is said in the report. Pure.
 */

import type { CutoverDeclaration, Policy } from '../../../lib/core/cutover/cutover.ts';

export type TableCutoverDeclaration = CutoverDeclaration & { kind: 'table' };

export type ShortDeclaration = { declaration: TableCutoverDeclaration; changed: readonly string[] };

/** Virtual minutes. In the first one a process opens its connections. */
const DWELL_MINUTES = 2;

/** The load, the servers and the database share one machine: what is slower by less is its noise. Some hundred reads are all there are. */
const POLICY: Partial<Policy> = {
  errorRateRollback: 0.05,
  errorRateAdvance: 0.03,
  latencyFloorMs: 250,
  minSamples: 40,
  warmUpMinutes: 1,
  p95LimitMs: null,
  availabilityMin: null,
  connectionDropsMax: null,
  memoryMax: null,
  deadlineMinutes: null,
  autoAdvance: true,
  autoRollback: true,
  approvalRequired: false,
  twoPersonApproval: false,
};

export function shortDeclaration(declared: TableCutoverDeclaration): ShortDeclaration {
  const {
    stages: _,
    freeze,
    cohort,
    phase,
    alerts,
    experiments,
    criteria = [],
    requireRehearsal: __,
    ...rest
  } = declared;
  const kept = criteria.filter((one) => 'equal' in one || 'empty' in one);
  const left = criteria.filter((one) => !('equal' in one || 'empty' in one)).map(({ name }) => name);
  const policy = { ...declared.policy, ...POLICY };
  const changes = Object.entries(POLICY).filter(([key, value]) => declared.policy[key as keyof Policy] !== value);
  return {
    declaration: {
      ...rest,
      ...(kept.length > 0 ? { criteria: kept } : {}),
      policy,
      plan: { ...declared.plan, stages: declared.plan.stages.map(shortened) },
    },
    changed: [
      `Each stage lasts ${DWELL_MINUTES} minutes of an accelerated clock, at least.`,
      ...(changes.length === 0 ? [] : [`Limits: ${changes.map(([key, value]) => `${key} ${value}`).join(', ')}.`]),
      ...(freeze ? ['Freeze windows are left out.'] : []),
      ...(cohort !== undefined || phase ? ['The cutover moves alone, without its cohort and phase.'] : []),
      ...(alerts || experiments ? ['Alert rules of its own and experiments are left out.'] : []),
      ...(left.length > 0
        ? [`Criteria that ask something outside of the database are left out: ${left.join(', ')}.`]
        : []),
    ],
  };
}

const shortened = (stage: CutoverDeclaration['plan']['stages'][number]) => ({
  ...stage,
  dwellMinutes: Math.min(stage.dwellMinutes, DWELL_MINUTES),
});
