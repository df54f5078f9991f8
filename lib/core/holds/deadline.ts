/** The longest stay in a stage without proof, and what follows when it is over. */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import type { CutoverState, Policy } from '../cutover/cutover.ts';
import { evidenceSinceMs } from '../cutover/switches.ts';

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
