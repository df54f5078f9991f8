/** Inline mode: what stands against it, what is said of it beforehand, and the master switch that its triggers look at. */

import type { TableDeclaration } from '../../../core/cutover/table-declaration.ts';
import type { TableShape } from '../../../core/table/shape.ts';
import type { InlineMode } from '../../../core/table/sql/inline.ts';
import type { PreviewItem } from '../../../ports/swapping.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';

export const inlineMode = ({ mode, rollbackOnShadowFailure }: TableDeclaration): InlineMode | null =>
  mode === 'inline' ? (rollbackOnShadowFailure ? 'abort' : 'catch') : null;

/** A constraint that is checked at commit would fail the application's transaction where nothing can catch it any more. */
export async function inlineObstacles(
  owner: PgConnection,
  { table }: TableCutover,
  shadow: TableShape,
): Promise<string[]> {
  if (table.mode !== 'inline') return [];
  const rows = await owner.call<{ name: string }>(
    `SELECT k.conname AS name FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = $1::text::oid AND k.condeferrable AND k.contype <> 'f' ORDER BY 1`,
    [shadow.oid],
  );
  return rows.map(
    ({ name }) =>
      `Constraint ${name} of ${shadow.schema}.${shadow.name} is deferrable: inline it would fail the application's COMMIT. Make it not deferrable, or declare mode 'streamed'.`,
  );
}

export async function inlineItems(
  owner: PgConnection,
  cutover: TableCutover,
  shadow: TableShape,
): Promise<PreviewItem[]> {
  const { table } = cutover;
  if (table.mode !== 'inline') return [];
  const object = `${shadow.schema}.${shadow.name}`;
  const refused = await inlineObstacles(owner, cutover, shadow);
  const fails = table.rollbackOnShadowFailure
    ? 'a row that it does not take fails the write'
    : 'a row that it does not take leaves a hint and is counted';
  const text = `is written in the application's own transactions; ${fails}. TRUNCATE, and writes under REPEATABLE READ or SERIALIZABLE, leave hints. After promotion the old table follows streamed`;
  return [
    { action: 'notice', kind: 'inline mode', object, text },
    ...refused.map((why): PreviewItem => ({ action: 'refuse', kind: 'inline mode', object, text: why })),
  ];
}
