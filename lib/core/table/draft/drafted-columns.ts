/** The column map of a drafted cutover: what an ALTER made of the columns, as a declaration says it. Pure. */

import type { ColumnSource } from '../../cutover/table-declaration.ts';
import { columnOf, type TableShape } from '../shape.ts';
import type { AlterAction } from './alter-actions.ts';
import type { DraftedColumn } from './drafted-table.ts';

export type DraftedColumns = {
  columns: Readonly<Record<string, ColumnSource>>;
  /** What only a person knows: each a sentence with what to write. */
  decisions: readonly string[];
};

/** Of a copy with the columns of the primary in their order, which was altered then: a number says which column one was. */
export function draftedColumns(
  primary: TableShape,
  altered: readonly DraftedColumn[],
  actions: readonly AlterAction[],
): DraftedColumns {
  const columns = new Map<string, ColumnSource>();
  const decisions: string[] = [];
  const kept = new Set(altered.map(({ number }) => primary.columns[number - 1]?.name));
  for (const column of altered) {
    const { name } = column;
    const origin = primary.columns[column.number - 1];
    const using = actions.find((action) => action.using?.column === name)?.using;
    if (origin === undefined) {
      // A column that was dropped and made again by its name is filled from the old one.
      if (columnOf(primary, name) === undefined || kept.has(name)) columns.set(name, { added: true });
    } else if (using && !isPlainCast(using.sql, name)) {
      columns.set(name, { sql: using.sql });
      if (!origin.generated)
        decisions.push(
          `Nothing can tell how ${name} becomes ${origin.name} (${origin.type}) again on the way back: declare reverse: { ${JSON.stringify(origin.name)}: { sql: '…' } }, an expression over the new row. Without it, rows that exist keep the value that the old table has.`,
        );
    } else if (origin.name !== name) columns.set(name, { from: origin.name });
  }
  return { columns: Object.fromEntries(columns), decisions };
}

/** Of a table that was written by hand: names are all there is to go by. */
export function namedColumns(primary: TableShape, made: readonly Pick<DraftedColumn, 'name'>[]): DraftedColumns {
  const added = made.filter(({ name }) => columnOf(primary, name) === undefined).map(({ name }) => name);
  const gone = primary.columns.map(({ name }) => name).filter((name) => !made.some((column) => column.name === name));
  return {
    columns: Object.fromEntries(added.map((name) => [name, { added: true }])),
    decisions:
      gone.length === 0 || added.length === 0
        ? []
        : [
            `Nothing can tell whether a column was renamed: ${added.join(', ')} is drafted as new, and ${gone.join(', ')} as dropped. Where one is the other, write its name: ${JSON.stringify(added[0])}: { from: ${JSON.stringify(gone[0])} }.`,
          ],
  };
}

/** `id::bigint` for the column itself says nothing that a change of the type does not. */
function isPlainCast(sql: string, name: string): boolean {
  const own = [name, `"${name.replaceAll('"', '""')}"`].map((one) => one.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^\\(?(${own.join('|')})\\)?\\s*::\\s*[\\w ."]+(\\([\\d, ]+\\))?(\\[\\])*$`, 'i').test(sql.trim());
}
