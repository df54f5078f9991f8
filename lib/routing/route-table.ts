/**
 * Every cutover's routes, prepared when flags arrive, so that a decision reads one map and makes one object. The SDK and
 * the routing function decide through this table. Overrides are read from the environment when flags arrive.
 */

import type { Side } from '../core/cutover/cutover.ts';
import type { FlagDocument } from '../core/routing/flags.ts';
import {
  bucketIn,
  CIRCUIT_OPEN,
  decideRoute,
  mayBeLeft,
  type PreparedRoute,
  prepareRoute,
  type RouteReason,
  type RouteRequest,
  sliceIn,
} from '../core/routing/routing.ts';
import type { Breaker } from './breaker.ts';

export type ClientRoute = {
  side: Side;
  reason: RouteReason;
  stage: string | null;
  version: number;
  /** The slice of the plan that the key lies in, for the outcome; null without a key, and where there is one slice only. */
  slice: number | null;
  /** Age of the flags in milliseconds; null when none were ever read. */
  ageMs: number | null;
};

export type Environment = Readonly<Record<string, string | undefined>>;

export type RouteTable = {
  use(document: FlagDocument): void;
  /**
   * @param confirmedAtMs when the flags were last known to be the deployed ones
   * @throws whatever a request of another type makes JavaScript throw
   */
  route(cutover: string, request: RouteRequest, nowMs: number, confirmedAtMs: number): ClientRoute;
  prepared(cutover: string): PreparedRoute | undefined;
  /** The slice of the plan that the key of a request lies in. */
  sliceOf(cutover: string, request: Pick<RouteRequest, 'key'>): number | null;
};

/** Without flags of a cutover everything stays on the primary. */
export function undecided(reason: RouteReason, ageMs: number | null): ClientRoute {
  return { side: 'primary', reason, stage: null, version: 0, slice: null, ageMs };
}

/** @param breaker of this process; the routing function has none, since it sees no outcomes */
export function routeTable(environment: Environment, breaker: Breaker | null = null): RouteTable {
  let table: Map<string, PreparedRoute> | null = null;
  return {
    use(document) {
      table = new Map(
        Object.entries(document.cutovers).map(([cutover, flag]) => [
          cutover,
          prepareRoute(flag, document.system, environment[`CROSSFADE_${cutover.toUpperCase()}`]),
        ]),
      );
    },
    route(cutover, request, nowMs, confirmedAtMs) {
      if (table === null) return undecided('no_flags', null);
      const ageMs = nowMs - confirmedAtMs;
      const prepared = table.get(cutover);
      if (prepared === undefined) return undecided('unknown_cutover', ageMs);
      const bucket = prepared.slices === null ? undefined : bucketIn(prepared, request);
      const slice = sliceIn(prepared, bucket ?? null);
      let decided = decideRoute(prepared, request, bucket);
      if (breaker !== null && breaker.open > 0 && mayBeLeft(prepared, decided) && !breaker.admits(cutover, nowMs)) {
        decided = CIRCUIT_OPEN;
      }
      const flag = prepared.flag!;
      const { side, reason } = decided;
      return { side, reason, stage: flag.stage, version: flag.version, slice, ageMs };
    },
    prepared: (cutover) => table?.get(cutover),
    sliceOf(cutover, request) {
      const prepared = table?.get(cutover);
      return prepared?.slices ? sliceIn(prepared, bucketIn(prepared, request)) : null;
    },
  };
}
