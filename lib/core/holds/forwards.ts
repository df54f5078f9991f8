/** The gate of forwarded writes: no stage goes on while the other side lacks what this one has. */

import { type Condition, condition } from '../conditions/condition.ts';
import { ms } from '../conditions/figures.ts';
import type { Policy } from '../cutover/cutover.ts';
import type { ForwardsSummary } from '../forwards/forward.ts';

/** @param summary null when the forwarded writes could not be counted */
export function forwardsCondition(
  id: string,
  summary: ForwardsSummary | null,
  policy: Pick<Policy, 'lagAdvanceMs'>,
): Condition {
  const limit = policy.lagAdvanceMs;
  if (!summary)
    return condition('copies', {
      ok: false,
      seen: null,
      limit,
      says: 'The forwarded writes could not be counted.',
      release: { wait: 'next_tick' },
    });
  const { lagMs } = summary;
  if (summary.quarantined > 0)
    return condition('copies', {
      ok: false,
      seen: summary.quarantined,
      limit: 0,
      unit: 'count',
      says: `${summary.quarantined} writes that one side has cannot be brought to the other.`,
      release: { command: ['crossfade', 'forwards', id], does: 'lists them, with retry and discard' },
    });
  const counted = `${summary.open}${summary.more ? ' or more' : ''}`;
  return condition('copies', {
    ok: lagMs <= limit,
    seen: lagMs,
    limit,
    says: `${counted} writes wait to be forwarded, the oldest for ${ms(lagMs)}; the limit is ${ms(limit)}.`,
    release: { wait: 'forwarding' },
  });
}
