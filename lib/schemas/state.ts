/**
 * What an item of the state table must look like to be believed. An item edited by hand or written by another version
 * of the program is refused here, with the path of each problem; nothing is guessed or filled in.
 */

import * as z from 'zod';
import type { Condition } from '../core/conditions/condition.ts';
import { UNITS } from '../core/conditions/figures.ts';
import { readCondition } from '../core/conditions/stored.ts';
import { CONDITION_CODES } from '../core/conditions/table.ts';
import type { SideFigures, Verdict } from '../core/conditions/verdict.ts';
import type { Observations } from '../core/cutover/criterion.ts';
import {
  CUTOVER_ID,
  type CutoverState,
  type DroppedIntent,
  NO_OVERRIDES,
  NORMAL_SWITCHES,
  type PendingAction,
  type PolicyOverrides,
  type StagePolicy,
  type Switches,
  type SystemState,
} from '../core/cutover/cutover.ts';
import type { PhaseState } from '../core/cutover/phase.ts';
import { MAX_STAGES, type Plan, STAGE_KINDS, type Stage } from '../core/cutover/plan.ts';
import type { MinuteWindow } from '../core/gates/minute-window.ts';
import type { StoredVerdict } from '../core/gates/stored-verdict.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { IdempotencyRecord } from '../ports/state.ts';
import { foldedEvidence } from './evidence.ts';
import { figure, release } from './release.ts';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hex');

// ---------------------------------------------------------------------------------------------------------- state

const stage = z.object({
  name: z.string().min(1),
  kind: z.enum(STAGE_KINDS),
  sharePpm: z.int().min(0).max(1_000_000),
  dwellMinutes: z.number().nonnegative(),
}) satisfies z.ZodType<Stage>;

const plan = z.object({
  name: z.string(),
  stages: z.array(stage).min(1).max(MAX_STAGES),
  holdBackPpm: z.int().min(0).max(500_000).optional(),
}) satisfies z.ZodType<Plan>;

const rollbackCause = z.enum(['operator', 'guard', 'emergency']);

const rollbackStep = z.object({
  name: z.enum(['tables_swapped', 'flags_safe', 'fence_raised', 'capture_removed', 'reads_left']),
  tookMs: z.number().nonnegative(),
  text: z.string(),
});

const pending = z.object({
  action: z.enum(['promote', 'revert', 'cleanup']),
  epoch: count,
  sinceMs: count,
  actor: z.string(),
  reason: z.string(),
  cause: rollbackCause.optional(),
  dropTracking: z.boolean().optional(),
  withdrawn: z.object({ actor: z.string(), reason: z.string(), cause: rollbackCause, atMs: count }).optional(),
}) satisfies z.ZodType<PendingAction>;

const dropped = z.object({
  action: z.enum(['promote', 'revert', 'cleanup']),
  epoch: count,
  actor: z.string(),
  reason: z.string(),
  why: z.string(),
  atMs: count,
}) satisfies z.ZodType<DroppedIntent>;

/** Changes at run time were checked when they came in; here only their form is. */
const overridden = z.record(
  z.string(),
  z.union([z.number(), z.boolean(), z.string()]).nullable(),
) as z.ZodType<StagePolicy>;
const overrides = z.object({
  everywhere: overridden,
  stages: z.record(z.string(), overridden),
}) satisfies z.ZodType<PolicyOverrides>;

const switches = z.object({
  shadowReads: z.boolean(),
  shadowWrites: z.boolean(),
  sinceMs: count,
}) satisfies z.ZodType<Switches>;

export const cutoverState = z
  .object({
    id: z.string().regex(CUTOVER_ID),
    kind: z.enum(['table', 'component', 'service']),
    version: count,
    epoch: count,
    stage: z.string(),
    stageKind: z.enum(STAGE_KINDS),
    plan,
    enteredAtMs: count,
    changedAtMs: count,
    paused: z.boolean(),
    approved: z.boolean(),
    // Fields that an earlier version of the program did not know are as if they had never been used.
    switches: switches.default(NORMAL_SWITCHES),
    started: z.object({ actor: z.string(), atMs: count }).nullable().default(null),
    askedBy: z.string().nullable().default(null),
    overrides: overrides.default(NO_OVERRIDES),
    pending: pending.nullable(),
    dropped: dropped.nullable().default(null),
    rollback: z
      .object({
        fromStage: z.string(),
        reason: z.string(),
        cause: rollbackCause.default('operator'),
        actor: z.string(),
        atMs: count,
        steps: z.array(rollbackStep).default([]),
      })
      .nullable(),
    auditSeq: count,
    auditHash: sha256,
  })
  .refine(stageIsKnown, {
    path: ['stage'],
    error: 'is no stage of the plan with this stageKind',
  }) satisfies z.ZodType<CutoverState>;

/** `cleaned` and `rolled_back` belong to no plan and are called after their kind. */
function stageIsKnown(state: Pick<CutoverState, 'stage' | 'stageKind' | 'plan'>): boolean {
  if (state.stageKind === 'cleaned' || state.stageKind === 'rolled_back') return state.stage === state.stageKind;
  return state.plan.stages.some(({ name, kind }) => name === state.stage && kind === state.stageKind);
}

const phaseState = z.object({
  status: z.enum(['waiting', 'running', 'soaking', 'done', 'rolled_back']),
  sinceMs: count,
  startedAtMs: count.nullable(),
  soakUntilMs: z.number().nonnegative().nullable(),
  confirmed: z.record(z.string(), z.object({ actor: z.string(), atMs: count })),
  decision: z
    .object({ kind: z.enum(['go', 'extend', 'rollback']), actor: z.string(), reason: z.string(), atMs: count })
    .nullable(),
}) satisfies z.ZodType<PhaseState>;

export const systemState = z.object({
  version: count,
  emergencyStop: z.boolean(),
  readonly: z.boolean(),
  shadowWritesEnabled: z.boolean(),
  migrationPhase: z.string(),
  phases: z.record(z.string(), phaseState).default({}),
  auditSeq: count,
  auditHash: sha256,
}) satisfies z.ZodType<SystemState>;

// ---------------------------------------------------------------------------------------------------------- audit

/**
 * An entry as stored. The event is kept as the JSON text that was hashed with it, so that the hash can always be
 * checked; of its content only the type is asked for, since old entries must stay readable.
 */
export const auditEntry = z.object({
  subject: z.string(),
  seq: z.int().positive(),
  atMs: count,
  actor: z.string(),
  event: jsonText(z.looseObject({ type: z.string() })),
  version: count,
  epoch: count,
  previousHash: sha256,
  hash: sha256,
}) satisfies z.ZodType<AuditEntry<{ type: string }>>;

export const idempotencyRecord = z.object({
  key: z.string(),
  caller: z.string(),
  fingerprint: z.string(),
  answer: jsonText(z.object({ status: z.int(), body: z.json() })),
  expiresAtMs: count,
}) satisfies z.ZodType<IdempotencyRecord>;

// -------------------------------------------------------------------------------------------------------- verdict

/** What only a newer version knows is left out; the text has it. */
const condition = z
  .object({
    code: z.string(),
    ok: z.boolean(),
    value: figure,
    limit: figure,
    text: z.string(),
    row: z.enum(CONDITION_CODES).optional().catch(undefined),
    unit: z.enum(UNITS).optional().catch(undefined),
    says: z.string().optional(),
    release: z
      .array(release)
      .optional()
      .catch(null as never),
    sinceMs: count.optional().catch(undefined),
  })
  .transform(readCondition) satisfies z.ZodType<Condition>;

const figures = z.object({
  count,
  errors: count,
  errorRate: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
}) satisfies z.ZodType<SideFigures>;

const verdict = z.object({
  verdict: z.enum(['advance', 'hold', 'rollback']),
  reasons: z.array(condition),
  heldSinceMs: count.optional(),
  conditions: z.array(condition),
  evidence: z.object({
    primary: figures,
    shadow: figures,
    checks: count,
    mismatches: count,
    badMinutes: count,
    tests: z
      .array(z.object({ code: z.string(), evidence: z.number(), needed: z.number(), badMinutes: count }))
      .optional(),
    minutesInStage: z.number(),
    minutesToEligibility: z.number(),
  }),
}) satisfies z.ZodType<Verdict>;

const observations = z.record(
  z.string(),
  z.object({
    atMs: count,
    epoch: count,
    answer: z.enum(['passes', 'fails', 'unclear']),
    sinceMs: count,
    seen: figure,
    says: z.string(),
  }),
) satisfies z.ZodType<Observations>;

const flagsSeen = z.object({ version: count, epoch: count, flags: count, atMs: count });
export const storedVerdict = z.object({
  atMs: count,
  verdict: jsonText(verdict),
  // What this program did not fold is no evidence: everything can be folded again from the windows.
  evidence: jsonText(foldedEvidence).nullable().catch(null),
  // What cannot be read is observed again.
  observations: jsonText(observations).optional().catch(undefined),
  flagsSeen: z.array(flagsSeen).optional().catch(undefined),
}) satisfies z.ZodType<StoredVerdict>;

// -------------------------------------------------------------------------------------------------------- windows

/** Without the histogram, whose buckets are attributes of their own. */
export const windowCounters = z.object({
  minute: count,
  side: z.enum(['primary', 'shadow']),
  count,
  errors: count,
  keyless: count,
  left: count.optional(),
  drops: count.optional(),
  told: count.optional(),
  checks: count,
  mismatches: count,
  pairs: count.optional(),
  onlyShadow: count.optional(),
  onlyPrimary: count.optional(),
  incomparable: count.optional(),
  late: count.optional(),
}) satisfies z.ZodType<Omit<MinuteWindow, 'latency' | 'memory'>>;

// ---------------------------------------------------------------------------------------------------------- shared

/** JSON kept as text, then checked like anything else. */
function jsonText<Schema extends z.ZodType>(schema: Schema) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.issues.push({ code: 'custom', message: 'is not JSON', input: text });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** Every problem with its path, in one line: `version: Invalid input: expected int; stage: …`. */
export function problemsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'item'}: ${issue.message}`).join('; ');
}
