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
 * Any other stage: parameters (infra/parameters.cjs), given as `--param="vpcId=vpc-1"` or as an environment variable. Nothing
 * here is looked up over the network, so packaging works without credentials.
 */

const { existsSync, readFileSync } = require('node:fs');
const { tmpdir, userInfo } = require('node:os');
const { join } = require('node:path');
const { accessOf, refuseTooLarge } = require('./access.cjs');
const { PARAMETERS } = require('./parameters.cjs');

const DEFAULT_PORT = 3000;

/** AppConfig agent 2.0.17054 for arm64. The account and the layer's number differ by region. */
const APPCONFIG_LAYERS = {
  'us-east-1': '027255383542:layer:AWS-AppConfig-Extension-Arm64:254',
  'us-east-2': '728743619870:layer:AWS-AppConfig-Extension-Arm64:229',
  'us-west-1': '958113053741:layer:AWS-AppConfig-Extension-Arm64:272',
  'us-west-2': '359756378197:layer:AWS-AppConfig-Extension-Arm64:275',
  'ca-central-1': '039592058896:layer:AWS-AppConfig-Extension-Arm64:182',
  'eu-central-1': '066940009817:layer:AWS-AppConfig-Extension-Arm64:238',
  'eu-central-2': '758369105281:layer:AWS-AppConfig-Extension-Arm64:178',
  'eu-west-1': '434848589818:layer:AWS-AppConfig-Extension-Arm64:241',
  'eu-west-2': '282860088358:layer:AWS-AppConfig-Extension-Arm64:194',
  'eu-west-3': '493207061005:layer:AWS-AppConfig-Extension-Arm64:192',
  'eu-north-1': '646970417810:layer:AWS-AppConfig-Extension-Arm64:226',
  'eu-south-1': '203683718741:layer:AWS-AppConfig-Extension-Arm64:177',
  'ap-northeast-1': '980059726660:layer:AWS-AppConfig-Extension-Arm64:225',
  'ap-northeast-2': '826293736237:layer:AWS-AppConfig-Extension-Arm64:181',
  'ap-southeast-1': '421114256042:layer:AWS-AppConfig-Extension-Arm64:210',
  'ap-southeast-2': '080788657173:layer:AWS-AppConfig-Extension-Arm64:256',
  'ap-south-1': '554480029851:layer:AWS-AppConfig-Extension-Arm64:232',
  'sa-east-1': '000010852771:layer:AWS-AppConfig-Extension-Arm64:215',
};

/** Regions where CloudFormation has no such type: test/helpers/resource-types.ts has the source. */
const WITHOUT_BUDGETS = ['eu-north-1', 'eu-south-1', 'eu-central-2'];
const WITHOUT_FUNCTION_URLS = ['eu-central-2'];

module.exports = async ({ resolveVariable }) => {
  const stage = await resolveVariable('sls:stage');
  const region = await resolveVariable('self:provider.region');
  if (stage === 'local') refuseDeployment(process.argv);
  return stage === 'local' ? localSettings() : awsSettings(stage, region, await readParameters(stage, resolveVariable));
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
    ...withDefaults({ ownerDatabaseUrl: environment.CROSSFADE_OWNER_DATABASE_URL }),
    region: 'eu-central-1',
    protectTables: false,
    versioned: false,
    packages: { blockPublicAccess: true },
    tracing: false,
    traced: 'false',
    budgets: 'known',
    functionUrls: 'known',
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
    access: accessOf({
      ...withDefaults({}),
      jwtIssuer: environment.CROSSFADE_JWT_ISSUER,
      jwtAudience: environment.CROSSFADE_JWT_AUDIENCE,
      jwks: environment.CROSSFADE_JWKS,
    }),
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

/** Parameter, else environment variable, else default. Everything that is missing is said at once. */
async function readParameters(stage, resolveVariable) {
  const values = {};
  const missing = [];
  for (const [name, { env, required, meaning, example, default: fallback }] of Object.entries(PARAMETERS)) {
    const given = (await resolveVariable(`param:${name}, null`)) ?? process.env[env];
    if (given !== undefined && given !== null && given !== '') values[name] = String(given);
    else if (required) missing.push(`  --param="${name}=${example}"  or ${env}: ${meaning}`);
    else values[name] = fallback;
  }
  if (missing.length > 0) throw new Error(`Stage '${stage}' needs parameters that are not set:\n${missing.join('\n')}`);
  refusePasswords(values);
  refuseStrangers(values);
  refuseWebhook(values);
  refuseCriteria(values);
  refuseRunbooks(values);
  refuseBreakGlass(values);
  return values;
}

/** The environment of a function can be read by every role that may list functions. */
function refusePasswords(values) {
  for (const name of ['databaseUrl', 'ownerDatabaseUrl']) {
    if (new URL(values[name]).password !== '') {
      throw new Error(`Parameter ${name} holds a password. Deployed functions log in with IAM tokens: leave it out.`);
    }
  }
}

/** Tokens are granted for these users, and the network is open for this port: with others no login is possible. */
function refuseStrangers(values) {
  for (const [name, user] of [
    ['databaseUrl', 'databaseUser'],
    ['ownerDatabaseUrl', 'ownerDatabaseUser'],
  ]) {
    const { username, port } = new URL(values[name]);
    if (decodeURIComponent(username) !== values[user]) {
      throw new Error(
        `Parameter ${name} logs in as '${username}', and ${user} is '${values[user]}'. Give both the same.`,
      );
    }
    if ((port || '5432') !== values.databasePort) {
      throw new Error(
        `Parameter ${name} uses port ${port || '5432'}, and databasePort is ${values.databasePort}. Give both the same.`,
      );
    }
  }
}

/** What the publisher would refuse with its first message is refused before the deployment. */
function refuseWebhook(values) {
  const { alertWebhookUrl: url, alertWebhookForm: form, alertWebhookKeyArn: arn, alertEventBus: bus } = values;
  if (!/^[\w./-]{1,256}$/.test(bus)) throw new Error(`Parameter alertEventBus '${bus}' is no name of a bus.`);
  if (!url !== !arn) throw new Error('Parameters alertWebhookUrl and alertWebhookKeyArn belong together: give both.');
  if (!new RegExp(PARAMETERS.alertWebhookForm.pattern).test(form))
    throw new Error(`Parameter alertWebhookForm '${form}' is none of crossfade, slack, teams and pagerduty.`);
  if (!url) return;
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:' || new URL(url).username !== '') {
    throw new Error('Parameter alertWebhookUrl is no https address without a user.');
  }
  if (!SECRET.test(arn)) throw new Error('Parameter alertWebhookKeyArn is no ARN of a secret in Secrets Manager.');
}

const SECRET = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+$/;
const ALARM = /^arn:[\w-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:[^,*]+$/;

/** What a criterion could not be observed with is refused before the deployment. */
function refuseCriteria({ alarmArns, checkKeyArn }) {
  const wrong = alarmArns === '' || alarmArns === '*' ? [] : listed(alarmArns).filter((arn) => !ALARM.test(arn));
  if (wrong.length > 0) throw new Error(`Parameter alarmArns has '${wrong[0]}', which is no ARN of an alarm.`);
  if (checkKeyArn !== '' && !SECRET.test(checkKeyArn))
    throw new Error('Parameter checkKeyArn is no ARN of a secret in Secrets Manager.');
}

/** Alarms are read in a console and in mails, where only a whole address leads anywhere. */
function refuseRunbooks({ runbookUrl: url }) {
  if (url === PARAMETERS.runbookUrl.default) return;
  if (URL.canParse(url) && new URL(url).protocol === 'https:' && !url.endsWith('/') && !url.includes('#')) return;
  throw new Error(
    `Parameter runbookUrl '${url}' is no https address of a folder, without a slash or # at its end. Give the address of ${PARAMETERS.runbookUrl.default} in your copy of the repository.`,
  );
}

/** Without MFA and without a name everybody whom the account lets assume roles could stop everything. */
function refuseBreakGlass(values) {
  if (isTrue('breakGlassMfa', values) || values.breakGlassPrincipal) return;
  throw new Error('Parameter breakGlassMfa is false without breakGlassPrincipal: name who may take the role.');
}

/** What AWS would refuse in the middle of a deployment, all of it at once. */
function refuseUnlike(values) {
  const wrong = Object.entries(PARAMETERS).filter(
    ([name, { pattern }]) => values[name] && pattern !== undefined && !new RegExp(pattern).test(values[name]),
  );
  if (wrong.length === 0) return;
  const lines = wrong.map(
    ([name, { meaning, example }]) => `  ${name} is '${values[name]}': ${meaning}. Example: ${example}`,
  );
  throw new Error(`Parameters cannot be used:\n${lines.join('\n')}`);
}

function withDefaults(values) {
  return {
    ...Object.fromEntries(Object.entries(PARAMETERS).map(([name, { default: value }]) => [name, value ?? ''])),
    ...values,
  };
}

function awsSettings(stage, region, values) {
  const access = accessOf({ ...values, gatewayTokenHeader: tokenHeader(values.gatewayTokenHeader) });
  const settings = {
    ...withDefaults(values),
    region,
    protectTables: isTrue('protectTables', values),
    versioned: values.canary !== '',
    packages: values.packageBucket ? { name: values.packageBucket } : { blockPublicAccess: true },
    // Conditions of the template compare texts.
    createDynamodbEndpoint: String(isTrue('createDynamodbEndpoint', values)),
    traced: values.tracing,
    tracing: isTrue('tracing', values),
    budgets: WITHOUT_BUDGETS.includes(region) ? 'unknown' : 'known',
    functionUrls: functionUrls(region, values),
    environment: {
      ...commonEnvironment(stage),
      CROSSFADE_PROFILE: 'aws',
      CROSSFADE_APPCONFIG_APPLICATION: { Ref: 'FlagsApplication' },
      CROSSFADE_APPCONFIG_ENVIRONMENT: { Ref: 'FlagsEnvironment' },
      CROSSFADE_APPCONFIG_PROFILE: { Ref: 'FlagsProfile' },
      CROSSFADE_APPCONFIG_STRATEGY: { Ref: 'FlagsStrategy' },
      CROSSFADE_DATABASE_URL: values.databaseUrl,
      CROSSFADE_DATABASE_CA: values.databaseCa,
      CROSSFADE_CONNECTIONS: values.connections,
      ...access.environment,
      CROSSFADE_LOG_LEVEL: values.logLevel,
      CROSSFADE_METRICS_RETENTION_DAYS: days(values.metricsRetentionDays),
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
    layers: [values.appConfigLayer || pinnedLayer(region)],
    concurrency: {
      control: reserved(values.reservedControl),
      tick: reserved(values.reservedTick),
      publisher: reserved(values.reservedPublisher, 2),
      relay: reserved(values.reservedRelay, 3),
      shadowWriter: reserved(values.reservedShadowWriter),
      backfill: reserved(values.reservedBackfill),
      verify: reserved(values.reservedVerify),
    },
    access,
    gatewayTokenHeader: tokenHeader(values.gatewayTokenHeader),
    alarms: listed(values.alarmArns || 'none'),
    routeTables: listed(values.routeTableIds),
    offline: {},
    streams: {},
  };
  refuseUnlike(values);
  // The tick has more variables than any other function.
  refuseTooLarge('tick', {
    ...settings.environment,
    ...settings.alerts,
    CROSSFADE_OWNER_DATABASE_URL: settings.ownerDatabaseUrl,
    CROSSFADE_CHECK_KEY_ARN: settings.checkKeyArn,
  });
  return settings;
}

function functionUrls(region, { gatewayUrl }) {
  if (!WITHOUT_FUNCTION_URLS.includes(region)) return 'known';
  if (gatewayUrl !== 'true') return 'unknown';
  throw new Error(
    `Parameter gatewayUrl is true, and CloudFormation makes no function URLs in ${region}. Leave it out: the gateway has its address behind the API.`,
  );
}

function pinnedLayer(region) {
  const layer = APPCONFIG_LAYERS[region];
  if (!layer)
    throw new Error(`No AppConfig agent layer is pinned for ${region}. Give its ARN: --param="appConfigLayer=…"`);
  return `arn:aws:lambda:${region}:${layer}`;
}

function tokenHeader(name) {
  if (['Authorization', 'X-Crossfade-Authorization'].includes(name)) return name;
  throw new Error(`Parameter gatewayTokenHeader '${name}' is neither Authorization nor X-Crossfade-Authorization.`);
}

function isTrue(name, { [name]: text }) {
  if (['true', 'false'].includes(text)) return text === 'true';
  throw new Error(`Parameter ${name} '${text}' is neither true nor false.`);
}

/** Lambda reads 0 as "never run"; here it means that nothing is reserved. `least`: how many run at once on any day. */
function reserved(text, least = 1) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new Error(`Reserved concurrency '${text}' is not a whole number.`);
  if (count > 0 && count < least)
    throw new Error(`Reserved concurrency '${text}' is too little: ${least} instances of that function run at once.`);
  return count === 0 ? null : count;
}

function days(text) {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 400) return text;
  throw new Error(`Parameter metricsRetentionDays '${text}' is not a whole number of 1–400 days.`);
}

function listed(text) {
  return text.split(',').map((entry) => entry.trim());
}

function commonEnvironment(stage) {
  return {
    CROSSFADE_STATE_TABLE: `crossfade-${stage}-state`,
    CROSSFADE_CHANGES_TABLE: `crossfade-${stage}-changes`,
    POWERTOOLS_SERVICE_NAME: `crossfade-${stage}`,
    POWERTOOLS_METRICS_NAMESPACE: 'Crossfade',
  };
}
