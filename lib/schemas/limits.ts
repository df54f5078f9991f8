/** Limits as a person types them, `key=value`: an unknown key is refused with all that there are, and the nearest. */

import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { TRIED_LIMITS, type TriedLimits } from '../core/replay/trial.ts';
import { triedLimits } from './policy.ts';
import { parse } from './problems.ts';

/** @throws CrossfadeError `invalid_input` for a key that is not one, or no value */
export function limitsIn(texts: readonly string[], keys: readonly string[], what: string): Record<string, unknown> {
  const pairs = texts.map((text): [string, unknown] => {
    const at = text.indexOf('=');
    const key = checkedKey(at < 0 ? text : text.slice(0, at), keys, what);
    if (at < 0) throw new CrossfadeError('invalid_input', `--set takes key=value, not '${text.slice(0, 60)}'.`);
    return [key, parsedValue(text.slice(at + 1))];
  });
  return Object.fromEntries(pairs);
}

/** @param what the keys are: `key of a policy` */
export function checkedKey(key: string, keys: readonly string[], what: string): string {
  if (keys.includes(key)) return key;
  throw new CrossfadeError(
    'invalid_input',
    `'${key.slice(0, 60)}' is no ${what}.${didYouMean(key, keys)} All of them: ${keys.join(', ')}.`,
  );
}

function parsedValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'none') return null;
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/**
 * Limits to try on recorded minutes. One that is given twice counts as it was given last.
 * @throws CrossfadeError `invalid_input` naming every value that cannot be one
 */
export function readTriedLimits(texts: readonly string[]): TriedLimits {
  const given = limitsIn(texts, TRIED_LIMITS, 'limit that a replay can try');
  return parse(triedLimits, given, '--set');
}
