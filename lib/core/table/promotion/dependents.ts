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
  /** On this column alone. */
  grants: readonly Grant[];
};

export type DependentIndex = {
  name: string;
  unique: boolean;
  valid: boolean;
  /** It belongs to a constraint of the same name. */
  constraint: boolean;
  /** Neither deferrable nor partial. */
  immediate: boolean;
  /** It is the replica identity. */
  identifies: boolean;
  /** CLUSTER uses it. */
  clustered: boolean;
  /** Key columns; null for an expression. */
  columns: readonly (string | null)[];
};

/** p, u, x, c, f, t (constraint trigger), n (NOT NULL, PostgreSQL 18). */
type DependentConstraint = { name: string; type: string; columns: readonly string[] };

export type ForeignKey = {
  name: string;
  /** The referencing table. */
  table: TableRef & { relkind: string; ours: boolean };
  columns: readonly string[];
  /** Types of `columns`, without length. */
  types: readonly string[];
  references: TableRef & { ours: boolean };
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
  /** `smallint`, `integer` or `bigint`. */
  type: string;
  /** Its limits, as text: a number of JavaScript does not hold them. */
  min: string;
  max: string;
  cycle: boolean;
  /** Type of its column, without domains and length. */
  columnType: string;
  /** The role that asked may act as the owner. */
  ours: boolean;
  ownedBy: { table: number; column: string } | null;
  owner: string;
  grants: readonly Grant[];
};

/** Another table or view, by which an object is found. */
type Place = TableRef & { relkind: string; ours: boolean };

/** `uses`: columns of the table that the object names. Definitions name every table with its schema. */
type Attached = { name: string; uses: readonly string[]; comment: string | null };

export type Trigger = Attached & {
  definition: string;
  /** `O`, `D` (disabled), `R` (for replication), `A` (always). */
  enabled: string;
  /** Fields of NEW and OLD in a PL/pgSQL body. */
  reads: readonly string[];
};

export type Rule = Attached & { own: boolean; definition: string; enabled: string; table: Place };

export type Policy = Attached & {
  own: boolean;
  table: Place;
  permissive: boolean;
  /** `*`, `r`, `a`, `w`, `d`. */
  command: string;
  /** Quoted as SQL needs it. */
  roles: readonly string[];
  using: string | null;
  check: string | null;
};

export type View = Attached & {
  schema: string;
  /** `v` or `m`. */
  relkind: string;
  definition: string;
  options: readonly string[];
  owner: string;
  ours: boolean;
  grants: readonly Grant[];
  columns: readonly { name: string; default: string | null; comment: string | null; grants: readonly Grant[] }[];
  populated: boolean;
  tablespace: string | null;
  /** Table access method of a materialised view. */
  method: string | null;
  /** What it reads is little enough to be read under a lock. */
  small: boolean;
  indexes: readonly string[];
  triggers: readonly Trigger[];
  rules: readonly Rule[];
  /** What would be lost with it, described for people. */
  blockers: readonly string[];
};

export type Publication = {
  name: string;
  /** False when it publishes every table, or all of a schema. */
  direct: boolean;
  /** FOR ALL TABLES. */
  everything: boolean;
  /** Changes of partitions bear the name of the table. */
  viaRoot: boolean;
  ours: boolean;
  /** It publishes UPDATE or DELETE. */
  changes: boolean;
  columns: readonly string[] | null;
  filter: string | null;
  uses: readonly string[];
};

type Statistics = Attached & {
  schema: string;
  definition: string;
  owner: string;
  ours: boolean;
  target: number | null;
};

/** A function with a body that was parsed when it was made. */
type ParsedFunction = { signature: string; definition: string; ours: boolean; uses: readonly string[] };

/** Of a partitioned table, at any depth. */
export type Partition = TableRef & {
  /** It holds rows: it is not partitioned itself. */
  leaf: boolean;
  persistence: string;
  ours: boolean;
  /** `FOR VALUES …`, or `DEFAULT`. */
  bound: string;
  /** Those that are its own, and on. */
  triggers: readonly string[];
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
  /** Row security binds the owner, too. */
  forced: boolean;
  /** The role that asked is not bound by row security at all. */
  bypassed: boolean;
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
  /** In an order in which they can be made. */
  views: readonly View[];
  rules: readonly Rule[];
  triggers: readonly Trigger[];
  policies: readonly Policy[];
  publications: readonly Publication[];
  /** Names of the subscriptions that fill the table. */
  subscriptions: readonly string[];
  statistics: readonly Statistics[];
  functions: readonly ParsedFunction[];
  /** `RANGE (at)`; null for a table that is not partitioned. */
  partitionedBy: string | null;
  /** Columns of it that are no expressions. */
  partitionColumns: readonly string[];
  /** Outer ones first. */
  partitions: readonly Partition[];
  /** That it is a partition, inheritance, extensions, and whatever else pg_depend knows. */
  others: readonly { kind: string; object: string }[];
};

/** Of partitions alone: what belongs to one, and what uses it by its own name. */
export type OfPartition = {
  /** `part`: what `object` says it has of its own. */
  kind: 'foreign key' | 'user' | 'part';
  /** The table that it is a partition of. */
  root: number;
  /** With its schema. */
  partition: string;
  object: string;
};

export type Dependents = {
  primary: TableDependents;
  shadow: TableDependents;
  /** Tables with companion columns, as far as they are there. */
  referring?: readonly TableDependents[];
  ofPartitions?: readonly OfPartition[];
  /** Names of relations and types in the schemas of both that begin with a table's name. */
  taken: readonly string[];
};
