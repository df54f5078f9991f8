/**
 * The key by which rows of both tables are found: which index of a table is one, what its columns become on the other side,
 * and by which expression a row is looked up there. Pure.
 */

import type { TableDeclaration } from '../cutover/table-declaration.ts';
import { castOf, unbounded } from './casts.ts';
import { type DeclaredTables, sourceOf } from './column-sources.ts';
import { castsExactly, namesExactly } from './equality.ts';
import { type Asked, beyondKey, type KeyColumns, type Mapping } from './mapping.ts';
import { rounds } from './rounding.ts';
import { baseType, type ColumnShape, columnOf, isPartitioned, quoteName, quoteText, type TableShape } from './shape.ts';

/** The table with the key that is declared, when a unique index over NOT NULL columns makes it one. */
export function withKey(table: TableShape, { key }: TableDeclaration, problems: string[]): TableShape {
  if (!key) return table;
  const found = keysOf(table).find((one) => sameColumns(one, key));
  if (found) return { ...table, key: found };
  const have = keysOf(table).map((one) => `(${one.join(', ')})`);
  problems.push(
    `the declared key (${key.join(', ')}) of ${table.schema}.${table.name} has no unique index of its own over NOT NULL columns; ${have.length > 0 ? `there is one over ${have.join(' and ')}` : 'there is none at all'}`,
  );
  return table;
}

const keysOf = (table: TableShape) => table.keys ?? (table.key ? [table.key] : []);
const sameColumns = (one: readonly string[], other: readonly string[]) =>
  one.length === other.length && one.every((name) => other.includes(name));

/** A key that every row is found by, on both sides. */
export function checkKey(primary: TableShape, problems: string[]): void {
  if (!primary.key) {
    const unusable = (primary.unusableKeys ?? []).map(
      ({ names, why }) => `(${names.join(', ')}) is none, since ${why}`,
    );
    problems.push(
      [
        `${primary.schema}.${primary.name} has no key: it needs a primary key, or a unique index over NOT NULL columns without a condition, neither of them DEFERRABLE`,
        ...unusable,
      ].join('; '),
    );
    return;
  }
  for (const name of primary.key) {
    const column = columnOf(primary, name);
    if (column && !canNameRows(column)) {
      problems.push(`key column '${name}' is of type ${column.type}, which cannot name a row`);
    }
    if (column && !column.deterministic) {
      problems.push(`key column '${name}' has a nondeterministic collation, under which different texts are one key`);
    }
  }
}

/** Lists and records are no key here, and a range of a type without a hash cannot even be joined by Postgres. */
function canNameRows(column: ColumnShape): boolean {
  if (/\[\]$|^(record|json|xml|oidvector|int2vector)$/.test(baseType(column)) || column.kind === 'c') return false;
  return column.hashes !== false || (column.kind !== 'r' && column.kind !== 'm');
}

/** A key column of the primary and the column of the shadow that it becomes; null where none comes from it. */
export function keyPair(tables: DeclaredTables, name: string): KeyPair | null {
  const source = columnOf(tables.primary, name)!;
  const target = tables.shadow.columns.find((column) => {
    const from = sourceOf(tables, column.name);
    return from !== null && 'from' in from && from.from === name;
  });
  return target ? boundlessPair(source, target) : null;
}

/** A key column on both sides, and the expression that is written, where it is not the plain one. */
export type KeyPair = KeyColumns & { written?: string; declared: readonly ColumnShape[] };

/** Keys are looked up by a cast, too: cut to the column's length, one key would find the row of another. */
export function boundlessPair(from: ColumnShape, to: ColumnShape): KeyPair {
  const [source, target] = [bare(from), bare(to)];
  const sql = from.base ? `(p.${quoteName(from.name)})::${target.type}` : castOf(source, target);
  const pair = { source, target, sql, declared: [from, to] };
  if (castsExactly(source.type, target.type)) return pair;
  const column = `p.${quoteName(from.name)}`;
  const refused = `crossfade.refuse_change(${quoteText(from.name)}, ${column}::text)`;
  const returns = baseType(from);
  const kept = `ROW((${sql})::${returns})::record *= ROW((${column})::${returns})::record`;
  return { ...pair, returns, written: `CASE WHEN ${kept} THEN ${sql} ELSE (${refused})::${target.type} END` };
}

/** As `"bit"`, which is bit of any length: an index on bits is of no use to a comparison with bit varying. */
const bare = (column: ColumnShape): ColumnShape => ({
  ...column,
  type: baseType(column).startsWith('bit(') ? '"bit"' : baseType(unbounded(column)),
  base: null,
});

export const sameKeys = ({ declared }: KeyPair) => declared.every(namesExactly);

/**
 * Rows are found and made unique by the key on both sides, so the shadow needs the same key. In a partitioned table Postgres demands
 * what it is partitioned by in every key, so there a wider one does.
 * @returns the columns of the shadow's key
 */
export function targetKey(shadow: TableShape, wanted: readonly string[], problems: string[]): readonly string[] {
  const have = shadow.key ?? [];
  if (keysOf(shadow).some((key) => sameColumns(key, wanted))) return wanted;
  const [wider] = isPartitioned(shadow)
    ? keysOf(shadow)
        .filter((key) => wanted.every((name) => key.includes(name)))
        .sort((one, other) => one.length - other.length)
    : [];
  if (wider) return wider;
  const unusable = shadow.unusableKeys?.find(({ names }) => sameColumns(names, wanted));
  const none = have.length > 0 ? `it has (${have.join(', ')})` : 'it has none';
  problems.push(
    `${shadow.schema}.${shadow.name} must have the key (${wanted.join(', ')}) that the primary's key becomes; ${unusable ? unusable.why : none}`,
  );
  return wanted;
}

/** What the shadow's key has beside the primary's must come from the primary: by it a row has its place among the partitions. */
export function checkWiderKey(shadow: TableShape, mapping: Mapping, problems: string[]): void {
  for (const name of beyondKey(mapping)) {
    const source = mapping.written.find(({ target, insertOnly }) => target === name && !insertOnly);
    if (!source)
      problems.push(
        `column '${name}' is part of the key of ${shadow.schema}.${shadow.name}, so it must come from the primary: declare it with { from } or { sql }`,
      );
  }
}

/** Keys that are equal on one side must be the same key on the other, and no two may become one. */
export function checkKeyPair(pair: KeyPair, problems: string[]): void {
  const { source, target } = pair;
  if (source.type !== target.type && !sameKeys(pair))
    problems.push(
      `key column '${source.name}' is ${source.type} in the one table and ${target.type} in the other: keys that are equal in the one are different in the other. Give both the same type`,
    );
  const [from, to] = rounds(source.type, target.type) ? [source.type, target.type] : [target.type, source.type];
  if (rounds(from, to))
    problems.push(
      `key column '${source.name}' is ${source.type} in the one table and ${target.type} in the other: a cast from ${from} to ${to} rounds, so two rows could become one`,
    );
}

/** A key that a cast would round is refused before anything is armed. */
export const askedOfKey = ({ written }: KeyPair): Asked | null => (written === undefined ? null : 'changes');
