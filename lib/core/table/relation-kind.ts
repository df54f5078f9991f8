/** What has columns like a table and is none that can cross over: what it is called, and what to do. */

import type { TableShape } from './shape.ts';

const OTHERS: Readonly<Record<string, { kind: string; advice: string }>> = {
  v: { kind: 'view', advice: 'name the table under it' },
  m: { kind: 'materialized view', advice: 'name the tables that it reads' },
  f: {
    kind: 'foreign table',
    advice: 'its rows are on another server, where no trigger of this one sees them change, so move it there',
  },
  S: { kind: 'sequence', advice: 'sequences move with the table that they belong to' },
};

/** Null for a table, partitioned or not. `text` is a sentence without its subject and its full stop. */
export function otherThanTable({ relkind }: Pick<TableShape, 'relkind'>): { kind: string; text: string } | null {
  if (relkind === 'r' || relkind === 'p') return null;
  const { kind, advice } = OTHERS[relkind] ?? { kind: `relation of kind '${relkind}'`, advice: 'name a table' };
  return { kind, text: `is a ${kind}. Only tables can cross over: ${advice}` };
}

/** Of those that have no rows or no key of their own. */
export function relationProblems(relations: readonly TableShape[]): string[] {
  return relations.flatMap((relation) => {
    const other = otherThanTable(relation);
    return other ? [`${relation.schema}.${relation.name} ${other.text}`] : [];
  });
}
