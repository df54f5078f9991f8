/** MurmurHash3 x86 32-bit over UTF-8 bytes. The same function in SQL is `crossfade.murmur3_32`. */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const encoder = new TextEncoder();

/**
 * Hash of the UTF-8 bytes of `text`, as an unsigned 32-bit integer. A lone surrogate counts as U+FFFD.
 * Source of the formula: Austin Appleby's public-domain MurmurHash3, x86_32 variant.
 * @example murmur3('hello') // 613153351
 */
export function murmur3(text: string, seed = 0): number {
  const { length } = text;
  let hash = seed | 0;
  let word = 0;
  let i = 0;
  for (; i < length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return murmur3Bytes(encoder.encode(text), seed);
    word |= unit << ((i & 3) << 3);
    if ((i & 3) === 3) {
      hash = mixWord(hash, word);
      word = 0;
    }
  }
  if ((length & 3) !== 0) hash ^= scramble(word);
  return finish(hash, length);
}

/** The state of the hash after a text that many others begin with. */
export type HashedPrefix = { text: string; hash: number; word: number; length: number };

/** Null for a text that is not ASCII: what follows it is then hashed whole. */
export function murmur3Prefix(text: string): HashedPrefix | null {
  let hash = 0;
  let word = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return null;
    word |= unit << ((i & 3) << 3);
    if ((i & 3) === 3) {
      hash = mixWord(hash, word);
      word = 0;
    }
  }
  return { text, hash, word, length: text.length };
}

/**
 * `murmur3(prefix.text + text)` without making that text or hashing the prefix again.
 * @example murmur3After(murmur3Prefix('customer:')!, 'user-1') === murmur3('customer:user-1')
 */
export function murmur3After(prefix: HashedPrefix, text: string): number {
  let { hash, word } = prefix;
  const start = prefix.length;
  const length = start + text.length;
  for (let i = start; i < length; i += 1) {
    const unit = text.charCodeAt(i - start);
    if (unit > 0x7f) return murmur3Bytes(encoder.encode(prefix.text + text));
    word |= unit << ((i & 3) << 3);
    if ((i & 3) === 3) {
      hash = mixWord(hash, word);
      word = 0;
    }
  }
  if ((length & 3) !== 0) hash ^= scramble(word);
  return finish(hash, length);
}

/** The same over bytes. */
export function murmur3Bytes(bytes: Uint8Array, seed = 0): number {
  const { length } = bytes;
  let hash = seed | 0;
  let word = 0;
  for (let i = 0; i < length; i += 1) {
    word |= bytes[i]! << ((i & 3) << 3);
    if ((i & 3) === 3) {
      hash = mixWord(hash, word);
      word = 0;
    }
  }
  if ((length & 3) !== 0) hash ^= scramble(word);
  return finish(hash, length);
}

function scramble(word: number): number {
  const k = Math.imul(word, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function mixWord(hash: number, word: number): number {
  const mixed = hash ^ scramble(word);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
