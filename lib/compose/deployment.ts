/** A deployment as the person reaches it who deploys: by the names of its stage, with the credentials of their profile. */

import type { NamedAlarm, OwnMetric } from '../adapters/cloudwatch/signals.ts';
import type { Invoke } from '../adapters/lambda/invoke.ts';
import type { SchemaTask } from '../schemas/schema-task.ts';
import { deployedNames } from './break-glass.ts';
import { once } from './ports.ts';

export type Deployment = {
  /** @throws CrossfadeError of the function; `not_found`, `forbidden`, `upstream_unavailable` */
  schema<T>(task: SchemaTask): Promise<T>;
  /** Deletes every stored version of the flags, which would keep the stack from going. How many there were. */
  deleteFlagVersions(): Promise<number>;
  /** Those of the names that there are. @throws Error of the client */
  alarms(names: readonly string[]): Promise<readonly NamedAlarm[]>;
  /** When a metric was last seen in that time, epoch ms; null when it was not. @throws Error of the client */
  lastSeen(metric: Omit<OwnMetric, 'service'>, within: { fromMs: number; toMs: number }): Promise<number | null>;
};

export type DeploymentOptions = {
  stage: string;
  region: string;
  profile?: string | undefined;
  /** Of tests. */
  endpoints?: { lambda: string; appConfig: string; cloudWatch: string | undefined };
};

export async function composeDeployment({ stage, region, profile, endpoints }: DeploymentOptions): Promise<Deployment> {
  const { callerCredentials } = await import('../adapters/http/sign-request.ts');
  const credentials = callerCredentials(profile);
  const at = (endpoint: string | undefined) => ({ region, credentials, ...(endpoint ? { endpoint } : {}) });
  let invoke: Invoke | undefined;
  const cloudWatch = once(async () => {
    const { cloudWatchClients } = await import('../adapters/cloudwatch/client.ts');
    return cloudWatchClients(at(endpoints?.cloudWatch))(region);
  });
  return {
    async schema(task) {
      const { invoker } = await import('../adapters/lambda/invoke.ts');
      invoke ??= invoker(at(endpoints?.lambda));
      return invoke(`crossfade-${stage}-schema`, task);
    },
    async deleteFlagVersions() {
      const { appConfigClient } = await import('../adapters/appconfig/client.ts');
      const { findIds } = await import('../adapters/appconfig/find-ids.ts');
      const { deleteVersions } = await import('../adapters/appconfig/delete-versions.ts');
      const client = appConfigClient(at(endpoints?.appConfig));
      const ids = await findIds(client, deployedNames(stage).appConfig);
      return deleteVersions({ client, ...ids, requestTimeoutMs: 10_000 });
    },
    async alarms(names) {
      const { alarmsNamed } = await import('../adapters/cloudwatch/signals.ts');
      return alarmsNamed(await cloudWatch(), names);
    },
    async lastSeen(metric, within) {
      const { lastMinuteOf } = await import('../adapters/cloudwatch/signals.ts');
      return lastMinuteOf(await cloudWatch(), { ...metric, service: `crossfade-${stage}` }, within);
    },
  };
}
