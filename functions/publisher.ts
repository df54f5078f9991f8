/**
 * What has to be done outside of the database's network. The stream of the state table wakes it with each change of a state and each
 * request for flags; the schedule is for what the stream does not bring, and a route for who cannot wait for that.
 */

import type { APIGatewayProxyEventV2, Context, DynamoDBStreamEvent } from 'aws-lambda';
import { noteInvocation } from '../lib/compose/invocation.ts';
import { composePublisher, type PublisherComposition } from '../lib/compose/publisher.ts';
import { deliverAlerts } from '../lib/flows/alerts/deliver-alerts.ts';
import { answerCriteria } from '../lib/flows/publishing/answer-criteria.ts';
import { publishFlags } from '../lib/flows/publishing/publish-flags.ts';
import { renewKeys } from '../lib/flows/publishing/renew-keys.ts';
import { watchFlags } from '../lib/flows/publishing/watch-flags.ts';
import { httpHandler, scheduledHandler } from './middleware.ts';
import { publisherRoutes } from './publisher-routes/publish.ts';

let composition: PublisherComposition | undefined;
const composed = () => (composition ??= composePublisher());

/** Side by side, since neither may keep the flags waiting. */
const beside = (ports: PublisherComposition['ports']) => [deliverAlerts(ports), answerCriteria(ports)];

const scheduled = scheduledHandler(composed, async ({ ports, cutovers }, deadlineMs) => {
  await Promise.all([watchFlags(ports, await cutovers(), deadlineMs), renewKeys(ports), ...beside(ports)]);
});

const asked = httpHandler(composed, publisherRoutes);

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

export const handler = (
  event: DynamoDBStreamEvent | APIGatewayProxyEventV2 | object,
  context: Context,
): Promise<unknown> => {
  if ('Records' in event) return woken(context);
  return 'requestContext' in event ? asked(event, context) : scheduled(event, context);
};
