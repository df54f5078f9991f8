/** Alerts as events on a bus of EventBridge: source `crossfade`, detail type `Crossfade alert`. Rules route them further. */

import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { AlertChannel } from '../../ports/alerts.ts';
import { documentOf } from './message.ts';

export function eventBridgeChannel({ client, bus }: { client: EventBridgeClient; bus: string }): AlertChannel {
  return {
    name: 'eventbridge',
    async send(message, timeoutMs) {
      const command = new PutEventsCommand({
        Entries: [
          {
            EventBusName: bus,
            Source: 'crossfade',
            DetailType: 'Crossfade alert',
            Time: new Date(message.atMs),
            Detail: JSON.stringify(documentOf(message)),
          },
        ],
      });
      const refused = await client
        .send(command, { abortSignal: AbortSignal.timeout(timeoutMs) })
        // A call that succeeds may still have refused its one event.
        .then(({ FailedEntryCount, Entries }) => (FailedEntryCount ? (Entries?.[0]?.ErrorCode ?? 'refused') : null))
        .catch((cause: unknown) => {
          throw new CrossfadeError('upstream_unavailable', `EventBridge did not take message ${message.id}.`, {
            cause,
          });
        });
      if (refused)
        throw new CrossfadeError('upstream_unavailable', `EventBridge refused message ${message.id}: ${refused}.`);
    },
  };
}
