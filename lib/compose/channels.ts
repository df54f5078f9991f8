/** The ways to people that the environment names; each vendor's client is loaded with the first message. */

import { CrossfadeError } from '../core/base/errors.ts';
import { MINUTE_MS } from '../core/base/units.ts';
import type { AlertChannel } from '../ports/alerts.ts';
import type { Clock } from '../ports/machine.ts';
import type { Environment } from '../schemas/environment.ts';
import { once } from './ports.ts';

/** How long a rotated secret may go unnoticed: an instance that is warm lives for hours. */
const KEY_KEPT_MS = 5 * MINUTE_MS;

export function alertChannels(env: Environment, clock: Clock): readonly AlertChannel[] {
  const region = env.AWS_REGION;
  const { CROSSFADE_ALERT_TOPIC: topicArn, CROSSFADE_ALERT_EVENT_BUS: bus, CROSSFADE_ALERT_WEBHOOK_URL: url } = env;
  return [
    ...(topicArn
      ? [
          late('sns', async () => {
            const { snsClient } = await import('../adapters/notify/clients.ts');
            const { snsChannel } = await import('../adapters/notify/sns.ts');
            return snsChannel({ client: await snsClient(region), topicArn });
          }),
        ]
      : []),
    ...(bus
      ? [
          late('eventbridge', async () => {
            const { eventBridgeClient } = await import('../adapters/notify/clients.ts');
            const { eventBridgeChannel } = await import('../adapters/notify/event-bridge.ts');
            return eventBridgeChannel({ client: await eventBridgeClient(region), bus });
          }),
        ]
      : []),
    ...(url
      ? [
          late('webhook', async () => {
            const { webhookChannel } = await import('../adapters/notify/webhook.ts');
            const { CROSSFADE_ALERT_WEBHOOK_FORM: form, CROSSFADE_PROFILE: profile } = env;
            return webhookChannel({ url, form, key: webhookKey(env, clock), clock, profile });
          }),
        ]
      : []),
  ];
}

const webhookKey = (env: Environment, clock: Clock) =>
  signingKey(env, clock, 'CROSSFADE_ALERT_WEBHOOK_KEY', 'Messages to the webhook for alerts');

/** Nothing secret is in a deployed function's environment: there it names a secret, and only this machine has the key itself. */
export function signingKey(
  env: Environment,
  clock: Pick<Clock, 'monotonicMs'>,
  name: 'CROSSFADE_ALERT_WEBHOOK_KEY' | 'CROSSFADE_CHECK_KEY',
  what: string,
): () => Promise<string> {
  const { [name]: key, [`${name}_ARN` as const]: arn, CROSSFADE_PROFILE: profile } = env;
  const readNow = async () => {
    const { secretKey } = await import('../adapters/notify/clients.ts');
    return secretKey(env.AWS_REGION, arn!);
  };
  let read = once(readNow);
  let readAtMs = clock.monotonicMs();
  const lately = () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - readAtMs >= KEY_KEPT_MS) [read, readAtMs] = [once(readNow), nowMs];
    return read();
  };
  return async () => {
    if (profile === 'local' && key) return key;
    if (arn) return lately();
    throw new CrossfadeError(
      'invalid_config',
      `${what} are signed: ${name}_ARN must name the secret with the key (locally ${name}).`,
    );
  };
}

function late(name: string, make: () => Promise<AlertChannel>): AlertChannel {
  let made: Promise<AlertChannel> | undefined;
  return {
    name,
    async send(message, timeoutMs) {
      made ??= make().catch((error) => {
        made = undefined;
        throw error;
      });
      await (await made).send(message, timeoutMs);
    },
  };
}
