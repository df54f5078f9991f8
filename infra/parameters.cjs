/**
 * Parameters of a deployment: the name, the environment variable that may stand for it, the default or `required`, and what
 * it is for. `pattern` is what a value looks like, `example` one that does. infra/refusals.cjs checks them and infra/settings.cjs
 * uses them; infra/README.md has them as a table, and infra/stages/prod.example.yml as the file of a stage.
 */

/** What AWS puts behind `vpc-` and its like. */
const HEX = '([0-9a-f]{8}|[0-9a-f]{17})';
const listOf = (one) => `^${one}(\\s*,\\s*${one})*$`;
const YES_OR_NO = '^(true|false)$';
const COUNT = '^\\d{1,4}$';
const ADDRESS = '^postgres(ql)?://[^\\s:@/]+@[^\\s@/:]+(:\\d{1,5})?/[^\\s/?]+(\\?\\S*)?$';
const HTTPS = '^https://[^\\s/?#@]+(/[^\\s?#]*)?$';
const SECRET = '^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[\\w/+=.@-]+$';
const ALARM = 'arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\\d{12}:alarm:[^,*\\n]+';
/** Of Postgres. A pattern here would be one of rds-db:connect. */
const ROLE = '^[A-Za-z_][\\w$-]{0,62}$';
/** No name that stands for one, and no quotes. */
const WORD = '^[^\\s<>"\']+$';
const NAME_IN_RDS = '^[A-Za-z](-?[A-Za-z0-9]){0,62}$';
const TAG = '^[\\p{L}\\p{N}\\p{Zs}_.:/=+@-]{1,256}$';
const OCTET = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)';

module.exports.PARAMETERS = {
  databaseUrl: {
    pattern: ADDRESS,
    example: 'postgres://crossfade_runtime@app.cluster-abc.eu-central-1.rds.amazonaws.com:5432/app',
    required: true,
    env: 'CROSSFADE_DATABASE_URL',
    meaning: 'postgres://crossfade_runtime@HOST:5432/DATABASE of the runtime role, without a password',
  },
  ownerDatabaseUrl: {
    pattern: ADDRESS,
    example: 'postgres://crossfade_owner@app.cluster-abc.eu-central-1.rds.amazonaws.com:5432/app',
    required: true,
    env: 'CROSSFADE_OWNER_DATABASE_URL',
    meaning: 'postgres://crossfade_owner@HOST:5432/DATABASE of the owner role, without a password',
  },
  connections: {
    pattern: '^\\{.+\\}$',
    example:
      '{"new": {"url": "postgres://crossfade_shadow@new.example.com:5432/app", "securityGroupId": "sg-0f9e8d7c", "resourceId": "cluster-NEWABCDEF"}}',
    default: '',
    env: 'CROSSFADE_CONNECTIONS',
    meaning:
      'further databases by the name that `shadow.connection` uses, as JSON: `{"new": {"url": "postgres://ROLE@HOST:5432/DATABASE", "securityGroupId": "sg-…", "resourceId": "db-…"}}`, with the owner of the shadow as the role and no password. An address alone stands for a database whose network you open yourself',
  },
  databaseResourceId: {
    pattern: '^((db|cluster)-[A-Z0-9]{8,40}|prx-[A-Za-z0-9]{8,40})$',
    example: 'cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    required: true,
    env: 'CROSSFADE_DATABASE_RESOURCE_ID',
    meaning: 'db-… of the instance, cluster-… of the cluster or prx-… of the proxy',
  },
  vpcId: {
    pattern: `^vpc-${HEX}$`,
    example: 'vpc-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_VPC_ID',
    meaning: 'vpc-… of the database',
  },
  subnetIds: {
    pattern: listOf(`subnet-${HEX}`),
    example: 'subnet-0a1b2c3d4e5f60718,subnet-1b2c3d4e5f607182a',
    required: true,
    env: 'CROSSFADE_SUBNET_IDS',
    meaning: 'private subnets, separated by commas',
  },
  routeTableIds: {
    pattern: listOf(`rtb-${HEX}`),
    example: 'rtb-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_ROUTE_TABLE_IDS',
    meaning: 'route tables of `subnetIds`, separated by commas',
  },
  databaseSecurityGroupId: {
    pattern: `^sg-${HEX}$`,
    example: 'sg-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_DATABASE_SECURITY_GROUP_ID',
    meaning: 'sg-… of the database',
  },
  dynamodbPrefixListId: {
    pattern: `^pl-${HEX}$`,
    example: 'pl-66a5400f',
    required: true,
    env: 'CROSSFADE_DYNAMODB_PREFIX_LIST_ID',
    meaning: 'pl-… of DynamoDB in the region (aws ec2 describe-managed-prefix-lists)',
  },
  jwtIssuer: {
    pattern: HTTPS,
    example: 'https://id.example.com',
    default: '',
    env: 'CROSSFADE_JWT_ISSUER',
    meaning:
      'https URL of the issuer of access tokens, whose keys are RSA; empty: callers sign with IAM, and no issuer is needed',
  },
  jwtAudience: {
    pattern: WORD,
    example: 'crossfade',
    default: '',
    env: 'CROSSFADE_JWT_AUDIENCE',
    meaning: 'with `jwtIssuer`: audience of access tokens; of Cognito, whose tokens have none, the id of the client',
  },
  jwks: {
    pattern: '^\\{.+\\}$',
    example: '{"keys":[{"kty":"RSA","kid":"1","use":"sig","n":"…","e":"AQAB"}]}',
    default: '',
    env: 'CROSSFADE_JWKS',
    meaning:
      'with `jwtIssuer`: public keys of the issuer, the JSON of its jwks_uri, for the time before the publisher has kept them',
  },
  jwksUrl: {
    pattern: '^https://[^\\s/?#@]+/[^\\s#]*$',
    example: 'https://id.example.com/.well-known/jwks.json',
    default: '',
    env: 'CROSSFADE_JWKS_URL',
    meaning:
      'jwks_uri of the issuer, which the publisher and the functions outside of the VPC ask for keys that are new; empty: `.well-known/jwks.json` below the issuer',
  },
  jwtScopeClaims: {
    pattern: '^[^\\s,<>"\']+(,[^\\s,<>"\']+)*$',
    example: 'roles,realm_access.roles',
    default: '',
    env: 'CROSSFADE_JWT_SCOPE_CLAIMS',
    meaning:
      'claims that grant scopes, separated by commas, such as `roles` or `realm_access.roles`; empty: `scope` and `scp`',
  },
  jwtScopePrefix: {
    pattern: WORD,
    example: 'crossfade/',
    default: '',
    env: 'CROSSFADE_JWT_SCOPE_PREFIX',
    meaning: 'what the issuer writes before a scope: `crossfade/` where tokens say `crossfade/control:read`',
  },
  databaseCa: {
    pattern: '^(/[\\w.-]+)+$',
    example: '/opt/database-ca.pem',
    default: '/var/runtime/ca-cert.pem',
    env: 'CROSSFADE_DATABASE_CA',
    meaning:
      "file with the authorities of the database's certificate; the runtime's own has those of RDS. A layer's is in /opt",
  },
  databasePort: {
    pattern: '^([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])$',
    example: '5432',
    default: '5432',
    env: 'CROSSFADE_DATABASE_PORT',
    meaning: 'port that the network opens',
  },
  databaseUser: {
    pattern: ROLE,
    example: 'crossfade_runtime',
    default: 'crossfade_runtime',
    env: 'CROSSFADE_DATABASE_USER',
    meaning: 'runtime role that IAM tokens are granted for; as in databaseUrl',
  },
  ownerDatabaseUser: {
    pattern: ROLE,
    example: 'crossfade_owner',
    default: 'crossfade_owner',
    env: 'CROSSFADE_OWNER_DATABASE_USER',
    meaning: 'owner role that IAM tokens are granted for; as in ownerDatabaseUrl',
  },
  createDynamodbEndpoint: {
    pattern: YES_OR_NO,
    example: 'true',
    default: 'true',
    env: 'CROSSFADE_CREATE_DYNAMODB_ENDPOINT',
    meaning: '`false` when `routeTableIds` lead to a gateway endpoint of DynamoDB already, or to a NAT gateway',
  },
  databaseInstance: {
    pattern: NAME_IN_RDS,
    example: 'app-1',
    default: '',
    env: 'CROSSFADE_DATABASE_INSTANCE',
    meaning: 'name of the RDS instance; with it there is the alarm on connections',
  },
  databaseMaxConnections: {
    pattern: '^[1-9]\\d{0,5}$',
    example: '100',
    default: '100',
    env: 'CROSSFADE_DATABASE_MAX_CONNECTIONS',
    meaning: 'max_connections of `databaseInstance`',
  },
  databaseProxy: {
    pattern: NAME_IN_RDS,
    example: 'app-proxy',
    default: '',
    env: 'CROSSFADE_DATABASE_PROXY',
    meaning: 'name of the RDS proxy; with it there is the alarm on pinned sessions',
  },
  alarmEmail: {
    pattern: '^[^\\s@,;<>"\'][^\\s@,;<>"]*@[\\w-]+(\\.[\\w-]+)+$',
    example: 'oncall@example.com',
    default: '',
    env: 'CROSSFADE_ALARM_EMAIL',
    meaning: 'address that gets alarms by mail; others subscribe to the topic',
  },
  alertEventBus: {
    pattern: '^[\\w./-]{1,256}$',
    example: 'operations',
    default: 'default',
    env: 'CROSSFADE_ALERT_EVENT_BUS',
    meaning: 'bus of EventBridge that gets alerts as events, by name',
  },
  upstreamCidr: {
    pattern: `^${OCTET}(\\.${OCTET}){3}/(3[0-2]|[12]?\\d)$`,
    example: '10.0.0.0/8',
    default: '',
    env: 'CROSSFADE_UPSTREAM_CIDR',
    meaning:
      'network of the upstreams of service cutovers, as the shadow-writer sees it from its subnets: 10.0.0.0/8, or 0.0.0.0/0 with a NAT gateway',
  },
  gatewayTokenHeader: {
    pattern: '^(X-Crossfade-)?Authorization$',
    example: 'X-Crossfade-Authorization',
    default: 'Authorization',
    env: 'CROSSFADE_GATEWAY_TOKEN_HEADER',
    meaning:
      'header with the token of callers of the gateway; `X-Crossfade-Authorization` where a service gets `Authorization` (`gateway.authorization`)',
  },
  gatewayUrl: {
    pattern: YES_OR_NO,
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_GATEWAY_URL',
    meaning:
      '`true` gives the gateway a Function URL, too, for answers that are long or come bit by bit; a token is needed there as well',
  },
  alertWebhookUrl: {
    pattern: '^https://[^\\s/?#@]+(/[^\\s#]*)?$',
    example: 'https://hooks.slack.com/services',
    default: '',
    env: 'CROSSFADE_ALERT_WEBHOOK_URL',
    meaning: 'https address that gets alerts',
  },
  alertWebhookForm: {
    pattern: '^(crossfade|slack|teams|pagerduty)$',
    example: 'slack',
    default: 'crossfade',
    env: 'CROSSFADE_ALERT_WEBHOOK_FORM',
    meaning:
      'what `alertWebhookUrl` takes: `crossfade`, a signed document of ours, or what `slack`, `teams` or `pagerduty` take',
  },
  alertWebhookKeyArn: {
    pattern: SECRET,
    example: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:alerts-AbCdEf',
    default: '',
    env: 'CROSSFADE_ALERT_WEBHOOK_KEY_ARN',
    meaning:
      'ARN of the secret of `alertWebhookUrl`, whose text signs alerts; of `slack` and `teams` it is the rest of the address, of `pagerduty` the routing key',
  },
  alarmArns: {
    pattern: `^(\\*|${ALARM}(\\s*,\\s*${ALARM})*)$`,
    example: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-errors',
    default: '',
    env: 'CROSSFADE_ALARM_ARNS',
    meaning:
      'ARNs of the alarms that criteria name, separated by commas: the publisher may read these and no others. Composite alarms need `*`, which is a rule of CloudWatch',
  },
  checkKeyArn: {
    pattern: SECRET,
    example: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:checks-AbCdEf',
    default: '',
    env: 'CROSSFADE_CHECK_KEY_ARN',
    meaning: 'ARN of the secret whose text signs HTTP checks of criteria',
  },
  runbookUrl: {
    pattern: '^(infra/runbooks|https://[^\\s/?#@]+(/[^\\s/?#]+)*)$',
    example: 'https://git.example.com/crossfade/infra/runbooks',
    default: 'infra/runbooks',
    env: 'CROSSFADE_RUNBOOK_URL',
    meaning:
      'https address of the folder of runbooks in your copy of the repository; alarms add the page, such as /no-tick.md',
  },
  monthlyBudgetUsd: {
    pattern: '^[1-9]\\d{0,6}$',
    example: '50',
    default: '50',
    env: 'CROSSFADE_MONTHLY_BUDGET_USD',
    meaning: 'limit of the budget alarm: some three times an idle stage, or one table. More tables need more',
  },
  canary: {
    pattern: '^Lambda(Canary10Percent(5|10|15|30)Minutes|Linear10PercentEvery(1Minute|(2|3|10)Minutes))$',
    example: 'LambdaCanary10Percent5Minutes',
    default: '',
    env: 'CROSSFADE_CANARY',
    meaning:
      'how a release comes to `route`, `outcomes` and `gateway`, by a name of CodeDeploy: `LambdaCanary10Percent5Minutes`, taken back where an alarm rings; empty: at once',
  },
  packageBucket: {
    pattern: '^(?!.*\\.\\.)(?!(\\d+\\.){3}\\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
    example: 'acme-packages',
    default: '',
    env: 'CROSSFADE_PACKAGE_BUCKET',
    meaning: 'bucket in the region that the functions are taken from; empty: the stack makes one',
  },
  protectTables: {
    pattern: YES_OR_NO,
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_PROTECT_TABLES',
    meaning:
      '`true` from the second deployment on: the two tables cannot be deleted then. In the first one it would keep a failure from being cleaned up',
  },
  tracing: {
    pattern: YES_OR_NO,
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_TRACING',
    meaning: '`true` traces every function in X-Ray',
  },
  breakGlassPrincipal: {
    pattern: '^arn:aws[a-z-]*:iam::\\d{12}:(root|(role|user)/[\\w+=,.@/-]+)$',
    example: 'arn:aws:iam::123456789012:role/oncall',
    default: '',
    env: 'CROSSFADE_BREAK_GLASS_PRINCIPAL',
    meaning: 'ARN of the principal that may take the break-glass role; empty: whomever the account allows to, with MFA',
  },
  breakGlassMfa: {
    pattern: YES_OR_NO,
    example: 'true',
    default: 'true',
    env: 'CROSSFADE_BREAK_GLASS_MFA',
    meaning:
      '`false` where people sign in by SSO (IAM Identity Center), whose sessions never say that there was MFA; then `breakGlassPrincipal` is needed',
  },
  appConfigLayer: {
    pattern: '^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\\d{12}:layer:[\\w-]+:\\d+$',
    example: 'arn:aws:lambda:af-south-1:123456789012:layer:AWS-AppConfig-Extension-Arm64:1',
    default: '',
    env: 'CROSSFADE_APPCONFIG_LAYER',
    meaning: 'ARN of the AppConfig agent layer; empty: the pinned one of the region',
  },
  reservedControl: {
    pattern: COUNT,
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_CONTROL',
    meaning:
      'reserved concurrency of `control`; 0: not reserved. Lambda keeps 100 of an account unreserved, and a new account may have 10 in all',
  },
  reservedTick: {
    pattern: COUNT,
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_TICK',
    meaning: 'reserved concurrency of `tick`; 0: not reserved',
  },
  reservedPublisher: {
    pattern: '^(0|[3-9]|[1-9]\\d{1,3})$',
    example: '3',
    default: '0',
    env: 'CROSSFADE_RESERVED_PUBLISHER',
    meaning: 'reserved concurrency of `publisher`, at least 3; 0: not reserved',
  },
  reservedRelay: {
    pattern: '^(0|[3-9]|[1-9]\\d{1,3})$',
    example: '3',
    default: '0',
    env: 'CROSSFADE_RESERVED_RELAY',
    meaning: 'reserved concurrency of `relay`, at least 3; 0: not reserved',
  },
  reservedShadowWriter: {
    pattern: COUNT,
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_SHADOW_WRITER',
    meaning: 'reserved concurrency of `shadow-writer`; 0: not reserved',
  },
  reservedBackfill: {
    pattern: COUNT,
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_BACKFILL',
    meaning: 'reserved concurrency of `backfill`; 0: not reserved',
  },
  reservedVerify: {
    pattern: COUNT,
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_VERIFY',
    meaning: 'reserved concurrency of `verify`; 0: not reserved',
  },
  owner: {
    pattern: TAG,
    example: 'team-orders',
    default: 'crossfade',
    env: 'CROSSFADE_OWNER',
    meaning: 'owner: tag of every resource',
  },
  dataClass: {
    pattern: TAG,
    example: 'internal',
    default: 'internal',
    env: 'CROSSFADE_DATA_CLASS',
    meaning: 'class of the data: tag of every resource',
  },
  tags: {
    pattern: '^\\{.+\\}$',
    example: '{"cost-center":"4711","team":"orders"}',
    default: '',
    env: 'CROSSFADE_TAGS',
    meaning: 'further tags of every resource, as JSON, or as a mapping in this file',
  },
  kmsKeyArn: {
    pattern: '^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-z0-9-]+$',
    example: 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    default: '',
    env: 'CROSSFADE_KMS_KEY_ARN',
    meaning:
      'ARN of your own key for tables, topic, queue and logs, whose policy says what infra/README.md asks for; empty: the stack makes one, and logs have a key of AWS',
  },
  permissionsBoundary: {
    pattern: '^arn:aws[a-z-]*:iam::(\\d{12}|aws):policy/[\\w+=,.@/-]+$',
    example: 'arn:aws:iam::123456789012:policy/boundary',
    default: '',
    env: 'CROSSFADE_PERMISSIONS_BOUNDARY',
    meaning:
      'ARN of the policy that bounds every role, where the account demands one; it must allow what the roles need',
  },
  logLevel: {
    pattern: '^(debug|info|warn|error|silent)$',
    example: 'info',
    default: 'info',
    env: 'CROSSFADE_LOG_LEVEL',
    meaning: 'debug, info, warn, error or silent',
  },
  logRetentionDays: {
    pattern: '^(1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653)$',
    example: '365',
    default: '30',
    env: 'CROSSFADE_LOG_RETENTION_DAYS',
    meaning: 'after how many days logs are deleted, one of the periods of CloudWatch: 7, 14, 30, 90, 365 …',
  },
  metricsRetentionDays: {
    pattern: '^([1-9]\\d?|[123]\\d\\d|400)$',
    example: '30',
    default: '30',
    env: 'CROSSFADE_METRICS_RETENTION_DAYS',
    meaning: 'after how many days minute windows expire, 1–400. Experiments and the audit log never do',
  },
};
