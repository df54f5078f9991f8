/**
 * The composition of the publisher: the one that everybody has, with the servers themselves in place of requests. It runs outside of
 * the database's network, and its package is the only one that carries clients of AppConfig's control plane, of CloudWatch, and of the
 * ways to people; each is loaded when it is first used.
 */

import { environment } from '../adapters/system.ts';
import { keysUrl } from '../core/net/keys-url.ts';
import type { AlertChannel } from '../ports/alerts.ts';
import type { CriteriaRequests, CriteriaSources } from '../ports/criteria.ts';
import type { FlagRequests } from '../ports/flag-requests.ts';
import type { FlagPublisher } from '../ports/flags.ts';
import type { IssuerKeys } from '../ports/issuer-keys.ts';
import type { Clock } from '../ports/machine.ts';
import type { Ports } from '../ports/ports.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { composeApi } from './api.ts';
import type { ApiComposition } from './callers.ts';
import { alertChannels, signingKey } from './channels.ts';
import { dynamoOf, LOCAL_CREDENTIALS, lazily, missing, once } from './ports.ts';
import { askedIssuer } from './token-rules.ts';

export type PublisherComposition = ApiComposition & {
  ports: Ports & {
    flagRequests: FlagRequests;
    criteriaRequests: CriteriaRequests;
    issuerKeys: IssuerKeys | null;
    channels: readonly AlertChannel[];
  };
};

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composePublisher(variables = environment()): PublisherComposition {
  const env = readEnvironment(variables);
  const composition = composeApi(variables);
  const { realNow, ports } = composition;
  const { clock } = ports;
  const dynamo = once(() => dynamoOf(env));
  const requests = async () => ({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, realNow });
  return {
    ...composition,
    ports: {
      ...ports,
      flags: lazily(() => flagPublisher(env, clock)),
      criteria: criteriaSources(env, clock),
      channels: alertChannels(env, clock),
      issuerKeys: issuerKeys(env, dynamo),
      flagRequests: lazily(async () => {
        const { dynamoFlagRequests } = await import('../adapters/dynamodb/flag-requests.ts');
        return dynamoFlagRequests(await requests());
      }),
      criteriaRequests: lazily(async () => {
        const { dynamoCriteriaRequests } = await import('../adapters/dynamodb/criteria-requests.ts');
        return dynamoCriteriaRequests(await requests());
      }),
    },
  };
}

function issuerKeys(env: Environment, dynamo: () => ReturnType<typeof dynamoOf>): IssuerKeys | null {
  const issuer = askedIssuer(env);
  if (issuer === null) return null;
  const url = keysUrl(issuer, env.CROSSFADE_JWKS_URL);
  return lazily(async () => {
    const { askIssuer } = await import('../adapters/http/issuer.ts');
    const { dynamoIssuerKeys } = await import('../adapters/dynamodb/issuer-keys.ts');
    return {
      ...dynamoIssuerKeys({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE }),
      published: async () => ({ url: url.href, document: await askIssuer(url) }),
    };
  });
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
    return httpChecks({
      clock,
      profile: env.CROSSFADE_PROFILE,
      key: signingKey(env, clock, 'CROSSFADE_CHECK_KEY', 'HTTP checks'),
    });
  });
  return {
    alarms: async (arns) => (await alarms())(arns),
    httpCheck: async (check, question) => (await checks())(check, question),
  };
}
