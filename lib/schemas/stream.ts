/**
 * Records of the DynamoDB Stream as wake-ups. Only INSERT and MODIFY with a new image count; removals, by TTL or by
 * hand, are none of ours. A record without a sequence number cannot be reported as failed, so the whole batch must
 * come again.
 */

import { CUTOVER_ID } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import type { WakeUp } from '../ports.ts';

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
    const counts = record.eventName === 'INSERT' || record.eventName === 'MODIFY';
    if (!counts) return [];
    const id: unknown = record.dynamodb.NewImage?.id?.S;
    return [{ sequenceNumber, cutover: typeof id === 'string' && CUTOVER_ID.test(id) ? id : null }];
  });
}
