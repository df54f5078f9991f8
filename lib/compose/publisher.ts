/**
 * The composition of the publisher: the one that everybody has, with AppConfig itself in place of the requests for it. It runs outside of
 * the database's network, and its package is the only one that carries this client.
 */

import { environment } from '../adapters/system.ts';
import type { FlagRequests } from '../ports/flag-requests.ts';
import type { FlagPublisher } from '../ports/flags.ts';
import type { Clock } from '../ports/machine.ts';
import type { Ports } from '../ports/ports.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose, dynamoOf, LOCAL_CREDENTIALS, lazily, missing } from './ports.ts';

export type PublisherComposition = Composition & { ports: Ports & { flagRequests: FlagRequests } };

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composePublisher(variables = environment()): PublisherComposition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const { realNow, ports } = composition;
  const flagRequests = lazily(async () => {
    const { dynamoFlagRequests } = await import('../adapters/dynamodb/flag-requests.ts');
    return dynamoFlagRequests({ client: await dynamoOf(env), tableName: env.CROSSFADE_STATE_TABLE, realNow });
  });
  return {
    ...composition,
    ports: { ...ports, flags: lazily(() => flagPublisher(env, ports.clock)), flagRequests },
  };
}

async function flagPublisher(env: Environment, clock: Clock): Promise<FlagPublisher> {
  const { appConfigClient } = await import('../adapters/appconfig/client.ts');
  const { appConfigPublisher } = await import('../adapters/appconfig/publisher.ts');
  const endpoint = env.CROSSFADE_APPCONFIG_ENDPOINT;
  if (!env.CROSSFADE_APPCONFIG_STRATEGY) throw missing('CROSSFADE_APPCONFIG_STRATEGY', 'flags are published');
  return appConfigPublisher({
    client: appConfigClient({
      region: env.AWS_REGION,
      ...(endpoint ? { endpoint, credentials: LOCAL_CREDENTIALS } : {}),
    }),
    application: env.CROSSFADE_APPCONFIG_APPLICATION,
    environment: env.CROSSFADE_APPCONFIG_ENVIRONMENT,
    profile: env.CROSSFADE_APPCONFIG_PROFILE,
    strategy: env.CROSSFADE_APPCONFIG_STRATEGY,
    clock,
  });
}
