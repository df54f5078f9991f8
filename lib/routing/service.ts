/** Routing inside a function: the SDK's flag cache, the same decision and the same breaker. */

import type { FlagDocument } from '../core/routing/flags.ts';
import type { RouteRequest } from '../core/routing/routing.ts';
import { circuitBreaker } from './breaker.ts';
import { type FlagSource, flagCache } from './flag-cache.ts';
import { type ClientRoute, routeTable } from './route-table.ts';

type Routed = ClientRoute & {
  sharePpm: number;
  /** True once the shadow has taken over. */
  shadowIsPrimary: boolean;
  /** What is written to one side comes to the other, so that both can be compared. */
  shadowIsWritten: boolean;
};

export type Router = {
  /** Fetches the flags when they are older than 15 s, for at most 200 ms. Never throws. */
  refresh(): Promise<void>;
  route(cutover: string, request: RouteRequest): Routed;
  /** What the shadow made of an operation that this process sent it: one that fails too often is left for a while. */
  noteShadow(cutover: string, success: boolean): void;
  /** The flags of now, for SDKs that reach no AppConfig; null before the first. */
  flags(): { document: FlagDocument; ageMs: number } | null;
};

export function routingService(options: {
  source: FlagSource;
  environment: Readonly<Record<string, string | undefined>>;
  /** See `elapsedClock`. */
  elapsedMs: () => number;
  /** Called for each answer of which something cannot be used. */
  refused: () => void;
}): Router {
  const flags = flagCache({
    source: options.source,
    now: options.elapsedMs,
    onProblem: ({ code }) => {
      if (code === 'flags_invalid') options.refused();
    },
  });
  const breaker = circuitBreaker();
  const table = routeTable({ environment: options.environment, breaker });
  flags.onChange(table.use);
  return {
    refresh: () => flags.refreshIfStale(),
    route(cutover, request) {
      const decision = table.route(cutover, request, options.elapsedMs(), flags.confirmedAtMs());
      const flag = table.prepared(cutover)?.flag;
      return {
        ...decision,
        sharePpm: flag?.read_ppm ?? 0,
        shadowIsPrimary: flag?.shadow_is_primary ?? false,
        shadowIsWritten: flag?.shadow_writes ?? false,
      };
    },
    noteShadow: (cutover, success) => breaker.record(cutover, success, options.elapsedMs),
    flags: () => flags.current(),
  };
}
