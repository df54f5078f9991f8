/** What the plan says to people who change schemas with other tools, or hold transactions open: nothing of it stops a swap. */

import type { TableDeclaration } from '../cutover.ts';
import type { TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/**
 * Columns that are computed from others until the promotion. After it nothing computes them: a statement in the old words would
 * leave them as they are on UPDATE and NULL on INSERT. A column that the table itself generates goes on by itself.
 */
export function computedColumns(shadow: TableDependents, declaration: TableDeclaration): PromotionItem[] {
  return Object.entries(declaration.columns ?? {}).flatMap(([name, source]): PromotionItem[] => {
    const column = shadow.columns.find((one) => one.name === name);
    if (!('sql' in source) || source.after === 'application' || !column || column.generated !== '') return [];
    const text = `is computed until promotion, and by nobody after it: an UPDATE leaves it as it is, an INSERT without it gives ${column.default ?? 'NULL'}. Let the application write it from promotion on and declare { sql, after: 'application' }, or make it a generated column of the shadow: GENERATED ALWAYS AS (…) STORED.`;
    return [{ action: 'notice', kind: 'computed column', object: `${qualified(shadow)}.${name}`, text }];
  });
}

/** Kinds that are said of every table, and so are no finding of this one. */
export const SAID_OF_ALL: ReadonlySet<string> = new Set(['schema tools', 'old snapshots']);

/** @param old name that the primary has after promotion */
export function habits(primary: TableDependents, shadow: TableDependents, old: string): PromotionItem[] {
  const tools = `Until cleanup the database has ${old}, the view ${shadow.name}, triggers named crossfade_… and the schema crossfade, which no model of an ORM knows: drizzle-kit push and prisma db push offer to drop them, and schema dumps contain them. Let the tools leave them out (drizzle: tablesFilter ["!${old}", "!${shadow.name}"] and schemaFilter; Rails: ActiveRecord::SchemaDumper.ignore_tables), and do not push a schema meanwhile.`;
  const readers =
    'A transaction under REPEATABLE READ or SERIALIZABLE that began before the copy ended, such as a dump, delays promotion until it ends: its snapshot would show the new table without its rows.';
  return [
    { action: 'notice', kind: 'schema tools', object: qualified(primary), text: tools },
    { action: 'notice', kind: 'old snapshots', object: qualified(primary), text: readers },
  ];
}
