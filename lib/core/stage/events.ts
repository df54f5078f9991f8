/** The words of the stage machine: what is asked of it, what is observed, what it records. */

import type { Condition } from '../conditions/condition.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { PendingAction, RollbackCause, RollbackStep, Side, StagePolicy } from '../cutover/cutover.ts';
import type { PhaseChange } from '../cutover/phase.ts';
import type { Plan } from '../cutover/plan.ts';
import type { PolicyKey } from '../cutover/policy.ts';

export type Command =
  | { type: 'start'; plan: Plan }
  | { type: 'advance'; force: boolean; reason?: string; verdict: Verdict | null }
  | { type: 'approve' }
  | { type: 'pause' }
  | { type: 'resume' }
  /** `stage` null: for all stages. The values were checked when they came in. */
  | { type: 'policy'; stage: string | null; set: StagePolicy; unset: readonly PolicyKey[]; reason?: string }
  /** `unready`: what the shadow still lacks for readers to come back. */
  | { type: 'reads'; to: Side; reason: string; unready: readonly Condition[] }
  | { type: 'shadow-writes'; enabled: boolean; reason: string }
  | { type: 'rollback'; reason: string; cause: RollbackCause }
  | { type: 'complete'; confirm: string; force: boolean; reason?: string; verdict: Verdict | null }
  | { type: 'cleanup'; confirm: string; dropTracking?: boolean }
  | { type: 'reset'; confirm: string };

export type CommandType = Command['type'];

/** The actor of everything that happens by itself. */
export const TICK = 'tick';

/** What a tick knows, and what became of the pending intent. */
export type Observation =
  | { type: 'tick'; verdict: Verdict; autoAdvance: boolean; autoRollback: boolean }
  | { type: 'carried_out'; epoch: number; lockHeldMs?: number }
  | { type: 'given_up'; epoch: number; why: string };

export type Event =
  | { type: 'started'; plan: Plan }
  | { type: 'advanced'; from: string; to: string; forced: boolean; reason?: string }
  | { type: 'approved' }
  | { type: 'paused' }
  | { type: 'resumed' }
  | { type: 'policy_changed'; stage: string | null; set: StagePolicy; unset: readonly PolicyKey[]; reason?: string }
  | { type: 'reads_switched'; to: Side; reason: string }
  | { type: 'shadow_writes_switched'; enabled: boolean; reason: string }
  | { type: 'rolled_back'; from: string; reason: string; cause: RollbackCause }
  | {
      type: 'intent_recorded';
      action: PendingAction['action'];
      epoch: number;
      reason: string;
      cause?: RollbackCause;
      dropTracking?: true;
    }
  | { type: 'intent_abandoned'; action: PendingAction['action']; why: string }
  /** A rollback came while it was pending: it must not happen any more, and the rollback follows once that is sure. */
  | { type: 'intent_withdrawn'; action: PendingAction['action']; reason: string; cause: RollbackCause }
  | { type: 'completed'; from: string; lockHeldMs?: number }
  | { type: 'reverted'; from: string; reason: string; cause?: RollbackCause; lockHeldMs?: number }
  /** Steps of the last rollback that were seen done: something found out, not a change. */
  | { type: 'rollback_seen'; steps: readonly RollbackStep[] }
  /** What an earlier version of the program had folded means something else now: the stage stays, and its proof begins again. */
  | { type: 'evidence_restarted'; stage: string }
  | { type: 'cleaned' }
  | { type: 'reset' }
  /** Something about rows that moves no stage: keys in quarantine, the copy of existing rows. */
  | { type: 'rows_handled'; action: RowsAction; key?: string; reason?: string }
  | { type: 'denied'; command: string; code: string; why: string }
  | { type: 'system_changed'; change: SystemChange; reason: string }
  | { type: 'system_rolled_back'; reason: string }
  | { type: 'phase_changed'; phase: string; change: PhaseChange; migrationPhase: string; reason?: string };

export type RowsAction =
  | 'quarantine_retry'
  | 'quarantine_discard'
  | 'backfill_pause'
  | 'backfill_resume'
  | 'backfill_cancel'
  | 'read_only_on'
  | 'read_only_off'
  | 'shadow_removed'
  | 'shape_adopted';

export type SystemChange = { emergencyStop?: boolean; readonly?: boolean; shadowWritesEnabled?: boolean };

/** What a change of policy says: `dwellMinutes=30 errorRateAdvance=0.002, p95LimitMs as declared`. */
export function changeText({ set, unset }: { set: StagePolicy; unset: readonly PolicyKey[] }): string {
  const values = Object.entries(set).map(([key, value]) => `${key}=${value}`);
  return [...values, ...unset.map((key) => `${key} as declared`)].join(' ');
}

/** `flags safe after 2 s, reads left after 41 s`. */
export const stepsText = (steps: readonly RollbackStep[]): string =>
  steps.map(({ name, tookMs }) => `${name.replace('_', ' ')} after ${Math.round(tookMs / 100) / 10} s`).join(', ');
