/** What the database says of table cutovers: to the gates, and to people. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { TableStatus } from '../core/gates/table-status.ts';
import type { HealthFinding, TableProgress } from '../core/table/reading.ts';
import type { TableCutover } from './tables.ts';

/** Reads only. */
export type Inspecting = {
  /** `null` when the database knows nothing of this cutover. */
  status(id: CutoverId): Promise<TableStatus | null>;
  /** The same of many, in a question or a few; of one that the database does not know there is none. */
  statuses(ids: readonly CutoverId[]): Promise<ReadonlyMap<CutoverId, TableStatus>>;
  /** What could spoil the migration; works before the first start. Changes nothing. */
  health(cutover: TableCutover): Promise<readonly HealthFinding[]>;
  /** SHA-256 in hex of the shape of both tables, as a rehearsal and a start compare it; the same on a copy of the database. */
  shapeHash(cutover: TableCutover): Promise<string>;
  /** Figures of many in a question or a few; of one that the database does not know there is none. */
  progress(ids: readonly CutoverId[]): Promise<ReadonlyMap<CutoverId, TableProgress>>;
};
