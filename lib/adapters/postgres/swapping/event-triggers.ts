/**
 * Event triggers run once for each DDL statement, inside the swap and under its lock. Whether one raises, and how long one takes, is
 * found by DDL on a table of our own that is undone again: at the preview, at the start, and before each swap.
 */

import type { PreviewItem } from '../../../ports/swapping.ts';
import type { PgConnection } from '../connection/connection.ts';

/** Above this for one statement, the thirty or so of a swap hold its lock too long. */
const STATEMENT_LIMIT_MS = 5;

/** `raised`: SQLSTATE. `by`: the function that raised it. */
type Rehearsal = { triggers: string; ms: number | null; raised: string | null; by: string | null };

/** Nothing where no event trigger is on. Changes nothing. */
export async function eventTriggerItems(owner: PgConnection): Promise<PreviewItem[]> {
  const [row] = await owner.call<{ seen: Rehearsal | null }>('SELECT crossfade.ddl_rehearsal() AS seen');
  const seen = row?.seen;
  if (!seen) return [];
  const item = (action: PreviewItem['action'], text: string): PreviewItem[] => [
    { action, kind: 'event trigger', object: seen.triggers, text },
  ];
  if (seen.raised !== null)
    return item(
      'refuse',
      `Function ${seen.by} refuses DDL (SQLSTATE ${seen.raised}), and arming and promotion are DDL. ALTER EVENT TRIGGER … DISABLE for the time of them, or let the function pass the role of Crossfade's owner.`,
    );
  const cost = `They take ${seen.ms} ms for each DDL statement, the limit is ${STATEMENT_LIMIT_MS} ms`;
  if (seen.ms !== null && seen.ms > STATEMENT_LIMIT_MS)
    return item(
      'refuse',
      `${cost}: a swap has some thirty under its lock, and the application would wait for all of them. ALTER EVENT TRIGGER … DISABLE for the time of the swap, or make the function faster.`,
    );
  return item('notice', `${cost}. They run inside the swap, under its lock.`);
}
