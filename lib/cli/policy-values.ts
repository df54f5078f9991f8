/** `--set key=value` of `crossfade policy`, as the API takes it. */

import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { POLICY_KEYS } from '../schemas/policy.ts';
import type { Options } from './context.ts';
import { printable } from './text.ts';

/** @throws CrossfadeError `invalid_input` for a key that is not one, or no value */
export function policyBody({ set = [], unset = [], stage, reason }: Options): object {
  const pairs = set.map((text): [string, unknown] => {
    const at = text.indexOf('=');
    const key = checkedKey(at < 0 ? text : text.slice(0, at));
    if (at < 0) throw new CrossfadeError('invalid_input', `--set takes key=value, not '${printable(text)}'.`);
    return [key, parsedValue(text.slice(at + 1))];
  });
  return {
    stage,
    set: Object.fromEntries(pairs),
    ...(unset.length > 0 ? { unset: unset.map(checkedKey) } : {}),
    reason,
  };
}

function checkedKey(key: string): string {
  if ((POLICY_KEYS as string[]).includes(key)) return key;
  throw new CrossfadeError(
    'invalid_input',
    `'${printable(key.slice(0, 60))}' is no key of a policy.${didYouMean(key, POLICY_KEYS)} All of them: ${POLICY_KEYS.join(', ')}.`,
  );
}

function parsedValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'none') return null;
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}
