/**
 * Creates and removes what one table cutover has in the database: outbox, functions, triggers, its mirror row. Each act is
 * fenced by the caller's (epoch, version), compared under the cutover's lock in the transaction that acts.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { CUTOVER_ID, RESERVED_IDS } from '../../../core/cutover/cutover.ts';
import type { Companion, Mapping } from '../../../core/table/mapping.ts';
import { checkBeforeStart } from '../../../core/table/promotion/before-start.ts';
import { checkComputed } from '../../../core/table/promotion/computed-columns.ts';
import { refuseRelation, refuseRelatives } from '../../../core/table/promotion/refusals.ts';
import { refuseForced } from '../../../core/table/promotion/row-security.ts';
import { quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import { objectKinds } from '../../../core/table/sql/names.ts';
import { type TableObjects, tableObjects } from '../../../core/table/sql/table.ts';
import type { Outrun, StateFence, TableCutover } from '../../../ports/tables.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { giveIndexesBack, setIndexesAside } from '../copying/indexes-aside.ts';
import { computedColumns } from '../swapping/computed.ts';
import { readDependents } from '../swapping/dependents.ts';
import { eventTriggerItems } from '../swapping/event-triggers.ts';
import { olderServerItems } from '../swapping/older-servers.ts';
import { writtenCodeItems } from '../swapping/written-code.ts';
import { readTables } from './catalog.ts';
import { compiledTables } from './compiled-tables.ts';
import { foreignKeysToSetAside, giveForeignKeysBack } from './foreign-keys-aside.ts';
import { inlineMode, inlineObstacles } from './inline.ts';
import { recordShape, recordUsed } from './shape.ts';

const LONG_MS = 120_000;
const INDEX_MS = 10_000;
/** Tables of every cutover, with rows of this one. */
export const PROGRESS = [
  'quarantine',
  'verification',
  'verification_pass',
  'foreign_write',
  'backfill',
  'inline_failure',
  'missed',
  'shape',
  'used',
];
/** Raised by crossfade.refuse_older. */
const OUTRUN = 'CF005';

/**
 * One transaction. CREATE TRIGGER waits for every transaction that has written the table, and who writes after it
 * fires the trigger, also in a transaction that began before; so the copy, which reads later, misses nothing. The short
 * lock_timeout keeps the application from queueing behind us; the connection tries again.
 */
export async function arm(
  owner: PgConnection,
  cutover: TableCutover,
  fence: StateFence,
): Promise<{ kind: 'armed' } | Outrun> {
  const { objects, primary, shadow, directions } = await forwardObjects(owner, cutover);
  const id = quoteText(cutover.id);
  for (const statement of await foreignKeysToSetAside(owner, cutover.id, primary.oid, shadow.oid)) {
    const outrun = await fenced(owner, cutover.id, fence, [statement]);
    if (outrun) return outrun;
  }
  const statements = [
    `DO $crossfade$ BEGIN
         IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = ${id} AND c.direction = 'reverse') THEN
           RAISE EXCEPTION 'the reverse direction of cutover % is armed', ${id} USING ERRCODE = 'CF001';
         END IF;
       END $crossfade$`,
    `SELECT crossfade.hold_shape(ARRAY[${primary.oid}, ${shadow.oid}]::oid[])`,
    `SELECT crossfade.refuse_shared(${id}, ARRAY[${primary.oid}, ${shadow.oid}]::oid[])`,
    ...objects.drop,
    `INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction, armed_epoch, armed_version)
       VALUES (${id}, ${primary.oid}, ${shadow.oid}, ${quoteText(primary.name)}, ${quoteText(shadow.name)}, 'forward',
         ${whole(fence.epoch)}, ${whole(fence.version)})
       ON CONFLICT (id) DO UPDATE SET primary_oid = EXCLUDED.primary_oid, shadow_oid = EXCLUDED.shadow_oid,
         primary_name = EXCLUDED.primary_name, shadow_name = EXCLUDED.shadow_name, direction = 'forward'`,
    ...PROGRESS.map((table) => `DELETE FROM crossfade.${table} WHERE cutover = ${id}`),
    ...setIndexesAside(cutover, shadow),
    `INSERT INTO crossfade.backfill (cutover, rows_total, shadow_had_rows)
       VALUES (${id}, ${Math.round(primary.estimatedRows)}, EXISTS (SELECT FROM ${quoteTable(shadow)}))`,
    ...objects.create,
    recordUsed(cutover.id, directions),
    recordShape(cutover.id),
  ];
  return (await fenced(owner, cutover.id, fence, statements)) ?? { kind: 'armed' };
}

/** One transaction, unless a newer state has been here: then nothing is done, and it is returned. */
export async function fenced(
  owner: PgConnection,
  id: string,
  { epoch, version }: StateFence,
  statements: readonly string[],
): Promise<Outrun | null> {
  const script = [`SELECT crossfade.refuse_older(${quoteText(id)}, ${whole(epoch)}, ${whole(version)})`, ...statements];
  try {
    await owner.script(script.join(';\n'), {
      deadlineMs: LONG_MS,
      attempts: 10,
      settings: { lock_timeout: '500ms' },
    });
    return null;
  } catch (error) {
    if (sqlstateOf(error) !== OUTRUN) throw error;
    const [row] = await owner.call<{ epoch: string; version: string }>(
      `SELECT m.epoch, m.version FROM crossfade.cutover c,
         LATERAL (VALUES (c.epoch, c.version), (c.armed_epoch, c.armed_version)) m(epoch, version)
       WHERE c.id = $1::text ORDER BY m.epoch DESC, m.version DESC LIMIT 1`,
      [id],
    );
    return { kind: 'stale', epoch: Number(row?.epoch ?? -1), version: Number(row?.version ?? -1) };
  }
}

/** @throws CrossfadeError `refused_table` with everything that stands against it */
export async function forwardObjects(owner: PgConnection, cutover: TableCutover) {
  demandId(cutover.id);
  const found = await readTables(owner, [cutover.table.primary, cutover.table.shadow]);
  const { primary, shadow, compiled, directions } = await compiledTables(owner, cutover, found, 'cannot be armed');
  refuseIfAny(cutover, await unfitRelations(owner, cutover, { primary, shadow, mapping: compiled.forward }));
  const slow = (await eventTriggerItems(owner)).filter(({ action }) => action === 'refuse');
  refuseIfAny(cutover, [
    ...(await sharedTables(owner, cutover.id, [primary.oid, shadow.oid], compiled.forward.companions)),
    ...(await inlineObstacles(owner, cutover, shadow)),
    ...slow.map(({ object, text }) => `${object}: ${text}`),
  ]);
  const { validation } = cutover;
  const objects: TableObjects = tableObjects(
    { id: cutover.id, source: primary, target: shadow, mapping: compiled.forward },
    validation,
    inlineMode(cutover.table),
  );
  return { objects, primary, shadow, directions };
}

function refuseIfAny({ id }: TableCutover, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new CrossfadeError('refused_table', `Cutover '${id}' cannot be armed: ${problems.join(' ')}`, {
    details: { problems },
  });
}

/** One table is kept equal with one other at a time. Two cutovers may have companions in one table, as long as that stays where it is. */
export async function sharedTables(
  owner: PgConnection,
  id: string,
  tables: readonly number[],
  companions: readonly Companion[] = [],
): Promise<string[]> {
  const [row] = await owner.call<{ shared: string | null }>(
    `SELECT pg_catalog.concat_ws(', ', crossfade.other_cutovers($1::text, (SELECT pg_catalog.array_agg(t::oid) FROM pg_catalog.jsonb_array_elements_text($2::text::jsonb) t)),
       (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('%s (of cutover %s, which is armed %s)', t.name, c.id, c.direction), ', ')
        FROM pg_catalog.jsonb_array_elements_text($3::text::jsonb) t(name) JOIN crossfade.cutover c
          ON c.id <> $1::text AND c.direction <> 'none' AND pg_catalog.to_regclass(t.name) IN (c.primary_oid, c.shadow_oid))) AS shared`,
    [id, JSON.stringify(tables), JSON.stringify(companions.map(({ table }) => quoteTable(table)))],
  );
  if (!row?.shared) return [];
  return [
    `another cutover has ${row.shared}. One table is kept equal with one other at a time: roll that cutover back, or clean it up, first.`,
  ];
}

/** The preview has said so before the start, of tables that may have been others then. */
async function unfitRelations(
  owner: PgConnection,
  cutover: TableCutover,
  { primary, shadow, mapping }: { primary: TableShape; shadow: TableShape; mapping: Mapping },
): Promise<string[]> {
  const { dependents } = await readDependents(owner, [primary.oid, shadow.oid], mapping.companions);
  const computed = await computedColumns(owner, cutover, primary, shadow);
  return [
    ...[dependents.primary, dependents.shadow].flatMap((table) => [
      ...refuseRelation(table),
      ...refuseRelatives(table),
      ...refuseForced(table),
    ]),
    ...[...checkBeforeStart(dependents, cutover.table, mapping), ...checkComputed(dependents.shadow, computed)].filter(
      ({ action }) => action === 'refuse',
    ),
    ...(await olderServerItems(owner, [primary.oid, shadow.oid])),
    ...(await writtenCodeItems(owner, primary.oid, shadow.oid)),
  ].map(({ object, text }) => `${object}: ${text}`);
}

/** Drops the triggers of whichever direction is armed. What is in the outbox stays, and nothing applies it. */
export async function disarm(
  owner: PgConnection,
  id: string,
  fence: StateFence,
): Promise<{ kind: 'disarmed' } | Outrun> {
  return (await fenced(owner, id, fence, disarmStatements(id))) ?? { kind: 'disarmed' };
}

export async function forget(
  owner: PgConnection,
  id: string,
  fence: StateFence,
): Promise<{ kind: 'forgotten' } | Outrun> {
  const outrun = await fenced(owner, id, fence, forgetStatements(id));
  if (outrun) return outrun;
  await giveForeignKeysBack(owner, id);
  await giveIndexesBack(owner, id, INDEX_MS);
  return { kind: 'forgotten' };
}

/** Everything of a cutover but its tables and what was taken off them. */
export function forgetStatements(id: string): string[] {
  demandId(id);
  const { tables, functions } = objectKinds(id);
  return [
    ...disarmStatements(id),
    ...functions.map((name) => `DROP FUNCTION IF EXISTS ${name}`),
    ...tables.map((name) => `DROP TABLE IF EXISTS ${name}`),
    ...PROGRESS.map((table) => `DELETE FROM crossfade.${table} WHERE cutover = ${quoteText(id)}`),
  ];
}

/** Capture on the source and the guard on the target, by the functions they call: the tables may have other names by now. */
export function disarmStatements(id: string): string[] {
  const quoted = quoteText(id);
  return [
    `DO $crossfade$
     DECLARE v_drop text;
     BEGIN
       PERFORM crossfade.drop_partition_triggers(${quoted});
       FOR v_drop IN SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t
         JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
         WHERE n.nspname = 'crossfade' AND t.tgparentid = 0 AND (f.proname IN ('capture_' || ${quoted}, 'truncated_' || ${quoted}, 'guard_' || ${quoted}, 'computed_' || ${quoted}, 'companion_' || ${quoted})
           OR (t.tgname IN ('crossfade_read_only', 'crossfade_snapshot') AND t.tgrelid IN (SELECT unnest(ARRAY[c.primary_oid, c.shadow_oid]) FROM crossfade.cutover c WHERE c.id = ${quoted})))
       LOOP
         EXECUTE v_drop;
       END LOOP;
       UPDATE crossfade.cutover c SET direction = 'none', shadow_writes = false WHERE c.id = ${quoted};
     END $crossfade$`,
  ];
}

/** Ids are lower_snake_case, so a quoted name needs no escaping; anything else never gets here. */
export function functionName(what: string, id: string): string {
  demandId(id);
  return `"${what}_${id}"`;
}

/** @throws CrossfadeError `invalid_identifier` */
function demandId(id: string): void {
  if (!CUTOVER_ID.test(id)) throw new CrossfadeError('invalid_identifier', `'${id}' is not the id of a cutover.`);
  if (RESERVED_IDS.has(id))
    throw new CrossfadeError('invalid_identifier', `'${id}' is reserved: no cutover can be called so.`);
}

/** A number that becomes part of a statement. */
export function whole(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  throw new CrossfadeError('invalid_input', `The data plane takes whole numbers, got ${value}.`);
}
