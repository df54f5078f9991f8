/** What an application records, and what is sent of it. */

import type { Side } from '../core/cutover/cutover.ts';
import type { MinuteWindow } from '../core/gates/minute-window.ts';
import type { OwnFigures, RecordedMetric } from './metric-sums.ts';

export type Outcome = OwnFigures & {
  cutover: string;
  side: Side;
  latencyMs: number;
  success: boolean;
  operation?: string | undefined;
  /** True when the request had no routing key. */
  keyless?: boolean | undefined;
  /** The slice of the plan that its key lies in, as `route` said it. */
  slice?: number | null | undefined;
  /** True when it was meant for the shadow: `route` said `circuit_open`. */
  left?: boolean | undefined;
  /** What it failed with: only asked whether it says that a connection was lost. */
  error?: unknown | undefined;
};

export type OutcomeBatch = {
  flushId: string;
  source: string;
  windows: readonly ({ cutover: string; operation: string; slice?: number | undefined } & MinuteWindow)[];
  metrics?: readonly RecordedMetric[];
} & SenderState;

/** What a sender says of itself with every batch. */
export type SenderState = {
  /** Age of the flags it acts on; missing before the first. */
  flagAgeMs?: number;
  /** Outcomes it has lost so far. */
  dropped?: number;
  /** Share of its memory that it uses. */
  memory?: number | undefined;
};

/** Delivers one batch, or throws. */
export type OutcomeSink = (batch: OutcomeBatch, signal: AbortSignal) => Promise<void>;
