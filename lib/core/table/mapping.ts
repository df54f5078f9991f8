/** A compiled column map: what is written to a row of the target and what of it is compared, as SQL over a row of the source. */

import type { ColumnShape } from './shape.ts';
import type { Follows } from './tracking.ts';

/** SQL expressions over one source row; the source is in scope as `p`, its columns also unqualified. */
export type Mapping = {
  /** Key columns in order, source and target, without domains and lengths, with the source's value as the target's type. */
  key: readonly KeyColumns[];
  /**
   * Columns of the target's unique index by which an upsert finds a row: the key, and in a partitioned table also what it is partitioned
   * by. Where these are more than the key, two rows of one key are kept out by us, not by Postgres.
   */
  unique: readonly string[];
  /**
   * Every column that is written, key included. `insertOnly`: only for rows that are new in the target. `follows`: a
   * tracking column, and what becomes of it when a row is written. `declared`: an expression of the user's own.
   */
  written: readonly {
    target: string;
    sql: string;
    insertOnly: boolean;
    follows?: Follows;
    asked?: Asked;
    declared?: true;
  }[];
  /**
   * Columns in which both sides must agree byte by byte, generated ones included. Key columns only where equal is not the same:
   * the rows are found by `=`, and may differ even so.
   */
  compared: readonly { target: string; sql: string; declared?: true; form?: Form }[];
  /** Of the way back: columns of its source, the new shape, that a trigger computes for the application. */
  kept?: readonly KeptColumn[];
  /** Columns of other tables that are filled for a new key. */
  companions?: readonly Companion[];
};

/**
 * Of the way back: what both sides of a column are compared as, where the way there has lost something, such as the spelling of json in
 * jsonb. A row that was not written since has it still, and differs in nothing that the other side could tell.
 */
export type Form = { column: ColumnShape; source: string; target: string };

/** A column of the new shape, and how it is computed from a row of it, as the old row that it stands for, in scope as `p`. */
export type KeptColumn = { column: ColumnShape; sql: string; inputs: readonly KeptInput[] };

/** A column of another table that is filled for a new key. In one direction: rows of the source, the table in use, are what a foreign key references now. */
export type Companion = {
  /** The table that references. */
  table: { schema: string; name: string };
  /** Its column with the foreign key now, and the one that follows from it. */
  leading: string;
  following: string;
  /** What `leading` references, and what `following` references when the tables have been exchanged. */
  references: string;
  becomes: string;
  /** Column of the source that `following` has its value from; null where that is computed from `references` alone. */
  from: string | null;
};

/** A column of the old shape, from a column of the new one: checked by a cast there and back, which may raise an error. */
export type KeptInput = { name: string; from: string; sql: string; isCast: boolean };

/** What a cast may do to a value, so that each value is asked, by a cast there and back, and refused where it does. */
export type Asked = 'rounds' | 'changes';

/** `returns`: the source's type with its length, where a cast may change a key: then only one that comes back the same is looked up. */
export type KeyColumns = { source: ColumnShape; target: ColumnShape; sql: string; returns?: string };

/** Columns of the target that an upsert finds a row by beside the key. */
export const beyondKey = ({ key, unique }: Pick<Mapping, 'key' | 'unique'>): readonly string[] =>
  unique.filter((name) => !key.some(({ target }) => target.name === name));
