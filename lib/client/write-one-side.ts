/**
 * A write of a table whose sides are in two databases: one of them takes writes, and the other refuses each with SQLSTATE 25006, having
 * written nothing. Which of them it is the tables know at once, and the flags some seconds later; while one hands over to the other, for
 * a moment no side takes any. So the write goes to the side of the flags, and from one to the other until one takes it.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import type { Side } from '../core/cutover/cutover.ts';
import type { RouteRequest } from '../core/routing/routing.ts';
import type { ClientRoute } from '../routing/route-table.ts';
import { isKeyless, says } from './cutover-run.ts';
import type { TimedParts } from './timed.ts';

export type OneSideWrite<T> = RouteRequest & {
  /** A whole transaction in the database of the primary. It may be begun more than once, and is committed once at most. */
  primary: () => T | PromiseLike<T>;
  /** The same in the database of the shadow. */
  shadow: () => T | PromiseLike<T>;
  /** For how long a write waits for a side that takes it. Default 2,000; with 0 each side is asked once. */
  withinMs?: number;
  /** Whether this is the refusal of a side that takes no writes. Default: SQLSTATE 25006, in `code` of the error or of a cause of it. */
  isRefused?: (error: unknown) => boolean;
};

export type OneSideParts = Omit<TimedParts, 'route'> & {
  route(cutover: string, request: RouteRequest): Pick<ClientRoute, 'side' | 'slice'>;
  sleep(ms: number): Promise<unknown>;
};

const WITHIN_MS = 2_000;
/** Between two looks at both sides. */
const PAUSE_MS = 10;
const OTHER = { primary: 'shadow', shadow: 'primary' } as const;

/** @throws what the side throws that took the write; the last refusal when none did in time; CrossfadeError `invalid_config` for another `withinMs` than 0 and more */
export async function writeOneSide<T>(parts: OneSideParts, cutover: string, write: OneSideWrite<T>): Promise<T> {
  const { withinMs = WITHIN_MS, isRefused = isReadOnly } = write;
  if (!(withinMs >= 0))
    throw new CrossfadeError('invalid_config', `withinMs of a write is ${withinMs}: give 0 or more milliseconds.`);
  const { primary, shadow, withinMs: _, isRefused: __, ...request } = write;
  const operation = request.operation ?? 'write';
  const { side: first, slice } = parts.route(cutover, { ...request, operation });
  const about = { cutover, slice, operation, keyless: isKeyless(request) };
  const untilMs = parts.now() + withinMs;
  for (let side: Side = first; ; side = OTHER[side]) {
    const startedMs = parts.now();
    const outcome = () => ({ ...about, side, latencyMs: parts.now() - startedMs });
    try {
      const answer = await { primary, shadow }[side]();
      parts.record({ ...outcome(), success: true });
      return answer;
    } catch (error) {
      const isLast = side !== first && parts.now() >= untilMs;
      if (isLast || !says(() => isRefused(error))) {
        parts.record({ ...outcome(), success: false, error });
        throw error;
      }
    }
    if (side !== first) await parts.sleep(PAUSE_MS);
  }
}

const READ_ONLY = '25006';
const CAUSES = 5;

/** Drivers put the SQLSTATE into `code`; what is built on them keeps their error as the cause. */
function isReadOnly(error: unknown): boolean {
  let one = error as { code?: unknown; cause?: unknown } | null | undefined;
  for (let n = 0; n < CAUSES && typeof one === 'object' && one !== null; n += 1) {
    if (one.code === READ_ONLY) return true;
    one = one.cause as typeof one;
  }
  return false;
}
