/**
 * What must be settled before anything is armed, since the data plane or the application would fail by it, or a promotion would
 * lose or mistake rows in silence. The preview says it, and the start refuses it, in the same words.
 */

import type { TableDeclaration } from '../../cutover/table-declaration.ts';
import type { Mapping } from '../mapping.ts';
import { quoteName, quoteTable } from '../shape.ts';
import { checkColumnOrder } from './column-order.ts';
import { checkCompanions } from './companions.ts';
import type { Dependents, TableDependents } from './dependents.ts';
import { checkPartitions } from './partitions.ts';
import { columnsOf } from './prepared-swap.ts';
import { type PromotionItem, qualified } from './refusals.ts';
import { identifies } from './replication.ts';

/**
 * Refusals only of what is refused at the start, too; notices are for the preview.
 * @param mapping from the primary to the shadow
 */
export function checkBeforeStart(
  dependents: Dependents,
  declaration: TableDeclaration,
  mapping: Mapping,
): PromotionItem[] {
  const { primary, shadow } = dependents;
  return [
    ...[primary, shadow].flatMap((table) => [
      ...refuseSubscribed(table),
      ...refuseUnidentified(table),
      ...refuseNamedInText(table),
    ]),
    ...checkPartitions(dependents, mapping),
    ...checkCompanions(dependents, mapping.companions ?? []),
    ...checkColumnOrder(primary, shadow, columnsOf(dependents, declaration), declaration.columnOrder),
  ];
}

/** A subscription finds its table by name: after promotion it would write the other one, or skip what it does not find. */
function refuseSubscribed(table: TableDependents): PromotionItem[] {
  return table.subscriptions.map((name) => ({
    action: 'refuse',
    kind: 'subscription',
    object: `${name} for ${qualified(table)}`,
    text: `It fills the table from another server, and finds it by its name: after promotion what it brings would be skipped, or written into the other shape. Take the table out of its publication there (ALTER PUBLICATION … DROP TABLE), then run ALTER SUBSCRIPTION ${quoteName(name)} REFRESH PUBLICATION here.`,
  }));
}

/** Postgres refuses each UPDATE and DELETE of such a table (55000), the application's and ours. */
function refuseUnidentified(table: TableDependents): PromotionItem[] {
  if (identifies(table)) return [];
  const index = table.indexes.find(({ unique, valid, immediate, columns }) => {
    const known = (name: string | null) => table.columns.some((column) => column.name === name && column.notNull);
    return unique && valid && immediate && columns.every(known);
  });
  const remedy = index
    ? `ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY USING INDEX ${quoteName(index.name)}`
    : `ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY FULL`;
  return table.publications
    .filter(({ changes }) => changes)
    .map(({ name }) => ({
      action: 'refuse',
      kind: 'publication',
      object: `${name} for ${qualified(table)}`,
      text: `It publishes updates and deletes, and ${qualified(table)} has no replica identity: Postgres refuses each UPDATE and DELETE of it. Give it a primary key, or run ${remedy}.`,
    }));
}

/** nextval('s'::text): Postgres does not know that the column needs the sequence, and drops it with the table that owns it. */
function refuseNamedInText(table: TableDependents): PromotionItem[] {
  return table.columns.flatMap(({ name, default: text }): PromotionItem[] => {
    const named = /nextval\(\(('(?:[^']|'')+')::text\)::regclass\)/.exec(text ?? '')?.[1];
    if (named === undefined) return [];
    return [
      {
        action: 'refuse',
        kind: 'sequence',
        object: `${qualified(table)}.${name}`,
        text: `Its default names the sequence ${named} in a text, so neither Postgres nor the swap knows that the column needs it: cleanup could drop it with the old table. Name the sequence itself: ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteName(name)} SET DEFAULT nextval(${named}).`,
      },
    ];
  });
}
