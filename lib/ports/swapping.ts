/** Promotion and its way back: the preview, the swap of the names, the end of the old table. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { TableCutover } from './tables.ts';

/** One dependent object or property of the tables and what promotion does with it. */
export type PreviewItem = {
  action: 'carry' | 'rebuild' | 'notice' | 'refuse';
  kind: string;
  object: string;
  text: string;
};

/** What became of the rows when each was taken to the new shape and back, without writing one. */
export type WayBack = {
  rows: number;
  /** False when the time was over before every row had been looked at. */
  complete: boolean;
  limitMs: number;
  /** Rows that cannot be transformed at all: they would go into quarantine. */
  cannotCross: number;
  /** Rows that the old table would not take again: after promotion they keep it from being rolled back. */
  cannotReturn: number;
  /** Rows that would come back with other values. */
  changed: number;
  samples: readonly { kind: 'cross' | 'return' | 'changed'; key: string; why: string }[];
};

export type TablePreview = {
  primary: string;
  shadow: string;
  /** Key columns of the primary with their types. */
  key: readonly { column: string; type: string }[];
  columns: readonly { shadow: string; source: string; text: string }[];
  items: readonly PreviewItem[];
  estimatedRows: number;
  /** True when nothing is refused. */
  ok: boolean;
  /** Only when it was asked for. */
  wayBack?: WayBack;
};

/** `stage` and `version` are those of the state once it is done. */
export type Swap = { fromEpoch: number; toEpoch: number; stage: string; version: number };

export type SwapResult =
  | { kind: 'swapped'; lockHeldMs: number; waitedMs: number; attempts: number }
  /** The swap had been done before by a call whose answer was lost. */
  | { kind: 'already' }
  /** Not now: lock not granted, outbox not drained, old transactions. Nothing changed. */
  | { kind: 'postponed'; why: string }
  | { kind: 'refused'; why: string; items: readonly PreviewItem[] };

/** The swap exchanges the names of the two tables. Each call is fenced by the epoch that it ends. */
export type Swapping = {
  /**
   * Reads the catalog, and with `scanMs` for that long the rows; changes nothing.
   * @throws CrossfadeError `refused_table` when a table, column or key is missing
   */
  preview(cutover: TableCutover, look?: { scanMs: number }): Promise<TablePreview>;
  /** Swaps the names, arms the other direction, writes the mirror with `toEpoch`; all in one transaction. */
  promote(cutover: TableCutover, swap: Swap): Promise<SwapResult>;
  /** The same in the other direction: the old table is in use again. */
  revert(cutover: TableCutover, swap: Swap): Promise<SwapResult>;
  /**
   * Before a swap or a cleanup that was asked for is given up: from then on no call for it changes anything, however late it
   * comes. Or it was done (`swapped`), and is kept. `version` is the highest that any call for it had.
   */
  abandon(
    id: CutoverId,
    swap: { toEpoch: number; version: number },
  ): Promise<{ kind: 'abandoned' } | { kind: 'swapped' }>;
  /** After promotion: may a rollback keep everything? With the reason and key when not. */
  rollbackReady(id: CutoverId): Promise<{ ready: true } | { ready: false; why: string; key: string | null }>;
  /**
   * After `completed`: drops the old table and everything of ours; on demand the tracking columns, too. No way back. With a
   * version, one that was abandoned changes nothing.
   */
  cleanup(
    cutover: TableCutover,
    epoch: number,
    options?: { dropTracking?: boolean; version?: number },
  ): Promise<{ kind: 'cleaned' } | { kind: 'already' } | { kind: 'refused'; why: string }>;
};
