/** What the load knows of the table, read from the catalog: which columns it may set, how a row is named, what can be inserted. */

import type postgres from 'postgres';
import { quoteName, quoteTable, quoteText } from '../../../lib/core/table/shape.ts';

type LoadColumn = {
  ident: string;
  /** Part of a unique index or of the key. */
  unique: boolean;
  /** Computed or always generated: never written. */
  computed: boolean;
  hasDefault: boolean;
};

export type LoadTable = {
  /** Quoted, with its schema. */
  ident: string;
  columns: readonly LoadColumn[];
  /** Quoted names of the columns of the key. */
  key: readonly string[];
  /** A foreign key of another table refers to it, so that a delete could take rows of that one. */
  referenced: boolean;
  /** What an INSERT gives the key: null for its default, else an expression; undefined where none is known. */
  newKey: string | null | undefined;
};

type Seen = {
  name: string;
  type: string;
  unique: boolean;
  computed: boolean;
  has_default: boolean;
  referenced: boolean;
};

const WHOLE_NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'numeric']);

/** The columns that both shapes have: statements that name no other are right before and after promotion. */
export function inBothShapes(primary: LoadTable, shadow: LoadTable): LoadTable {
  const columns = primary.columns.flatMap((column) => {
    const other = shadow.columns.find(({ ident }) => ident === column.ident);
    return other
      ? [{ ...column, computed: column.computed || other.computed, unique: column.unique || other.unique }]
      : [];
  });
  return { ...primary, columns };
}

/** `schema.name`, as the catalog spells both; the schema ends at the first dot. */
export function splitName(name: string): { schema: string; name: string } {
  const dot = name.indexOf('.');
  return { schema: name.slice(0, dot), name: name.slice(dot + 1) };
}

/** @param name `schema.name`, as the catalog spells both */
export async function readLoadTable(sql: postgres.Sql, name: string, key: readonly string[]): Promise<LoadTable> {
  const ident = quoteTable(splitName(name));
  const seen = await sql.unsafe<Seen[]>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
      EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS unique,
      a.attgenerated <> '' OR a.attidentity = 'a' AS computed, a.atthasdef OR a.attidentity <> '' AS has_default,
      EXISTS (SELECT FROM pg_constraint k WHERE k.confrelid = a.attrelid AND k.contype = 'f') AS referenced
     FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [ident],
  );
  const columns = seen.map((one) => ({
    ident: quoteName(one.name),
    unique: one.unique || key.includes(one.name),
    computed: one.computed,
    hasDefault: one.has_default,
  }));
  const keyed = seen.filter((one) => key.includes(one.name));
  return {
    ident,
    columns,
    key: key.map(quoteName),
    referenced: seen.some((one) => one.referenced),
    newKey: newKeyOf(keyed, ident),
  };
}

function newKeyOf(keyed: readonly Seen[], ident: string): string | null | undefined {
  if (keyed.length > 0 && keyed.every((one) => one.has_default)) return null;
  const [only, ...others] = keyed;
  if (!only || others.length > 0 || !WHOLE_NUMBERS.has(only.type)) return undefined;
  return `(SELECT coalesce(max(${quoteName(only.name)}), 0) + 1 FROM ${ident})`;
}

/** Of one row: its values as text, in the order of the columns of the key. */
export type Key = readonly string[];

/** A literal without a type takes the type of its column, on either side. */
export const named = ({ key }: LoadTable, values: Key) =>
  key.map((name, place) => `${name} = ${quoteText(values[place]!)}`).join(' AND ');

export const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;
