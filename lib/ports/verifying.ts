/** Comparison of both tables, row by row. */

import type { InvariantReading } from '../core/cutover/criterion.ts';
import type { CutoverId } from '../core/cutover/cutover.ts';
import type { VerificationResult } from '../core/gates/table-status.ts';
import type { Consistency, RowComparison, RowValues } from '../core/table/reading.ts';
import type { InvariantQueries } from '../core/table/sql/invariant.ts';
import type { TableCutover } from './tables.ts';

export type VerificationPass = {
  /** `fast` (default) compares hashes of 64 bits, `proof` SHA-256 of every row's text. */
  tier?: 'fast' | 'proof';
  /** `full` (default), or only what something has written since it was compared, and a few ranges more in rotation. */
  scope?: 'full' | 'due';
};

/** By the database's clock; absent from functions of cutovers that were armed by an older version. */
export type PassTimes = { startedMs: number; calledMs: number };

export type VerifyStep =
  | { kind: 'verified'; result: VerificationResult; pass?: PassTimes }
  | { kind: 'running'; rowsDone: number; rowsTotal: number; pass?: PassTimes }
  /** Another call is at work on it. */
  | { kind: 'busy' }
  | { kind: 'stale'; have: number; got: number }
  | { kind: 'unready'; why: string };

/** Reads both tables, and never writes them: what differs gets hints. */
export type Verifying = {
  /**
   * Works on a pass over both tables for about half a second: each range of keys is compared exactly, in one snapshot. The
   * last call of a pass stores its result; until then a further call of any caller goes on. Foreign epoch → stale.
   */
  verify(id: CutoverId, epoch: number, nowMs: number, pass?: VerificationPass): Promise<VerifyStep>;
  /** Enqueues hints for the diverged keys of the last pass. */
  repair(id: CutoverId): Promise<{ enqueued: number }>;
  /** Compares both tables whole, stores nothing; `null` when the database knows nothing of this cutover. */
  consistency(id: CutoverId): Promise<Consistency | null>;
  /** One key on both sides; `null` when there is nothing to compare. @throws CrossfadeError `invalid_input` for what is no key. */
  compareRow(id: CutoverId, key: string): Promise<RowComparison | null>;
  /** The same with its values, but for those that are redacted. @throws CrossfadeError `invalid_input` for what is no key. */
  rowValues(cutover: TableCutover, key: string): Promise<RowValues | null>;
  /**
   * Evaluates queries of the user's own over both tables, in one snapshot, without the rows whose changes are still to be applied.
   * Foreign epoch → unready.
   */
  invariant(cutover: TableCutover, epoch: number, queries: InvariantQueries): Promise<InvariantReading>;
};
