/** What the new table of a drafted cutover is to be: a copy that is altered, or what DDL of one's own makes. Pure. */

import { type AlterAction, alterActions } from './alter-actions.ts';
import { ddlStatements } from './ddl-statements.ts';
import { partitionColumn } from './monthly.ts';

export type TableChange =
  /** `monthly`: the column that a copy is partitioned by. */
  { actions: readonly AlterAction[]; monthly: string | null } | { statements: readonly string[] };

/** As it was typed; `ddl` is the text of the file. */
export type Wish = { alter?: string; partitionBy?: string } | { ddl: string };

/** @throws CrossfadeError `invalid_input` that names the option and what it takes */
export function tableChange(wish: Wish): TableChange {
  if ('ddl' in wish) return { statements: ddlStatements(wish.ddl) };
  const { alter, partitionBy } = wish;
  return {
    actions: alter === undefined ? [] : alterActions(alter),
    monthly: partitionBy === undefined ? null : partitionColumn(partitionBy),
  };
}
