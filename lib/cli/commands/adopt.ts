/** `crossfade adopt CUTOVER`: takes the tables over after somebody has altered them. */

import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { printable } from '../text.ts';

export async function adopt(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const call = { idempotencyKey: idempotencyKey(context), deadlineMs: LONG_DEADLINE_MS };
  const { reason } = context.options;
  const answer = await api.post<{ note: string }>(`/v1/cutovers/${id}/adopt`, reason ? { reason } : {}, call);
  return { document: answer, text: `${id}: ${printable(answer.note)}` };
}
