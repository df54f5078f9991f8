/** What the copy of a table would be, without copying: rows, chunks, time, and what it would wait for at this moment. */

import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { BackfillProgress } from '../../core/gates/table-status.ts';
import { chunksOf } from '../../core/table/chunks.ts';
import type { Ports } from '../../ports/ports.ts';
import { tooMuch } from './backfill.ts';
import { tableCutover, tableOf } from './table-of.ts';

export type BackfillRehearsal = {
  cutover: string;
  /** Of the copy itself: `none` before the start. */
  state: BackfillProgress['state'];
  /** About; those that are still to be copied. */
  rows: number;
  /** About; those that the shadow has. Rows there before the copy are compared, not overwritten. */
  shadowRows: number;
  /** Null when no sample could be copied, with why, and when there is none. */
  chunks: number | null;
  estimatedMs: number | null;
  rowsPerSecond: number | null;
  sampleRows: number;
  why?: string;
  /** What it would wait for now. */
  waits: string | null;
};

/** Before the start and while it runs. Changes nothing. @throws CrossfadeError `illegal_transition`, `refused_table` */
export async function rehearseBackfill(
  ports: Pick<Ports, 'inspecting' | 'copying'>,
  declaration: CutoverDeclaration,
): Promise<BackfillRehearsal> {
  const cutover = tableCutover(tableOf(declaration));
  const status = await ports.inspecting.status(cutover.id);
  const seen = await ports.copying.rehearse(cutover);
  const pressure = await ports.copying.pressure(cutover);
  const state = status?.backfill.state ?? 'none';
  const rows = state === 'done' ? 0 : Math.max(0, Math.round(seen.sourceRows) - (status?.backfill.rowsDone ?? 0));
  const { tookMs, why } = seen.sample;
  const rowsPerMs = tookMs === null || seen.sample.rows === 0 ? null : seen.sample.rows / Math.max(0.1, tookMs);
  const estimate = rows === 0 ? { chunks: 0, tookMs: 0 } : rowsPerMs === null ? null : chunksOf(rows, rowsPerMs);
  return {
    cutover: cutover.id,
    state,
    rows,
    shadowRows: Math.round(Math.max(0, seen.shadowRows)),
    chunks: estimate?.chunks ?? null,
    estimatedMs: estimate === null ? null : Math.round(estimate.tookMs),
    rowsPerSecond: rowsPerMs === null ? null : Math.round(rowsPerMs * 1_000),
    sampleRows: seen.sample.rows,
    ...(why ? { why } : {}),
    waits: tooMuch(cutover.table.backfill ?? {}, pressure, status?.lagMs ?? 0, 0),
  };
}
