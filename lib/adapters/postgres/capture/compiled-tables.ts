/**
 * Both tables of a cutover as the catalog has them, with its column map compiled, and judged by Postgres in both directions.
 * Whatever stands against them is one refusal with every problem in it.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import type { Mapping } from '../../../core/table/mapping.ts';
import type { TableShape } from '../../../core/table/shape.ts';
import { type Compiled, compileTransform } from '../../../core/table/transform.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import { bothDirections, type Direction, resolveTransform } from './check-transform.ts';

export type CompiledTables = {
  primary: TableShape;
  shadow: TableShape;
  compiled: Compiled & { ok: true };
  directions: readonly Direction[];
};

/**
 * @param found the primary and the shadow, where they exist
 * @param what the problems mean: `cannot be armed`
 * @throws CrossfadeError `refused_table`
 */
export async function compiledTables(
  owner: PgConnection,
  cutover: TableCutover,
  [primary, shadow]: readonly [TableShape | null, TableShape | null],
  what: string,
): Promise<CompiledTables> {
  if (!primary || !shadow) throw missing(cutover, primary ? cutover.table.shadow : cutover.table.primary);
  const compiled = compileTransform(primary, shadow, cutover.table, cutover.id);
  if (!compiled.ok) throw refusedTable(cutover, what, compiled.problems);
  const { directions, problems } = await resolveTransform(owner, bothDirections(primary, shadow, compiled));
  if (problems.length > 0) throw refusedTable(cutover, what, problems);
  const [forward, reverse] = directions.map(({ mapping }) => mapping) as [Mapping, Mapping];
  return { primary, shadow, compiled: { ...compiled, forward, reverse }, directions };
}

function refusedTable({ id }: TableCutover, what: string, problems: readonly string[]): CrossfadeError {
  return new CrossfadeError('refused_table', `Cutover '${id}' ${what}: ${problems.join('; ')}.`, {
    details: { problems },
  });
}

function missing({ id }: TableCutover, name: string): CrossfadeError {
  return new CrossfadeError(
    'refused_table',
    `Table ${name} of cutover '${id}' does not exist. Create it first; Crossfade fills it and never creates it.`,
  );
}
