/**
 * The composition of the tick: the one that everybody has, and the channels that the environment names. Only the tick
 * tells, so only its package carries the vendors' clients; each is loaded with the first message.
 */

import { environment } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import type { AlertChannel } from '../ports/alerts.ts';
import type { Clock } from '../ports/machine.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose } from './ports.ts';

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeTick(variables = environment()): Composition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const channels = alertChannels(env, composition.ports.clock);
  return { ...composition, ports: { ...composition.ports, channels } };
}

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
            return webhookChannel({ url, key: webhookKey(env), clock, profile: env.CROSSFADE_PROFILE });
          }),
        ]
      : []),
  ];
}

/** Nothing secret is in a deployed function's environment: there it names a secret, and only this machine has the key itself. */
function webhookKey(env: Environment): () => Promise<string> {
  const { CROSSFADE_ALERT_WEBHOOK_KEY_ARN: arn, CROSSFADE_ALERT_WEBHOOK_KEY: key, CROSSFADE_PROFILE: profile } = env;
  let read: Promise<string> | undefined;
  return () => {
    if (profile === 'local' && key) return Promise.resolve(key);
    if (!arn)
      return Promise.reject(
        new CrossfadeError(
          'invalid_config',
          'Messages to the webhook for alerts are signed: CROSSFADE_ALERT_WEBHOOK_KEY_ARN must name the secret with the key (locally CROSSFADE_ALERT_WEBHOOK_KEY).',
        ),
      );
    read ??= import('../adapters/notify/clients.ts')
      .then(({ secretKey }) => secretKey(env.AWS_REGION, arn))
      .catch((error) => {
        read = undefined;
        throw error;
      });
    return read;
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
