/** The part of an answer that comes after it was handed over. */

import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import type { AnswerRest } from '../../ports/upstream.ts';

/** Types of content that are made to be read as they come: each waits for the next event. */
const IN_PARTS = new Set([
  'text/event-stream',
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/json-seq',
  'application/stream+json',
]);

export const comesInParts = (contentType = ''): boolean =>
  IN_PARTS.has(contentType.split(';')[0]!.trim().toLowerCase());

export const restOf = (incoming: IncomingMessage): AnswerRest => ({
  parts: incoming,
  ended: finished(incoming, { writable: false }).then(
    () => 'whole',
    () => (incoming.errored ? 'broken' : 'left'),
  ),
  leave: () => void incoming.destroy(),
});
