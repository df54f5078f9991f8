/** What a partitioned table must be before anything is armed, and what is said of one that is to be promoted. */

import { beyondKey, type Mapping } from '../mapping.ts';
import { quoteName, quoteTable } from '../shape.ts';
import type { Dependents, Partition, TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** Those that hold rows. */
export const leaves = ({ partitions }: TableDependents): readonly Partition[] => partitions.filter(({ leaf }) => leaf);

/** @param mapping from the primary to the shadow */
export function checkPartitions(dependents: Dependents, mapping: Mapping): PromotionItem[] {
  const { primary, shadow } = dependents;
  return [
    ...[primary, shadow].flatMap((table) => [
      ...refuseEmpty(table),
      ...table.partitions.flatMap((one) => refusePartition(table, one)),
    ]),
    ...checkWider(shadow, mapping),
    ...noticeNames(shadow),
    ...triggersOfPartitions(dependents),
    ...ofPartitionsAlone(dependents),
  ];
}

function refuseEmpty(table: TableDependents): PromotionItem[] {
  if (table.partitionedBy === null || leaves(table).length > 0) return [];
  const text = `It is partitioned by ${table.partitionedBy} and has no partition, so it takes no row. Create its partitions first: CREATE TABLE … PARTITION OF ${quoteTable(table)} FOR VALUES ….`;
  return [{ action: 'refuse', kind: 'partitioned table', object: qualified(table), text }];
}

function refusePartition(table: TableDependents, one: Partition): PromotionItem[] {
  const refuse = (text: string): PromotionItem[] => [
    { action: 'refuse', kind: 'partition', object: qualified(one), text },
  ];
  if (one.persistence !== 'p')
    return refuse(`Its rows would be lost in a crash. Run ALTER TABLE ${quoteTable(one)} SET LOGGED.`);
  if (!one.ours)
    return refuse(
      `The role that swaps must own each partition of ${qualified(table)}. Grant it the role that owns this one.`,
    );
  return [];
}

/** The shadow's key is wider than the primary's: Postgres no longer keeps the primary's unique, and has to find rows by a part of its own. */
function checkWider(shadow: TableDependents, mapping: Mapping): PromotionItem[] {
  if (beyondKey(mapping).length === 0) return [];
  const key = mapping.key.map(({ target }) => target.name);
  const item = { kind: 'partitioned table', object: qualified(shadow) };
  const index = shadow.indexes.find(({ valid, columns }) => valid && key.every((name, i) => columns[i] === name));
  if (!index) {
    const text = `Rows are found by (${key.join(', ')}), and no index of its partitions begins with that: each look would read all of them. Run CREATE INDEX ON ${quoteTable(shadow)} (${key.map(quoteName).join(', ')}).`;
    return [{ action: 'refuse', ...item, text }];
  }
  const text = `Its key is (${mapping.unique.join(', ')}), since Postgres demands what it is partitioned by in every key. Rows are found by (${key.join(', ')}) through ${index.name}, in each of ${leaves(shadow).length} partitions. After promotion nothing keeps (${key.join(', ')}) unique: ON CONFLICT (${key.join(', ')}) fails, and a second row of one key cannot go back.`;
  return [{ action: 'notice', ...item, text }];
}

/** Triggers of the table are cloned to its partitions and move with it; what a partition has of its own does not. */
function triggersOfPartitions({ primary, shadow }: Dependents): PromotionItem[] {
  const items = (table: TableDependents, action: 'refuse' | 'notice', text: string) =>
    table.partitions.flatMap((one) =>
      one.triggers.map((name) => ({ action, kind: 'trigger', object: `${name} on ${qualified(one)}`, text })),
    );
  return [
    ...items(
      primary,
      'notice',
      'It is of this partition alone and is not carried: create it on the new table if it is needed there. It acts on rows that come back, and one that changes them makes both sides differ: disable it at the promotion.',
    ),
    ...items(
      shadow,
      'refuse',
      'It would fire for every row that is mirrored and could change it. Disable it, and enable it after the swap.',
    ),
  ];
}

const MOST_NAMES = 3;

/** After promotion the name of a partition of the primary is that of one of the old table. */
function ofPartitionsAlone({ primary, ofPartitions = [] }: Dependents): PromotionItem[] {
  const keys = ofPartitions.filter(({ kind }) => kind === 'foreign key');
  const users = ofPartitions.filter(({ kind, root }) => kind === 'user' && root === primary.oid);
  const parts = ofPartitions.filter(({ kind, root }) => kind === 'part' && root === primary.oid);
  return [
    ...keys.map(({ object, partition }): PromotionItem => {
      const text = `It is of or to partition ${partition} alone. On a table that is only kept equal it makes statements of the application wait for the mirror, or fail. Drop it before the start, and add it to the new table after the promotion.`;
      return { action: 'refuse', kind: 'foreign key', object, text };
    }),
    ...users.map(({ object, partition }): PromotionItem => {
      const text = `It uses partition ${partition} by its own name, and goes on so: after promotion that is the old table, which follows until cleanup, and cleanup is refused while it does. Let it use the new table, or drop it.`;
      return { action: 'notice', kind: 'partition', object, text };
    }),
    ...[...new Set(parts.map(({ object }) => object))].map((object): PromotionItem => {
      const names = parts.filter((one) => one.object === object).map(({ partition }) => partition);
      const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
      const text = `of ${names.slice(0, MOST_NAMES).join(', ')}${more}: of a partition alone, and not carried. Make it on the new table if it is needed there.`;
      return { action: 'notice', kind: 'partition', object, text };
    }),
  ];
}

function noticeNames(shadow: TableDependents): PromotionItem[] {
  if (shadow.partitionedBy === null) return [];
  const text = `${leaves(shadow).length} partitions by ${shadow.partitionedBy} keep their names, rights and comments. A row for which there is none waits in quarantine until it is created.`;
  return [{ action: 'notice', kind: 'partitions', object: qualified(shadow), text }];
}
