/** A table as the catalog describes it, as far as transforms and promotion need it. Types and the quoting of names. */

export type ColumnShape = {
  name: string;
  /** `attnum`: what a column is still found by after it was renamed. */
  number?: number;
  /** `format_type` text: `integer`, `character varying(40)`, `numeric(10,2)`. */
  type: string;
  /** The type under a domain, or of an array whose elements are of one; null or absent for every other type. */
  base?: string | null;
  /** pg_type.typtype of the type under domains: `e` is an enum, `c` a composite type. */
  kind?: string;
  /** Schemas of the type and its elements, but for pg_catalog: where a declared expression finds their functions and operators. */
  schemas?: readonly string[] | null;
  /** Schema of `=`, `<` and `>` of the type, by its default btree class; null or absent for pg_catalog. */
  operators?: string | null;
  /** False when the type has no hash of its own. */
  hashes?: boolean;
  notNull: boolean;
  /** SQL text of the default, if any. */
  defaultSql: string | null;
  /** GENERATED … STORED (or virtual): computed by Postgres, never written. */
  generated: boolean;
  identity: 'always' | 'default' | null;
  /** False for a collation that treats different texts as equal; true for everything else. */
  deterministic: boolean;
  /** Quoted name of a collation that is not the type's own; otherwise null. */
  collation?: string | null;
};

export type TableShape = {
  oid: number;
  schema: string;
  name: string;
  /** pg_class.relkind: 'r', an ordinary table, and 'p', a partitioned one, can cross over. */
  relkind: string;
  columns: readonly ColumnShape[];
  /** Columns of the primary key, else of a unique, not-null, non-partial index; null when there is neither. */
  key: readonly string[] | null;
  /** All of these, `key` first. */
  keys?: readonly (readonly string[])[];
  /** Unique indexes that are no keys for us, with the reason. */
  unusableKeys?: readonly { names: readonly string[]; why: string }[];
  estimatedRows: number;
};

export const isPartitioned = ({ relkind }: Pick<TableShape, 'relkind'>): boolean => relkind === 'p';

const named = new WeakMap<readonly ColumnShape[], ReadonlyMap<string, ColumnShape>>();

/** Found once for all: a table has up to 1,600 columns, and each of them asks for others by name. */
export function columnOf({ columns }: Pick<TableShape, 'columns'>, name: string): ColumnShape | undefined {
  const known = named.get(columns) ?? new Map(columns.map((column) => [column.name, column]));
  named.set(columns, known);
  return known.get(name);
}

/** What a value of the column is, whatever the domain is called. A domain brings a default and NOT NULL, also to variables. */
export const baseType = (column: ColumnShape): string => column.base ?? column.type;

/**
 * Where names of a declared expression are looked up, once, when it is stored: functions and operators of a type are in the schema
 * of the type. Without it `=` of citext would be the one of text. Nothing ever runs under this path.
 */
export function declaredPath(tables: readonly TableShape[]): string {
  const types = tables.flatMap(({ columns }) => columns.flatMap(({ schemas }) => schemas ?? []));
  const names = [...new Set([...types.sort(), ...tables.map(({ schema }) => schema)])];
  return ['pg_catalog', ...names.map(quoteName), 'pg_temp'].join(', ');
}

/** A name as SQL has it: always quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteTable(table: Pick<TableShape, 'schema' | 'name'>): string {
  return `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

export function quoteText(text: string): string {
  return text.includes('\\')
    ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;
}
