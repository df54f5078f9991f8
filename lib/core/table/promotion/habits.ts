/** What the preview says to people who change schemas with other tools, or hold transactions open: nothing of it stops a swap. */

import type { TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** Kinds that are said of every table, and so are no finding of this one. */
export const SAID_OF_ALL: ReadonlySet<string> = new Set(['schema tools', 'old snapshots']);

/** @param old name that the primary has after promotion */
export function habits(primary: TableDependents, shadow: TableDependents, old: string): PromotionItem[] {
  const tools = `Until cleanup the database has ${old}, the view ${shadow.name}, triggers named crossfade_… or ~crossfade_… and the schema crossfade, which no model of an ORM knows: drizzle-kit push and prisma db push offer to drop them, and schema dumps contain them. Let the tools leave them out (drizzle: tablesFilter ["!${old}", "!${shadow.name}"] and schemaFilter; Rails: ActiveRecord::SchemaDumper.ignore_tables), and do not push a schema meanwhile.`;
  const readers =
    'A transaction under REPEATABLE READ or SERIALIZABLE that began before the copy ended, such as a dump, delays promotion until it ends: its snapshot would show the new table without its rows. One that began before the swap and uses the table first after it gets 40001 (begin again) when it writes, and may miss the last changes when it only reads.';
  return [
    { action: 'notice', kind: 'schema tools', object: qualified(primary), text: tools },
    { action: 'notice', kind: 'old snapshots', object: qualified(primary), text: readers },
  ];
}
