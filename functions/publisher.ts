/**
 * What has to be done outside of the database's network. The stream of the state table wakes it with each change of a state and each
 * request for flags; the schedule is for what the stream does not bring.
 */

import type { Context, DynamoDBStreamEvent } from 'aws-lambda';
import { noteInvocation } from '../lib/compose/invocation.ts';
import { composePublisher, type PublisherComposition } from '../lib/compose/publisher.ts';
import { deliverAlerts } from '../lib/flows/alerts/deliver-alerts.ts';
import { answerCriteria } from '../lib/flows/publishing/answer-criteria.ts';
import { publishFlags } from '../lib/flows/publishing/publish-flags.ts';
import { renewKeys } from '../lib/flows/publishing/renew-keys.ts';
import { watchFlags } from '../lib/flows/publishing/watch-flags.ts';
import { scheduledHandler } from './middleware.ts';

let composition: PublisherComposition | undefined;
const composed = () => (composition ??= composePublisher());

/** Side by side, since neither may keep the flags waiting. */
const beside = (ports: PublisherComposition['ports']) => [deliverAlerts(ports), answerCriteria(ports)];

const scheduled = scheduledHandler(composed, async ({ ports, cutovers }, deadlineMs) => {
  await Promise.all([watchFlags(ports, await cutovers(), deadlineMs), renewKeys(ports), ...beside(ports)]);
});

/** Every look is the same, whatever has woken it: the records say nothing more. */
async function woken(context: Context): Promise<void> {
  noteInvocation(context);
  const { ports, cutovers } = composed();
  try {
    await Promise.all([publishFlags(ports, await cutovers()), ...beside(ports)]);
  } finally {
    ports.metrics.flush();
  }
}

export const handler = (event: DynamoDBStreamEvent | object, context: Context): Promise<unknown> =>
  'Records' in event ? woken(context) : scheduled(event, context);
