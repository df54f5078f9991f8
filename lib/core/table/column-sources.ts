/** Where each column of the shadow comes from, by the declaration or by its name, and which columns the primary gets back. */

import { didYouMean } from '../base/nearest.ts';
import type { ColumnSource, TableDeclaration } from '../cutover/table-declaration.ts';
import { type ColumnShape, columnOf, type TableShape } from './shape.ts';
import { isTracking } from './tracking.ts';

/** Both tables of a cutover, and what is declared of their columns. */
export type DeclaredTables = { primary: TableShape; shadow: TableShape; declaration: TableDeclaration };

/** Names that the declaration uses and the tables do not have. */
export function unknownNames({ primary, shadow, declaration }: DeclaredTables): string[] {
  const problems: string[] = [];
  const names = (table: TableShape) => table.columns.map((column) => column.name);
  const known = (table: TableShape, name: string) => columnOf(table, name) !== undefined;
  const unknown = (table: TableShape, name: string) =>
    `${table.schema}.${table.name} has no column '${name}'.${didYouMean(name, names(table))}`;
  for (const [name, source] of Object.entries(declaration.columns ?? {})) {
    if (!known(shadow, name)) problems.push(unknown(shadow, name));
    if ('from' in source && !known(primary, source.from)) problems.push(unknown(primary, source.from));
  }
  for (const name of declaration.redact ?? [])
    if (!known(primary, name) && !known(shadow, name))
      problems.push(
        `redact: neither table has a column '${name}'.${didYouMean(name, [...new Set([...names(primary), ...names(shadow)])])}`,
      );
  for (const name of Object.keys(declaration.reverse ?? {}))
    if (!known(primary, name)) problems.push(unknown(primary, name));
  return problems;
}

/** What is declared of a column. Its name may be one that every object has: `constructor`. */
export const declaredOf = <T>(declared: Readonly<Record<string, T>> | undefined, column: string): T | undefined =>
  declared !== undefined && Object.hasOwn(declared, column) ? declared[column] : undefined;

/** Where a column of the shadow comes from; a column of the same name needs no entry. */
export function sourceOf({ primary, declaration }: Omit<DeclaredTables, 'shadow'>, name: string): ColumnSource | null {
  const declared = declaredOf(declaration.columns, name);
  if (declared) return declared;
  return columnOf(primary, name) ? { from: name } : null;
}

/** By column of the primary, the first column of the shadow that is a copy of it and can be written. */
export function returns(tables: DeclaredTables): ReadonlyMap<string, ColumnShape> {
  const backs = new Map<string, ColumnShape>();
  for (const column of tables.shadow.columns.filter(({ generated }) => !generated)) {
    const source = sourceOf(tables, column.name);
    if (source !== null && 'from' in source && !backs.has(source.from)) backs.set(source.from, column);
  }
  return backs;
}

export type ColumnPreview = { shadow: string; source: string; text: string };

/** What becomes of each column of the shadow, in words. */
export function columnPreviews(tables: DeclaredTables): ColumnPreview[] {
  const { primary, shadow } = tables;
  return shadow.columns.map((target) => {
    const source = sourceOf(tables, target.name);
    const name = target.name;
    if (source === null && isTracking(target))
      return { shadow: name, source: '', text: 'tracking, written by Crossfade' };
    if (source === null || 'added' in source)
      return { shadow: name, source: '', text: `new, ${target.type}, filled by its default` };
    if ('sql' in source) {
      return {
        shadow: name,
        source: source.sql,
        text: target.generated ? 'computed by the table, compared' : `computed, ${target.type}`,
      };
    }
    const from = columnOf(primary, source.from)!;
    const renamed = from.name === name ? '' : `renamed from ${from.name}`;
    const recast = from.type === target.type ? '' : `${from.type} → ${target.type}`;
    return { shadow: name, source: from.name, text: [renamed, recast].filter(Boolean).join(', ') || 'unchanged' };
  });
}
