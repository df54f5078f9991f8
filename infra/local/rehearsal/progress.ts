/** How far a rehearsal is, and how long it still takes: each step as long as it is expected to be, until one like it was measured. */

import type { Plan } from '../../../lib/core/cutover/plan.ts';
import { STEPS, type StepName } from './rehearsal.ts';

export type Progress = {
  begin(step: StepName, nowMs: number): void;
  end(step: StepName, nowMs: number): void;
  /** @example 'step 6 of 11: ramp · about 1:20 left' */
  line(nowMs: number): string;
};

const SHORT_MS = 3_000;
/** Beyond its dwell a stage waits for closed minutes, proof and flags. */
const MINUTES_OF_PROOF = 2;

/** @param minuteMs real milliseconds of a virtual minute */
export function progress(plan: Plan, minuteMs: number): Progress {
  const stages = plan.stages.filter(({ kind }) => kind === 'dual_write' || kind === 'ramp' || kind === 'full');
  const rampMs = stages.reduce((sum, { dwellMinutes }) => sum + (dwellMinutes + MINUTES_OF_PROOF) * minuteMs, 0);
  const expectedMs = new Map<StepName, number>(STEPS.map((name) => [name, SHORT_MS]));
  for (const name of ['fault', 'ramp', 'ramp again'] as const) expectedMs.set(name, rampMs);
  let now: { step: StepName; sinceMs: number } = { step: STEPS[0], sinceMs: 0 };
  return {
    begin(step, nowMs) {
      now = { step, sinceMs: nowMs };
    },
    end(step, nowMs) {
      const again = STEPS.find((name) => name === `${step} again`);
      if (again) expectedMs.set(again, nowMs - now.sinceMs);
    },
    line(nowMs) {
      const at = STEPS.indexOf(now.step);
      const afterMs = STEPS.slice(at + 1).reduce((sum, name) => sum + expectedMs.get(name)!, 0);
      const leftMs = afterMs + Math.max(SHORT_MS, expectedMs.get(now.step)! - (nowMs - now.sinceMs));
      return `step ${at + 1} of ${STEPS.length}: ${now.step} · about ${clock(leftMs)} left`;
    },
  };
}

function clock(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
