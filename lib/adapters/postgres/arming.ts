/** Creates and removes what one table cutover has in the database: outbox, functions, triggers, its mirror row. */

import { CrossfadeError } from '../../core/errors.ts';
import { quoteTable, quoteText } from '../../core/table-shape.ts';
import { type TableObjects, tableObjects } from '../../core/table-sql.ts';
import { compileTransform } from '../../core/transform.ts';
import type { TableCutover } from '../../ports.ts';
import { readTable } from './catalog.ts';
import type { PgGateway } from './gateway.ts';

const LONG_MS = 120_000;

/**
 * One transaction. CREATE TRIGGER waits for every transaction that has written the table, and whoever writes after it
 * fires the trigger, also in a transaction that began before; so the copy, which reads later, misses nothing. The short
 * lock_timeout keeps the application from queueing behind us; the gateway tries again.
 */
export async function arm(owner: PgGateway, cutover: TableCutover): Promise<void> {
  const { objects, primary, shadow } = await forwardObjects(owner, cutover);
  const id = quoteText(cutover.id);
  await owner.script(
    [
      "SELECT set_config('lock_timeout', '500ms', true)",
      `SELECT pg_advisory_xact_lock(crossfade.lock_key(${id}))`,
      `DO $crossfade$ BEGIN
         IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = ${id} AND c.direction = 'reverse') THEN
           RAISE EXCEPTION 'the reverse direction of cutover % is armed', ${id} USING ERRCODE = 'CF001';
         END IF;
       END $crossfade$`,
      ...objects.drop,
      `INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction)
       VALUES (${id}, ${primary.oid}, ${shadow.oid}, ${quoteText(primary.name)}, ${quoteText(shadow.name)}, 'forward')
       ON CONFLICT (id) DO UPDATE SET primary_oid = EXCLUDED.primary_oid, shadow_oid = EXCLUDED.shadow_oid,
         primary_name = EXCLUDED.primary_name, shadow_name = EXCLUDED.shadow_name, direction = 'forward'`,
      `DELETE FROM crossfade.quarantine WHERE cutover = ${id}`,
      `DELETE FROM crossfade.verification WHERE cutover = ${id}`,
      `DELETE FROM crossfade.backfill WHERE cutover = ${id}`,
      `INSERT INTO crossfade.backfill (cutover, rows_total, shadow_had_rows)
       VALUES (${id}, ${Math.round(primary.estimatedRows)}, EXISTS (SELECT FROM ${quoteTable(shadow)}))`,
      ...objects.create,
    ].join(';\n'),
    { deadlineMs: LONG_MS, attempts: 10 },
  );
}

/** @throws CrossfadeError `refused_table` with everything that stands against it */
export async function forwardObjects(owner: PgGateway, cutover: TableCutover) {
  const [primary, shadow] = [
    await readTable(owner, cutover.table.primary),
    await readTable(owner, cutover.table.shadow),
  ];
  if (!primary || !shadow) {
    const name = primary ? cutover.table.shadow : cutover.table.primary;
    throw new CrossfadeError(
      'refused_table',
      `Table ${name} of cutover '${cutover.id}' does not exist. Create it first; Crossfade fills it and never creates it.`,
    );
  }
  const compiled = compileTransform(primary, shadow, cutover.table);
  if (!compiled.ok) {
    throw new CrossfadeError(
      'refused_table',
      `Cutover '${cutover.id}' cannot be armed: ${compiled.problems.join('; ')}.`,
      {
        details: { problems: compiled.problems },
      },
    );
  }
  const objects: TableObjects = tableObjects(cutover.id, primary, shadow, compiled.forward, cutover.validation);
  return { objects, primary, shadow };
}

/** Drops the triggers of whichever direction is armed. What is in the outbox stays, and nothing applies it. */
export async function disarm(owner: PgGateway, id: string): Promise<void> {
  const quoted = quoteText(id);
  await owner.script(
    `SELECT set_config('lock_timeout', '500ms', true);
     DO $crossfade$
     DECLARE v_table regclass;
     BEGIN
       PERFORM pg_advisory_xact_lock(crossfade.lock_key(${quoted}));
       FOR v_table IN SELECT t.tgrelid::regclass FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
         JOIN pg_namespace n ON n.oid = f.pronamespace
         WHERE n.nspname = 'crossfade' AND f.proname = 'capture_' || ${quoted}
       LOOP
         EXECUTE format('DROP TRIGGER IF EXISTS crossfade_capture ON %s', v_table);
         EXECUTE format('DROP TRIGGER IF EXISTS crossfade_truncated ON %s', v_table);
       END LOOP;
       UPDATE crossfade.cutover c SET direction = 'none', shadow_writes = false WHERE c.id = ${quoted};
     END $crossfade$`,
    { deadlineMs: LONG_MS, attempts: 10 },
  );
}

export async function forget(owner: PgGateway, id: string): Promise<void> {
  await disarm(owner, id);
  const named = (what: string) => `crossfade.${functionName(what, id)}`;
  const functions = ['capture', 'truncated', 'apply', 'converge', 'backfill', 'verify', 'repair'];
  await owner.script(
    [
      ...functions.map((what) => `DROP FUNCTION IF EXISTS ${named(what)}`),
      `DROP TABLE IF EXISTS ${named('outbox')}`,
      ...['quarantine', 'verification', 'backfill'].map(
        (table) => `DELETE FROM crossfade.${table} WHERE cutover = ${quoteText(id)}`,
      ),
    ].join(';\n'),
    { deadlineMs: LONG_MS },
  );
}

/** Ids are lower_snake_case, so a quoted name needs no escaping; anything else never gets here. */
export function functionName(what: string, id: string): string {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(id))
    throw new CrossfadeError('invalid_identifier', `'${id}' is not the id of a cutover.`);
  return `"${what}_${id}"`;
}
