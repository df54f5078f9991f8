/**
 * Drops the shadow of a cutover that is not under way, with everything of ours. Without CASCADE: whatever still needs the
 * table is named and nothing dropped.
 */

import { otherThanTable } from '../../../core/table/relation-kind.ts';
import { quoteTable } from '../../../core/table/shape.ts';
import type { ShadowRemoval } from '../../../ports/capture.ts';
import type { Outrun, StateFence, TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import { readBlockers } from '../swapping/dependents.ts';
import { readMirror } from '../swapping/situation.ts';
import { fenced, forgetStatements } from './arming.ts';
import { readTable } from './catalog.ts';

export async function removeShadow(
  owner: PgConnection,
  cutover: TableCutover,
  fence: StateFence,
): Promise<ShadowRemoval | Outrun> {
  const { id, table } = cutover;
  const refused = (why: string): ShadowRemoval => ({ kind: 'refused', why: `${why} Nothing was dropped.` });
  const mirror = await readMirror(owner, id);
  if (mirror && mirror.direction !== 'none')
    return refused(`Cutover '${id}' still keeps ${table.shadow} equal. The next tick ends that after a rollback.`);
  const shadow = await readTable(owner, table.shadow);
  if (!shadow) return { kind: 'already' };
  if (otherThanTable(shadow)) return refused(`${table.shadow} is not a table.`);
  const blockers = await readBlockers(owner, [shadow.oid]);
  if (blockers.length > 0)
    return refused(`${table.shadow} is still used by ${blockers.join(', ')}. Drop that first, or let it go.`);
  const aside = ['key_aside', 'index_aside'].map(
    (name) => `DELETE FROM crossfade.${name} WHERE shadow = ${shadow.oid}`,
  );
  const statements = [...forgetStatements(id), ...aside, `DROP TABLE ${quoteTable(shadow)} RESTRICT`];
  return (await fenced(owner, id, fence, statements)) ?? { kind: 'removed' };
}
