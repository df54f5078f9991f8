/** A table as the catalog has it, as far as DDL says it. Types only. Identifiers and definitions are quoted as SQL needs it. */

export type DraftedSequence = {
  type: string;
  start: string;
  increment: string;
  min: string;
  max: string;
  cache: string;
  cycle: boolean;
};

export type DraftedColumn = {
  name: string;
  ident: string;
  /** `attnum` */
  number: number;
  type: string;
  /** Where it is not the type's own. */
  collation: string | null;
  notNull: boolean;
  default: string | null;
  generated: { sql: string; kind: 'STORED' | 'VIRTUAL' } | null;
  identity: { how: 'ALWAYS' | 'BY DEFAULT'; sequence: DraftedSequence } | null;
  /** These four where they are not what the type has. */
  storage: string | null;
  compression: string | null;
  statistics: number | null;
  options: string | null;
  comment: string | null;
};

type DraftedConstraint = {
  ident: string;
  /** p, u, x, c, f */
  type: string;
  /** Quoted, of p and u in their order; else empty. */
  columns: readonly string[];
  definition: string;
  validated: boolean;
  comment: string | null;
};

type DraftedIndex = {
  ident: string;
  definition: string;
  unique: boolean;
  /** What it is ordered by: quoted names and expressions. */
  columns: readonly string[];
  /** It came with a constraint. */
  constraint: boolean;
  options: string | null;
  clustered: boolean;
  identifies: boolean;
  comment: string | null;
};

export type DraftedPartition = {
  /** With its schema. */
  ident: string;
  /** FOR VALUES …, or DEFAULT */
  bound: string;
  options: string | null;
};

export type DraftedTable = {
  schema: string;
  /** With its schema. */
  ident: string;
  /** Storage parameters, those of its TOAST table with `toast.` before them. */
  options: string | null;
  /** n, f, d, i */
  replicaIdentity: string;
  comment: string | null;
  /** `RANGE (created_at)`; null of a plain table. */
  partitionedBy: string | null;
  partitions: readonly DraftedPartition[];
  columns: readonly DraftedColumn[];
  constraints: readonly DraftedConstraint[];
  indexes: readonly DraftedIndex[];
  /** Extended statistics. */
  statistics: readonly { ident: string; definition: string; comment: string | null }[];
};

/** Who owns a table, and who but the owner may read it: all of it, or one column. */
export type TableAccess = { owner: string; readers: readonly { grantee: string; column: string | null }[] };
