/**
 * The composition of the tick: the one that everybody has, the channels that the environment names, and the sources of criteria.
 * Only the tick tells and observes, so only its package carries the vendors' clients; each is loaded when it is first used.
 */

import { environment } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import type { AlertChannel } from '../ports/alerts.ts';
import type { CriteriaSources } from '../ports/criteria.ts';
import type { Clock } from '../ports/machine.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose, LOCAL_CREDENTIALS, once } from './ports.ts';

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeTick(variables = environment()): Composition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const { clock } = composition.ports;
  const channels = alertChannels(env, clock);
  return { ...composition, ports: { ...composition.ports, channels, criteria: criteriaSources(env, clock) } };
}

function criteriaSources(env: Environment, clock: Clock): CriteriaSources {
  const alarms = once(async () => {
    const { cloudWatchAlarms } = await import('../adapters/cloudwatch/alarms.ts');
    const { cloudWatchClients } = await import('../adapters/cloudwatch/client.ts');
    const endpoint = env.CROSSFADE_CLOUDWATCH_ENDPOINT;
    const client = cloudWatchClients(endpoint ? { endpoint, credentials: LOCAL_CREDENTIALS } : {});
    return cloudWatchAlarms({ client });
  });
  const checks = once(async () => {
    const { httpChecks } = await import('../adapters/notify/http-check.ts');
    return httpChecks({ clock, profile: env.CROSSFADE_PROFILE, key: checkKey(env) });
  });
  return {
    alarms: async (arns) => (await alarms())(arns),
    httpCheck: async (check, question) => (await checks())(check, question),
  };
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

const webhookKey = (env: Environment) =>
  signingKey(env, 'CROSSFADE_ALERT_WEBHOOK_KEY', 'Messages to the webhook for alerts');
const checkKey = (env: Environment) => signingKey(env, 'CROSSFADE_CHECK_KEY', 'HTTP checks');

/** Nothing secret is in a deployed function's environment: there it names a secret, and only this machine has the key itself. */
function signingKey(
  env: Environment,
  name: 'CROSSFADE_ALERT_WEBHOOK_KEY' | 'CROSSFADE_CHECK_KEY',
  what: string,
): () => Promise<string> {
  const { [name]: key, [`${name}_ARN` as const]: arn, CROSSFADE_PROFILE: profile } = env;
  const read = once(async () => {
    const { secretKey } = await import('../adapters/notify/clients.ts');
    return secretKey(env.AWS_REGION, arn!);
  });
  return async () => {
    if (profile === 'local' && key) return key;
    if (arn) return read();
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
