/** The copy of the rows that were there before capture was armed. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { TableCutover } from './tables.ts';

export type BackfillStep =
  | { kind: 'copied'; rows: number; rowsDone: number; rowsTotal: number; tookMs: number }
  | { kind: 'done'; rowsDone: number }
  | { kind: 'paused' | 'cancelled' }
  | { kind: 'busy' }
  | { kind: 'stale'; have: number; got: number };

/** A few rows, copied into a table like the shadow that is dropped again. */
export type CopyRehearsal = {
  sourceRows: number;
  shadowRows: number;
  /** `tookMs` null when the sample could not be copied, with `why`. */
  sample: { rows: number; tookMs: number | null; why?: string | null };
};

/** `built`: so many are left. `building`: the server is at work on it, for any caller. */
export type IndexStep = { kind: 'built'; left: number } | { kind: 'building'; name: string; left: number };

/** What the copy of a table has to mind. */
export type Pressure = {
  /** Of the replica that is furthest behind; null when none is seen. */
  replicaLagMs: number | null;
  /** Position in the log: two of them give a rate. */
  walBytes: number;
  activeConnections: number;
  /** Cutovers whose shadow this one refers to and whose copy is not done. */
  waitsFor: readonly string[];
  /** The declared condition; true when none is declared. */
  goOn: boolean;
};

export type BackfillAction = 'pause' | 'resume' | 'cancel';

/** The copy goes by chunks; each call does one step and says how far it is. */
export type Copying = {
  /** Cutovers that are armed and whose copy is not done, paused and cancelled ones among them. */
  unfinished(): Promise<readonly CutoverId[]>;
  backfill(id: CutoverId, epoch: number, rows: number): Promise<BackfillStep>;
  /** `unchanged` when the copy is in no state for it. After the answer of `pause` and `cancel` nothing is copied. */
  controlBackfill(
    id: CutoverId,
    epoch: number,
    action: BackfillAction,
  ): Promise<{ kind: 'changed' | 'unchanged'; state: string } | { kind: 'stale'; have: number; got: number }>;
  /** After the copy: the next index that was taken off for it. Waits no longer than this for one; idempotent. */
  buildIndex(id: CutoverId, withinMs: number): Promise<IndexStep>;
  /** Changes nothing that anybody sees. @throws CrossfadeError `refused_table` */
  rehearse(cutover: TableCutover): Promise<CopyRehearsal>;
  pressure(cutover: TableCutover): Promise<Pressure>;
};
