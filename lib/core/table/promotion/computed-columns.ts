/**
 * Columns that are computed from others until promotion: who computes them after it. An application that knows nothing of them
 * would leave them as they are on UPDATE, and NULL on INSERT.
 */

import type { KeptColumn } from '../mapping.ts';
import type { TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/**
 * - `trigger`: everything that the expression reads is in the new shape, so that a trigger computes it until cleanup;
 * - `itself`: the old shape has a column of that name, so statements of the application write it already;
 * - `application`: the way back is made from the column, so the application must write it;
 * - `none`: the expression cannot be evaluated over the new shape, and `why`;
 * - `unknown`: the default is another one each time, so that it looks like a value that the application writes.
 */
export type ComputedColumn =
  | { by: 'trigger'; name: string; kept: KeptColumn }
  | { by: 'itself' | 'application'; name: string }
  | { by: 'none'; name: string; why: string }
  | { by: 'unknown'; name: string; default: string };

const CHOICES =
  "Let the application write it from promotion on and declare { sql, after: 'application' }, or make it a generated column of the shadow (GENERATED ALWAYS AS (…) STORED)";

export function checkComputed(shadow: TableDependents, computed: readonly ComputedColumn[]): PromotionItem[] {
  const items = computed.map(
    (column): PromotionItem => ({
      action: column.by === 'none' || column.by === 'unknown' ? 'refuse' : 'notice',
      kind: 'computed column',
      object: `${qualified(shadow)}.${column.name}`,
      text: textOf(column),
    }),
  );
  return [...items, ...refuseComputedPlace(shadow, computed)];
}

/** A trigger that changes the row before it is written comes too late to choose its partition. */
const refuseComputedPlace = (shadow: TableDependents, computed: readonly ComputedColumn[]): PromotionItem[] =>
  computed
    .filter(({ by, name }) => by === 'trigger' && shadow.partitionColumns.includes(name))
    .map(({ name }) => ({
      action: 'refuse',
      kind: 'computed column',
      object: `${qualified(shadow)}.${name}`,
      text: "It decides the partition of a row, and no trigger may compute it after promotion: Postgres has chosen the partition by then. Let the application write it, and declare { sql, after: 'application' }.",
    }));

function textOf(column: ComputedColumn): string {
  switch (column.by) {
    case 'trigger':
      return "A trigger computes it from promotion until cleanup, unless a statement writes it itself. From cleanup on the application writes it. Where it does so from promotion on, declare { sql, after: 'application' }: then there is no trigger.";
    case 'itself':
      return `Statements that write ${column.name} write it as it is from promotion on: its expression is not applied any more. Let the application write what the expression gives, or make it a generated column of the shadow: GENERATED ALWAYS AS (…) STORED.`;
    case 'application':
      return 'The way back is made from it, so the application must write it from promotion on: nothing else does.';
    case 'none':
      return `Nothing could compute it after promotion, since its expression cannot be evaluated over the new shape: ${column.why}. ${CHOICES}, or keep in the new shape what the expression reads.`;
    case 'unknown':
      return `Its default ${column.default} is another value each time, so nothing can tell whether the application wrote the column or left it out. Drop the default: it is computed. Or let the application write it from promotion on and declare { sql, after: 'application' }.`;
  }
}

/** On a promoted table, for those who think of cleanup. */
export function computedUntilCleanup(promoted: TableDependents, computed: readonly ComputedColumn[]): PromotionItem[] {
  return computed
    .filter(({ by }) => by === 'trigger')
    .map(({ name }) => ({
      action: 'notice',
      kind: 'computed column',
      object: `${qualified(promoted)}.${name}`,
      text: 'A trigger computes it until cleanup, which drops the trigger. From then on the application writes it: make sure that it does before cleanup, or create a trigger of your own.',
    }));
}
