/** Logical replication: publications that name the table, and the replica identity without which they refuse changes. */

import { quoteName, quoteTable } from '../shape.ts';
import type { Publication, TableDependents } from './dependents.ts';
import { type Move, type Moved, misfit, nothingMoved, sentence } from './moved.ts';
import { qualified } from './refusals.ts';

export function movePublications(move: Move): Moved {
  const moved = nothingMoved();
  for (const publication of move.from.publications) {
    const object = publication.name;
    if (move.keep('publication', object)) continue;
    if (!publication.direct) {
      moved.items.push({
        action: 'notice',
        kind: 'publication',
        object,
        text: reach(publication, move),
      });
      continue;
    }
    const why = reasonAgainst(publication, move);
    if (why) {
      moved.items.push({ action: 'refuse', kind: 'publication', object, text: why });
      continue;
    }
    const name = quoteName(publication.name);
    moved.before.push(`ALTER PUBLICATION ${name} DROP TABLE ONLY ${quoteTable(move.from)}`);
    moved.after.push(`ALTER PUBLICATION ${name} ADD TABLE ONLY ${quoteTable(move.from)}${restrictions(publication)}`);
    const text = `publishes the new ${move.from.name}, with its columns and filter: subscribers need the new shape by the swap`;
    moved.items.push({ action: 'rebuild', kind: 'publication', object, text });
  }
  return moved;
}

/** It cannot leave out a table that it publishes with all others. */
function reach(publication: Publication, { to }: Move): string {
  const { name, everything } = publication;
  const named =
    to.partitionedBy !== null && !publication.viaRoot ? ` ${sentence(UNDER_NAMES, viaRoot(publication))}` : '';
  const also = everything
    ? `${qualified(to)} and the tables of schema crossfade, since it publishes every table`
    : `${qualified(to)}, since it publishes every table of the schema`;
  const remedy = `There is no way to leave tables out of it but to name the others: DROP PUBLICATION ${quoteName(name)}, then CREATE PUBLICATION ${quoteName(name)} FOR TABLE …`;
  return `publishes the table by its name: subscribers need the columns of the new shape by the swap. It also publishes ${also}: a subscription that is refreshed needs these tables, too, or fails. ${remedy}${named}`;
}

const UNDER_NAMES = 'would publish changes of the new table under the names of its partitions';
const viaRoot = ({ name }: Publication) =>
  `Run ALTER PUBLICATION ${quoteName(name)} SET (publish_via_partition_root = true), which changes nothing for other tables.`;

function restrictions({ columns, filter }: Publication): string {
  const list = columns === null ? '' : ` (${columns.map(quoteName).join(', ')})`;
  return `${list}${filter === null ? '' : ` WHERE (${filter})`}`;
}

function reasonAgainst(publication: Publication, move: Move): string | null {
  const why = misfit([...publication.uses, ...(publication.columns ?? [])], move);
  if (why)
    return sentence(why, 'Change its columns and filter to the new shape, or take the table out of the publication.');
  if (move.to.partitionedBy !== null && !publication.viaRoot) return sentence(UNDER_NAMES, viaRoot(publication));
  if (!publication.ours)
    return 'The role that swaps must own it to change its tables. Grant it, or take the table out of the publication.';
  if (publication.changes && identifies(move.from) && !identifiesThen(move)) {
    return `It publishes updates and deletes, and ${qualified(move.to)} has nothing to tell rows apart by: the application’s writes would fail. Give it a primary key, or a replica identity.`;
  }
  return null;
}

/** Can Postgres tell subscribers which row was updated or deleted? */
export function identifies({ replicaIdentity, constraints, indexes }: TableDependents): boolean {
  if (replicaIdentity === 'd') return constraints.some(({ type }) => type === 'p');
  if (replicaIdentity === 'i') return indexes.some((index) => index.identifies);
  return replicaIdentity !== 'n';
}

/** Changes of a partitioned table are those of its partitions, each with an identity of its own. */
export const identities = (table: TableDependents, what: string): string[] =>
  [table, ...table.partitions].map((one) => `ALTER TABLE ${quoteTable(one)} REPLICA IDENTITY ${what}`);

/** With the identity that it gets by the swap; an index that it has not is refused where the identity is carried. */
const identifiesThen = ({ from, to }: Move): boolean =>
  to.replicaIdentity === 'd' && from.replicaIdentity !== 'd' ? from.replicaIdentity !== 'n' : identifies(to);

/**
 * @param columns by column of `from`, that of `to`
 * @param renamed the name that an index of `to` has after the renames
 */
export function carryIdentity(
  move: Move,
  columns: ReadonlyMap<string, string>,
  renamed: (index: string) => string,
): Moved {
  const moved = nothingMoved();
  const { from, to } = move;
  if (from.replicaIdentity === 'd' || to.replicaIdentity !== 'd') return moved;
  const item = { kind: 'replica identity', object: qualified(from) };
  if (from.replicaIdentity !== 'i') {
    const what = from.replicaIdentity === 'f' ? 'FULL' : 'NOTHING';
    moved.after.push(...identities({ ...to, schema: from.schema, name: from.name }, what));
    moved.items.push({ action: 'carry', ...item, text: `the new ${from.name} gets REPLICA IDENTITY ${what}` });
    return moved;
  }
  if (to.partitionedBy !== null) {
    const text = `It is an index, and each partition of ${qualified(to)} would need one of its own. Set REPLICA IDENTITY DEFAULT or FULL first.`;
    moved.items.push({ action: 'refuse', ...item, text });
    return moved;
  }
  const names = from.indexes.find(({ identifies }) => identifies)?.columns.map((name) => columns.get(name ?? ''));
  const index = to.indexes.find(
    ({ unique, valid, immediate, columns: has }) =>
      unique &&
      valid &&
      immediate &&
      has.join() === names?.join() &&
      has.every((name) => to.columns.some((column) => column.name === name && column.notNull)),
  );
  if (!index) {
    const text = `It is an index, and ${qualified(to)} has no unique index on the same columns that are NOT NULL. Create one, or set REPLICA IDENTITY DEFAULT.`;
    moved.items.push({ action: 'refuse', ...item, text });
    return moved;
  }
  moved.after.push(`ALTER TABLE ${quoteTable(from)} REPLICA IDENTITY USING INDEX ${quoteName(renamed(index.name))}`);
  moved.items.push({ action: 'carry', ...item, text: `the new ${from.name} is identified by ${renamed(index.name)}` });
  return moved;
}
