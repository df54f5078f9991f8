/**
 * After promotion, once nothing goes back any more: drops the old table, the view that kept the shadow's name, and
 * everything of the cutover. One transaction, without CASCADE: whatever still needs one of them is named and nothing dropped.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { homeOf } from '../../../core/table/promotion/names.ts';
import { quoteName, quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import { objectKinds, SOURCE_TRIGGERS, TARGET_TRIGGERS } from '../../../core/table/sql/names.ts';
import { isTracking } from '../../../core/table/tracking.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { PROGRESS, whole } from '../capture/arming.ts';
import { readTable, readTablesByOid } from '../capture/catalog.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { readBlockers } from './dependents.ts';
import { readMirror } from './situation.ts';
import { validateForeignKeys } from './validate.ts';

export type Cleaned = { kind: 'cleaned' } | { kind: 'already' } | { kind: 'refused'; why: string };

const LONG_MS = 120_000;
const STILL_NEEDED = '2BP01';

/** @param epoch the one that stands; the next is written with it */
export async function cleanup(
  owner: PgConnection,
  cutover: TableCutover,
  epoch: number,
  { dropTracking = false, version }: { dropTracking?: boolean; version?: number } = {},
): Promise<Cleaned> {
  const mirror = await readMirror(owner, cutover.id);
  if (!mirror || (mirror.epoch === epoch + 1 && mirror.direction === 'none')) return { kind: 'already' };
  const { renames, alias, validate } = mirror.record;
  if (mirror.epoch !== epoch || !renames || alias === undefined) {
    const state = renames ? 'promoted' : 'not promoted';
    const why = `Cleanup of cutover '${cutover.id}' was asked for epoch ${epoch}; the database is at ${mirror.epoch}, ${state}. Nothing was dropped.`;
    return { kind: 'refused', why };
  }
  await validateForeignKeys(owner, validate);
  const [promoted, old] = await readTablesByOid(owner, [mirror.shadowOid, mirror.primaryOid]);
  const tracking = dropTracking ? trackingOf(promoted, old) : [];
  const home = homeOf(renames, { oid: mirror.shadowOid, schema: renames[0]!.schema, name: alias });
  const view = await ourView(owner, home, alias);
  const blockers = await readBlockers(
    owner,
    [old, view].flatMap((relation) => relation?.oid ?? []),
  );
  if (blockers.length > 0) return stillNeeded(cutover, blockers);
  const readers = promoted && tracking.length > 0 ? await readersOf(owner, promoted, view, tracking) : [];
  if (readers.length > 0) {
    const why = `Cleanup of cutover '${cutover.id}' was to drop the tracking columns, and ${readers.join(', ')} still reads them. Nothing was dropped. Let it go without them, or clean up without --drop-tracking.`;
    return { kind: 'refused', why };
  }
  const dropped = { promoted, old, view, tracking, home };
  try {
    const limits = { deadlineMs: LONG_MS, attempts: 10, settings: { lock_timeout: '500ms' } };
    await owner.script(cleanupScript(cutover, { epoch, version }, dropped), limits);
    return { kind: 'cleaned' };
  } catch (error) {
    if (sqlstateOf(error) !== STILL_NEEDED) throw error;
    return stillNeeded(cutover, [error instanceof CrossfadeError ? error.message : String(error)]);
  }
}

async function ourView(owner: PgConnection, home: string, alias: string) {
  const relation = await readTable(owner, `${home}.${alias}`);
  return relation?.relkind === 'v' ? relation : null;
}

function stillNeeded(cutover: TableCutover, blockers: readonly string[]): Cleaned {
  const why = `Cleanup of cutover '${cutover.id}' would break what still uses the old table or the old name: ${blockers.join(', ')}. Nothing was dropped. Let it use the new table, or drop it.`;
  return { kind: 'refused', why };
}

type Dropped = {
  promoted: TableShape | null;
  old: TableShape | null;
  view: TableShape | null;
  tracking: readonly string[];
  /** Schema in which the promoted table is to be in the end. */
  home: string;
};

/** Constraints of the table go with their column, and the view goes before it. */
async function readersOf(
  owner: PgConnection,
  promoted: TableShape,
  view: TableShape | null,
  columns: readonly string[],
): Promise<string[]> {
  const rows = await owner.call<{ object: string }>(
    `SELECT DISTINCT CASE WHEN r.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, 0)
       ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, r.ev_class, 0) END AS object
     FROM pg_catalog.pg_depend d
     JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
     WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::text::oid AND d.deptype = 'n'
       AND a.attname IN (SELECT pg_catalog.jsonb_array_elements_text($2::text::jsonb))
       AND COALESCE(r.ev_class, 0::oid) <> $3::text::oid
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c
         WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = d.objid AND c.conrelid = d.refobjid) ORDER BY 1`,
    [promoted.oid, JSON.stringify(columns), view?.oid ?? 0],
  );
  return rows.map(({ object }) => object);
}

/** Columns that were ours alone: one that the old table had, too, belongs to the application. */
function trackingOf(promoted: TableShape | null, old: TableShape | null): string[] {
  const kept = new Set(old?.columns.map(({ name }) => name));
  return (promoted?.columns ?? [])
    .filter((column) => isTracking(column) && !kept.has(column.name))
    .map(({ name }) => name);
}

function cleanupScript(
  cutover: TableCutover,
  { epoch, version }: { epoch: number; version?: number | undefined },
  { promoted, old, view, tracking, home }: Dropped,
): string {
  const id = quoteText(cutover.id);
  // A rollback that came meanwhile has given it up: then this call is too late, however long it was under way.
  const stands = version === undefined ? '' : ` AND c.abandoned < ${whole(version)}`;
  return [
    `SELECT pg_advisory_xact_lock(crossfade.lock_key(${id}))`,
    `DO $crossfade$ BEGIN
       IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = ${id} AND c.epoch = ${epoch}${stands}) THEN
         RAISE EXCEPTION 'cutover % has left epoch ${epoch}, or its cleanup was given up', ${id} USING ERRCODE = 'CF001';
       END IF;
     END $crossfade$`,
    // Before its table is touched, in the order in which its users take both.
    ...(view ? [`DROP VIEW ${quoteTable(view)} RESTRICT`] : []),
    ...ourObjects(cutover, promoted, old),
    ...(promoted && tracking.length > 0
      ? [`ALTER TABLE ${quoteTable(promoted)} ${tracking.map((name) => `DROP COLUMN ${quoteName(name)}`).join(', ')}`]
      : []),
    ...(old ? [`DROP TABLE ${quoteTable(old)} RESTRICT`] : []),
    ...(promoted && promoted.schema !== home
      ? [`ALTER TABLE ${quoteTable(promoted)} SET SCHEMA ${quoteName(home)}`]
      : []),
    ...[...PROGRESS, 'key_aside', 'index_aside'].map((table) => `DELETE FROM crossfade.${table} WHERE cutover = ${id}`),
    `UPDATE crossfade.cutover SET direction = 'none', epoch = ${epoch + 1}, version = version + 1, stage = 'cleaned',
       shadow_writes = false, read_ppm = 0, plan = '{}' WHERE id = ${id}`,
  ].join(';\n');
}

/** By name: the tables may have been altered since, and the declaration need not fit them any more. */
function ourObjects(cutover: TableCutover, promoted: TableShape | null, old: TableShape | null): string[] {
  const { tables, functions } = objectKinds(cutover.id);
  const triggers = (table: TableShape | null, names: readonly string[]) =>
    table ? names.map((name) => `DROP TRIGGER IF EXISTS ${name} ON ${quoteTable(table)}`) : [];
  return [
    `SELECT crossfade.drop_partition_triggers(${quoteText(cutover.id)})`,
    `SELECT crossfade.drop_companion_triggers(${quoteText(cutover.id)})`,
    ...triggers(promoted, SOURCE_TRIGGERS),
    ...triggers(old, TARGET_TRIGGERS),
    ...functions.map((name) => `DROP FUNCTION IF EXISTS ${name}`),
    ...tables.map((name) => `DROP TABLE IF EXISTS ${name}`),
  ];
}
