/** The statements that make a foreign key: NOT VALID, which reads no row, and with the comment it had. */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { ForeignKey, TableDependents } from './dependents.ts';
import { leaves } from './partitions.ts';

/** `key`: by key column of the table that is left, the column of the other one and its type. */
export type KeyColumns = ReadonlyMap<string, { name: string; type: string }>;

const ACTIONS: Readonly<Record<string, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};
const MATCHES: Readonly<Record<string, string>> = { f: 'MATCH FULL', p: 'MATCH PARTIAL', s: 'MATCH SIMPLE' };

/** @param key empty when the referenced columns keep their names */
export const referencedBy = (foreignKey: ForeignKey, key: KeyColumns) =>
  foreignKey.referencedColumns.map((column) => key.get(column)?.name ?? column);

export function addStatements(
  foreignKey: ForeignKey,
  target: string,
  key: KeyColumns,
  on: { schema: string; name: string } = foreignKey.table,
): string[] {
  return [`${addStatement(foreignKey, target, key, on)} NOT VALID`, ...commentOn(foreignKey, on)];
}

function addStatement(foreignKey: ForeignKey, target: string, key: KeyColumns, on: { schema: string; name: string }) {
  const list = (columns: readonly string[]) => columns.map(quoteName).join(', ');
  const onDelete = `${ACTIONS[foreignKey.onDelete]}${foreignKey.setColumns ? ` (${list(foreignKey.setColumns)})` : ''}`;
  const deferrable = foreignKey.deferrable
    ? ` DEFERRABLE INITIALLY ${foreignKey.deferred ? 'DEFERRED' : 'IMMEDIATE'}`
    : '';
  return `ALTER TABLE ${quoteTable(on)} ADD CONSTRAINT ${quoteName(foreignKey.name)} FOREIGN KEY (${list(foreignKey.columns)}) REFERENCES ${target} (${list(
    referencedBy(foreignKey, key),
  )}) ${MATCHES[foreignKey.match]} ON UPDATE ${ACTIONS[foreignKey.onUpdate]} ON DELETE ${onDelete}${deferrable}`;
}

function commentOn({ name, comment }: ForeignKey, on: { schema: string; name: string }): string[] {
  return comment === null
    ? []
    : [`COMMENT ON CONSTRAINT ${quoteName(name)} ON ${quoteTable(on)} IS ${quoteText(comment)}`];
}

/** `on`: as the table is called then. */
export type Placed = { foreignKey: ForeignKey; target: string; on: TableDependents; validated: boolean };

/**
 * A foreign key of a table, made under the lock and validated after it. Put on a partitioned table it would read all rows under the
 * lock, so each partition gets it; when all are valid, the table itself does, which then reads nothing and makes one of them.
 */
export function placed({ foreignKey, target, on, validated }: Placed): { add: string[]; validate: string[] } {
  const name = quoteName(foreignKey.name);
  const validate = (table: { schema: string; name: string }) =>
    validated ? [`ALTER TABLE ${quoteTable(table)} VALIDATE CONSTRAINT ${name}`] : [];
  if (on.partitionedBy === null)
    return { add: addStatements(foreignKey, target, new Map(), on), validate: validate(on) };
  const whole = [addStatement(foreignKey, target, new Map(), on), ...commentOn(foreignKey, on)];
  const once = `DO $crossfade$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = ${on.oid} AND c.conname = ${quoteText(foreignKey.name)}) THEN
      ${whole.map((statement) => `EXECUTE ${quoteText(statement)};`).join('\n      ')}
    END IF;
  END $crossfade$`;
  const parts = leaves(on);
  return {
    add: parts.map((leaf) => `${addStatement(foreignKey, target, new Map(), leaf)} NOT VALID`),
    validate: validated ? [...parts.flatMap(validate), once] : [],
  };
}

/** Of a partitioned table that has not got it as a whole yet, each partition has it by itself. */
export const dropFromPartitions = (table: TableDependents, name: string): string[] =>
  leaves(table).map((leaf) => `ALTER TABLE ${quoteTable(leaf)} DROP CONSTRAINT IF EXISTS ${quoteName(name)}`);
