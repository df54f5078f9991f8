/**
 * Foreign keys that reference the table whose name is taken away. They know the table, not its name, so each is dropped
 * and made again against the other table: NOT VALID under the lock, which is instant, and validated after it.
 */

import { quoteName, quoteTable, quoteText } from '../table-shape.ts';
import type { ForeignKey, TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

export type Repointed = { drop: string[]; add: string[]; validate: string[]; lock: number[]; items: PromotionItem[] };

/** `key`: by key column of the table that is left, the column of the other one and its type. */
export type KeyColumns = ReadonlyMap<string, { name: string; type: string }>;

const ACTIONS: Readonly<Record<string, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};
const MATCHES: Readonly<Record<string, string>> = { f: 'MATCH FULL', p: 'MATCH PARTIAL', s: 'MATCH SIMPLE' };

/** Types between which `=` is in one operator family, so that a foreign key may cross. */
const FAMILIES = [
  ['smallint', 'integer', 'bigint'],
  ['text', 'character varying', 'name'],
  ['date', 'timestamp without time zone', 'timestamp with time zone'],
  ['real', 'double precision'],
];

/**
 * @param from referenced now
 * @param to referenced afterwards, under `name`
 */
export function repoint(
  keys: readonly ForeignKey[],
  from: TableDependents,
  to: TableDependents,
  name: string,
  key: KeyColumns,
): Repointed {
  const plan: Repointed = { drop: [], add: [], validate: [], lock: [], items: [] };
  for (const foreignKey of keys) {
    const object = `${qualified(foreignKey.table)}.${foreignKey.name}`;
    const refusal = reasonAgainst(foreignKey, from, to, key);
    if (refusal) {
      plan.items.push({ action: 'refuse', kind: 'foreign key', object, text: refusal });
      continue;
    }
    const table = quoteTable(foreignKey.table);
    plan.lock.push(foreignKey.table.oid);
    plan.drop.push(`ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(foreignKey.name)}`);
    plan.add.push(...addStatements(foreignKey, quoteTable({ schema: to.schema, name }), key));
    if (foreignKey.validated)
      plan.validate.push(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${quoteName(foreignKey.name)}`);
    const text = `is dropped and made again against the new ${name} (${referencedBy(foreignKey, key).join(', ')}), and validated after the swap`;
    plan.items.push({ action: 'rebuild', kind: 'foreign key', object, text });
  }
  return plan;
}

const referencedBy = (foreignKey: ForeignKey, key: KeyColumns) =>
  foreignKey.referencedColumns.map((column) => key.get(column)!.name);

function addStatements(foreignKey: ForeignKey, target: string, key: KeyColumns): string[] {
  const table = quoteTable(foreignKey.table);
  const name = quoteName(foreignKey.name);
  const list = (columns: readonly string[]) => columns.map(quoteName).join(', ');
  const onDelete = `${ACTIONS[foreignKey.onDelete]}${foreignKey.setColumns ? ` (${list(foreignKey.setColumns)})` : ''}`;
  const deferrable = foreignKey.deferrable
    ? ` DEFERRABLE INITIALLY ${foreignKey.deferred ? 'DEFERRED' : 'IMMEDIATE'}`
    : '';
  const added = `ALTER TABLE ${table} ADD CONSTRAINT ${name} FOREIGN KEY (${list(foreignKey.columns)}) REFERENCES ${target} (${list(
    referencedBy(foreignKey, key),
  )}) ${MATCHES[foreignKey.match]} ON UPDATE ${ACTIONS[foreignKey.onUpdate]} ON DELETE ${onDelete}${deferrable} NOT VALID`;
  if (foreignKey.comment === null) return [added];
  return [added, `COMMENT ON CONSTRAINT ${name} ON ${table} IS ${quoteText(foreignKey.comment)}`];
}

function reasonAgainst(
  foreignKey: ForeignKey,
  from: TableDependents,
  to: TableDependents,
  key: KeyColumns,
): string | null {
  const referencing = qualified(foreignKey.table);
  if (foreignKey.table.oid === from.oid) {
    return 'The table references itself, and its rows would be checked against the old table. Drop the foreign key before the swap and add it after it.';
  }
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
  if (odd < 0) return null;
  const column = key.get(wanted[odd]!)!;
  return `${referencing(foreignKey, odd)} is ${foreignKey.types[odd]}, and ${qualified(to)}.${column.name} is ${column.type}: no foreign key can compare them. Give both the same type first.`;
}

const referencing = (foreignKey: ForeignKey, index: number) =>
  `${qualified(foreignKey.table)}.${foreignKey.columns[index]}`;

function comparable(a: string, b: string): boolean {
  const base = (type: string) => type.replace(/\(.*\)/, '');
  return base(a) === base(b) || FAMILIES.some((family) => family.includes(base(a)) && family.includes(base(b)));
}

export function outgoingMissing(
  from: TableDependents,
  to: TableDependents,
  columns: ReadonlyMap<string, string>,
): PromotionItem[] {
  return from.outgoing
    .filter(
      (foreignKey) =>
        !to.outgoing.some(
          (other) =>
            other.references.oid === foreignKey.references.oid &&
            other.columns.join() === foreignKey.columns.map((column) => columns.get(column)).join(),
        ),
    )
    .map((foreignKey) => ({
      action: 'notice',
      kind: 'foreign key',
      object: `${qualified(from)}.${foreignKey.name}`,
      text: `${qualified(to)} has no foreign key on the same columns to ${qualified(foreignKey.references)}: the new shape drops it.`,
    }));
}
