/**
 * Foreign keys that the shadow had before it began to follow. They were set aside, since they would have made deletes of the
 * application fail until the mirror had followed; the promoted table gets them, under the names that go with its new one.
 */

import { quoteName, quoteTable } from '../shape.ts';
import type { ForeignKey, TableDependents } from './dependents.ts';
import { fitName } from './fit-name.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** What a remembered foreign key references now; no columns when it is unknown which took their place. */
export type ForeignKeyAside = Omit<ForeignKey, 'referencedColumns'> & { referencedColumns: readonly string[] | null };

export type GivenKey = { item: PromotionItem; key: ForeignKey | null };

/** @param taken names of the shadow's constraints after the renames */
export function giveForeignKey(
  aside: ForeignKeyAside,
  primary: TableDependents,
  shadow: TableDependents,
  taken: ReadonlySet<string>,
): GivenKey {
  const name = nameAfter(aside, primary, shadow, taken);
  const object = `${qualified(shadow)}.${aside.name}`;
  const why = reasonAgainst(aside, shadow, name, taken);
  if (why !== null || aside.referencedColumns === null) {
    return { item: { action: 'refuse', kind: 'foreign key', object, text: why ?? '' }, key: null };
  }
  const text = `was set aside while rows are mirrored; the new ${primary.name} gets it back as ${name}, and it is validated after the swap`;
  return {
    item: { action: 'rebuild', kind: 'foreign key', object, text },
    key: { ...aside, referencedColumns: aside.referencedColumns, name },
  };
}

/** As the renames of promotion have it: what is named after its table moves along. */
export function nameAfter(
  { name }: { name: string },
  primary: TableDependents,
  shadow: TableDependents,
  taken: ReadonlySet<string> = new Set(),
): string {
  const prefix = `${shadow.name}_`;
  if (!name.startsWith(prefix)) return name;
  return fitName(`${primary.name}_${name.slice(prefix.length)}`, '', (one) => taken.has(one));
}

function reasonAgainst(
  { references, referencedColumns, columns }: ForeignKeyAside,
  shadow: TableDependents,
  name: string,
  taken: ReadonlySet<string>,
): string | null {
  const giveUp = `Delete its row of crossfade.key_aside if the new shape is to be without it.`;
  if (taken.has(name))
    return `It was set aside, and would come back as ${name}, which another constraint is called. Rename that one.`;
  if (!references.ours)
    return `The role that swaps must own ${qualified(references)} to make it again. Grant it the role that owns it.`;
  if (referencedColumns === null)
    return `It was set aside, and ${qualified(references)} has no column any more that it could reference. ${giveUp}`;
  const gone = columns.find((column) => !shadow.columns.some((one) => one.name === column));
  return gone === undefined ? null : `It was set aside, and its column ${gone} is gone. ${giveUp}`;
}

/** A foreign key that the primary has not got: nothing says that the mirrored rows satisfy it. */
export type UnprovenForeignKey = { name: string; object: string; query: string };

/** @param key with what it references now; the query counts rows that it would not allow */
export function unproven(key: ForeignKey, shadow: TableDependents): UnprovenForeignKey {
  const target = key.references.oid === shadow.oid ? shadow : key.references;
  const pairs = key.columns.map((column, index) => [column, key.referencedColumns[index]!] as const);
  const given = pairs.map(([column]) => `s.${quoteName(column)} IS NOT NULL`);
  const same = pairs.map(([column, referenced]) => `r.${quoteName(referenced)} = s.${quoteName(column)}`);
  const query = `SELECT pg_catalog.count(*)::integer AS rows FROM ${quoteTable(shadow)} s
    WHERE ${given.join(' AND ')} AND NOT EXISTS (SELECT FROM ${quoteTable(target)} r WHERE ${same.join(' AND ')})`;
  return { name: key.name, object: qualified(target), query };
}
