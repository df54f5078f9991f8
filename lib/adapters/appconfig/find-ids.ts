/** The ids of what a deployment made in AppConfig, from its names. For people: functions get the ids from the template. */

import {
  type AppConfigClient,
  paginateListApplications,
  paginateListConfigurationProfiles,
  paginateListDeploymentStrategies,
  paginateListEnvironments,
} from '@aws-sdk/client-appconfig';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { AppConfigPublisherOptions } from './publisher.ts';

type Ids = Pick<AppConfigPublisherOptions, 'application' | 'environment' | 'profile' | 'strategy'>;

/** @param names as infra/flags.yml gives them. @throws CrossfadeError `not_found` */
export async function findIds(client: AppConfigClient, names: Ids): Promise<Ids> {
  const application = await found('application', names.application, paginateListApplications({ client }, {}));
  const inside = { ApplicationId: application };
  const [environment, profile, strategy] = await Promise.all([
    found('environment', names.environment, paginateListEnvironments({ client }, inside)),
    found('profile', names.profile, paginateListConfigurationProfiles({ client }, inside)),
    found('strategy', names.strategy, paginateListDeploymentStrategies({ client }, {})),
  ]);
  return { application, environment, profile, strategy };
}

type Item = { Id?: string; Name?: string };

async function found(what: string, name: string, pages: AsyncIterable<{ Items?: Item[] }>): Promise<string> {
  for await (const { Items: items = [] } of pages) {
    const item = items.find(({ Name }) => Name === name);
    if (item?.Id) return item.Id;
  }
  throw new CrossfadeError('not_found', `AppConfig has no ${what} '${name}' here. Is this the right stage and region?`);
}
