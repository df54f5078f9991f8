/** What the gates say of a cutover at one moment. */

import { MINUTE_MS } from '../base/units.ts';
import type { Condition } from './condition.ts';

/** Two clocks are never so far apart, unless one of them is wrong: a verdict further ahead than this is from no later tick. */
export const CLOCKS_APART_MS = 5 * MINUTE_MS;

export type SideFigures = {
  count: number;
  errors: number;
  errorRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
};

/** How far one test has come: evidence 3.2 of 333 means that 333 would prove it. */
export type TestEvidence = { code: string; evidence: number; needed: number; badMinutes: number };

export type Verdict = {
  verdict: 'advance' | 'hold' | 'rollback';
  /** Every condition that fails for a hold, the guards that fired for a rollback, none for an advance. */
  reasons: readonly Condition[];
  /** Of a hold: since when every look has held, in this stage. Absent where nothing is known of the look before. */
  heldSinceMs?: number | undefined;
  /** Everything that was judged. */
  conditions: readonly Condition[];
  evidence: {
    primary: SideFigures;
    shadow: SideFigures;
    checks: number;
    mismatches: number;
    /** Bad minutes without a good one in between of the guard that is nearest to firing. */
    badMinutes: number;
    /** Evidence that the shadow is worse than allowed, by metric. Absent before reads are served. */
    tests?: readonly TestEvidence[] | undefined;
    minutesInStage: number;
    minutesToEligibility: number;
  };
};
