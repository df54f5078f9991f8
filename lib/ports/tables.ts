/** What every call about a table cutover names: the tables, and the state that the caller acts on. */

import type { CutoverId, ValidationMode } from '../core/cutover/cutover.ts';
import type { TableDeclaration } from '../core/cutover/table-declaration.ts';

/** What the database needs to know of a table cutover. */
export type TableCutover = { id: CutoverId; table: TableDeclaration; validation: ValidationMode };

/** Of the state that somebody acts on; ordered by epoch, then version. */
export type StateFence = { epoch: number; version: number };

/** Nothing was done: the database has seen this newer state. */
export type Outrun = { kind: 'stale'; epoch: number; version: number };
