/**
 * When to advance, hold or roll back: a pure function of what was collected.
 *
 * The engine is deliberately simple: thresholds, a minimum of samples, an exact binomial test over the last minutes
 * that must fire several minutes in a row, and no data means hold. `evaluate` is the interface that sequential
 * evidence fills later; nothing outside this folder knows how a verdict is found.
 */

import { advanceConditions } from './gates/conditions.ts';
import { firedGuards } from './gates/guards.ts';
import { collect, type GateInput, minutesInStage } from './gates/seen.ts';
import { figures, type Verdict } from './gates/verdict.ts';

/** The verdict for one cutover at one moment. */
export function evaluate(input: GateInput): Verdict {
  const seen = collect(input);
  const guards = firedGuards(seen);
  const fired = [...guards.fired, ...(input.guards ?? [])];
  const conditions = [...advanceConditions(seen), ...(input.holds ?? [])];
  const failing = conditions.filter((condition) => !condition.ok);
  return {
    verdict: fired.length > 0 ? 'rollback' : failing.length > 0 ? 'hold' : 'advance',
    reasons: fired.length > 0 ? fired : failing,
    conditions: [...fired, ...conditions],
    evidence: {
      primary: figures(seen.primary),
      shadow: figures(seen.shadow),
      checks: seen.shadow.checks,
      mismatches: seen.shadow.mismatches,
      badMinutes: guards.badMinutes,
      minutesInStage: minutesInStage(seen),
      minutesToEligibility: Math.max(0, (seen.stage?.dwellMinutes ?? 0) - minutesInStage(seen)),
    },
  };
}
