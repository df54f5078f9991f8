/** The statements that make a foreign key: NOT VALID, which reads no row, and with the comment it had. */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { ForeignKey } from './dependents.ts';

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
  const table = quoteTable(on);
  const name = quoteName(foreignKey.name);
  const list = (columns: readonly string[]) => columns.map(quoteName).join(', ');
  const onDelete = `${ACTIONS[foreignKey.onDelete]}${foreignKey.setColumns ? ` (${list(foreignKey.setColumns)})` : ''}`;
  const deferrable = foreignKey.deferrable
    ? ` DEFERRABLE INITIALLY ${foreignKey.deferred ? 'DEFERRED' : 'IMMEDIATE'}`
    : '';
  const added = `ALTER TABLE ${table} ADD CONSTRAINT ${name} FOREIGN KEY (${list(foreignKey.columns)}) REFERENCES ${target} (${list(
    referencedBy(foreignKey, key),
  )}) ${MATCHES[foreignKey.match]} ON UPDATE ${ACTIONS[foreignKey.onUpdate]} ON DELETE ${onDelete}${deferrable} NOT VALID`;
  if (foreignKey.comment === null) return [added];
  return [added, `COMMENT ON CONSTRAINT ${name} ON ${table} IS ${quoteText(foreignKey.comment)}`];
}
