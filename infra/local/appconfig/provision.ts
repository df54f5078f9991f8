/**
 * Makes sure that the application, environment, profile and strategy that the flags live in exist, and says their ids.
 * Looks for each by name before it creates it, so it may run on every start.
 */

import {
  type AppConfigClient,
  CreateApplicationCommand,
  CreateConfigurationProfileCommand,
  CreateDeploymentStrategyCommand,
  CreateEnvironmentCommand,
  paginateListApplications,
  paginateListConfigurationProfiles,
  paginateListDeploymentStrategies,
  paginateListEnvironments,
} from '@aws-sdk/client-appconfig';

export type AppConfigNames = { application: string; environment: string; profile: string; strategy: string };
/** Ids of the same four things. */
export type AppConfigIds = AppConfigNames;

const DEFAULT_APPCONFIG_NAMES: AppConfigNames = {
  application: 'crossfade',
  environment: 'local',
  profile: 'flags',
  strategy: 'crossfade-at-once',
};

type Item = { Id?: string; Name?: string };

export async function provisionAppConfig(
  client: AppConfigClient,
  names: Partial<AppConfigNames> = {},
): Promise<AppConfigIds> {
  const wanted = { ...DEFAULT_APPCONFIG_NAMES, ...names };
  const application = await ensured(wanted.application, paginateListApplications({ client }, {}), () =>
    client.send(new CreateApplicationCommand({ Name: wanted.application })),
  );
  const inside = { ApplicationId: application };
  const environment = await ensured(wanted.environment, paginateListEnvironments({ client }, inside), () =>
    client.send(new CreateEnvironmentCommand({ ...inside, Name: wanted.environment })),
  );
  const profile = await ensured(wanted.profile, paginateListConfigurationProfiles({ client }, inside), () =>
    client.send(
      new CreateConfigurationProfileCommand({
        ...inside,
        Name: wanted.profile,
        LocationUri: 'hosted',
        Type: 'AWS.AppConfig.FeatureFlags',
      }),
    ),
  );
  // 0 minutes, 100 %, 0 bake: the share of readers is in the content, not in the rollout.
  const strategy = await ensured(wanted.strategy, paginateListDeploymentStrategies({ client }, {}), () =>
    client.send(
      new CreateDeploymentStrategyCommand({
        Name: wanted.strategy,
        DeploymentDurationInMinutes: 0,
        GrowthFactor: 100,
        GrowthType: 'LINEAR',
        FinalBakeTimeInMinutes: 0,
        ReplicateTo: 'NONE',
      }),
    ),
  );
  return { application, environment, profile, strategy };
}

async function ensured(
  name: string,
  pages: AsyncIterable<{ Items?: Item[] }>,
  create: () => Promise<Item>,
): Promise<string> {
  for await (const { Items } of pages) {
    const found = Items?.find((item) => item.Name === name);
    if (found?.Id) return found.Id;
  }
  const { Id } = await create();
  if (!Id) throw new Error(`AppConfig created '${name}' without saying its id.`);
  return Id;
}
