/** What the rows and tables of a cutover are like: health before it, progress during it, comparisons at any time. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { Consistency, RowComparison, RowValues, TableProgress } from '../../core/table/reading.ts';
import type { HealthReport } from '../../flows/rows/inspect.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { renderComparison, renderConsistency, renderHealth, renderProgress, renderValues } from '../render-health.ts';

/** Ends with 1 when a check failed. */
export async function health(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const report = await api.get<HealthReport>(`/v1/cutovers/${id}/health`, { deadlineMs: LONG_DEADLINE_MS });
  const text = renderHealth(report, options.all === true, io.width, io.paint);
  return { document: report, text, ...(report.ok ? {} : { exit: EXIT.other }) };
}

/** Figures alone: whether they are good enough, and with which code a command ends, is for `status` to say. */
export async function progress(context: Context): Promise<Outcome> {
  const { io, args } = context;
  const id = args[0] === undefined ? null : cutoverId(context);
  const { api } = openApi(context);
  const document =
    id === null
      ? await api.get<{ cutovers: readonly TableProgress[] }>('/v1/progress')
      : await api.get<TableProgress>(`/v1/cutovers/${id}/progress`);
  const shown = 'cutovers' in document ? document.cutovers : [document];
  const blocks = shown.map((one) => renderProgress(one, io.width, io.paint));
  const text = blocks.join('\n\n') || "No table is kept equal. 'crossfade start CUTOVER' begins.";
  return { document, text };
}

/** Both tables, or with `--key` one row of both. Ends with 3 when something differs for no reason. */
export async function inspect(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  if (options.key !== undefined) {
    const path = `/v1/cutovers/${id}/record?${new URLSearchParams({ key: options.key })}`;
    const seen = await api.get<RowComparison>(path);
    const call = { idempotencyKey: idempotencyKey(context) };
    const values = options.values
      ? await api.post<RowValues>(`/v1/cutovers/${id}/record/values`, { key: options.key }, call)
      : null;
    const differs = !seen.equal && !seen.late;
    const lines = values ? renderValues(values, io.width, io.paint) : [];
    return {
      document: values ? { ...seen, values } : seen,
      text: [renderComparison(id, seen, io.width, io.paint), ...lines].join('\n'),
      ...(differs ? { exit: EXIT.held } : {}),
    };
  }
  if (options.values) throw new CrossfadeError('invalid_input', '--values shows one row: name it with --key.');
  const seen = await api.get<Consistency>(`/v1/cutovers/${id}/consistency`, { deadlineMs: LONG_DEADLINE_MS });
  const text = renderConsistency(id, seen, io.width, io.paint);
  return { document: seen, text, ...(seen.diverged === 0 ? {} : { exit: EXIT.held }) };
}
