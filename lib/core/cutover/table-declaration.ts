/** What is declared about a table cutover: both tables, where each column comes from, the way back, the copy. Types only. */

/**
 * Where one column of the new shape comes from. A column of the same name in both tables needs no entry.
 * - `{ from }`: rename, with a cast when the types differ;
 * - `{ sql }`: computed from the columns of the old row (unqualified names); when the new column is GENERATED it is
 *   compared, not written. Any other is computed by a trigger from promotion until cleanup, where the new shape has what the
 *   expression reads; `after: 'application'` says that the application writes it from promotion on;
 * - `{ added: true }`: new, filled by its own default and left alone by Crossfade.
 */
export type ColumnSource = { from: string } | { sql: string; after?: 'application' } | { added: true };

export type TableDeclaration = {
  /** `schema.table`, as the catalog spells it. */
  primary: string;
  shadow: string;
  /** Name of the connection to the database that has the shadow; absent: the primary's own. */
  connection?: string;
  /** Columns of the primary that name a row, under a unique index, all NOT NULL; its primary key by default. */
  key?: readonly string[];
  /** By column of the shadow. */
  columns?: Readonly<Record<string, ColumnSource>>;
  /**
   * The way back, by column of the primary: SQL over the new row. Only for columns whose inverse cannot be derived.
   * `{ insertOnly }`: value for rows that were born in the new table; existing rows keep what they had.
   */
  reverse?: Readonly<Record<string, { sql: string } | { insertOnly: string }>>;
  /**
   * Where the columns of the shadow are in another order, INSERT INTO t VALUES (…), COPY and SELECT * mean something else after
   * promotion. `refuse`: any other order is refused. `notice`: the application names its columns, so the plan only says it.
   * Without a word, an order is refused in which a whole row would be stored in the wrong columns without an error.
   */
  columnOrder?: 'refuse' | 'notice';
  /**
   * By referring table, by the column of its foreign key, the column beside it that is to reference the new key: the primary key of the
   * shadow. Crossfade fills it, and keeps both equal until cleanup; promotion makes the foreign key again on it.
   */
  companions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Columns of either table whose values are not shown, whatever the scope of who asks. A renamed one is named by either name. */
  redact?: readonly string[];
  /** Above any of these the copy of existing rows waits. */
  backfill?: BackfillLimits;
  /** Indexes of the shadow that are not unique are taken off for the copy and built after it. */
  indexesAfterCopy?: boolean;
  /**
   * `streamed` (default): a write leaves a hint that is applied a moment later. `inline`: the writer's own transaction
   * writes the shadow, too. After promotion the way back is always streamed: the table in use must not depend on the old one.
   */
  mode?: 'streamed' | 'inline';
  /** Inline only: a row that the shadow does not take fails the application's write. Otherwise it leaves a hint, counted. */
  rollbackOnShadowFailure?: boolean;
};

/** A start wants a passing rehearsal of the same declaration and tables. */
export type RehearsalRule = {
  /** Thumbprints of the keys that may have signed its report; null: any key. */
  signedBy: readonly string[] | null;
  /** How old it may be. */
  hours: number;
};

export type BackfillLimits = {
  /** Age of the oldest un-applied change; 10 s by default. */
  outboxAgeMs?: number;
  replicaLagMs?: number;
  walBytesPerSecond?: number;
  /** Sessions that run a statement, Crossfade's own left out. */
  activeConnections?: number;
  /** A boolean SQL expression of your own: the copy goes on while it is true. */
  whileSql?: string;
};
