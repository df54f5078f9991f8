/** Values of a policy: as declared, for one stage, and as changed at run time. */

import * as z from 'zod';
import type { Policy, StagePolicy } from '../core/cutover/cutover.ts';
import { DECLARED_ONLY, PLAN_WIDE, type PolicyKey } from '../core/cutover/policy.ts';
import { TRIED_LIMITS, type TriedLimits } from '../core/replay/trial.ts';

const rate = z.number().gt(0).lt(1);
const minutes = z.number().min(1).max(525_600);

const fields = {
  errorRateRollback: rate,
  errorRateAdvance: rate,
  latencyIncreaseRollback: z.number().gt(0).max(100),
  latencyIncreaseAdvance: z.number().gt(0).max(100),
  latencyFloorMs: z.number().min(0).max(60_000),
  validationScoreRollback: rate,
  validationScoreAdvance: rate,
  consecutiveFailures: z.number().int().min(1).max(60),
  warmUpMinutes: z.number().int().min(0).max(1_440),
  minSamples: z.number().int().min(1).max(1_000_000),
  lagAdvanceMs: z.number().gt(0).max(3_600_000),
  keylessAdvance: z.number().min(0).lt(1),
  holdBackPercent: z
    .number()
    .min(0)
    .max(50)
    .refine((percent) => Number.isInteger(Number((percent * 10_000).toFixed(4))), 'at most four decimals'),
  autoAdvance: z.boolean(),
  autoRollback: z.boolean(),
  approvalRequired: z.boolean(),
  twoPersonApproval: z.boolean(),
  deadlineMinutes: minutes.nullable(),
  onDeadline: z.enum(['hold', 'rollback']),
  p95LimitMs: z.number().gt(0).max(3_600_000).nullable(),
  availabilityMin: rate.nullable(),
  connectionDropsMax: rate.nullable(),
  memoryMax: rate.nullable(),
} satisfies Record<keyof Policy, z.ZodType>;

export const declaredPolicy = z.strictObject(fields).partial();

/** A declared stage may be as short as 0, so that tests and demonstrations need not wait. */
export const stagePolicy = declaredPolicy
  .omit({ holdBackPercent: true })
  .extend({ dwellMinutes: z.number().min(0).max(525_600).optional() });

export const POLICY_KEYS = [...Object.keys(fields), 'dwellMinutes'] as PolicyKey[];

const { twoPersonApproval: _, ...changeable } = fields;
const changeableKeys = Object.keys(changeable).filter(
  (key) => ![...DECLARED_ONLY, ...PLAN_WIDE].includes(key as PolicyKey),
);

/** `unset` gives a key back to the declaration. What is part of the plan is replaced, never unset: the plan has no other. */
export const policyChange = z.strictObject({
  stage: z.string().min(1).max(40).optional(),
  set: z.strictObject({ ...changeable, dwellMinutes: minutes }).partial() as z.ZodType<StagePolicy>,
  unset: z
    .array(z.enum(changeableKeys as [PolicyKey, ...PolicyKey[]]))
    .max(30)
    .optional(),
});

/** What `crossfade replay --set` takes. */
export const triedLimits = stagePolicy.pick(
  Object.fromEntries(TRIED_LIMITS.map((key) => [key, true])) as Record<keyof TriedLimits, true>,
);
