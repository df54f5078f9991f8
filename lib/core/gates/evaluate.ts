/**
 * When to advance, hold or roll back, by evidence that may be looked at every minute: a pure function of what was collected
 * and of the evidence folded so far. Rolls back on proof, advances on proof, and holds without it; missing data is never
 * good news. The evidence is stored with the verdict, and where it is missing it is folded again from the windows.
 */

import type { Verdict } from '../conditions/verdict.ts';
import { advanceConditions } from './conditions.ts';
import type { Evidence } from './evidence.ts';
import { figures } from './figures.ts';
import { firedGuards, testedMetrics } from './guards.ts';
import { collect, type GateInput, minutesInStage } from './seen.ts';

/** The verdict for one cutover at one moment, and the evidence to go on with. */
export function evaluateGates(input: GateInput): { verdict: Verdict; evidence: Evidence } {
  const seen = collect(input);
  const tested = testedMetrics(seen);
  // A pause stops the way forward, never the way back.
  const fired = [...firedGuards(seen, tested), ...(input.guards ?? [])];
  const conditions = [...advanceConditions(seen, tested), ...(input.holds ?? [])];
  const failing = conditions.filter((condition) => !condition.ok);
  const minutes = minutesInStage(seen);
  const verdict: Verdict = {
    verdict: fired.length > 0 ? 'rollback' : failing.length > 0 ? 'hold' : 'advance',
    reasons: fired.length > 0 ? fired : failing,
    conditions: [...fired, ...conditions],
    evidence: {
      primary: figures(seen.primary),
      shadow: figures(seen.shadow),
      checks: seen.shadow.checks,
      mismatches: seen.shadow.mismatches,
      badMinutes: Math.max(0, ...tested.map((test) => test.badMinutes)),
      tests: seen.servesReads
        ? tested.map(({ code, evidence, needed, badMinutes }) => ({ code, evidence, needed, badMinutes }))
        : undefined,
      minutesInStage: minutes,
      minutesToEligibility: Math.max(0, (seen.stage?.dwellMinutes ?? 0) - minutes),
    },
  };
  return { verdict, evidence: seen.closed };
}
