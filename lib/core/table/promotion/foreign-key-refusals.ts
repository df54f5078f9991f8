/** Why a foreign key cannot be made again against the table that gets the name. */

import type { ForeignKey, TableDependents } from './dependents.ts';
import { type KeyColumns, referencedBy } from './foreign-key-statement.ts';
import { comparable } from './moved.ts';
import { qualified } from './refusals.ts';

export function reasonAgainst(
  foreignKey: ForeignKey,
  from: TableDependents,
  to: TableDependents,
  key: KeyColumns,
): string | null {
  const referencing = qualified(foreignKey.table);
  if (foreignKey.table.oid === to.oid) {
    return 'The new table references the old one, which is dropped in the end. Let it reference itself, or drop the foreign key.';
  }
  if (foreignKey.table.relkind === 'p' || foreignKey.inherited) {
    return `${referencing} is partitioned, and a foreign key of a partitioned table cannot be made without checking every row under the lock. Drop it before the swap and add it after it.`;
  }
  if (!foreignKey.enforced || foreignKey.period) {
    return 'Foreign keys with PERIOD or NOT ENFORCED cannot be made again yet. Drop it before the swap and add it after it.';
  }
  if (!foreignKey.table.ours) {
    return `The role that swaps must own ${referencing} to make it again. Grant it the role that owns ${referencing}.`;
  }
  return reasonAgainstColumns(foreignKey, from, to, key);
}

function reasonAgainstColumns(
  foreignKey: ForeignKey,
  from: TableDependents,
  to: TableDependents,
  key: KeyColumns,
): string | null {
  const wanted = foreignKey.referencedColumns;
  if (wanted.length !== key.size || !wanted.every((column) => key.has(column))) {
    return `It references (${wanted.join(', ')}) of ${qualified(from)}; only foreign keys to the key (${[...key.keys()].join(', ')}) can be made again. Drop it before the swap and add it after it.`;
  }
  const odd = wanted.findIndex((column, index) => !comparable(foreignKey.types[index]!, key.get(column)!.type));
  if (odd < 0) return notUnique(foreignKey, to, key);
  const column = key.get(wanted[odd]!)!;
  return `${referencing(foreignKey, odd)} is ${foreignKey.types[odd]}, and ${qualified(to)}.${column.name} is ${column.type}: no foreign key can compare them. Give both the same type first.`;
}

/** A partitioned table whose key is wider than what is referenced. */
function notUnique(foreignKey: ForeignKey, to: TableDependents, key: KeyColumns): string | null {
  if (to.partitionedBy === null) return null;
  const wanted = referencedBy(foreignKey, key);
  const serves = ({ unique, valid, columns }: TableDependents['indexes'][number]) =>
    unique && valid && columns.length === wanted.length && wanted.every((name) => columns.includes(name));
  if (to.indexes.some(serves)) return null;
  return `It references (${wanted.join(', ')}), and ${qualified(to)}, partitioned by ${to.partitionedBy}, can have no unique index over these alone. Drop it before the swap; after it the application keeps it, or it references what the table is partitioned by, too.`;
}

const referencing = (foreignKey: ForeignKey, index: number) =>
  `${qualified(foreignKey.table)}.${foreignKey.columns[index]}`;
