/** What Postgres says of the data plane of a table: armed, lag, quarantine, backfill, verification, shape. Types only. */

export type BackfillProgress = {
  /** A cancelled copy begins again from the first row when it is resumed, a paused one goes on. */
  state: 'none' | 'running' | 'paused' | 'cancelled' | 'done';
  rowsDone: number;
  /** Estimated rows of the primary. */
  rowsTotal: number;
  rowsPerSecond: number;
  /** Why rows that were copied before are copied and compared again; absent once every row was. */
  sweep?: string;
};

export type VerificationResult = {
  /** Rows of the primary seen by the last complete pass. */
  rowsCompared: number;
  /** Keys that differed and had no un-applied hint. */
  divergences: number;
  /** Consistent rows / compared rows, 0–1; 1 for an empty table. */
  score: number;
  /** When the pass ended. */
  atMs: number;
  /** At most 20 diverged keys as JSON text, with the differing columns where the row exists on both sides. */
  samples: readonly { key: string; columns: readonly string[] }[];
};

/** What Postgres says of one table cutover at one moment. */
export type TableStatus = {
  armed: 'none' | 'forward' | 'reverse';
  /** Epoch, version and stage of the mirror row; null before the first `start`. */
  mirror: { epoch: number; version: number; stage: string } | null;
  /** Age of the oldest un-applied hint in milliseconds, 0 when there is none. One clock: the database's. */
  lagMs: number;
  outboxRows: number;
  /** Keys in quarantine, and at most 20 of them. */
  quarantined: number;
  quarantine: readonly { key: string; sqlstate: string; reason: string; attempts: number }[];
  backfill: BackfillProgress;
  /** Connections to the whole server, and how many it takes of those who are no superusers. */
  connections?: { used: number; most: number };
  verification: VerificationResult | null;
  /** Why the last pass of verification proves nothing; absent when it does. */
  unproven?: string;
  /** Writes to the side that only Crossfade should write. */
  foreignWrites?: number;
  /** The application's writes to the primary are refused until then; null when they are not. */
  readOnlyUntilMs?: number | null;
  /** Indexes that are still to be built after the copy, which runs as long. */
  indexesAside?: number;
  /**
   * Writes that the shadow did not take in the application's transaction, and that went on without it; after promotion, those
   * that went on with a column that could not be computed.
   */
  inlineFailures?: number;
  /** What is not as it was armed; absent while nothing is armed. */
  shape?: ShapeStatus;
};

export type ShapeDifference = {
  object: string;
  /** Null: it was not there, or is not there any more. */
  was: string | null;
  is: string | null;
};

export type ShapeStatus = {
  differences: readonly ShapeDifference[];
  /** When a tick first saw one; null when none was seen. */
  sinceMs: number | null;
  /** Why changes may have been missed; null when none can be, or every row was copied and compared since. */
  gap: string | null;
  /** A tick has something of it to write down, or to make again. */
  due: boolean;
};
