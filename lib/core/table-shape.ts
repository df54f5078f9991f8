/** A table as the catalog describes it, as far as transforms and promotion need it. Types and the quoting of names. */

export type ColumnShape = {
  name: string;
  /** `attnum`: what a column is still found by after it was renamed. */
  number?: number;
  /** `format_type` text: `integer`, `character varying(40)`, `numeric(10,2)`. */
  type: string;
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
  /** pg_class.relkind: only 'r', an ordinary table, can cross over. */
  relkind: string;
  columns: readonly ColumnShape[];
  /** Columns of the primary key, else of a unique, not-null, non-partial index; null when there is neither. */
  key: readonly string[] | null;
  /** All of these, `key` first. */
  keys?: readonly (readonly string[])[];
  estimatedRows: number;
};

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
