/** `crossfade read-only CUTOVER [on|off]`: the primary takes no writes for a while, for the final catch-up. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { moment, printable } from '../text.ts';

const SECONDS = 30;

export async function readOnly(context: Context): Promise<Outcome> {
  const { options, args } = context;
  const id = cutoverId(context);
  const way = args[1] ?? 'on';
  if (way !== 'on' && way !== 'off') {
    throw new CrossfadeError('invalid_input', `'read-only' takes on or off, not '${printable(way.slice(0, 40))}'.`);
  }
  const { api } = openApi(context);
  const call = { idempotencyKey: idempotencyKey(context), deadlineMs: LONG_DEADLINE_MS };
  if (way === 'off') {
    const body = options.reason ? { reason: options.reason } : {};
    const answer = await api.post<{ ended: boolean }>(`/v1/cutovers/${id}/read-only/end`, body, call);
    return {
      document: answer,
      text: answer.ended ? `${id}: the primary takes writes again.` : `${id}: no writes were refused.`,
    };
  }
  if (!options.reason)
    throw new CrossfadeError('invalid_input', "'read-only' needs --reason: it is audited with your name.");
  const body = { seconds: options.seconds ?? SECONDS, reason: options.reason };
  const answer = await api.post<{ untilMs: number }>(`/v1/cutovers/${id}/read-only`, body, call);
  return {
    document: answer,
    text: `${id}: the primary refuses writes (SQLSTATE 25006) until ${moment(answer.untilMs)} UTC. All earlier ones have their hints. Sooner: crossfade read-only ${id} off`,
  };
}
