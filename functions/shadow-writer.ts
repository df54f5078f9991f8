/**
 * Serves wake-ups from the stream. The answer names the first record that was not served and nothing after it was
 * touched; an empty list means that the whole batch is done.
 */

import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { type Composition, compose } from '../lib/compose/ports.ts';
import { serveWakeUps } from '../lib/flows/rows/serve-wake-ups.ts';
import { parseWakeUps } from '../lib/schemas/stream.ts';

let composition: Composition | undefined;

export async function handler(event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> {
  const wakeUps = parseWakeUps(event);
  composition ??= compose();
  const { ports, cutovers, upstream } = composition;
  const deadlineMs = ports.clock.monotonicMs() + context.getRemainingTimeInMillis();
  const { firstFailure } = await serveWakeUps(ports, await cutovers(), wakeUps, { deadlineMs, upstream });
  return { batchItemFailures: firstFailure === null ? [] : [{ itemIdentifier: firstFailure }] };
}
