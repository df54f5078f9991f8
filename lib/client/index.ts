/** What applications import. No AWS SDK, no Postgres, no validation library. */

export { CrossfadeError, type ErrorCode, isCrossfadeError } from '../core/base/errors.ts';
export type { Difference, IgnoreRule } from '../core/forwards/json-diff.ts';
export type { FlagDocument } from '../core/routing/flags.ts';
export type { RouteReason, RouteRequest } from '../core/routing/routing.ts';
export { agentSource } from '../routing/agent-source.ts';
export type { FlagAnswer, FlagProblem, FlagSource } from '../routing/flag-cache.ts';
export { type HttpSourceOptions, httpSource } from '../routing/http-source.ts';
export type { ClientRoute } from '../routing/route-table.ts';
export { createClient } from './client.ts';
export type { Client, ClientHealth, ClientOptions, ComparisonLimits, FlushOptions } from './client-types.ts';
export type { ComparisonReport } from './comparison-report.ts';
export type { Compare, Comparison, CutoverRead, CutoverRun, UnfinishedWork } from './cutover-run.ts';
export { httpForwards, httpForwards as httpCopies } from './http-forwards.ts';
export { httpSink } from './http-sink.ts';
export type { MismatchGroup, MismatchSample } from './mismatch-groups.ts';
export type { Outcome, OutcomeBatch, OutcomeSink } from './outcome.ts';
export type { Problem } from './problems.ts';
export type { RunCall, SimulatedWrite } from './run-call.ts';
export { type QueuedWork, type WorkQueue, type WorkQueueOptions, workQueue } from './work-queue.ts';
export type {
  CutoverWrite,
  ForwardRecorder,
  ForwardRecorder as CopyRecorder,
  WriteIntent,
  WritePlace,
} from './write-cutover.ts';
export type { OneSideWrite } from './write-one-side.ts';
