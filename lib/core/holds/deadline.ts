/** The longest stay in a stage without proof, and what follows when it is over. */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import type { CutoverState, Policy } from '../cutover/cutover.ts';
import { evidenceSinceMs, isNormal } from '../cutover/switches.ts';

/**
 * The deadline as the gates take it: it holds, or rolls back where the policy says so. At 100 % a cutover waits for a person, or soaks
 * with its phase: no proof is missing there, however long it takes. Nor is one while a person has switched reads or writes.
 */
export function deadlineDemands(
  policy: Policy,
  state: CutoverState,
  nowMs: number,
): { holds: Condition[]; guards: Condition[] } {
  const timed = state.stageKind !== 'full' && isNormal(state);
  const deadline = timed ? deadlineCondition(policy, state, nowMs) : null;
  if (!deadline) return { holds: [], guards: [] };
  const goesBack = !deadline.ok && policy.onDeadline === 'rollback';
  return goesBack ? { holds: [], guards: [deadline] } : { holds: [deadline], guards: [] };
}

/**
 * The deadline of the stage as a condition; null without one. Once it is past, only a person moves the cutover forward:
 * whatever held it for so long was not expected when the deadline was set.
 */
export function deadlineCondition(
  { deadlineMinutes, onDeadline }: Pick<Policy, 'deadlineMinutes' | 'onDeadline'>,
  state: Pick<CutoverState, 'id' | 'stage' | 'enteredAtMs' | 'switches'>,
  nowMs: number,
): Condition | null {
  if (deadlineMinutes === null) return null;
  const minutes = Math.max(0, Math.floor((nowMs - evidenceSinceMs(state)) / MINUTE_MS));
  const { id, stage } = state;
  const passed = minutes >= deadlineMinutes;
  const goesBack = onDeadline === 'rollback';
  return condition('deadline', {
    ok: !passed,
    seen: minutes,
    limit: deadlineMinutes,
    says: passed
      ? `Stage ${stage} has not been proven within its ${deadlineMinutes} minutes${goesBack ? ', so it goes back' : ''}.`
      : `${minutes} of at most ${deadlineMinutes} minutes in stage ${stage}.`,
    release: goesBack
      ? []
      : [
          {
            command: ['crossfade', 'policy', id, '--stage', stage, '--set', `deadlineMinutes=${2 * deadlineMinutes}`],
            does: 'extends it',
          },
          { command: ['crossfade', 'advance', id, '--force'], does: 'goes on' },
          { command: ['crossfade', 'rollback', id], does: 'goes back' },
        ],
  });
}
