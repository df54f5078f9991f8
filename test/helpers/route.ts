/** One decision about one request, in one call: what the SDK and the route function do in two steps. */

import type { CutoverFlag, SystemFlag } from '../../lib/core/routing/flags.ts';
import {
  CIRCUIT_OPEN,
  decideRoute,
  mayBeLeft,
  prepareRoute,
  type Route,
  type RouteRequest,
} from '../../lib/core/routing/routing.ts';

/**
 * The side of one request. Never throws.
 * @param override value of `CROSSFADE_<CUTOVER>`; anything but `primary` and `shadow` is ignored and reported
 * @param circuitOpen true when this process saw the shadow fail and leaves it for a while
 */
export function route(
  flag: CutoverFlag | undefined,
  system: SystemFlag | undefined,
  request: RouteRequest,
  override?: string,
  circuitOpen = false,
): Route {
  const prepared = prepareRoute(flag, system, override);
  const decided = decideRoute(prepared, request);
  return circuitOpen && mayBeLeft(prepared, decided) ? CIRCUIT_OPEN : decided;
}
