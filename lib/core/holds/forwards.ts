/** The gate of copies: no stage goes on while the other side lacks what this one has. */

import { type Condition, condition, ms } from '../conditions/verdict.ts';
import type { Policy } from '../cutover/cutover.ts';
import type { CopiesSummary } from '../forwards/forward.ts';

/** @param summary null when the copies could not be counted */
export function copiesCondition(
  id: string,
  summary: CopiesSummary | null,
  policy: Pick<Policy, 'lagAdvanceMs'>,
): Condition {
  if (!summary) {
    const text = 'The copies of writes could not be counted; the next tick tries again.';
    return condition('copies', false, null, policy.lagAdvanceMs, text);
  }
  const { lagMs } = summary;
  if (summary.quarantined > 0) {
    const text = `${summary.quarantined} writes that one side has cannot be brought to the other; 'crossfade copies ${id}' lists them, with retry and discard.`;
    return condition('copies', false, summary.quarantined, 0, text);
  }
  const counted = `${summary.open}${summary.more ? ' or more' : ''}`;
  return condition(
    'copies',
    lagMs <= policy.lagAdvanceMs,
    lagMs,
    policy.lagAdvanceMs,
    `${counted} writes wait to be copied, the oldest for ${ms(lagMs)}; the limit is ${ms(policy.lagAdvanceMs)}.`,
    'They are carried out by themselves.',
  );
}
