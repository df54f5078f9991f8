/**
 * What is declared about a cutover (reviewed and deployed with the code) and what is known about it (its state).
 * Types only, plus the identity of a cutover that has never been touched.
 */

import type { GatewayRules, WriteTargets } from '../net/upstream.ts';
import type { DeclaredRule } from './alert-rule.ts';
import type { Criterion } from './criterion.ts';
import type { ExperimentDeclaration } from './experiment-declaration.ts';
import type { FreezeWindow } from './freeze-window.ts';
import type { Phase, PhaseState } from './phase.ts';
import type { Plan, StageKind } from './plan.ts';
import type { RehearsalRule, TableDeclaration } from './table-declaration.ts';

/** `^[a-z][a-z0-9_]{0,39}$`: also a flag name, an environment variable and part of SQL names. */
export type CutoverId = string;
export const CUTOVER_ID = /^[a-z][a-z0-9_]{0,39}$/;
/** Objects of a cutover are called `capture_ID`, `record_ID` and so on; with these ids they would have names of schema crossfade's own. */
export const RESERVED_IDS: ReadonlySet<string> = new Set([
  'foreign_write',
  'gap',
  'hash',
  'inline_failure',
  'now',
  'shape',
]);

export type CutoverKind = 'table' | 'component' | 'service';
export type Side = 'primary' | 'shadow';
export type ValidationMode = 'strict' | 'relaxed' | 'disabled';

/** Limits of the gates. Rates are 0–1, increases are fractions of the primary's value. */
export type Policy = {
  errorRateRollback: number;
  errorRateAdvance: number;
  latencyIncreaseRollback: number;
  latencyIncreaseAdvance: number;
  /** Differences smaller than this many milliseconds do not matter, whatever they are in per cent. */
  latencyFloorMs: number;
  validationScoreRollback: number;
  validationScoreAdvance: number;
  /** Bad minutes in a row that force a rollback. */
  consecutiveFailures: number;
  /** Minutes at the beginning of a stage in which latencies say nothing yet: caches are cold. */
  warmUpMinutes: number;
  /** Fewest shadow operations in a stage before its figures count as proof. */
  minSamples: number;
  /** Highest age of the oldest un-applied hint, in milliseconds, at which the cutover may advance. */
  lagAdvanceMs: number;
  /** Highest share of reads without a routing key. */
  keylessAdvance: number;
  /** Share of the keys that stays on the primary until completion, in per cent. Part of the plan from the start on. */
  holdBackPercent: number;
  autoAdvance: boolean;
  autoRollback: boolean;
  /** Each stage waits for an `approve`. */
  approvalRequired: boolean;
  /** The approval must come from somebody who neither started the cutover nor asked for its last change. Declared only. */
  twoPersonApproval: boolean;
  /** Longest stay in a stage without proof, and what then; null: as long as it takes. It never advances. */
  deadlineMinutes: number | null;
  onDeadline: 'hold' | 'rollback';
  /** Optional guards, in absolute figures of the shadow: highest p95, lowest share of operations that succeed. */
  p95LimitMs: number | null;
  availabilityMin: number | null;
  /** Highest share of operations that lose their connection, and of its memory that a process which serves it may use. */
  connectionDropsMax: number | null;
  memoryMax: number | null;
};

/** What one stage, or a change at run time, says differently. A stage's shortest stay is part of its plan. */
export type StagePolicy = Partial<Policy> & { dwellMinutes?: number };

/** Changes made at run time, kept until `reset`: for all stages, and by stage. */
export type PolicyOverrides = {
  everywhere: StagePolicy;
  stages: Readonly<Record<string, StagePolicy>>;
};

export const DEFAULT_POLICY: Policy = {
  errorRateRollback: 0.01,
  errorRateAdvance: 0.001,
  latencyIncreaseRollback: 0.2,
  latencyIncreaseAdvance: 0.1,
  latencyFloorMs: 2,
  validationScoreRollback: 0.99,
  validationScoreAdvance: 0.995,
  consecutiveFailures: 3,
  warmUpMinutes: 5,
  minSamples: 100,
  lagAdvanceMs: 30_000,
  keylessAdvance: 0.01,
  holdBackPercent: 1,
  autoAdvance: true,
  autoRollback: true,
  approvalRequired: false,
  twoPersonApproval: false,
  deadlineMinutes: null,
  onDeadline: 'hold',
  p95LimitMs: null,
  availabilityMin: null,
  connectionDropsMax: null,
  memoryMax: null,
};

export const NO_OVERRIDES: PolicyOverrides = { everywhere: {}, stages: {} };

export type CutoverDeclaration = {
  id: CutoverId;
  plan: Plan;
  policy: Policy;
  /** By stage name: what differs there. */
  stages?: Readonly<Record<string, StagePolicy>>;
  /** When nothing may start, advance, complete or be cleaned up: of this cutover and of all. */
  freeze?: readonly FreezeWindow[];
  /** Cutovers of one cohort share the salt and move as one. */
  cohort?: string;
  /** The phase it belongs to, whole; every member carries the same. */
  phase?: Phase;
  /** Cutovers with the same salt move the same keys together. */
  salt: string;
  validation: ValidationMode;
  allow: readonly string[];
  deny: readonly string[];
  /** Changes of the built-in alert rules, and rules of its own. */
  alerts?: readonly DeclaredRule[];
  /** Evidence of the user's own. */
  criteria?: readonly Criterion[];
  experiments?: readonly ExperimentDeclaration[];
} & (
  | { kind: 'table'; table: TableDeclaration; requireRehearsal?: RehearsalRule }
  /** Without `writes` its sides take no forwarded writes. */
  | { kind: 'component'; writes?: WriteTargets }
  | { kind: 'service'; upstreams: { primary: string; shadow: string }; gateway: GatewayRules }
);

export type ServiceDeclaration = CutoverDeclaration & { kind: 'service' };

/** An intent that a second system must carry out before the state may move. */
export type PendingAction = {
  action: 'promote' | 'revert' | 'cleanup';
  /** The epoch in force once it is done; the fence of the work itself. */
  epoch: number;
  sinceMs: number;
  actor: string;
  reason: string;
  /** Of a revert that no person asked for. */
  cause?: RollbackCause;
  /** Of a cleanup that takes the tracking columns away, too. */
  dropTracking?: boolean;
  /** A rollback has come since: the work is fenced off in the database, and what it has done meanwhile is undone. */
  withdrawn?: Withdrawal;
};

export type Withdrawal = { actor: string; reason: string; cause: RollbackCause; atMs: number };

/** An intent that was not carried out, and why; kept until the next command. */
export type DroppedIntent = {
  action: PendingAction['action'];
  epoch: number;
  actor: string;
  reason: string;
  why: string;
  atMs: number;
};

export type RollbackCause = 'operator' | 'guard' | 'emergency';

export type RollbackStepName = 'tables_swapped' | 'flags_safe' | 'fence_raised' | 'capture_removed' | 'reads_left';

/** A step of a rollback that was seen done, and how long after the decision. */
export type RollbackStep = { name: RollbackStepName; tookMs: number; text: string };

export type Rollback = {
  fromStage: string;
  reason: string;
  cause: RollbackCause;
  actor: string;
  atMs: number;
  /** In the order in which they were seen done. */
  steps: readonly RollbackStep[];
};

/** What a person switched in the stage the cutover is in; see switches.ts. Both are on as a stage begins. */
export type Switches = {
  /** False: reads stay on the primary, whatever the share of the stage. */
  shadowReads: boolean;
  /** False: nothing is written to the shadow, and changes wait. */
  shadowWrites: boolean;
  /** When one of them was last turned in this stage; 0 when none was. */
  sinceMs: number;
};

export const NORMAL_SWITCHES: Switches = { shadowReads: true, shadowWrites: true, sinceMs: 0 };

export type CutoverState = {
  id: CutoverId;
  kind: CutoverKind;
  /** Grows by one with every accepted change. */
  version: number;
  /** Grows by one when the writing side or the direction of sync changes. */
  epoch: number;
  /** Name of the stage and what it does. `cleaned` and `rolled_back` belong to no plan. */
  stage: string;
  stageKind: StageKind;
  plan: Plan;
  enteredAtMs: number;
  /** When the version last grew: for how long flags may lag behind. */
  changedAtMs: number;
  paused: boolean;
  approved: boolean;
  switches: Switches;
  /** Who started this run and when; null before. */
  started: { actor: string; atMs: number } | null;
  /** Who last started it, advanced it by hand or changed its policy: whom the two-person rule keeps from approving. */
  askedBy: string | null;
  overrides: PolicyOverrides;
  pending: PendingAction | null;
  dropped: DroppedIntent | null;
  /** The last rollback, kept until `reset`. */
  rollback: Rollback | null;
  /** Number and hash of the last audit entry: the head of the chain. */
  auditSeq: number;
  auditHash: string;
};

/** The switches that concern every cutover at once; one item, its own version and audit chain. */
export type SystemState = {
  version: number;
  emergencyStop: boolean;
  readonly: boolean;
  shadowWritesEnabled: boolean;
  /** Name of the phase that is under way, for the flag of the system. */
  migrationPhase: string;
  /** By name; a phase that was never touched is absent. */
  phases: Readonly<Record<string, PhaseState>>;
  auditSeq: number;
  auditHash: string;
};

export const GENESIS_HASH = /* @__PURE__ */ '0'.repeat(64);

/** A cutover that is declared and was never started: the state from which every audit log is replayed. */
export function initialState(declaration: Pick<CutoverDeclaration, 'id' | 'kind' | 'plan'>): CutoverState {
  return {
    id: declaration.id,
    kind: declaration.kind,
    version: 0,
    epoch: 0,
    stage: 'disabled',
    stageKind: 'disabled',
    plan: declaration.plan,
    enteredAtMs: 0,
    changedAtMs: 0,
    paused: false,
    approved: false,
    switches: NORMAL_SWITCHES,
    started: null,
    askedBy: null,
    overrides: NO_OVERRIDES,
    pending: null,
    dropped: null,
    rollback: null,
    auditSeq: 0,
    auditHash: GENESIS_HASH,
  };
}

export const INITIAL_SYSTEM: SystemState = {
  version: 0,
  emergencyStop: false,
  readonly: false,
  shadowWritesEnabled: true,
  migrationPhase: 'none',
  phases: {},
  auditSeq: 0,
  auditHash: GENESIS_HASH,
};
