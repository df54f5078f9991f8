/** Which values of a row people may see. What the declaration redacts is asked of no database, so that it is in no answer. */

import { columnPreviews, type DeclaredTables, declaredOf, sourceOf } from './column-sources.ts';
import type { ColumnNames } from './reading.ts';
import { columnOf } from './shape.ts';

type Pair = Omit<ColumnNames, 'redacted'>;

/** Each column of the shadow with the one that it is a copy of, then those of the primary that none is a copy of. */
export function columnNames(tables: DeclaredTables): ColumnNames[] {
  const { primary, declaration } = tables;
  const redact = new Set(declaration.redact);
  const pairs = columnPreviews(tables).map(({ shadow }): Pair => ({ primary: copiedBy(tables, shadow), shadow }));
  const copied = new Set(pairs.map((pair) => pair.primary));
  const rest = primary.columns.flatMap(({ name }) => (copied.has(name) ? [] : [{ primary: name, shadow: null }]));
  const isNamed = (name: string | null) => name !== null && redact.has(name);
  return [...pairs, ...rest].map((pair) => ({
    ...pair,
    redacted: isNamed(pair.primary) || isNamed(pair.shadow) || (redact.size > 0 && isComputed(tables, pair)),
  }));
}

function copiedBy(tables: DeclaredTables, name: string): string | null {
  const source = sourceOf(tables, name);
  return source !== null && 'from' in source ? source.from : null;
}

/** Of a column that is redacted, perhaps, under any name: what an expression reads is not looked for. */
function isComputed(tables: DeclaredTables, { primary, shadow }: Pair): boolean {
  const source = shadow === null ? null : sourceOf(tables, shadow);
  return (
    (source !== null && 'sql' in source) ||
    (shadow !== null && columnOf(tables.shadow, shadow)!.generated) ||
    (primary !== null && columnOf(tables.primary, primary)!.generated) ||
    (primary !== null && declaredOf(tables.declaration.reverse, primary) !== undefined)
  );
}
