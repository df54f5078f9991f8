/** The control plane: one row per operation. */

import {
  applicationView,
  deploymentSummary,
  deploymentView,
  environmentView,
  profileView,
  strategyView,
  type ViewedAt,
} from './control-views.ts';
import { deploymentOf, runningOf, startDeployment, stopDeployment } from './deployments.ts';
import { createVersion, deleteVersion, deployableVersion, versionOf, versionReply } from './hosted-versions.ts';
import {
  bodyOf,
  headerOf,
  json,
  nothing,
  numberOf,
  optionalText,
  type Place,
  type Reply,
  type Request,
  type Route,
  textOf,
} from './http.ts';
import { badRequest, conflict, quotaExceeded } from './service-error.ts';
import {
  type Application,
  applicationOf,
  type Environment,
  environmentOf,
  newId,
  PREDEFINED_STRATEGIES,
  type Profile,
  profileOf,
  type Store,
  type Strategy,
  strategyOf,
} from './store.ts';

export type ControlContext = ViewedAt & { store: Store };

const APP = '/applications/{A}';
const ENV = `${APP}/environments/{E}`;
const PROFILE = `${APP}/configurationprofiles/{P}`;
const VERSIONS = `${PROFILE}/hostedconfigurationversions`;
const DEPLOYMENTS = `${ENV}/deployments`;

type Row = Route<ControlContext>;
const row = (method: string, path: string, operation: string, handle: Row['handle']): Row => ({
  method,
  path,
  operation,
  handle,
});

export const CONTROL_ROUTES: readonly Row[] = [
  row('POST', '/applications', 'CreateApplication', createApplication),
  row('GET', '/applications', 'ListApplications', ({ store }, _place, request) =>
    listed(request, store.applications.map(applicationView)),
  ),
  row('GET', APP, 'GetApplication', (context, place) => json(200, applicationView(appAt(context, place)))),
  row('DELETE', APP, 'DeleteApplication', deleteApplication),

  row('POST', `${APP}/environments`, 'CreateEnvironment', createEnvironment),
  row('GET', `${APP}/environments`, 'ListEnvironments', (context, place, request) => {
    const application = appAt(context, place);
    const views = application.environments.map((one) => environmentView(application, one));
    return listed(request, views);
  }),
  row('GET', ENV, 'GetEnvironment', (context, place) =>
    json(200, environmentView(appAt(context, place), envAt(context, place))),
  ),
  row('DELETE', ENV, 'DeleteEnvironment', deleteEnvironment),

  row('POST', `${APP}/configurationprofiles`, 'CreateConfigurationProfile', createProfile),
  row('GET', `${APP}/configurationprofiles`, 'ListConfigurationProfiles', (context, place, request) => {
    const application = appAt(context, place);
    const wanted = request.query.get('type');
    const profiles = application.profiles.filter(({ type }) => wanted === null || type === wanted);
    const views = profiles.map((one) => profileView(application, one));
    return listed(request, views);
  }),
  row('GET', PROFILE, 'GetConfigurationProfile', (context, place) =>
    json(200, profileView(appAt(context, place), profileAt(context, place))),
  ),
  row('DELETE', PROFILE, 'DeleteConfigurationProfile', (context, place) => {
    const application = appAt(context, place);
    const profile = profileAt(context, place);
    if (profile.versions.length > 0) throw conflict(`Profile '${profile.name}' still has versions.`);
    application.profiles = application.profiles.filter((one) => one !== profile);
    return nothing(204);
  }),

  row('POST', VERSIONS, 'CreateHostedConfigurationVersion', (context, place, request) => {
    const profile = profileAt(context, place);
    const version = createVersion(profile, request, context.store.quotas);
    return versionReply(201, appAt(context, place), profile, version);
  }),
  row('GET', VERSIONS, 'ListHostedConfigurationVersions', listVersions),
  row('GET', `${VERSIONS}/{N}`, 'GetHostedConfigurationVersion', (context, place) => {
    const profile = profileAt(context, place);
    return versionReply(200, appAt(context, place), profile, versionOf(profile, place.N!));
  }),
  row('DELETE', `${VERSIONS}/{N}`, 'DeleteHostedConfigurationVersion', (context, place) => {
    deleteVersion(profileAt(context, place), place.N!);
    return nothing(204);
  }),

  row('POST', '/deploymentstrategies', 'CreateDeploymentStrategy', createStrategy),
  row('GET', '/deploymentstrategies', 'ListDeploymentStrategies', ({ store }, _place, request) =>
    listed(request, [...PREDEFINED_STRATEGIES, ...store.strategies].map(strategyView)),
  ),
  row('GET', '/deploymentstrategies/{S}', 'GetDeploymentStrategy', ({ store }, place) =>
    json(200, strategyView(strategyOf(store, place.S!))),
  ),
  // The service's own spelling.
  row('DELETE', '/deployementstrategies/{S}', 'DeleteDeploymentStrategy', ({ store }, place) => {
    const strategy = strategyOf(store, place.S!);
    if (!store.strategies.includes(strategy)) throw badRequest(`Strategy '${strategy.id}' is predefined.`);
    store.strategies = store.strategies.filter((one) => one !== strategy);
    return nothing(204);
  }),

  row('POST', DEPLOYMENTS, 'StartDeployment', start),
  row('GET', DEPLOYMENTS, 'ListDeployments', (context, place, request) => {
    const newestFirst = envAt(context, place).deployments.toReversed();
    return listed(
      request,
      newestFirst.map((one) => deploymentSummary(context, one)),
    );
  }),
  row('GET', `${DEPLOYMENTS}/{N}`, 'GetDeployment', (context, place) =>
    json(200, deploymentView(context, place, deploymentOf(envAt(context, place), place.N!))),
  ),
  row('DELETE', `${DEPLOYMENTS}/{N}`, 'StopDeployment', stop),
];

const appAt = ({ store }: ControlContext, place: Place): Application => applicationOf(store, place.A!);
const envAt = (context: ControlContext, place: Place): Environment => environmentOf(appAt(context, place), place.E!);
const profileAt = (context: ControlContext, place: Place): Profile => profileOf(appAt(context, place), place.P!);

// --------------------------------------------------------------------------------------------------------- creating

function createApplication({ store }: ControlContext, _place: Place, request: Request): Reply {
  if (store.applications.length >= store.quotas.applications)
    throw quotaExceeded('applications', store.quotas.applications);
  const application = { ...identity(request), environments: [], profiles: [] };
  store.applications.push(application);
  return json(201, applicationView(application));
}

function createEnvironment(context: ControlContext, place: Place, request: Request): Reply {
  const application = appAt(context, place);
  const limit = context.store.quotas.environments;
  if (application.environments.length >= limit) throw quotaExceeded('environments', limit);
  const environment = { ...identity(request), deployments: [] };
  application.environments.push(environment);
  return json(201, environmentView(application, environment));
}

function createProfile(context: ControlContext, place: Place, request: Request): Reply {
  const application = appAt(context, place);
  const limit = context.store.quotas.profiles;
  if (application.profiles.length >= limit) throw quotaExceeded('configuration profiles', limit);
  const body = bodyOf(request);
  const profile: Profile = {
    ...identity(request),
    locationUri: textOf(body, 'LocationUri'),
    type: optionalText(body, 'Type') ?? 'AWS.Freeform',
    validators: Array.isArray(body.Validators) ? body.Validators : [],
    versions: [],
    lastNumber: 0,
  };
  if (profile.locationUri !== 'hosted') throw badRequest('Only hosted profiles are emulated.');
  application.profiles.push(profile);
  return json(201, profileView(application, profile));
}

function createStrategy({ store }: ControlContext, _place: Place, request: Request): Reply {
  if (store.strategies.length >= store.quotas.strategies)
    throw quotaExceeded('deployment strategies', store.quotas.strategies);
  const body = bodyOf(request);
  const growthType = optionalText(body, 'GrowthType') ?? 'LINEAR';
  if (growthType !== 'LINEAR' && growthType !== 'EXPONENTIAL') throw badRequest(`GrowthType cannot be ${growthType}.`);
  const strategy: Strategy = {
    ...identity(request),
    durationMinutes: numberOf(body, 'DeploymentDurationInMinutes', { from: 0, to: 1440 }),
    growthType,
    growthFactor: numberOf(body, 'GrowthFactor', { from: 1, to: 100 }),
    bakeMinutes: numberOf(body, 'FinalBakeTimeInMinutes', { from: 0, to: 1440, otherwise: 0 }),
    replicateTo: optionalText(body, 'ReplicateTo') ?? 'NONE',
  };
  store.strategies.push(strategy);
  return json(201, strategyView(strategy));
}

function identity(request: Request): { id: string; name: string; description: string | null } {
  const body = bodyOf(request);
  const name = textOf(body, 'Name');
  if (name.length > 64) throw badRequest('Name has at most 64 characters.');
  return { id: newId(), name, description: optionalText(body, 'Description') };
}

// --------------------------------------------------------------------------------------------------------- deleting

function deleteApplication(context: ControlContext, place: Place): Reply {
  const { store } = context;
  const application = appAt(context, place);
  if (application.environments.length > 0 || application.profiles.length > 0)
    throw badRequest(`Application '${application.name}' still has environments or profiles.`);
  store.applications = store.applications.filter((one) => one !== application);
  return nothing(204);
}

function deleteEnvironment(context: ControlContext, place: Place): Reply {
  const application = appAt(context, place);
  const environment = envAt(context, place);
  if (runningOf(environment)) throw conflict(`Environment '${environment.name}' has a running deployment.`);
  application.environments = application.environments.filter((one) => one !== environment);
  return nothing(204);
}

// ------------------------------------------------------------------------------------------------------ deployments

function start(context: ControlContext, place: Place, request: Request): Reply {
  const body = bodyOf(request);
  const profile = profileOf(appAt(context, place), textOf(body, 'ConfigurationProfileId'));
  const deployment = startDeployment(envAt(context, place), {
    profile,
    version: deployableVersion(profile, textOf(body, 'ConfigurationVersion')),
    strategy: strategyOf(context.store, textOf(body, 'DeploymentStrategyId')),
    description: optionalText(body, 'Description'),
    latestNumber: typeof body.LatestDeploymentNumber === 'number' ? body.LatestDeploymentNumber : null,
    nowMs: context.nowMs,
  });
  const view = deploymentView(context, place, deployment);
  return json(201, { ...view, State: 'DEPLOYING', PercentageComplete: 0 });
}

function stop(context: ControlContext, place: Place, request: Request): Reply {
  const deployment = deploymentOf(envAt(context, place), place.N!);
  stopDeployment(deployment, {
    allowRevert: headerOf(request, 'allow-revert') === 'true',
    nowMs: context.nowMs,
    rules: context.rules,
    stuck: context.faults.stuckDeploying,
  });
  return json(202, deploymentView(context, place, deployment));
}

function listVersions(context: ControlContext, place: Place, request: Request): Reply {
  const application = appAt(context, place);
  const profile = profileAt(context, place);
  const wanted = request.query.get('version_label');
  const views = profile.versions
    .filter(({ label }) => wanted === null || label === wanted)
    .toReversed()
    .map((version) => ({
      ApplicationId: application.id,
      ConfigurationProfileId: profile.id,
      VersionNumber: version.number,
      ContentType: version.contentType,
      ...(version.description === null ? {} : { Description: version.description }),
      ...(version.label === null ? {} : { VersionLabel: version.label }),
    }));
  return listed(request, views);
}

/** One page: `max_results` items from `next_token`, which is the position of the next one. */
function listed(request: Request, items: readonly unknown[]): Reply {
  const from = Number(request.query.get('next_token') ?? 0);
  const size = Number(request.query.get('max_results') ?? 50);
  if (!Number.isInteger(from) || !Number.isInteger(size) || size < 1 || size > 50)
    throw badRequest('max_results is 1 to 50, next_token what the page before said.');
  const to = from + size;
  return json(200, { Items: items.slice(from, to), ...(to < items.length ? { NextToken: String(to) } : {}) });
}
