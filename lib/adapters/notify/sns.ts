/** Alerts to a topic of SNS. The topic may fan out to mail, phones and queues; `severity` and `change` can be filtered on. */

import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { AlertChannel } from '../../ports/alerts.ts';
import { documentOf, subjectOf } from './message.ts';

export function snsChannel({ client, topicArn }: { client: SNSClient; topicArn: string }): AlertChannel {
  return {
    name: 'sns',
    async send(message, timeoutMs) {
      const attribute = (value: string) => ({ DataType: 'String', StringValue: value });
      const command = new PublishCommand({
        TopicArn: topicArn,
        Subject: subjectOf(message),
        Message: `${message.text}\n\n${JSON.stringify(documentOf(message), null, 2)}`,
        MessageAttributes: {
          id: attribute(message.id),
          cutover: attribute(message.cutover),
          severity: attribute(message.severity),
          change: attribute(message.change),
        },
      });
      try {
        await client.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) });
      } catch (cause) {
        throw new CrossfadeError('upstream_unavailable', `SNS did not take alert message ${message.id}.`, { cause });
      }
    },
  };
}
