/** The dry run of the copy: how many rows there are, and how fast a few of them go into a table like the shadow. */

import { quoteTable, quoteText } from '../../../core/table/shape.ts';
import { OWN_PATH } from '../../../core/table/sql/session.ts';
import type { CopyRehearsal } from '../../../ports/copying.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { readMirror, readSituation } from '../swapping/situation.ts';

const SAMPLE_ROWS = 2_000;
const SAMPLE_MS = 10_000;
const CANCELLED = '57014';

/** @throws CrossfadeError `refused_table` when a table is missing or the declaration does not fit */
export async function rehearseCopy(owner: PgConnection, cutover: TableCutover): Promise<CopyRehearsal> {
  const { primary, shadow, forward } = await readSituation(owner, cutover, await readMirror(owner, cutover.id));
  const written = forward.written.map(({ target }) => quoteText(target)).join(', ');
  const rows = `SELECT ${forward.written.map(({ sql }) => sql).join(', ')} FROM ${quoteTable(primary)} AS p LIMIT ${SAMPLE_ROWS}`;
  const call = `SELECT crossfade.rehearse_copy(${shadow.oid}, ${quoteText(OWN_PATH)}, ARRAY[${written}], ${quoteText(rows)}) AS sample`;
  const counted = { sourceRows: primary.estimatedRows, shadowRows: shadow.estimatedRows };
  try {
    const [row] = await owner.longCall<{ sample: CopyRehearsal['sample'] }>(call, SAMPLE_MS);
    return { ...counted, sample: row!.sample };
  } catch (error) {
    if (sqlstateOf(error) !== CANCELLED) throw error;
    const why = `${SAMPLE_ROWS} rows were not copied within ${SAMPLE_MS / 1_000} s`;
    return { ...counted, sample: { rows: 0, tookMs: null, why } };
  }
}
