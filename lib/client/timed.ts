/** A read whose side the host picks by hand, measured and recorded. */

import type { RouteRequest } from '../core/routing/routing.ts';
import type { ClientRoute } from '../routing/route-table.ts';
import { isKeyless, operationOf } from './cutover-run.ts';
import type { Outcome } from './outcome.ts';

export type TimedParts = {
  route(cutover: string, request: RouteRequest): ClientRoute;
  record(outcome: Outcome): void;
  /** Monotonic milliseconds. */
  now(): number;
};

/** @throws what the work throws */
export async function timed<T>(
  parts: TimedParts,
  cutover: string,
  request: RouteRequest,
  work: (route: ClientRoute) => T | PromiseLike<T>,
): Promise<T> {
  const route = parts.route(cutover, request);
  const { side, slice, reason } = route;
  const left = reason === 'circuit_open';
  const about = { cutover, side, slice, left, operation: operationOf(request), keyless: isKeyless(request) };
  const startedMs = parts.now();
  try {
    const answer = await work(route);
    parts.record({ ...about, latencyMs: parts.now() - startedMs, success: true });
    return answer;
  } catch (error) {
    parts.record({ ...about, latencyMs: parts.now() - startedMs, success: false, error });
    throw error;
  }
}
