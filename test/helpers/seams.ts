/** Named moments of the owner's transactions, and of `crossfade.swap`, at which tests halt, kill or crash. */

import type { PgConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { type Seam, seamed } from './breakpoints.ts';
import type { OwnDatabase } from './postgres.ts';

/** Two points inside of crossfade.swap itself, which a migration made: before its locks, and after its last write. */
export async function haltableSwap(db: OwnDatabase): Promise<void> {
  const [swap] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.swap'::regproc) AS text");
  const points = [
    ['swap: to be locked', 'FOR v_round IN'],
    ['swap: mirror written', "RETURN jsonb_build_object('kind', 'swapped'"],
  ] as const;
  await db.sql.unsafe(
    points.reduce((text, [point, before]) => {
      if (text.split(before).length !== 2) throw new Error(`crossfade.swap has not one place for '${point}'`);
      return text.replace(before, `PERFORM test.breakpoint('${point}'); ${before}`);
    }, swap!.text),
  );
}

/** Points between the statements of one transaction of the owner's: [point, what begins with it]. */
const SEAMS = {
  arm: [
    ['arm: fenced', 'DO $crossfade$'],
    ['arm: mirror row made', 'INSERT INTO crossfade.backfill'],
    ['arm: outbox made', 'CREATE FUNCTION crossfade."capture_'],
    ['arm: half of the triggers made', 'CREATE TRIGGER crossfade_truncated'],
    ['arm: all made', null],
  ],
  promote: [
    ['promote: locked', 'DROP TRIGGER'],
    ['promote: forward capture dropped', 'DROP TABLE IF EXISTS crossfade."outbox_'],
    ['promote: renamed', 'SELECT crossfade.take_staged'],
    ['promote: half of the triggers made', 'CREATE TRIGGER crossfade_truncated'],
    ['promote: reverse capture armed', null],
  ],
  revert: [
    ['revert: locked', 'DROP TRIGGER'],
    ['revert: reverse capture dropped', 'DROP TABLE IF EXISTS crossfade."touched_'],
    ['revert: renamed', null],
  ],
  forget: [
    ['forget: triggers dropped', 'DROP FUNCTION IF EXISTS'],
    ['forget: all dropped', null],
  ],
  cleanup: [
    ['cleanup: view dropped', 'DROP TRIGGER IF EXISTS'],
    ['cleanup: capture dropped', 'DROP FUNCTION IF EXISTS'],
    ['cleanup: old table dropped', 'DELETE FROM crossfade.quarantine'],
    ['cleanup: mirror row written', null],
  ],
} as const satisfies Record<string, readonly Seam[]>;

export type Act = keyof typeof SEAMS;

/** When a swap is over, and its foreign keys hold for new rows only. */
export const AFTER_SWAP: Seam = [
  'after the swap: foreign keys to be validated',
  'ALTER TABLE "public"."parcel" VALIDATE',
];

/** As if nothing of `stock` had been copied yet. */
export const NOTHING_COPIED = `DELETE FROM stock_v2; DELETE FROM crossfade.foreign_write;
  UPDATE crossfade.backfill SET state = 'running', copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0`;

/** Points of an act, those in crossfade.swap included. */
export const pointsOf = (act: Act) => [
  ...SEAMS[act].map(([point]) => point),
  ...(act === 'promote' ? ['swap: to be locked', 'swap: mirror written'] : []),
];

/** The same connection, halting at the points of an act and when its swap is over. */
export const haltingAt = (connection: PgConnection, act: Act): PgConnection =>
  seamed(connection, [...SEAMS[act], AFTER_SWAP]);

/** Everything of ours, and the names in the schema of the application. */
export async function ours(sql: OwnDatabase['sql']): Promise<object> {
  const [row] = await sql.unsafe(`SELECT
    (SELECT jsonb_agg(c.oid::regclass::text ORDER BY c.relname) FROM pg_class c WHERE c.relname LIKE '%\\_stock' AND c.relkind = 'r') AS tables,
    (SELECT jsonb_agg(p.proname || p.prosrc ORDER BY p.proname) FROM pg_proc p WHERE p.proname LIKE '%\\_stock') AS functions,
    (SELECT jsonb_agg(t.tgname || ' on ' || t.tgrelid::regclass ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgname LIKE 'crossfade%') AS triggers,
    (SELECT to_jsonb(c) FROM crossfade.cutover c) AS mirror,
    (SELECT jsonb_agg(c.oid::regclass::text ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')) AS names`);
  return { ...row! };
}
