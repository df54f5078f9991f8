/** The schema `crossfade` of a database, as its owner handles it: before a deployment, and when it goes. */

export type SchemaOwner = {
  /** Applies the migrations of this release that are not there yet. @throws CrossfadeError `schema_changed`, `refused_table` */
  migrate(): Promise<{ applied: readonly string[]; present: readonly string[] }>;
  /** The number of the last migration that is there, 0 without the schema, and of the last one of this release. */
  version(): Promise<{ installed: number; wanted: number }>;
  /** Drops the schema, and with it the capture that was left on tables of the application: those are named. */
  drop(): Promise<{ tables: readonly string[] }>;
};

/** That of the primaries' database, and those of the further databases, by the name of their connection. */
export type Schemas<Part extends keyof SchemaOwner = keyof SchemaOwner> = {
  schema: Pick<SchemaOwner, Part>;
  connections: Readonly<Record<string, Pick<SchemaOwner, Part>>>;
};
