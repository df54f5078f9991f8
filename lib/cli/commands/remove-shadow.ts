/** `crossfade remove-shadow CUTOVER`: drops the shadow table of a cutover that is not under way. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { confirm } from '../confirm.ts';
import { type Context, cutoverId, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { printable } from '../text.ts';

export async function removeShadow(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { reason } = options;
  if (!reason)
    throw new CrossfadeError('invalid_input', "'remove-shadow' needs --reason: it is audited with your name.");
  const call = { idempotencyKey: idempotencyKey(context), deadlineMs: LONG_DEADLINE_MS };
  const { connection, api } = openApi(context);
  const { loopback, url } = connection;
  const command = `dropping the shadow of '${id}'`;
  await confirm(io, { command, name: id, given: options.confirm, yes: options.yes === true, loopback, url });
  const path = `/v1/cutovers/${id}/remove-shadow`;
  const answer = await api.post<{ removed: boolean; note: string }>(path, { confirm: id, reason }, call);
  return { document: answer, text: `${id}: ${printable(answer.note)}` };
}
