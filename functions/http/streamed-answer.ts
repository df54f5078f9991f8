/** An answer in the form in which a Function URL streams it: its head, and a body that is read bit by bit. */

import { PassThrough, pipeline, Readable } from 'node:stream';
import type { HttpAnswer } from './event.ts';

export function streamedAnswer({ body, isBase64Encoded = false, rest, ...head }: HttpAnswer): object {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const stream = new PassThrough();
  // A caller that leaves while the next part is waited for would else be waited with for ever.
  if (rest) stream.once('close', rest.leave);
  pipeline(Readable.from(partsOf(bytes, rest?.parts)), stream, () => {});
  return { ...head, body: stream };
}

/** The first part is there even when it is empty: the head goes out with it, and not before. */
async function* partsOf(first: Uint8Array, rest: AsyncIterable<Uint8Array> | undefined) {
  yield first;
  if (rest) yield* rest;
}
