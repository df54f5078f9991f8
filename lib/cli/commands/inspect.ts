/** What the rows and tables of a cutover are like: health before it, progress during it, comparisons at any time. */

import type { Consistency, RowComparison, TableOutlook } from '../../core/table/reading.ts';
import type { HealthReport } from '../../flows/rows/inspect.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { renderComparison, renderConsistency, renderHealth, renderOutlook } from '../render-health.ts';

/** Ends with 1 when a check failed. */
export async function health(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const report = await api.get<HealthReport>(`/v1/cutovers/${id}/health`, { deadlineMs: LONG_DEADLINE_MS });
  const text = renderHealth(report, options.all === true, io.width, io.paint);
  return { document: report, text, ...(report.ok ? {} : { exit: EXIT.other }) };
}

/** Ends with 4 when going back is recommended, with 3 when something is to be watched, and with 0 when all are ready. */
export async function progress(context: Context): Promise<Outcome> {
  const { io, args } = context;
  const id = args[0] === undefined ? null : cutoverId(context);
  const { api } = openApi(context);
  const document =
    id === null
      ? await api.get<{ cutovers: readonly TableOutlook[] }>('/v1/progress')
      : await api.get<TableOutlook>(`/v1/cutovers/${id}/progress`);
  const shown = 'cutovers' in document ? document.cutovers : [document];
  const blocks = shown.map((outlook) => renderOutlook(outlook, io.width, io.paint));
  const text = blocks.join('\n\n') || "No table is kept equal. 'crossfade start CUTOVER' begins.";
  const exit = context.options.exitCode ? exitOf(shown) : EXIT.done;
  return { document, text, ...(exit === EXIT.done ? {} : { exit }) };
}

function exitOf(shown: readonly TableOutlook[]): number {
  const verdicts = new Set(shown.map(({ verdict }) => verdict.verdict));
  if (verdicts.has('ROLLBACK_RECOMMENDED')) return EXIT.rolledBack;
  return verdicts.has('MONITORING_REQUIRED') ? EXIT.held : EXIT.done;
}

/** Both tables, or with `--key` one row of both. Ends with 3 when something differs for no reason. */
export async function inspect(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  if (options.key !== undefined) {
    const path = `/v1/cutovers/${id}/record?${new URLSearchParams({ key: options.key })}`;
    const seen = await api.get<RowComparison>(path);
    const differs = !seen.equal && !seen.late;
    return {
      document: seen,
      text: renderComparison(id, seen, io.width, io.paint),
      ...(differs ? { exit: EXIT.held } : {}),
    };
  }
  const seen = await api.get<Consistency>(`/v1/cutovers/${id}/consistency`, { deadlineMs: LONG_DEADLINE_MS });
  const text = renderConsistency(id, seen, io.width, io.paint);
  return { document: seen, text, ...(seen.diverged === 0 ? {} : { exit: EXIT.held }) };
}
