/** What the functions and views for people say of a table cutover. Reads only; what is unknown to the database is null. */

import { CrossfadeError } from '../../../core/base/errors.ts';
import type { Consistency, HealthFinding, RowComparison, TableProgress } from '../../../core/table/reading.ts';
import { quoteText } from '../../../core/table/shape.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { foundById } from './by-id.ts';

/** Below the functions' time-out of 55 s: both tables are read whole. */
const LONG_MS = 50_000;
/** Raised by crossfade.known_cutover, and where nothing can be compared yet. */
const NOTHING_THERE = 'CF010';
const NO_KEY = 'CF004';

/** Also before the first start, since the tables are named. */
export async function healthFindings(connection: PgConnection, { id, table }: TableCutover): Promise<HealthFinding[]> {
  return connection.call<HealthFinding>(
    'SELECT "check", status, value, "limit", remedy FROM crossfade.pre_migration_health_check($1::text, $2::text, $3::text)',
    [id, table.primary, table.shadow],
  );
}

const PROGRESS = `SELECT p.cutover AS id, jsonb_build_object('cutover', p.cutover, 'stage', p.stage, 'direction', p.direction,
  'backfill', p.backfill, 'rowsDone', p.rows_done, 'rowsTotal', p.rows_total, 'backfillPercent', p.backfill_percent,
  'rowsPerSecond', p.rows_per_second, 'etaSeconds', p.eta_seconds, 'lagSeconds', p.lag_seconds, 'hints', p.hints,
  'quarantined', p.quarantined, 'rowsCompared', p.rows_compared, 'divergences', p.divergences, 'score', p.score,
  'verifiedAtMs', (extract(epoch FROM p.verified_at) * 1000)::bigint
) AS found FROM crossfade.progress p WHERE p.cutover IN (SELECT jsonb_array_elements_text($1::text::jsonb))`;

/** Some ten milliseconds each on a busy server: far from the deadline of a call. */
const MOST = 20;

export const tableProgress = (runtime: PgConnection, ids: readonly string[]) =>
  foundById<TableProgress>(runtime, PROGRESS, ids, MOST);

export async function consistency(connection: PgConnection, id: string): Promise<Consistency | null> {
  const call = `SELECT jsonb_build_object('primaryRows', v.primary_rows, 'shadowRows', v.shadow_rows, 'consistent', v.consistent,
    'diverged', v.diverged, 'late', v.late, 'quarantined', v.quarantined, 'errors', to_jsonb(v.errors), 'score', v.score) AS seen
    FROM crossfade.validate_table_consistency(${quoteText(id)}) v`;
  return unlessNothing(async () => {
    const [row] = await connection.longCall<{ seen: Consistency }>(call, LONG_MS);
    return row!.seen;
  });
}

/** @throws CrossfadeError `invalid_input` when the text is not a key of the table */
export async function compareRow(connection: PgConnection, id: string, key: string): Promise<RowComparison | null> {
  const call = `SELECT jsonb_build_object('key', v.key, 'primaryHash', v.primary_hash, 'shadowHash', v.shadow_hash, 'equal', v.equal,
    'differingColumns', to_jsonb(v.differing_columns), 'late', v.late, 'quarantined', v.quarantined) AS seen
    FROM crossfade.validate_record_hash($1::text, $2::text) v`;
  try {
    return await unlessNothing(async () => {
      const [row] = await connection.call<{ seen: RowComparison }>(call, [id, key]);
      return row!.seen;
    });
  } catch (error) {
    const sqlstate = sqlstateOf(error);
    if (sqlstate !== NO_KEY && !sqlstate?.startsWith('22')) throw error;
    throw new CrossfadeError(
      'invalid_input',
      `That is no key of the table of cutover '${id}' [${sqlstate}]. Give it as status shows it, for example {"id": 5}, or the bare value where the key is one column.`,
      { cause: error },
    );
  }
}

async function unlessNothing<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (sqlstateOf(error) === NOTHING_THERE) return null;
    throw error;
  }
}
