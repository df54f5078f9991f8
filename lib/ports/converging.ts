/** Changes that wait for the shadow, and keys that do not fit it. */

import type { CutoverId } from '../core/cutover/cutover.ts';

export type ConvergeResult =
  | {
      kind: 'converged';
      claimed: number;
      written: number;
      deleted: number;
      checked: number;
      mismatched: number;
      /** Keys put off for a later try, and keys moved to quarantine, by this call. */
      postponed: number;
      quarantined: number;
      /** Hints left that could be claimed now. */
      remaining: number;
    }
  | { kind: 'stale'; have: number; got: number };

export type QuarantinedKey = {
  /** JSON text of the key's columns. */
  key: string;
  sqlstate: string;
  reason: string;
  attempts: number;
  firstSeenMs: number;
  lastSeenMs: number;
};

/** Hints become rows of the shadow. A key that does not fit waits in quarantine. */
export type Converging = {
  /** Claims and applies at most `limit` hints in one call. */
  converge(id: CutoverId, epoch: number, limit: number): Promise<ConvergeResult>;
  /** Cutovers whose outbox has hints that can be claimed now, with lag. */
  waiting(): Promise<readonly { id: CutoverId; hints: number; lagMs: number }[]>;
  /** Keys in quarantine behind `after`, in the order of their text. */
  quarantined(
    id: CutoverId,
    page: { after?: string; limit: number },
  ): Promise<{ total: number; keys: readonly QuarantinedKey[] }>;
  /** Hints for one key of the quarantine, or for all. They stay listed until they fit. */
  retryQuarantined(id: CutoverId, key: string | null): Promise<{ enqueued: number }>;
  /** Gives a key up: it no longer holds the cutover, and verification counts it. */
  discardQuarantined(id: CutoverId, key: string): Promise<{ discarded: number }>;
};
