/**
 * Records of the DynamoDB Stream as wake-ups. Only INSERT and MODIFY with a new image count; removals, by TTL or by
 * hand, are none of ours, and anything else names no cutover. A record without a sequence number cannot be reported as
 * failed, so the whole batch must come again.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { isSlice } from '../core/routing/slices.ts';
import type { ReadToCompare, WakeUp } from '../ports/wake-ups.ts';

const FORWARD_PARTITION = /^[a-z][a-z0-9_]{0,39}#\d$/;
const COMPARISON = 'compare#';
/** Bodies and receipts of forwarded writes lie beside them and say nothing by themselves. */
const COMPANION = /^(body|receipt)#/;
/** The second is what DynamoDB Local calls a removal by TTL. */
const REMOVALS = new Set(['REMOVE', 'UNKNOWN_TO_SDK_VERSION']);

/** @throws CrossfadeError `invalid_event` for anything that is not a batch of stream records */
export function parseWakeUps(event: unknown): WakeUp[] {
  const records = (event as { Records?: unknown } | null)?.Records;
  if (!Array.isArray(records) || records.some((record) => record?.eventSource !== 'aws:dynamodb')) {
    throw new CrossfadeError(
      'invalid_event',
      'The shadow-writer serves batches of DynamoDB Stream records; it was called with another event.',
    );
  }
  return records.flatMap((record) => {
    const sequenceNumber: unknown = record.dynamodb?.SequenceNumber;
    if (typeof sequenceNumber !== 'string' || sequenceNumber === '') {
      throw new CrossfadeError(
        'invalid_event',
        'A stream record has no sequence number: the whole batch has to come again.',
      );
    }
    if (REMOVALS.has(record.eventName)) return [];
    const counts = record.eventName === 'INSERT' || record.eventName === 'MODIFY';
    const image = counts ? record.dynamodb.NewImage : undefined;
    const id: unknown = image?.id?.S;
    if (typeof id !== 'string') return [{ sequenceNumber, cutover: null }];
    if (FORWARD_PARTITION.test(id)) return isWaiting(image) ? [{ sequenceNumber, cutover: id.split('#')[0]! }] : [];
    if (COMPANION.test(id)) return [];
    if (id.startsWith(COMPARISON)) {
      const read = readOf(image.read?.S);
      const cutover = id.slice(COMPARISON.length);
      return read && CUTOVER_ID.test(cutover)
        ? [{ sequenceNumber, cutover, read }]
        : [{ sequenceNumber, cutover: null }];
    }
    return [{ sequenceNumber, cutover: CUTOVER_ID.test(id) ? id : null }];
  });
}

/** A read that the gateway left for comparison; undefined when it is none. */
function readOf(text: unknown): ReadToCompare | undefined {
  try {
    const { method, path, query, headers, slice } = JSON.parse(String(text)) as ReadToCompare;
    if (typeof headers !== 'object' || Array.isArray(headers)) return undefined;
    const known = [method, path, query, ...Object.values(headers)].every((part) => typeof part === 'string');
    const place = isSlice(slice) ? { slice } : {};
    return known && method === 'GET' ? { method, path, query, headers, ...place } : undefined;
  } catch {
    return undefined;
  }
}

/** Just made ready. A forwarded write that is claimed or postponed wakes no writer: it would wake itself for ever. */
function isWaiting(image: { status?: { S?: string }; attempts?: { N?: string } }): boolean {
  return image.status?.S === 'ready' && image.attempts?.N === '0';
}
