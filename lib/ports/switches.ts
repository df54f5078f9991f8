/** What the database itself obeys: the fence, the lists for routing in SQL, and the switches of writes. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { Outrun } from './tables.ts';

export type MirrorRow = {
  id: CutoverId;
  epoch: number;
  version: number;
  stage: string;
  shadowWrites: boolean;
  readPpm: number;
  salt: string;
};

type DeclaredLists = { id: CutoverId; allow: readonly string[]; deny: readonly string[] };

/** Each call writes what the state says; an older state changes nothing. */
export type TableSwitches = {
  /** Writes the fence unless a newer (epoch, version) is there. */
  mirror(row: MirrorRow): Promise<{ kind: 'written' } | Outrun>;
  /** The declared lists of cutovers, for routing in SQL. Changes nothing for one that the database does not know. */
  setLists(lists: readonly DeclaredLists[]): Promise<void>;
  /** The master switch of writes to shadows, for triggers that write inline; an older version of it changes nothing. */
  switchInline(id: CutoverId, system: { version: number; enabled: boolean }): Promise<void>;
  /**
   * From its answer on the application's writes to the primary are refused for so long, and all earlier ones are committed and
   * have hints. Only while rows flow forward. `endReadOnly` is true when there was something to end; it waits for no lock.
   */
  makeReadOnly(
    id: CutoverId,
    epoch: number,
    seconds: number,
  ): Promise<{ kind: 'read_only'; untilMs: number } | { kind: 'stale'; have: number; got: number }>;
  endReadOnly(id: CutoverId): Promise<boolean>;
};
