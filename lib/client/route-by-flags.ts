/** One routing decision from the flags a process has now: the step that the SDK and the routing function share. */

import type { Side } from '../core/cutover.ts';
import { type RouteReason, type RouteRequest, route } from '../core/routing.ts';
import type { CurrentFlags } from './flag-cache.ts';

export type ClientRoute = {
  side: Side;
  reason: RouteReason;
  stage: string | null;
  version: number;
  /** Age of the flags in milliseconds; null when none were ever read. */
  ageMs: number | null;
};

/**
 * @param environment holds the overrides `CROSSFADE_<CUTOVER>=primary|shadow`
 * @param circuitOpen true when this process saw the shadow fail and leaves it for a while
 */
export function routeByFlags(
  current: CurrentFlags | null,
  cutover: string,
  request: RouteRequest,
  environment: Readonly<Record<string, string | undefined>>,
  circuitOpen = false,
): ClientRoute {
  if (!current) return { side: 'primary', reason: 'no_flags', stage: null, version: 0, ageMs: null };
  const flag = current.document.cutovers[cutover];
  const override = environment[`CROSSFADE_${cutover.toUpperCase()}`];
  const { side, reason } = route(flag, current.document.system, request, override, circuitOpen);
  return { side, reason, stage: flag?.stage ?? null, version: flag?.version ?? 0, ageMs: current.ageMs };
}
