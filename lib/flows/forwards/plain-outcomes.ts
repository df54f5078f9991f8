/** The report of a program without the SDK, as the one that the SDK would have made. */

import { MINUTE_MS } from '../../core/base/units.ts';
import { type PlainWindow, plainWindow } from '../../core/gates/plain-window.ts';
import type { OutcomeReport } from './record-outcomes.ts';

type PlainReport = {
  flushId?: string | undefined;
  source?: string | undefined;
  operations: readonly (PlainWindow & { cutover: string; operation: string; slice?: number | null | undefined })[];
};

/** @param known what it says where the report says nothing */
export function plainReport(
  { flushId, source, operations }: PlainReport,
  known: { flushId: string; source: string; nowMs: number },
): OutcomeReport {
  const nowMinute = Math.floor(known.nowMs / MINUTE_MS);
  return {
    flushId: flushId ?? known.flushId,
    source: source ?? known.source,
    windows: operations.map(({ cutover, operation, slice, ...plain }) => ({
      cutover,
      operation,
      slice: slice ?? undefined,
      ...plainWindow(plain, nowMinute),
    })),
  };
}
