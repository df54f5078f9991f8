/** murmur3_x86_32: published vectors, and an independent implementation over bytes for everything else. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur3, murmur3Bytes } from '../../../lib/core/routing/murmur3.ts';

const M32 = 0xffff_ffffn;
const rotl = (value: bigint, bits: bigint) => ((value << bits) | (value >> (32n - bits))) & M32;

/** As the algorithm is described: whole little-endian words, then the tail, then the finaliser. All in BigInt. */
function reference(bytes: Buffer, seed = 0): number {
  const scrambled = (k: bigint) => (rotl((k * 0xcc9e2d51n) & M32, 15n) * 0x1b873593n) & M32;
  const words = bytes.length >> 2;
  let h = BigInt(seed) & M32;
  for (let i = 0; i < words; i += 1) {
    h = (rotl(h ^ scrambled(BigInt(bytes.readUInt32LE(i * 4))), 13n) * 5n + 0xe6546b64n) & M32;
  }
  const tail = bytes.subarray(words * 4);
  if (tail.length > 0) h ^= scrambled(BigInt(tail.readUIntLE(0, tail.length)));
  h ^= BigInt(bytes.length);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & M32;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & M32;
  return Number(h ^ (h >> 16n));
}

const VECTORS: readonly [text: string, seed: number, hash: number][] = [
  ['', 0, 0],
  ['', 1, 0x514e28b7],
  ['', 0xffffffff, 0x81f16f39],
  ['a', 0, 0x3c2569b2],
  ['abc', 0, 0xb3dd93fa],
  ['hello', 0, 0x248bfa47],
  ['hello, world', 0, 0x149bbb7f],
  ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
  ['test', 0, 0xba6bd213],
  ['Hello, world!', 0, 0xc0363e43],
  ['aaaa', 0x9747b28c, 0x5a97808a],
  ['abcd', 0x9747b28c, 0xf0478627],
  ['ππππππππ', 0x9747b28c, 0xd58063c1],
  // From mmh3, the binding of the C++ original for Python: seeds on both sides of the sign bit.
  ['customer:42', 0, 0xa3dad64a],
  ['日本語', 1, 0x9a9ab650],
  ['a', 0x7fffffff, 0xd50aa631],
  ['日本語', 0x7fffffff, 0xcd672685],
  ['a', 0x80000000, 0x59b1fe52],
  ['🙂🙂x', 0x80000000, 0x0f012267],
  ['🙂🙂x', 0xffffffff, 0xb56e168d],
];

/** Any UTF-16 text, lone surrogates included, in bursts of different plains. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 16 }),
      fc.constantFrom(
        'é',
        '€',
        '漢',
        '😀',
        '👩‍👩‍👧‍👦',
        '\ud800',
        '\udc00',
        '\udfff\ud800',
        '\0',
        '\u007f',
        '\u0080',
        '\u07ff',
        '\u0800',
        '\uffff',
      ),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''));
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 64 });

describe('murmur3_x86_32', () => {
  it.each(VECTORS)('of %j with seed %i is the published value', (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
    expect(murmur3Bytes(Buffer.from(text, 'utf8'), seed)).toBe(hash);
    expect(reference(Buffer.from(text, 'utf8'), seed)).toBe(hash);
  });

  it('of ASCII of every length up to 64 is that of its bytes', () => {
    for (let length = 0; length <= 64; length += 1) {
      const text = Array.from({ length }, (_, i) => String.fromCharCode((i * 37 + length) & 0x7f)).join('');
      expect(murmur3(text)).toBe(reference(Buffer.from(text, 'utf8')));
    }
  });

  it('of any text is that of its UTF-8 bytes, where half a surrogate pair counts as U+FFFD', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, ascii), fc.integer({ min: 0, max: 0xffffffff }), (text, seed) => {
        const bytes = Buffer.from(text, 'utf8');
        expect(murmur3(text, seed)).toBe(reference(bytes, seed));
        expect(murmur3Bytes(bytes, seed)).toBe(reference(bytes, seed));
        expect(murmur3(text.toWellFormed(), seed)).toBe(murmur3(text, seed));
      }),
      { numRuns: 3_000 },
    );
  });

  it('of any bytes is that of the reference', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(murmur3Bytes(bytes)).toBe(reference(Buffer.from(bytes)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('hashes UTF-8 bytes and not UTF-16 units', () => {
    const units = Buffer.from('é', 'latin1');
    expect(murmur3('é')).not.toBe(murmur3Bytes(units));
  });
});
