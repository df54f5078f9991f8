/** `crossfade policy`: the limits in force in the current stage, or a change of them. */

import type { CutoverReport } from '../../flows/report/report.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { renderInvalid } from '../render.ts';
import { field, printable } from '../text.ts';
import { operateAction } from './operate.ts';

export async function policy(context: Context): Promise<Outcome | number> {
  const { io, options } = context;
  if (options.set || options.unset) return operateAction('policy')(context);
  const id = cutoverId(context);
  const { api } = openApi(context);
  const report = await api.get<CutoverReport | { id: string; why: string }>(`/v1/cutovers/${id}`);
  if ('why' in report) return { document: report, text: renderInvalid(report, io.width, io.paint), exit: EXIT.other };
  const { stage, policy: inForce, overrides } = report;
  const changed = { ...overrides.everywhere, ...overrides.stages[stage] };
  const lines = Object.entries(inForce).map(([key, value]) =>
    field(key, `${value ?? 'none'}${key in changed ? ', changed at run time' : ''}`, io.width, 26).join('\n'),
  );
  const text = [`${printable(id)} in stage ${stage}:`, ...lines].join('\n');
  return { document: { id, stage, policy: inForce, overrides }, text };
}
