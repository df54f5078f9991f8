/** What applications import. No AWS SDK, no Postgres, no validation library. */

export type { FlagDocument } from '../core/flags.ts';
export type { Difference, IgnoreRule } from '../core/json-diff.ts';
export type { RouteReason, RouteRequest } from '../core/routing.ts';
export { agentSource } from './agent-source.ts';
export { type Client, type ClientHealth, type ClientOptions, type ComparisonLimits, createClient } from './client.ts';
export type { ComparisonReport } from './comparison-report.ts';
export type { Comparison, CutoverRun, UnfinishedWork } from './cutover-run.ts';
export type { FlagAnswer, FlagProblem, FlagSource } from './flag-cache.ts';
export { httpCopies } from './http-copies.ts';
export { httpSink } from './http-sink.ts';
export { type HttpSourceOptions, httpSource } from './http-source.ts';
export type { MismatchGroup, MismatchSample } from './mismatch-groups.ts';
export type { Outcome, OutcomeBatch, OutcomeSink } from './recorder.ts';
export type { ClientRoute } from './route-table.ts';
export type { RunCall, SimulatedWrite } from './run-call.ts';
export { type QueuedWork, type WorkQueue, type WorkQueueOptions, workQueue } from './work-queue.ts';
export type { CopyRecorder, CutoverWrite, WriteIntent, WritePlace } from './write-cutover.ts';
