/** An answer in the form in which a Function URL streams it: its head, and a body that is written bit by bit. */

import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { HttpAnswer } from './event.ts';

/**
 * @param out of the runtime. Where the upstream breaks off it is neither ended nor destroyed: the runtime tells the caller then that the
 *   answer is not whole, where a destroyed one would end the instance
 * @throws what the upstream broke off with
 */
export async function streamAnswer(
  out: Writable,
  { body, isBase64Encoded = false, rest, ...head }: HttpAnswer,
): Promise<void> {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const caller = awslambda.HttpResponseStream.from(out, head);
  // A caller that leaves while the next part is waited for would else be waited with for ever.
  if (rest) caller.once('close', rest.leave);
  const parts = new Writable({
    write: (part, _, written) => void caller.write(part, written),
    final: (ended) => void caller.end(ended),
  });
  await pipeline(Readable.from(partsOf(bytes, rest?.parts)), parts);
}

/** The first part is there even when it is empty: the head goes out with it, and not before. */
async function* partsOf(first: Uint8Array, rest: AsyncIterable<Uint8Array> | undefined) {
  yield first;
  if (rest) yield* rest;
}
