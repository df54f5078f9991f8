/** The stream that wakes the shadow writer. */

import type { CutoverId } from '../core/cutover/cutover.ts';

/** One record of the stream; `cutover` is null when it names none. */
export type WakeUp = {
  sequenceNumber: string;
  cutover: CutoverId | null;
  /** A read that both sides are to be asked, for comparison. */
  read?: ReadToCompare;
};

/** What a read sends, without the caller's token. */
export type ReadToCompare = {
  method: string;
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  /** Of the plan, where its key lies. */
  slice?: number | null;
};

export type WakeUps = {
  /** Makes the stream emit a record for this cutover, always: a counter is incremented. */
  wake(id: CutoverId): Promise<void>;
  /** Emits a record that carries a read. Lost or doubled, it is one comparison less or more. */
  compare(id: CutoverId, read: ReadToCompare, note: { unique: string; expiresAtMs: number }): Promise<void>;
};
