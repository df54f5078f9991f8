/** What promotion, or the way back, would do, from one look at the catalog. Changes nothing. */

import { promotionOf } from '../../../core/table/promotion/prepare.ts';
import { revertOf } from '../../../core/table/promotion/prepare-back.ts';
import type { PromotionRecord } from '../../../core/table/promotion/prepared-swap.ts';
import type { PreviewItem, TablePreview } from '../../../ports/swapping.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { sharedTables } from '../capture/arming.ts';
import { inlineItems } from '../capture/inline.ts';
import type { PgConnection } from '../connection/connection.ts';
import { indexItems } from '../copying/indexes-aside.ts';
import { eventTriggerItems } from './event-triggers.ts';
import { olderServerItems } from './older-servers.ts';
import { searchPathItems } from './search-paths.ts';
import { shortLimitItems } from './short-limits.ts';
import {
  isPromoted,
  type MirroredCutover,
  readMirror,
  readSituation,
  type Situation,
  wasOvertaken,
} from './situation.ts';
import { scanWayBack } from './way-back.ts';
import { writtenCodeItems } from './written-code.ts';

const LOOKS = 3;

/**
 * Changes nothing. Looks again when somebody swapped the tables meanwhile, since the catalog is read in several statements.
 * @throws CrossfadeError `refused_table` when a table, column or key is missing
 */
export async function previewTable(owner: PgConnection, cutover: TableCutover, scanMs = 0): Promise<TablePreview> {
  for (let look = 1; ; look += 1) {
    const mirror = await readMirror(owner, cutover.id);
    const [made] = await Promise.allSettled([previewOf(owner, cutover, mirror, scanMs)]);
    if (look < LOOKS && wasOvertaken(mirror, await readMirror(owner, cutover.id))) continue;
    if (made.status === 'rejected') throw made.reason;
    return made.value;
  }
}

async function previewOf(
  owner: PgConnection,
  cutover: TableCutover,
  mirror: MirroredCutover | null,
  scanMs: number,
): Promise<TablePreview> {
  const situation = await readSituation(owner, cutover, mirror);
  const promoted = isPromoted(mirror);
  const prepared = promoted
    ? revertOf(situation.request, mirror.record as PromotionRecord)
    : promotionOf(situation.request);
  const ours = [
    ...(promoted ? [] : await itemsBefore(owner, cutover, situation)),
    ...(await eventTriggerItems(owner)),
    ...(await shortLimitItems(owner)),
    ...(await searchPathItems(owner, situation.primary, situation.shadow)),
  ];
  return {
    primary: cutover.table.primary,
    shadow: cutover.table.shadow,
    key: situation.forward.key.map(({ source }) => ({ column: source.name, type: source.type })),
    columns: situation.columns,
    items: [...prepared.items, ...ours],
    estimatedRows: situation.primary.estimatedRows,
    ok: prepared.ok && ours.every(({ action }) => action !== 'refuse'),
    ...(scanMs > 0 ? { wayBack: await scanWayBack(owner, situation, { promoted, limitMs: scanMs }) } : {}),
  };
}

/** What only a start or a promotion has to mind. */
async function itemsBefore(
  owner: PgConnection,
  cutover: TableCutover,
  { primary, shadow, forward }: Situation,
): Promise<PreviewItem[]> {
  const tables = [primary.oid, shadow.oid];
  const shared = await sharedTables(owner, cutover.id, tables, forward.companions);
  return [
    ...(await inlineItems(owner, cutover, shadow)),
    ...(await indexItems(owner, cutover, shadow)),
    ...shared.map((text): PreviewItem => ({ action: 'refuse', kind: 'cutover', object: cutover.table.primary, text })),
    ...(await olderServerItems(owner, tables)),
    ...(await writtenCodeItems(owner, primary.oid, shadow.oid)),
  ];
}
