/** What has columns like a table and is none that can cross over: what it is called, and what to do. */

import type { TableShape } from './shape.ts';

const OTHERS: Readonly<Record<string, { kind: string; advice: string }>> = {
  v: { kind: 'view', advice: 'name the table under it' },
  m: { kind: 'materialized view', advice: 'name the tables that it reads' },
  f: {
    kind: 'foreign table',
    advice: 'its rows are on another server, where no trigger of this one sees them change, so move it there',
  },
  p: { kind: 'partitioned table', advice: 'detach its partitions, and move each as a table of its own' },
  S: { kind: 'sequence', advice: 'sequences move with the table that they belong to' },
};
/** Null for an ordinary table. `text` is a sentence without its subject and its full stop. */
export function otherThanTable({ relkind }: Pick<TableShape, 'relkind'>): { kind: string; text: string } | null {
  if (relkind === 'r') return null;
  const { kind, advice } = OTHERS[relkind] ?? { kind: `relation of kind '${relkind}'`, advice: 'name a table' };
  return { kind, text: `is a ${kind}. Only ordinary tables can cross over: ${advice}` };
}

/** Of those that have no rows or no key of their own; a partitioned table has, and a preview names it with what hangs on it. */
export function relationProblems(relations: readonly TableShape[]): string[] {
  return relations.flatMap((relation) => {
    const other = relation.relkind === 'p' ? null : otherThanTable(relation);
    return other ? [`${relation.schema}.${relation.name} ${other.text}`] : [];
  });
}
