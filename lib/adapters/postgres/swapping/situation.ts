/** One look at a cutover before its names are swapped: the mirror row, both tables by OID, and what hangs on them. */

import type { Mapping } from '../../../core/table/mapping.ts';
import type { ForeignKeyAside } from '../../../core/table/promotion/foreign-keys-aside.ts';
import type { PromotionRecord, SwapRequest } from '../../../core/table/promotion/prepared-swap.ts';
import type { TableShape } from '../../../core/table/shape.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { readTables, readTablesByOid } from '../capture/catalog.ts';
import { compiledTables } from '../capture/compiled-tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import { computedColumns, keeping } from './computed.ts';
import { readDependents } from './dependents.ts';

export type MirroredCutover = {
  primaryOid: number;
  shadowOid: number;
  direction: 'none' | 'forward' | 'reverse';
  epoch: number;
  /** Of a promotion that stands; after it was taken back only what may be left to validate; empty before. */
  record: Partial<PromotionRecord>;
  /** Foreign keys that were taken off the shadow when it began to follow. */
  aside: readonly ForeignKeyAside[];
};

export type Situation = {
  primary: TableShape;
  shadow: TableShape;
  forward: Mapping;
  reverse: Mapping;
  columns: readonly { shadow: string; source: string; text: string }[];
  request: SwapRequest;
  fingerprint: string;
};

/** Somebody swapped the tables, or moved the epoch, between two looks. */
export const wasOvertaken = (seen: MirroredCutover | null, now: MirroredCutover | null) =>
  seen?.epoch !== now?.epoch || seen?.direction !== now?.direction;

export const isPromoted = (mirror: MirroredCutover | null): mirror is MirroredCutover =>
  mirror?.direction === 'reverse';

/** The column `plan` holds the record of the promotion: it is released, and keeps its name. */
export async function readMirror(owner: PgConnection, id: string): Promise<MirroredCutover | null> {
  const [row] = await owner.call<{ mirror: MirroredCutover }>(
    `SELECT pg_catalog.jsonb_build_object('primaryOid', c.primary_oid::bigint, 'shadowOid', c.shadow_oid::bigint,
       'direction', c.direction, 'epoch', c.epoch, 'record', CASE WHEN c.plan ? 'keys' THEN pg_catalog.jsonb_set(c.plan, '{keys,dropped}', (
           SELECT COALESCE(pg_catalog.jsonb_agg(crossfade.key_now(k, c.id, true) ORDER BY place), '[]')
           FROM pg_catalog.jsonb_array_elements(c.plan -> 'keys' -> 'dropped') WITH ORDINALITY x(k, place))) ELSE c.plan END,
       'aside', crossfade.keys_aside(c.id, true)) AS mirror
     FROM crossfade.cutover c WHERE c.id = $1::text`,
    [id],
  );
  return row?.mirror ?? null;
}

/**
 * @param mirror the tables are taken by OID once they are known, since promotion changes their names
 * @throws CrossfadeError `refused_table` when a table is missing or the declaration does not fit
 */
export async function readSituation(
  owner: PgConnection,
  cutover: TableCutover,
  mirror: MirroredCutover | null,
): Promise<Situation> {
  const armed = mirror && mirror.direction !== 'none' ? mirror : null;
  const found = armed
    ? await readTablesByOid(owner, [armed.primaryOid, armed.shadowOid])
    : await readTables(owner, [cutover.table.primary, cutover.table.shadow]);
  const { primary, shadow, compiled } = await compiledTables(owner, cutover, found, 'does not fit its tables');
  const { companions } = compiled.forward;
  const { dependents, fingerprint } = await readDependents(owner, [primary.oid, shadow.oid], companions);
  const computed = await computedColumns(owner, cutover, primary, shadow);
  const { forward, columns } = compiled;
  const reverse = keeping(compiled.reverse, computed);
  const aside = mirror?.aside ?? [];
  const request = { dependents, declaration: cutover.table, mapping: forward, reverse, aside, computed };
  return { primary, shadow, forward, reverse, columns, request, fingerprint };
}
