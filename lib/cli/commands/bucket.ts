/**
 * The bucket of a key under a salt, exactly as routing computes it: for one key, or for JSON lines on standard input.
 * `hash` is the 32-bit murmur3 of the UTF-8 bytes of `salt:key`; the bucket is the hash.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { bucketOf } from '../../core/routing/routing.ts';
import { type Context, EXIT, type Outcome } from '../context.ts';
import { printable, printableJson } from '../text.ts';

type Bucket = { salt: string; key: string; hash: number; bucket: number };

function bucketLine(salt: string, key: string): Bucket {
  const hash = bucketOf(salt, key);
  return { salt, key, hash, bucket: hash };
}

export async function bucket(context: Context): Promise<Outcome | number> {
  const { salt, key, json } = context.options;
  if (salt !== undefined && key !== undefined) {
    const line = bucketLine(salt, key);
    return { document: line, text: `${line.bucket}` };
  }
  if (salt !== undefined || key !== undefined) {
    throw usage(`--${salt === undefined ? 'salt' : 'key'} is missing: both are needed.`);
  }
  if (!json) throw usage('Give --salt and --key, or JSON lines {"salt":…,"key":…} on standard input with --json.');
  return bucketsOfLines(context);
}

async function bucketsOfLines({ io }: Context): Promise<number> {
  let number = 0;
  let pending: string[] = [];
  const flush = () => {
    if (pending.length > 0) io.stdout(`${pending.join('\n')}\n`);
    pending = [];
  };
  try {
    for await (const bytes of linesOf(io.stdin)) {
      number += 1;
      const text = decode(bytes, number);
      if (text.trim() === '') continue;
      const { salt, key } = parseLine(text, number);
      pending.push(printableJson(bucketLine(salt, key)));
      if (pending.length >= 1_000) flush();
    }
  } finally {
    flush();
  }
  return EXIT.done;
}

function parseLine(text: string, number: number): { salt: string; key: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usage(`Line ${number} of standard input is not JSON: ${printable(text.slice(0, 60))}`);
  }
  const { salt, key } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof salt === 'string' && typeof key === 'string') return { salt, key };
  throw usage(`Line ${number} of standard input needs "salt" and "key" as text: ${printable(text.slice(0, 60))}`);
}

/** Invalid UTF-8 would silently become another key. */
function decode(bytes: Uint8Array, number: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usage(`Line ${number} of standard input is not UTF-8.`);
  }
}

/** Splits at LF only: other line separators may stand inside a JSON text. */
async function* linesOf(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, typeof chunk === 'string' ? Buffer.from(chunk) : chunk]);
    let from = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, from)) {
      yield rest.subarray(from, end);
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
  if (rest.length > 0) yield rest;
}

const usage = (message: string) => new CrossfadeError('invalid_input', message);
