/** How far a rehearsal is, and how long it still takes: each step as long as it is expected to be, until one like it was measured. */

import type { Plan } from '../../../lib/core/cutover/plan.ts';
import { STEPS, type StepName } from './rehearsal.ts';

export type Progress = {
  begin(step: StepName, nowMs: number): void;
  end(step: StepName, nowMs: number): void;
  /** @example 'step 6 of 11: ramp · 0:07 longer than expected · about 1:20 left' */
  line(nowMs: number): string;
};

const SHORT_MS = 3_000;
/** Beyond its dwell a stage waits for closed minutes, proof and flags. */
const MINUTES_OF_PROOF = 2;
/** What a step that should have ended still takes is not known. It is said to be a quarter of what it took, so that it grows until it ends. */
const REST_OF_LATE = 0.25;

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
      const [tookMs, wholeMs] = [nowMs - now.sinceMs, expectedMs.get(now.step)!];
      // What is like the present step takes at least as long as that has taken by now.
      const afterMs = STEPS.slice(at + 1)
        .map((name) => Math.max(expectedMs.get(name)!, name === `${now.step} again` ? tookMs : 0))
        .reduce((sum, ms) => sum + ms, 0);
      const lateMs = tookMs - wholeMs;
      const leftMs = afterMs + Math.max(SHORT_MS, lateMs > 0 ? tookMs * REST_OF_LATE : -lateMs);
      const late = lateMs >= 1_000 ? ` · ${clock(lateMs)} longer than expected` : '';
      return `step ${at + 1} of ${STEPS.length}: ${now.step}${late} · about ${clock(leftMs)} left`;
    },
  };
}

function clock(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
