/** Reports over hours, exports as one document or file, and the check of every audit log. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import { checkpointText } from '../../core/report/checkpoint-text.ts';
import { type Cell, csvLine } from '../../core/report/csv.ts';
import type { Checkpoints } from '../../flows/report/checkpoints.ts';
import type { AuditVerification } from '../../flows/report/history.ts';
import type { FullReport } from '../../flows/report/performance.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { renderReport } from '../render-report.ts';
import { printable } from '../text.ts';

export async function report(context: Context): Promise<Outcome> {
  const { io, options, args } = context;
  const only = args[0] === undefined ? null : cutoverId(context);
  const { api } = openApi(context);
  const full = await api.get<FullReport>(`/v1/report?hours=${options.hours ?? 24}`, { deadlineMs: LONG_DEADLINE_MS });
  const ids = full.cutovers.map(({ id }) => id);
  if (only !== null && !ids.includes(only))
    throw new CrossfadeError('not_found', `No cutover '${only}' is declared.${didYouMean(only, ids)}`);
  const document =
    only === null
      ? full
      : {
          ...full,
          cutovers: full.cutovers.filter(({ id }) => id === only),
          performance: { [only]: full.performance[only] },
        };
  return { document, text: renderReport(full, only, io.width, io.paint) };
}

/** What was compared in each stage, and what was decided on it. */
export async function checkpoints(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const found = await api.get<Checkpoints>(`/v1/cutovers/${id}/checkpoints`, { deadlineMs: LONG_DEADLINE_MS });
  return { document: found, text: checkpointText(found).map(printable).join('\n') };
}

type Page = { columns: string[]; rows: Cell[][]; next: string | null };

/** Pages are written as they come, so that a long log needs no memory. */
export async function exportRows(context: Context): Promise<Outcome | number> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const csv = options.format === 'csv' && !options.json;
  const rows: Cell[][] = [];
  let columns: string[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ what: options.what ?? 'audit', hours: String(options.hours ?? 24) });
    if (cursor !== null) query.set('cursor', cursor);
    const page: Page = await api.get<Page>(`/v1/cutovers/${id}/export?${query}`, { deadlineMs: LONG_DEADLINE_MS });
    if (csv) io.stdout([...(cursor === null ? [csvLine(page.columns)] : []), ...page.rows.map(csvLine)].join(''));
    else rows.push(...page.rows);
    columns = page.columns;
    cursor = page.next;
  } while (cursor !== null);
  if (csv) return EXIT.done;
  const document = rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
  return {
    document,
    text: JSON.stringify(document, null, 2).replaceAll(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd'),
  };
}

/** Every log at once; ends with 1 when one is broken. */
export async function verifyChains(context: Context): Promise<Outcome> {
  const { io, args } = context;
  const only = args[0] === undefined ? null : args[0] === 'system' ? 'system' : cutoverId(context);
  const { api } = openApi(context);
  const found = await api.get<AuditVerification>('/v1/audit/verification', { deadlineMs: LONG_DEADLINE_MS });
  const subjects = found.subjects.filter(({ subject }) => only === null || subject === only);
  if (subjects.length === 0) {
    const known = found.subjects.map(({ subject }) => subject);
    throw new CrossfadeError('not_found', `There is no audit log of '${only}'.${didYouMean(only ?? '', known)}`);
  }
  const lines = subjects.map(({ subject, chain }) =>
    chain.intact
      ? io.paint('good', `${printable(subject)}: whole, ${chain.entries} entries`)
      : io.paint('bad', `${printable(subject)}: broken at entry ${chain.seq}: ${printable(chain.why)}`),
  );
  const intact = subjects.every(({ chain }) => chain.intact);
  return { document: { intact, subjects }, text: lines.join('\n'), ...(intact ? {} : { exit: EXIT.other }) };
}
