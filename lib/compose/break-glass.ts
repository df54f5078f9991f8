/** What the emergency stop without the API needs: the two stores, with the credentials of the person who gives it. */

import { random, systemClock, systemIds } from '../adapters/system.ts';
import type { Ports } from '../ports/ports.ts';
import { once } from './ports.ts';

export type BreakGlass = {
  region: string;
  profile?: string | undefined;
  stateTable: string;
  /** Names, as infra/flags.yml gives them. */
  appConfig: { application: string; environment: string; profile: string; strategy: string };
  /** Of the local stack and of tests. */
  endpoints?: { dynamodb: string; appConfig: string };
};

/** As infra/tables.yml and infra/flags.yml name what they make. */
export const deployedNames = (stage: string): Pick<BreakGlass, 'stateTable' | 'appConfig'> => ({
  stateTable: `crossfade-${stage}-state`,
  appConfig: {
    application: `crossfade-${stage}`,
    environment: stage,
    profile: 'flags',
    strategy: `crossfade-${stage}-at-once`,
  },
});

/** A person waits longer than a function does, and may be far from the region. */
const LIMITS = { connectMs: 3_000, requestMs: 5_000 };
const CALL_MS = 15_000;

export async function composeBreakGlass(options: BreakGlass): Promise<Pick<Ports, 'state' | 'flags' | 'clock'>> {
  const { region, profile, stateTable, endpoints } = options;
  const { dynamoClient } = await import('../adapters/dynamodb/client.ts');
  const { dynamoStateStore } = await import('../adapters/dynamodb/state-store.ts');
  const { appConfigClient } = await import('../adapters/appconfig/client.ts');
  const { appConfigPublisher } = await import('../adapters/appconfig/publisher.ts');
  const { findIds } = await import('../adapters/appconfig/find-ids.ts');
  const { callerCredentials } = await import('../adapters/http/sign-request.ts');
  const clock = systemClock();
  const credentials = callerCredentials(profile);
  const at = (endpoint: string | undefined) => ({ region, credentials, ...(endpoint ? { endpoint } : {}) });
  const client = dynamoClient({ ...at(endpoints?.dynamodb), limits: LIMITS });
  const control = appConfigClient(at(endpoints?.appConfig));
  // Looked up with the first question: without AppConfig the state is written all the same.
  const publisher = once(async () => {
    const ids = await findIds(control, options.appConfig);
    return appConfigPublisher({ client: control, ...ids, clock, requestTimeoutMs: CALL_MS });
  });
  return {
    clock,
    state: dynamoStateStore({
      client,
      tableName: stateTable,
      clock,
      ids: systemIds(),
      random,
      requestTimeoutMs: CALL_MS,
    }),
    flags: {
      deployed: async () => (await publisher()).deployed(),
      publish: async (publication) => (await publisher()).publish(publication),
    },
  };
}
