/** Names for what is renamed: as they are wanted where Postgres takes them, otherwise cut, with a mark that keeps them apart. */

import { murmur3 } from '../../routing/murmur3.ts';

/** NAMEDATALEN of Postgres, less its last zero. A longer name is cut by Postgres itself, without asking whether it is taken. */
const MAX_BYTES = 63;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/**
 * `name` and `ending` where both together fit; otherwise as much of the name as leaves room for the ending and eight digits of
 * a hash of the whole. The same arguments give the same name, unless that is taken.
 *
 * @param isTaken asked of names that were cut: whether one that fits is taken is for the caller to judge
 * @example fitName('customer', '_old', () => false) // 'customer_old'
 */
export function fitName(name: string, ending: string, isTaken: (name: string) => boolean): string {
  const whole = name + ending;
  if (bytesOf(whole) <= MAX_BYTES) return whole;
  for (let seed = 0; ; seed += 1) {
    const mark = `_${murmur3(whole, seed).toString(16).padStart(8, '0')}${ending}`;
    const fitted = cut(name, MAX_BYTES - bytesOf(mark)) + mark;
    if (!isTaken(fitted)) return fitted;
  }
}

/** Never in the middle of a character. */
function cut(text: string, most: number): string {
  let bytes = 0;
  let kept = '';
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > most) return kept;
    kept += character;
  }
  return kept;
}
