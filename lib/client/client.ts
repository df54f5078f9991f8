/**
 * The SDK: asks for a side, synchronously and without the network, and records what became of the operation.
 * It never throws into its host: whatever is wrong, the answer is a side and the reason for it.
 */

import type { RouteRequest } from '../core/routing.ts';
import { circuitBreaker } from './breaker.ts';
import { type FlagSource, flagCache } from './flag-cache.ts';
import { type Outcome, type OutcomeSink, Recorder } from './recorder.ts';
import { type ClientRoute, routeByFlags } from './route-by-flags.ts';

export type ClientOptions = {
  flags: FlagSource;
  outcomes: OutcomeSink;
  /** Name of this process among others: spreads writers, shows in nothing else. */
  source?: string;
  /** Environment with `CROSSFADE_<CUTOVER>=primary|shadow` overrides. Default: the process's. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Epoch milliseconds for the minutes of outcomes; the real clock unless a demonstration accelerates it. */
  now?: () => number;
  /** Flags older than this are fetched anew on use; real milliseconds. */
  maxFlagAgeMs?: number;
  flushIntervalMs?: number;
};

export type Client = {
  /** The side that serves this request. @example client.route('customer', { key: userId }).side */
  route(cutover: string, request?: RouteRequest): ClientRoute;
  shouldRouteToShadow(cutover: string, operation: string, key?: string): boolean;
  /** What became of an operation. Costs a few additions. */
  record(outcome: Outcome): void;
  /** Fetches the flags when they are too old: at start, and in Lambda at the beginning of an invocation. Never throws. */
  refresh(): Promise<void>;
  /** Sends what was recorded. Never throws. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** Outcomes that were lost because they could not be delivered. */
  droppedOutcomes(): number;
};

export function createClient(options: ClientOptions): Client {
  const now = options.now ?? Date.now;
  const environment = options.environment ?? process.env;
  const breaker = circuitBreaker();
  const flags = flagCache({ source: options.flags, maxAgeMs: options.maxFlagAgeMs, now: () => performance.now() });
  const recorder = new Recorder({
    sink: options.outcomes,
    source: options.source ?? crypto.randomUUID(),
    nextId: () => crypto.randomUUID(),
    now,
    flushIntervalMs: options.flushIntervalMs,
  });

  const client: Client = {
    route(cutover, request) {
      void flags.refreshIfStale();
      const current = flags.current();
      try {
        const open = breaker.isOpen(cutover, performance.now());
        return routeByFlags(current, cutover, request ?? {}, environment, open);
      } catch {
        // A name or request of another type, which only callers without types can send.
        const ageMs = current?.ageMs ?? null;
        return { side: 'primary', reason: 'unknown_cutover', stage: null, version: 0, ageMs };
      }
    },
    shouldRouteToShadow: (cutover, operation, key) => client.route(cutover, { operation, key }).side === 'shadow',
    record(outcome) {
      if (outcome?.side === 'shadow') breaker.record(outcome.cutover, outcome.success, performance.now());
      recorder.record(outcome);
    },
    refresh: () => flags.refreshIfStale(),
    flush: () => recorder.flush(),
    close: () => recorder.flush(),
    droppedOutcomes: () => recorder.dropped,
  };
  return client;
}
