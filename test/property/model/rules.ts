/** What the model keeps, rule by rule. A test switches one off to see what comes of it; nothing shipped knows these switches. */

export const RULES = {
  /** Application: an answer is given after COMMIT. */
  acknowledgedAfterCommit: true,
  /** converge.ts, lockKeys: the lock of the key is held from before the source is read until COMMIT. */
  keyLock: true,
  /** converge.ts: hints are deleted in the transaction that wrote their rows. */
  hintsWithRows: true,
  /** names.ts, fence: a call compares its epoch with that of the mirror row. */
  fence: true,
  /** backfill.ts: a chunk is followed by hints for what is in the shadow only. */
  ghostSweep: true,
  /** backfill.ts: ON CONFLICT DO NOTHING. */
  copyKeepsRows: true,
  /** arm-first.ts: nothing is copied before capture is armed. */
  captureBeforeCopy: true,
  /** crossfade.swap: the lock of the cutover is exclusive, so appliers have ended. */
  swapWaits: true,
  /** crossfade.drain: the last hints are applied under the lock. */
  drain: true,
  /** crossfade.swap: capture of the other direction is armed in the same transaction. */
  reverseCapture: true,
  /** carry-out.ts, giveUp: the database says whether the work can still happen. */
  givenUpInDatabase: true,
  /** table-conditions.ts: nothing advances before the copy is done and the outbox empty. */
  proof: true,
  /** state-writes.ts: a state is written on condition of the version that it was based on. */
  versionCondition: true,
  /** reconcile.ts: what is below the reads is taken away after their flags are deployed. */
  readsLeaveFirst: true,
  /** readers-first.ts: names are not swapped back while flags from before the promotion send readers to the shadow. */
  flagsBeforeSwapBack: true,
  /** prepare-command.ts: the old table is not dropped while flags of an earlier state are deployed. */
  flagsBeforeCleanup: true,
  /** deployed-flags.ts, newer: what a newer state has published is not overwritten. */
  newerFlagsStay: true,
  /** reconcile-tables.ts, outrun: what a newer state has made in the database is left alone. */
  newerMirrorStays: true,
} as const satisfies Record<string, true>;

export type Rules = Readonly<Record<keyof typeof RULES, boolean>>;
