/** What applications import. No AWS SDK, no Postgres, no validation library. */

export type { RouteReason, RouteRequest } from '../core/routing.ts';
export { agentSource } from './agent-source.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { FlagSource } from './flag-cache.ts';
export { httpSink } from './http-sink.ts';
export type { Outcome, OutcomeSink } from './recorder.ts';
export type { ClientRoute } from './route-by-flags.ts';
