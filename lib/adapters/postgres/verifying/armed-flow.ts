/** What goes from one table to the other now, compiled from what the database says was armed. As the owner role. */

import type { Flow } from '../../../core/table/sql/names.ts';
import { compileTransform } from '../../../core/table/transform.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { readTablesByOid } from '../capture/catalog.ts';
import type { PgConnection } from '../connection/connection.ts';

export type Mirror = {
  primaryOid: number;
  shadowOid: number;
  direction: 'none' | 'forward' | 'reverse';
  epoch: number;
  copied: boolean;
};

const MIRROR = `SELECT pg_catalog.jsonb_build_object('primaryOid', c.primary_oid::bigint, 'shadowOid', c.shadow_oid::bigint,
  'direction', c.direction, 'epoch', c.epoch,
  'copied', NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = c.id AND b.state <> 'done')) AS result
  FROM crossfade.cutover c WHERE c.id = $1::text`;

/** Null where the database does not know the cutover. */
export async function readMirror(owner: PgConnection, id: string): Promise<Mirror | null> {
  const [row] = await owner.call<{ result: Mirror }>(MIRROR, [id]);
  return row?.result ?? null;
}

/** Null where the tables are not as they were armed. */
export async function flowOf(owner: PgConnection, { id, table }: TableCutover, mirror: Mirror): Promise<Flow | null> {
  const [primary, shadow] = await readTablesByOid(owner, [mirror.primaryOid, mirror.shadowOid]);
  const compiled = primary && shadow ? compileTransform(primary, shadow, table, id) : null;
  if (!compiled?.ok) return null;
  return mirror.direction === 'reverse'
    ? { id, source: shadow!, target: primary!, mapping: compiled.reverse }
    : { id, source: primary!, target: shadow!, mapping: compiled.forward };
}
