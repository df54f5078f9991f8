/** Asks the rows of a table whether they could go back to the old shape. Reads for a declared time and changes nothing. */

import { quoteText } from '../../../core/table/shape.ts';
import { OWN_PATH } from '../../../core/table/sql/session.ts';
import { MOST_SAMPLES, wayBackOnly, wayThereAndBack } from '../../../core/table/sql/way-back.ts';
import type { WayBack } from '../../../ports/swapping.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import type { Situation } from './situation.ts';

/** One range may be under way when the time is over. */
const LAST_RANGE_MS = 5_000;
const CANCELLED = '57014';

export async function scanWayBack(
  owner: PgConnection,
  situation: Pick<Situation, 'primary' | 'shadow' | 'forward' | 'reverse'>,
  { promoted, limitMs }: { promoted: boolean; limitMs: number },
): Promise<WayBack> {
  const request = { ...situation, generated: promoted ? {} : await generatedColumns(owner, situation.shadow.oid) };
  const { judged, crossed, key } = promoted ? wayBackOnly(request) : wayThereAndBack(request);
  const table = promoted ? situation.shadow : situation.primary;
  const texts = [OWN_PATH, judged, crossed, key].map((text) => (text === null ? 'NULL' : quoteText(text)));
  const call = `SELECT crossfade.way_back(${table.oid}, ${texts.join(', ')}, ${limitMs}, ${MOST_SAMPLES}) AS found`;
  try {
    const [row] = await owner.longCall<{ found: WayBack }>(call, limitMs + LAST_RANGE_MS);
    return row!.found;
  } catch (error) {
    if (sqlstateOf(error) !== CANCELLED) throw error;
    return { rows: 0, complete: false, limitMs, cannotCross: 0, cannotReturn: 0, changed: 0, samples: [] };
  }
}

async function generatedColumns(owner: PgConnection, oid: number): Promise<Record<string, string>> {
  const rows = await owner.call<{ name: string; sql: string }>(
    `SELECT a.attname AS name, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS sql
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::text::oid AND a.attgenerated <> '' AND NOT a.attisdropped`,
    [oid],
  );
  return Object.fromEntries(rows.map(({ name, sql }) => [name, sql]));
}
