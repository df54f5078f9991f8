/**
 * Every cutover's routes, prepared when flags arrive, so that a decision reads one map and makes one object. The SDK and
 * the routing function decide through this table. Overrides are read from the environment when flags arrive.
 */

import type { Side } from '../core/cutover/cutover.ts';
import { type FlagDocument, UNSEEN } from '../core/routing/flags.ts';
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

/** Sides for as long as no flag says one: of cutovers that are completed, the shadow. */
type DefaultSides = Readonly<Partial<Record<string, Side>>>;

/** A decision without a flag. */
export function undecided(reason: RouteReason, ageMs: number | null, side: Side = 'primary'): ClientRoute {
  return { side, reason, stage: null, version: 0, slice: null, ageMs };
}

type RouteTableOptions = {
  environment: Environment;
  /** Of this process, where it sees outcomes. */
  breaker?: Breaker;
  defaults?: DefaultSides;
};

export function routeTable({ environment, breaker, defaults = {} }: RouteTableOptions): RouteTable {
  let table: Map<string, PreparedRoute> | null = null;
  const overrideOf = (cutover: string) => environment[`CROSSFADE_${cutover.toUpperCase()}`];

  function withoutFlag(cutover: string, reason: RouteReason, ageMs: number | null): ClientRoute {
    const override = overrideOf(cutover);
    if (override === 'primary' || override === 'shadow') return undecided('override', ageMs, override);
    const side = Object.hasOwn(defaults, cutover) ? defaults[cutover] : undefined;
    return side === undefined ? undecided(reason, ageMs) : undecided('default', ageMs, side);
  }

  return {
    use(document) {
      table = new Map(
        Object.entries(document.cutovers).map(([cutover, flag]) => [
          cutover,
          prepareRoute(flag, document.system, overrideOf(cutover)),
        ]),
      );
    },
    route(cutover, request, nowMs, confirmedAtMs) {
      if (table === null) return withoutFlag(cutover, 'no_flags', null);
      const ageMs = nowMs - confirmedAtMs;
      const prepared = table.get(cutover);
      if (prepared === undefined) return withoutFlag(cutover, 'unknown_cutover', ageMs);
      if (prepared.flag === UNSEEN) return withoutFlag(cutover, 'switched_off', ageMs);
      const bucket = prepared.slices === null ? undefined : bucketIn(prepared, request);
      const slice = sliceIn(prepared, bucket ?? null);
      let decided = decideRoute(prepared, request, bucket);
      if (
        breaker !== undefined &&
        breaker.open > 0 &&
        mayBeLeft(prepared, decided) &&
        !breaker.admits(cutover, nowMs)
      ) {
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
