/**
 * After the sides have changed their roles, a side may still have to get writes from before. Those of a key come first,
 * or they would undo what is written now. What is in quarantine waits for a person and stops no other write.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { Side } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';

/** How long a write waits for them. */
const WAY_CLEAR_MS = 3_000;
const PAUSE_MS = 50;

/**
 * @param side that has just become the authority
 * @param waitMs so long writes to the other one may still begin
 * @param bring what makes them arrive there; called before every look but the first
 * @throws CrossfadeError `copy_pending`
 */
export async function clearTheWay(
  ports: Pick<Ports, 'forwards' | 'clock'>,
  { cutover, side, orderKey, waitMs }: { cutover: string; side: Side; orderKey: string; waitMs: number },
  deadlineMs: number,
  bring: () => Promise<unknown>,
): Promise<void> {
  if (waitMs > 0) await ports.clock.sleep(waitMs);
  const untilMs = Math.min(deadlineMs, ports.clock.monotonicMs() + WAY_CLEAR_MS);
  for (;;) {
    const before = await ports.forwards.open(cutover, orderKey);
    if (!before.some((forward) => forward.side === side && forward.status !== 'quarantined')) return;
    await bring();
    if (ports.clock.monotonicMs() + PAUSE_MS > untilMs) break;
    await ports.clock.sleep(PAUSE_MS);
  }
  throw new CrossfadeError(
    'copy_pending',
    `An earlier write of '${orderKey}' is still on its way to the ${side}, which has just become the authority. Nothing was written; try again.`,
    { retryable: true, details: { retryAfterMs: 1_000 } },
  );
}
