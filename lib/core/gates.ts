/**
 * When to advance, hold or roll back: a pure function of what was collected.
 * This engine is deliberately simple (minimum samples, thresholds, bad minutes in a row, no data means hold); the
 * interface is the one that sequential evidence fills later.
 */

import type { CutoverState, Policy } from './cutover.ts';
import { emptyWindow, type MinuteWindow, mergeWindows, type TableStatus } from './evidence.ts';
import { quantileMs } from './histogram.ts';

export type GateInput = {
  state: CutoverState;
  policy: Policy;
  /** Closed minutes of both sides since the stage was entered, any order; the open minute is ignored. */
  windows: readonly MinuteWindow[];
  /** Only for table cutovers; null when the database could not be asked. */
  table: TableStatus | null;
  /** True when the deployed flags carry this state's version. */
  flagsDeployed: boolean;
  nowMs: number;
};

/** One thing that must hold to advance, or must not happen. */
export type Condition = {
  code: string;
  ok: boolean;
  /** What was seen and where the limit lies, in the unit the text names. */
  value: number | string | null;
  limit: number | string | null;
  /** One sentence: what is seen, and for a condition that does not hold, what would release it. */
  text: string;
};

export type Verdict = {
  verdict: 'advance' | 'hold' | 'rollback';
  /** Why: every condition that fails for a hold, the guards that fired for a rollback, none for an advance. */
  reasons: readonly Condition[];
  /** Everything that was judged. */
  conditions: readonly Condition[];
  evidence: {
    primary: SideFigures;
    shadow: SideFigures;
    checks: number;
    mismatches: number;
    badMinutes: number;
    minutesInStage: number;
    minutesToEligibility: number;
  };
};

export type SideFigures = { count: number; errors: number; errorRate: number | null; p50Ms: number | null; p95Ms: number | null };
