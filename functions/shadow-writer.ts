/**
 * Serves wake-ups from the stream. The answer names the first record that was not served and nothing after it was
 * touched; an empty list means that the whole batch is done.
 */

import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { noteInvocation } from '../lib/compose/invocation.ts';
import { type Composition, compose } from '../lib/compose/ports.ts';
import { withServices } from '../lib/compose/services.ts';
import { outcomeBuffer } from '../lib/flows/forwards/outcome-buffer.ts';
import { type ServingPorts, serveWakeUps } from '../lib/flows/rows/serve-wake-ups.ts';
import { parseWakeUps } from '../lib/schemas/stream.ts';

/** Of checks: far below the minute that gates are judged by, and not one write for each batch and table. */
const FLUSH_EVERY_MS = 10_000;

type Instance = Composition & { ports: ServingPorts };
let instance: Instance | undefined;

export async function handler(event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> {
  noteInvocation(context);
  const wakeUps = parseWakeUps(event);
  instance ??= instanceOf(withServices(compose()));
  const { ports, cutovers, upstream } = instance;
  const deadlineMs = ports.clock.monotonicMs() + context.getRemainingTimeInMillis();
  try {
    const { firstFailure } = await serveWakeUps(ports, await cutovers(), wakeUps, { deadlineMs, upstream });
    return { batchItemFailures: firstFailure === null ? [] : [{ itemIdentifier: firstFailure }] };
  } finally {
    ports.metrics.flush();
  }
}

const instanceOf = (composition: Composition): Instance => ({
  ...composition,
  ports: { ...composition.ports, outcomes: outcomeBuffer(composition.ports, FLUSH_EVERY_MS) },
});
