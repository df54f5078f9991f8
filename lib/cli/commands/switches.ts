/** `crossfade writes off|on [CUTOVER]` and `crossfade reads primary|shadow CUTOVER`: switches that stay in the stage. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { Context, Outcome } from '../context.ts';
import { printable } from '../text.ts';
import { operateAction } from './operate.ts';
import { send } from './system.ts';

/** Of one cutover, or of all when none is named. */
export async function writes(context: Context): Promise<Outcome | number> {
  const [way, cutover] = context.args;
  oneOf('writes', way, ['on', 'off']);
  if (cutover !== undefined) return switched('shadow-writes', context, cutover, way!);
  type Answer = { shadowWritesEnabled: boolean; published: boolean };
  const body = { enabled: way === 'on', reason: context.options.reason };
  const answer = await send<Answer>(context, 'shadow-writes', body, { command: `writes ${way}`, name: null });
  const text = answer.shadowWritesEnabled
    ? 'Writes to shadows are on; what waited in the outboxes is applied now.'
    : "Writes to all shadows are off. Changes wait in the outboxes, nothing is lost and nothing advances until 'crossfade writes on --reason …'.";
  return { document: answer, text };
}

export async function reads(context: Context): Promise<Outcome | number> {
  const [to, cutover = ''] = context.args;
  oneOf('reads', to, ['primary', 'shadow']);
  return switched('reads', context, cutover, to!);
}

const SAID: Readonly<Record<string, (id: string) => string>> = {
  off: (id) =>
    `Its shadow is neither written nor read. Changes wait, nothing is lost and nothing advances until 'crossfade writes on ${id} --reason …'.`,
  on: (id) =>
    `What waited is applied now. Where reads were on the shadow, 'crossfade reads shadow ${id} --reason …' sends them back once it is.`,
  primary: (id) =>
    `Capture, copy and verification go on; nothing advances until 'crossfade reads shadow ${id} --reason …'.`,
  shadow: () => 'The evidence of this stage begins again from zero.',
};

async function switched(name: 'reads' | 'shadow-writes', context: Context, id: string, way: string) {
  const outcome = await operateAction(name)({ ...context, args: [id, way] });
  if (typeof outcome === 'number') return outcome;
  return { ...outcome, text: `${outcome.text}\n${SAID[way]!(id)}` };
}

function oneOf(command: string, given: string | undefined, allowed: readonly [string, string]): void {
  if (given !== undefined && allowed.includes(given)) return;
  const seen = printable((given ?? '').slice(0, 40));
  throw new CrossfadeError('invalid_input', `'${command}' takes ${allowed[0]} or ${allowed[1]}, not '${seen}'.`);
}
