/** One table of the zoo, as data. Each lives in a schema of its own; names need no schema. */

import type { TableDeclaration } from '../../../../lib/core/cutover/table-declaration.ts';

/** A statement, or a query with the rows that it must return. */
export type Line = string | readonly [query: string, rows: readonly unknown[]];

export type Animal = {
  what: string;
  /** Makes `t`, its rows, what hangs on it, and `t_v2`. `:app` and `:other` are roles. */
  ddl: string;
  /** Name of the primary when it is not `t`; the shadow is called the same with `_v2`. */
  name?: string;
  columns?: NonNullable<TableDeclaration['columns']>;
  reverse?: NonNullable<TableDeclaration['reverse']>;
  /** While `t_v2` has the name. */
  between?: readonly Line[];
  /** After the way back. */
  after?: readonly Line[];
  /** Promoted and taken back a second time. */
  twice?: true;
};

export type Refused = Pick<Animal, 'what' | 'ddl' | 'name' | 'columns' | 'reverse'> & {
  kind: string;
  object: string;
  says: RegExp;
};

/** The same plain pair under everything that hangs on it. */
export const PAIR = `CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text);
  INSERT INTO t VALUES (1, 'a'), (2, 'b');`;
