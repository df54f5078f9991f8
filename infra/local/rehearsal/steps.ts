/** Steps one after the other: after one that failed the others are skipped. */

import type { Progress } from './progress.ts';
import { type Finding, STEPS, type Step, type StepName } from './rehearsal.ts';

export class StepFailed extends Error {
  readonly failures: readonly Finding[];
  constructor(failures: readonly Finding[]) {
    super(failures.map(({ says }) => says).join(' '));
    this.failures = failures;
  }
}

export type Perform = Readonly<Record<StepName, () => Promise<void>>>;

export async function inOrder(perform: Perform, progress: Progress): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const name of STEPS) {
    if (steps.some(({ result }) => result !== 'pass')) {
      steps.push({ name, result: 'skipped', tookMs: 0, failures: [] });
      continue;
    }
    const startedMs = Date.now();
    progress.begin(name, startedMs);
    const failures = await perform[name]().then(
      () => [],
      (error: Error) =>
        error instanceof StepFailed ? error.failures : [{ about: name, says: error.message, remedy: '' }],
    );
    progress.end(name, Date.now());
    steps.push({ name, result: failures.length === 0 ? 'pass' : 'fail', tookMs: Date.now() - startedMs, failures });
  }
  return steps;
}
