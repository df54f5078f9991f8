/** `crossfade writes off|on [CUTOVER]`: the switch of writes to the shadow, of one cutover or of all. */

import { CrossfadeError } from '../../core/errors.ts';
import type { Context, Outcome } from '../context.ts';
import { printable } from '../text.ts';
import { operateAction } from './operate.ts';
import { send } from './system.ts';

export async function writes(context: Context): Promise<Outcome | number> {
  const [way, cutover] = context.args;
  if (way !== 'on' && way !== 'off') {
    throw new CrossfadeError('invalid_input', `'writes' takes on or off, not '${printable((way ?? '').slice(0, 40))}'.`);
  }
  if (cutover !== undefined) {
    return operateAction(way === 'on' ? 'enable-writes' : 'disable-writes')({ ...context, args: [cutover] });
  }
  type Answer = { shadowWritesEnabled: boolean; published: boolean };
  const body = { enabled: way === 'on', reason: context.options.reason };
  const answer = await send<Answer>(context, `writes ${way}`, null, 'shadow-writes', body);
  const text = answer.shadowWritesEnabled
    ? 'Writes to shadows are on; what waited in the outboxes is applied now.'
    : "Writes to all shadows are off. Changes wait in the outboxes, nothing is lost, nothing advances: 'crossfade writes on'.";
  return { document: answer, text };
}
