/** Routing inside a function: the SDK's flag cache and the same pure rules, without recording. */

import { type FlagSource, flagCache } from './client/flag-cache.ts';
import type { CutoverFlag, SystemFlag } from './core/flags.ts';
import { type Route, type RouteRequest, route } from './core/routing.ts';

export type Routed = Route & { stage: string | null; version: number; sharePpm: number; ageMs: number | null };

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
      if (!current) return { side: 'primary', reason: 'no_flags', stage: null, version: 0, sharePpm: 0, ageMs: null };
      const flag: CutoverFlag | undefined = current.document.cutovers[cutover];
      const system: SystemFlag = current.document.system;
      const override = options.environment[`CROSSFADE_${cutover.toUpperCase()}`];
      return {
        ...route(flag, system, request, override),
        stage: flag?.stage ?? null,
        version: flag?.version ?? 0,
        sharePpm: flag?.read_ppm ?? 0,
        ageMs: current.ageMs,
      };
    },
  };
}
