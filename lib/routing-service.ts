/** Routing inside a function: the SDK's flag cache and the same decision, without recording. */

import { type FlagSource, flagCache } from './client/flag-cache.ts';
import { type ClientRoute, routeByFlags } from './client/route-by-flags.ts';
import type { RouteRequest } from './core/routing.ts';

export type Routed = ClientRoute & { sharePpm: number };

export type Router = {
  /** Fetches the flags when they are older than 15 s, for at most 200 ms. Never throws. */
  refresh(): Promise<void>;
  route(cutover: string, request: RouteRequest): Routed;
};

export function routingService(options: {
  source: FlagSource;
  environment: Readonly<Record<string, string | undefined>>;
  monotonicMs: () => number;
}): Router {
  const flags = flagCache({ source: options.source, now: options.monotonicMs });
  return {
    refresh: () => flags.refreshIfStale(),
    route(cutover, request) {
      const current = flags.current();
      const sharePpm = current?.document.cutovers[cutover]?.read_ppm ?? 0;
      return { ...routeByFlags(current, cutover, request, options.environment), sharePpm };
    },
  };
}
