/**
 * Columns of the new shape that are computed from the old row until promotion: which they are, and from which columns of
 * the new row a trigger can compute them afterwards. Pure.
 */

import { backOf, unbounded } from './casts.ts';
import { type DeclaredTables, declaredOf, returns } from './column-sources.ts';
import type { KeptColumn, KeptInput } from './mapping.ts';
import { baseType, columnOf, type TableShape } from './shape.ts';

/** Columns of the shadow that are computed until promotion, and of which it is not declared who computes them after it. */
export function computedUntilPromotion({ shadow, declaration }: Omit<DeclaredTables, 'primary'>): KeptColumn[] {
  return Object.entries(declaration.columns ?? {}).flatMap(([name, source]) => {
    const column = columnOf(shadow, name);
    if (!column || column.generated || !('sql' in source) || source.after === 'application') return [];
    return [{ column, sql: `(${source.sql})::${baseType(unbounded(column))}`, inputs: [] }];
  });
}

/** Columns of the old shape whose value is in the new one. One whose way back is declared is another value. */
export function inputsOf(tables: DeclaredTables): KeptInput[] {
  const { primary, declaration } = tables;
  return [...returns(tables)].flatMap(([name, back]) => {
    const declared = declaredOf(declaration.reverse, name);
    const target = columnOf(primary, name);
    if (!target || (declared && 'sql' in declared)) return [];
    return [{ name, from: back.name, sql: backOf(back, unbounded(target)), isCast: back.type !== target.type }];
  });
}

/** Of the inputs those that the expression can name. */
export const inputsNamed = (sql: string, inputs: readonly KeptInput[]): KeptInput[] => {
  const text = sql.toLowerCase();
  return inputs.filter(({ name }) => text.includes(name.replaceAll('"', '""').toLowerCase()));
};

/** True when an expression may read the row as a whole, which is not there after promotion. */
export function readsWholeRow(sql: string, primary: TableShape): boolean {
  const code = sql.replaceAll(/'(?:[^']|'')*'/g, "''");
  return columnOf(primary, 'p') === undefined && /(?<![\w."$])"?\bp\b"?(?!\s*\.\s*[\w"])/i.test(code);
}
