/**
 * Every value of serverless.yml that is not the same everywhere: ports and servers of the local stack, parameters of a
 * deployment. Read by the framework as `${file(infra/settings.cjs)}`; CommonJS because the framework asks for it.
 *
 * Stage `local`: the running local stack leaves a file with what it chose (ports, keys, clock), so that
 * `serverless offline` or `serverless invoke local` in another terminal works against the same servers. Without the
 * file the defaults below hold. An environment variable of the same name wins over both.
 *
 *   <tmp>/crossfade-<uid>-<port>/settings.json        lib/schemas/local-settings.ts says what is in it
 *
 * Any other stage: parameters (infra/parameters.cjs), given as `--param="NAME=VALUE"` or as an environment variable. Nothing
 * here is looked up over the network, so packaging works without credentials.
 */

const { existsSync, readFileSync } = require('node:fs');
const { tmpdir, userInfo } = require('node:os');
const { join } = require('node:path');
const { accessOf, refuseTooLarge } = require('./access.cjs');
const { connectionsOf } = require('./connections.cjs');
const { PARAMETERS } = require('./parameters.cjs');
const { listed, problemsOf, wholeOf } = require('./refusals.cjs');
const { APPCONFIG_LAYERS, WITHOUT_BUDGETS, WITHOUT_FUNCTION_URLS } = require('./regions.cjs');

const DEFAULT_PORT = 3000;

module.exports = async ({ options, resolveVariable }) => {
  const stage = await resolveVariable('sls:stage');
  const region = await resolveVariable('self:provider.region');
  if (stage === 'local') {
    refuseDeployment(process.argv);
    return localSettings();
  }
  const given = { ...strangers(options), ...(await givenParameters(resolveVariable)) };
  refuseProblems(given, { stage, region });
  return awsSettings(stage, region, wholeOf(given));
};

// ---------------------------------------------------------------------------------------------------------- local

/** The default stage points at servers of this machine: deployed, it would fail on every call. */
function refuseDeployment(words) {
  if (words[2] !== 'deploy') return;
  throw new Error("Stage 'local' runs on this machine only. Name another one: serverless deploy --stage prod");
}

function localSettings() {
  const base = Number(process.env.CROSSFADE_PORT ?? DEFAULT_PORT);
  const written = readWritten(base);
  const ports = portsFrom(base);
  const environment = overridden({ ...localEnvironment(ports), ...written?.environment });
  return {
    ...wholeOf({ ownerDatabaseUrl: environment.CROSSFADE_OWNER_DATABASE_URL }),
    // Every function has the environment of this machine.
    moversOwnerUrl: environment.CROSSFADE_OWNER_DATABASE_URL,
    connectionResources: { Resources: {} },
    region: 'eu-central-1',
    protectTables: false,
    tags: tagsOf(wholeOf({})),
    logRetentionDays: 30,
    versioned: false,
    packages: { blockPublicAccess: true },
    tracing: false,
    traced: 'false',
    budgets: 'known',
    functionUrls: 'known',
    ...keyOf(''),
    environment,
    vpc: null,
    writerVpc: null,
    alerts: {
      CROSSFADE_ALERT_WEBHOOK_URL: environment.CROSSFADE_ALERT_WEBHOOK_URL,
      CROSSFADE_ALERT_WEBHOOK_FORM: environment.CROSSFADE_ALERT_WEBHOOK_FORM,
      CROSSFADE_ALERT_WEBHOOK_KEY: environment.CROSSFADE_ALERT_WEBHOOK_KEY,
    },
    prefetch: '',
    layers: [],
    concurrency: {},
    alarms: [],
    routeTables: [],
    access: accessOf(
      wholeOf({
        jwtIssuer: environment.CROSSFADE_JWT_ISSUER,
        jwtAudience: environment.CROSSFADE_JWT_AUDIENCE,
        jwks: environment.CROSSFADE_JWKS,
      }),
    ),
    offline: {
      host: '127.0.0.1',
      httpPort: written ? Number(new URL(written.apiUrl).port) : ports.api,
      lambdaPort: written ? Number(new URL(written.lambdaUrl).port) : ports.lambda,
      noPrependStageInUrl: true,
      // Tokens are checked by the functions themselves, their signatures, too; this server could not do it.
      noAuth: true,
      // Cookies are for the services behind the gateway, which take what others take, too.
      disableCookieValidation: true,
      noSponsor: true,
    },
    streams: {
      endpoint: environment.CROSSFADE_DYNAMODB_ENDPOINT,
      region: 'eu-central-1',
      accessKeyId: 'local',
      secretAccessKey: 'local',
      // Of two streams: a request for flags waits for it.
      readInterval: 200,
    },
  };
}

/** The first of the ports in a row, so that one number moves the whole stack. */
function portsFrom(base) {
  return {
    front: base,
    api: base + 1,
    lambda: base + 2,
    dynamodb: base + 3,
    appconfig: base + 4,
    postgres: base + 5,
    cloudwatch: base + 6,
  };
}

function localEnvironment(ports) {
  return {
    ...commonEnvironment('local'),
    CROSSFADE_PROFILE: 'local',
    POWERTOOLS_METRICS_DISABLED: 'true',
    CROSSFADE_DYNAMODB_ENDPOINT: `http://127.0.0.1:${ports.dynamodb}`,
    CROSSFADE_APPCONFIG_ENDPOINT: `http://127.0.0.1:${ports.appconfig}`,
    CROSSFADE_CLOUDWATCH_ENDPOINT: `http://127.0.0.1:${ports.cloudwatch}`,
    CROSSFADE_APPCONFIG_APPLICATION: 'crossfade',
    CROSSFADE_APPCONFIG_ENVIRONMENT: 'local',
    CROSSFADE_APPCONFIG_PROFILE: 'flags',
    CROSSFADE_APPCONFIG_STRATEGY: 'at-once',
    CROSSFADE_DATABASE_URL: `postgres://crossfade_runtime:crossfade@127.0.0.1:${ports.postgres}/crossfade`,
    CROSSFADE_OWNER_DATABASE_URL: `postgres://crossfade_owner:crossfade@127.0.0.1:${ports.postgres}/crossfade`,
    CROSSFADE_JWT_ISSUER: 'https://crossfade.localhost',
    CROSSFADE_JWT_AUDIENCE: 'crossfade',
    CROSSFADE_JWKS: '{"keys":[]}',
    CROSSFADE_CLOCK_SPEED: '1',
    CROSSFADE_CLOCK_ORIGIN_MS: '0',
    // Empty: the declarations bundled with the functions, infra/cutovers.ts. Else a JSON file of the local stack.
    CROSSFADE_CUTOVERS: '',
    // A receiver on this machine, when one is wanted: http is fine here.
    CROSSFADE_ALERT_WEBHOOK_URL: '',
    CROSSFADE_ALERT_WEBHOOK_FORM: PARAMETERS.alertWebhookForm.default,
    CROSSFADE_ALERT_WEBHOOK_KEY: '',
    // Signs HTTP checks.
    CROSSFADE_CHECK_KEY: '',
    CROSSFADE_CONNECTIONS: PARAMETERS.connections.default,
    CROSSFADE_LOG_LEVEL: PARAMETERS.logLevel.default,
    CROSSFADE_METRICS_RETENTION_DAYS: PARAMETERS.metricsRetentionDays.default,
    // A developer's own AWS account is never touched from here.
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_SESSION_TOKEN: '',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

/** What the running local stack wrote; null when none runs. A file that cannot be read is an error, not a default. */
function readWritten(base) {
  const file = join(tmpdir(), `crossfade-${userInfo().uid}-${base}`, 'settings.json');
  if (!existsSync(file)) return null;
  try {
    const written = JSON.parse(readFileSync(file, 'utf8'));
    return isAlive(written.pid) ? written : null;
  } catch (cause) {
    throw new Error(`${file} is not readable as JSON (${cause.message}). Stop the local stack, or remove the file.`);
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function overridden(environment) {
  const names = Object.keys(environment).filter((name) => name.startsWith('CROSSFADE_') && process.env[name]);
  return { ...environment, ...Object.fromEntries(names.map((name) => [name, process.env[name]])) };
}

// ------------------------------------------------------------------------------------------------------------ aws

/** Parameter, else environment variable. */
async function givenParameters(resolveVariable) {
  const given = {};
  for (const [name, { env }] of Object.entries(PARAMETERS)) {
    const value = (await resolveVariable(`param:${name}, null`)) ?? process.env[env];
    if (value !== undefined && value !== null && value !== '') given[name] = String(value);
  }
  return given;
}

/** What was given by a name that no parameter has: the framework would say nothing. */
function strangers(options) {
  const names = [options?.param ?? []].flat().map((word) => word.split('=')[0]);
  return Object.fromEntries(names.filter((name) => !(name in PARAMETERS)).map((name) => [name, '']));
}

function refuseProblems(given, at) {
  const problems = problemsOf(given, at);
  if (problems.length === 0) return;
  const lines = problems.map((one) => `  ${one}`).join('\n');
  const message = `Stage '${at.stage}' cannot be made with these parameters, given as --param="NAME=VALUE" or as variables (infra/parameters.cjs):\n${lines}`;
  // The framework prints the stack of an error, which is of no use here.
  throw Object.assign(new Error(message), { stack: message });
}

function awsSettings(stage, region, values) {
  const access = accessOf(values);
  const { addresses, moversOwnerUrl, resources: connectionResources } = connectionsOf(values);
  const settings = {
    ...values,
    moversOwnerUrl,
    connectionResources,
    region,
    protectTables: values.protectTables === 'true',
    tags: tagsOf(values),
    logRetentionDays: Number(values.logRetentionDays),
    versioned: values.canary !== '',
    packages: values.packageBucket ? { name: values.packageBucket } : { blockPublicAccess: true },
    // Conditions of the template compare texts.
    traced: values.tracing,
    tracing: values.tracing === 'true',
    budgets: WITHOUT_BUDGETS.includes(region) ? 'unknown' : 'known',
    functionUrls: WITHOUT_FUNCTION_URLS.includes(region) ? 'unknown' : 'known',
    ...keyOf(values.kmsKeyArn),
    environment: {
      ...commonEnvironment(stage),
      CROSSFADE_PROFILE: 'aws',
      CROSSFADE_APPCONFIG_APPLICATION: { Ref: 'FlagsApplication' },
      CROSSFADE_APPCONFIG_ENVIRONMENT: { Ref: 'FlagsEnvironment' },
      CROSSFADE_APPCONFIG_PROFILE: { Ref: 'FlagsProfile' },
      CROSSFADE_APPCONFIG_STRATEGY: { Ref: 'FlagsStrategy' },
      CROSSFADE_DATABASE_URL: values.databaseUrl,
      CROSSFADE_DATABASE_CA: values.databaseCa,
      CROSSFADE_CONNECTIONS: addresses,
      ...access.environment,
      CROSSFADE_LOG_LEVEL: values.logLevel,
      CROSSFADE_METRICS_RETENTION_DAYS: values.metricsRetentionDays,
    },
    vpc: { securityGroupIds: [{ Ref: 'FunctionSecurityGroup' }], subnetIds: listed(values.subnetIds) },
    // Only the shadow-writer brings forwarded writes to upstreams.
    writerVpc: {
      securityGroupIds: [
        { Ref: 'FunctionSecurityGroup' },
        ...(values.upstreamCidr ? [{ Ref: 'UpstreamSecurityGroup' }] : []),
      ],
      subnetIds: listed(values.subnetIds),
    },
    apiUrl: { 'Fn::GetAtt': ['HttpApi', 'ApiEndpoint'] },
    // Only the publisher tells anybody.
    alerts: {
      CROSSFADE_ALERT_TOPIC: { Ref: 'Alerts' },
      CROSSFADE_ALERT_EVENT_BUS: values.alertEventBus,
      CROSSFADE_ALERT_WEBHOOK_URL: values.alertWebhookUrl,
      CROSSFADE_ALERT_WEBHOOK_FORM: values.alertWebhookForm,
      CROSSFADE_ALERT_WEBHOOK_KEY_ARN: values.alertWebhookKeyArn,
    },
    // Fetched by the agent while the function starts: its first request finds flags. By ids, as the functions ask.
    prefetch: {
      'Fn::Sub': `/applications/\${FlagsApplication}/environments/\${FlagsEnvironment}/configurations/\${FlagsProfile}`,
    },
    layers: [values.appConfigLayer || `arn:aws:lambda:${region}:${APPCONFIG_LAYERS[region]}`],
    concurrency: {
      control: reserved(values.reservedControl),
      tick: reserved(values.reservedTick),
      publisher: reserved(values.reservedPublisher),
      relay: reserved(values.reservedRelay),
      shadowWriter: reserved(values.reservedShadowWriter),
      backfill: reserved(values.reservedBackfill),
      verify: reserved(values.reservedVerify),
    },
    access,
    alarms: listed(values.alarmArns || 'none'),
    routeTables: listed(values.routeTableIds),
    offline: {},
    streams: {},
  };
  // The tick has more variables than any other function.
  refuseTooLarge('tick', {
    ...settings.environment,
    ...settings.alerts,
    CROSSFADE_OWNER_DATABASE_URL: settings.ownerDatabaseUrl,
    CROSSFADE_CHECK_KEY_ARN: settings.checkKeyArn,
  });
  return settings;
}

/** One of the stack's own, or one that was there before. */
const keyOf = (arn) => ({
  keys: arn ? 'given' : 'made',
  dataKeyArn: arn || { 'Fn::GetAtt': ['DataKey', 'Arn'] },
});

/** The budget looks for `service`. */
const tagsOf = ({ owner, dataClass, tags }) => ({
  ...(tags ? JSON.parse(tags) : {}),
  service: 'crossfade',
  owner,
  'data-class': dataClass,
});

/** Lambda reads 0 as "never run"; here it means that nothing is reserved. */
const reserved = (text) => (Number(text) === 0 ? null : Number(text));

function commonEnvironment(stage) {
  return {
    CROSSFADE_STATE_TABLE: `crossfade-${stage}-state`,
    CROSSFADE_CHANGES_TABLE: `crossfade-${stage}-changes`,
    POWERTOOLS_SERVICE_NAME: `crossfade-${stage}`,
    POWERTOOLS_METRICS_NAMESPACE: 'Crossfade',
  };
}
