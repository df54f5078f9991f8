/**
 * Tracking columns: what a shadow may have beside its rows, and converge and the copy write when it does. A column counts as
 * one by its name and type, unless the declaration says what it is. They follow: a row is written because of its other columns,
 * or because its status is not the one of a row that is right.
 */

import { type ColumnShape, quoteText, type TableShape } from './shape.ts';

/**
 * When the row is written for another reason: `stays` as it was made, `counts` one up, or is `renewed`. What `tells` how it
 * stands with the row is a reason itself.
 */
export type Follows = 'stays' | 'counts' | 'renewed' | 'tells';

const WHOLE = /^(smallint|integer|bigint)$/;
const MOMENT = /^timestamp/;
const TEXT = /^(text|character varying)/;

const TRACKING_COLUMNS = [
  '_shadow_version',
  '_shadow_created_at',
  '_shadow_source_table',
  '_shadow_migration_id',
  '_shadow_sync_status',
  '_shadow_last_sync',
  '_shadow_validation_hash',
] as const;

type Name = (typeof TRACKING_COLUMNS)[number];
type Source = { id: string; primary: TableShape; compared: readonly { sql: string; declared?: true }[] };

/** By name: which types it may have, its value for a row that is new, and what becomes of it when the row changes. */
const TRACKED: Record<Name, { type: RegExp; sql: (source: Source) => string; follows: Follows }> = {
  _shadow_version: { type: WHOLE, sql: () => '1', follows: 'counts' },
  _shadow_created_at: { type: MOMENT, sql: () => 'clock_timestamp()', follows: 'stays' },
  _shadow_source_table: {
    type: TEXT,
    sql: ({ primary }) => quoteText(`${primary.schema}.${primary.name}`),
    follows: 'stays',
  },
  _shadow_migration_id: { type: TEXT, sql: ({ id }) => quoteText(id), follows: 'stays' },
  _shadow_sync_status: { type: TEXT, sql: () => quoteText('synced'), follows: 'tells' },
  _shadow_last_sync: { type: MOMENT, sql: () => 'clock_timestamp()', follows: 'renewed' },
  _shadow_validation_hash: {
    type: TEXT,
    sql: ({ compared }) => `crossfade.record_hash(ROW(${compared.map(({ sql }) => sql).join(', ')})::record)`,
    follows: 'renewed',
  },
};

const isName = (name: string): name is Name => Object.hasOwn(TRACKED, name);

/** Does the name say that Crossfade writes this column? A declaration, or a column of the primary, says otherwise. */
export function isTracking(column: ColumnShape): boolean {
  return isName(column.name) && !column.generated && TRACKED[column.name].type.test(column.type);
}

export function trackingWrite(column: ColumnShape, source: Source) {
  const { sql, follows } = TRACKED[column.name as Name];
  // The hash has the declared expressions in it.
  const declared = column.name === '_shadow_validation_hash' && source.compared.some((one) => one.declared);
  const write = {
    target: column.name,
    sql: `(${sql(source)})::${column.type}`,
    insertOnly: follows === 'stays',
    follows,
  };
  return declared ? { ...write, declared } : write;
}
