/** What hangs on the two tables of a cutover, as `crossfade.dependents` describes it. Types only. */

export type TableRef = { oid: number; schema: string; name: string };

/** `grantee` is quoted as SQL needs it; PUBLIC stands for everybody. */
export type Grant = { grantee: string; privilege: string; grantable: boolean };

export type DependentColumn = {
  name: string;
  type: string;
  notNull: boolean;
  default: string | null;
  /** `''`, `a` (always) or `d` (by default). */
  identity: string;
  generated: string;
  comment: string | null;
  /** Somebody has privileges on this column alone. */
  granted: boolean;
};

export type DependentIndex = {
  name: string;
  unique: boolean;
  valid: boolean;
  /** It belongs to a constraint of the same name. */
  constraint: boolean;
  /** Key columns; null for an expression. */
  columns: readonly (string | null)[];
};

/** p, u, x, c, f, t (constraint trigger), n (NOT NULL, PostgreSQL 18). */
export type DependentConstraint = { name: string; type: string; columns: readonly string[] };

export type ForeignKey = {
  name: string;
  /** The referencing table. */
  table: TableRef & { relkind: string; ours: boolean };
  columns: readonly string[];
  /** Types of `columns`, without length. */
  types: readonly string[];
  references: TableRef;
  referencedColumns: readonly string[];
  match: string;
  onUpdate: string;
  onDelete: string;
  setColumns: readonly string[] | null;
  enforced: boolean;
  period: boolean;
  inherited: boolean;
  deferrable: boolean;
  deferred: boolean;
  validated: boolean;
  comment: string | null;
};

export type DependentSequence = {
  schema: string;
  name: string;
  /** The column that takes its values from it. */
  column: string;
  increment: number;
  source: 'identity' | 'default';
  ownedBy: { table: number; column: string } | null;
  owner: string;
  grants: readonly Grant[];
};

export type TableDependents = TableRef & {
  relkind: string;
  persistence: string;
  /** Quoted as SQL needs it. */
  owner: string;
  /** The role that asked may act as the owner. */
  ours: boolean;
  /** The role that asked may create objects in the schema, which renaming needs. */
  mayCreate: boolean;
  rowSecurity: boolean;
  replicaIdentity: string;
  options: readonly string[];
  comment: string | null;
  grants: readonly Grant[];
  columns: readonly DependentColumn[];
  indexes: readonly DependentIndex[];
  constraints: readonly DependentConstraint[];
  outgoing: readonly ForeignKey[];
  inbound: readonly ForeignKey[];
  sequences: readonly DependentSequence[];
  /** Views, triggers, policies, publications, … and whatever else pg_depend knows. */
  others: readonly { kind: string; object: string }[];
};

export type Dependents = {
  primary: TableDependents;
  shadow: TableDependents;
  /** Names of relations and types in the schemas of both that begin with a table's name. */
  taken: readonly string[];
};
