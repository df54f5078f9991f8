/** The flags of this process, and the side that they give a request at this moment. */

import type { RouteRequest } from '../core/routing/routing.ts';
import { type Breaker, circuitBreaker } from '../routing/breaker.ts';
import { type FlagCache, flagCache } from '../routing/flag-cache.ts';
import { type ClientRoute, type Environment, type RouteTable, routeTable, undecided } from '../routing/route-table.ts';
import type { ClientOptions } from './client-types.ts';
import { flagFile } from './flag-file.ts';
import { hotKeys } from './hot-keys.ts';
import { minutesOf } from './minutes.ts';
import type { Problem } from './problems.ts';

export type RoutesParts = {
  environment: Environment;
  /** See `elapsedClock`. */
  elapsedMs(): number;
  /** Epoch milliseconds. */
  wallMs(): number;
  /** True when it was said. */
  problem(problem: Problem): boolean;
};

type ClientRoutes = {
  flags: FlagCache;
  table: RouteTable;
  breaker: Breaker;
  /** Never throws and never waits. */
  route(cutover: string, request?: RouteRequest): ClientRoute;
  /** The same of a request that is carried out then: a key that comes all the time is said. */
  routed(cutover: string, request: RouteRequest): ClientRoute;
  /** At the first decision, and at the first one after a freeze: ends when flags were asked for. Else null. */
  woken(): Promise<void> | null;
  /** See `Client`. */
  ready(options?: { timeoutMs?: number }): Promise<boolean>;
};

const NO_REQUEST: RouteRequest = {};
const MAX_FLAG_AGE_MS = 15_000;
const READY_MS = 5_000;
const READY_PAUSE_MS = 100;

export function clientRoutes<Id extends string>(options: ClientOptions<Id>, parts: RoutesParts): ClientRoutes {
  const { flagFile: path, defaults } = options;
  const { environment, elapsedMs, wallMs, problem } = parts;
  const maxAgeMs = options.maxFlagAgeMs ?? MAX_FLAG_AGE_MS / minutesOf(environment, wallMs).speed;
  const breaker = circuitBreaker();
  const file =
    path === undefined ? null : flagFile(path, (message) => void problem({ code: 'flag_file', message }), wallMs);
  const kept = file?.read() ?? null;
  const flags = flagCache({ source: options.flags, maxAgeMs, now: elapsedMs, kept, onProblem: problem });
  const table = routeTable({ environment, breaker, defaults });
  const hot = hotKeys(table.prepared, problem);
  // A field, since a variable would make a number of each moment.
  const used = { atMs: Number.NEGATIVE_INFINITY };
  const known = flags.current();
  if (known) table.use(known.document);
  flags.onChange(table.use);
  if (file) flags.onChange(file.write);

  function route(cutover: string, request = NO_REQUEST): ClientRoute {
    const nowMs = elapsedMs();
    used.atMs = nowMs;
    if (flags.isStale(nowMs)) void flags.refreshIfStale();
    try {
      return table.route(cutover, request, nowMs, flags.confirmedAtMs());
    } catch {
      // A name or request of another type, which only callers without types can send.
      return undecided('unknown_cutover', flags.current()?.ageMs ?? null);
    }
  }

  return {
    flags,
    table,
    breaker,
    route,
    routed(cutover, request) {
      hot.routed(cutover, request);
      return route(cutover, request);
    },
    woken() {
      const nowMs = elapsedMs();
      return nowMs - used.atMs > maxAgeMs && flags.isStale(nowMs) ? flags.refreshIfStale() : null;
    },
    async ready({ timeoutMs = READY_MS } = {}) {
      const untilMs = elapsedMs() + timeoutMs;
      for (;;) {
        await flags.refreshIfStale();
        if (flags.current()) return true;
        if (elapsedMs() + READY_PAUSE_MS > untilMs) return false;
        await new Promise((resolve) => setTimeout(resolve, READY_PAUSE_MS));
      }
    },
  };
}
