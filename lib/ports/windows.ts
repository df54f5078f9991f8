/** What gates fold: reads, errors and latencies by minute. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { MinuteWindow, WindowPart } from '../core/gates/minute-window.ts';
import type { OperationWindow } from '../core/report/performance.ts';

/** One aggregated part of a flush: one minute, side, operation type and slice of one cutover. */
export type WindowAddition = OperationWindow & { cutover: CutoverId; slice?: WindowPart['slice'] | undefined };

export type WindowStore = {
  /**
   * Adds; the same `flushId` for the same window is counted once. `source` spreads the writers over shards. An id
   * `<sender>~<number>` is one of a sender that numbers its flushes and sends them in this order, an earlier one again before a
   * later one: then one number a sender is kept, in place of a mark for each flush.
   */
  add(flushId: string, source: string, additions: readonly WindowAddition[], nowMs: number): Promise<void>;
  /** Merged over shards only: at most one part per minute, side, operation and slice, in the order of `mergeParts`. */
  readParts(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly WindowPart[]>;
  /** Merged over shards, slices and operations: at most one window per minute and side, `fromMinute` included, oldest first. */
  read(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly MinuteWindow[]>;
  /** The same with operations kept apart: at most one window per minute, side and operation, oldest first, then by both. */
  readByOperation(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly OperationWindow[]>;
};
