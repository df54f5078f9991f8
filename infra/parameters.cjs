/**
 * Parameters of a deployment: the name, the environment variable that may stand for it, the default or `required`, and what
 * it is for. `pattern` is what a value looks like, `example` one that does. infra/settings.cjs reads them, and so does
 * `crossfade deploy`; infra/README.md has them as a table.
 */

module.exports.PARAMETERS = {
  databaseUrl: {
    pattern: '^postgres(ql)?://[^:@/]+@[^@/:]+(:\\d+)?/[^/?]+',
    example: 'postgres://crossfade_runtime@app.cluster-abc.eu-central-1.rds.amazonaws.com:5432/app',
    required: true,
    env: 'CROSSFADE_DATABASE_URL',
    meaning: 'postgres://crossfade_runtime@HOST:5432/DATABASE of the runtime role, without a password',
  },
  ownerDatabaseUrl: {
    pattern: '^postgres(ql)?://[^:@/]+@[^@/:]+(:\\d+)?/[^/?]+',
    example: 'postgres://crossfade_owner@app.cluster-abc.eu-central-1.rds.amazonaws.com:5432/app',
    required: true,
    env: 'CROSSFADE_OWNER_DATABASE_URL',
    meaning: 'the same for the owner role',
  },
  connections: {
    default: '',
    env: 'CROSSFADE_CONNECTIONS',
    meaning:
      'further databases by the name that `shadow.connection` uses, as JSON: `{"new": "postgres://ROLE@HOST:5432/DATABASE"}` of the owner of the shadow there',
  },
  databaseResourceId: {
    pattern: '^(db|cluster|prx)-\\w+$',
    example: 'cluster-ABCDEFGHIJKL',
    required: true,
    env: 'CROSSFADE_DATABASE_RESOURCE_ID',
    meaning: 'db-… of the instance, cluster-… of the cluster or prx-… of the proxy',
  },
  vpcId: {
    pattern: '^vpc-\\w+$',
    example: 'vpc-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_VPC_ID',
    meaning: 'vpc-… of the database',
  },
  subnetIds: {
    pattern: '^subnet-\\w+(\\s*,\\s*subnet-\\w+)*$',
    example: 'subnet-0a1b2c3d4e5f60718,subnet-1b2c3d4e5f607182a',
    required: true,
    env: 'CROSSFADE_SUBNET_IDS',
    meaning: 'private subnets, separated by commas',
  },
  routeTableIds: {
    pattern: '^rtb-\\w+(\\s*,\\s*rtb-\\w+)*$',
    example: 'rtb-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_ROUTE_TABLE_IDS',
    meaning: 'route tables of those subnets, separated by commas',
  },
  databaseSecurityGroupId: {
    pattern: '^sg-\\w+$',
    example: 'sg-0a1b2c3d4e5f60718',
    required: true,
    env: 'CROSSFADE_DATABASE_SECURITY_GROUP_ID',
    meaning: 'sg-… of the database',
  },
  dynamodbPrefixListId: {
    pattern: '^pl-\\w+$',
    example: 'pl-66a5400f',
    required: true,
    env: 'CROSSFADE_DYNAMODB_PREFIX_LIST_ID',
    meaning: 'pl-… of DynamoDB in the region (aws ec2 describe-managed-prefix-lists)',
  },

  jwtIssuer: {
    pattern: '^https://\\S+$',
    example: 'https://id.example.com',
    default: '',
    env: 'CROSSFADE_JWT_ISSUER',
    meaning:
      'https URL of the issuer of access tokens, whose keys are RSA; empty: callers sign with IAM, and no issuer is needed',
  },
  jwtAudience: {
    default: '',
    env: 'CROSSFADE_JWT_AUDIENCE',
    meaning: 'with `jwtIssuer`: audience of access tokens; of Cognito, whose tokens have none, the id of the client',
  },
  jwks: {
    default: '',
    env: 'CROSSFADE_JWKS',
    meaning:
      'with `jwtIssuer`: public keys of the issuer, the JSON of its jwks_uri, for the time before the publisher has kept them',
  },
  jwksUrl: {
    pattern: '^https://\\S+$',
    example: 'https://id.example.com',
    default: '',
    env: 'CROSSFADE_JWKS_URL',
    meaning:
      'jwks_uri of the issuer, which the publisher and the functions outside of the VPC ask for keys that are new; empty: `.well-known/jwks.json` below the issuer',
  },
  jwtScopeClaims: {
    default: '',
    env: 'CROSSFADE_JWT_SCOPE_CLAIMS',
    meaning:
      'claims that grant scopes, separated by commas, such as `roles` or `realm_access.roles`; empty: `scope` and `scp`',
  },
  jwtScopePrefix: {
    default: '',
    env: 'CROSSFADE_JWT_SCOPE_PREFIX',
    meaning: 'what the issuer writes before a scope: `crossfade/` where tokens say `crossfade/control:read`',
  },
  databaseCa: {
    default: '/var/runtime/ca-cert.pem',
    env: 'CROSSFADE_DATABASE_CA',
    meaning:
      "file with the authorities of the database's certificate; the runtime's own has those of RDS. A layer's is in /opt",
  },
  databasePort: {
    pattern: '^\\d+$',
    example: '5432',
    default: '5432',
    env: 'CROSSFADE_DATABASE_PORT',
    meaning: 'port that the network opens',
  },
  databaseUser: {
    default: 'crossfade_runtime',
    env: 'CROSSFADE_DATABASE_USER',
    meaning: 'runtime role that IAM tokens are granted for; as in databaseUrl',
  },
  ownerDatabaseUser: {
    default: 'crossfade_owner',
    env: 'CROSSFADE_OWNER_DATABASE_USER',
    meaning: 'the same for the owner role',
  },
  createDynamodbEndpoint: {
    pattern: '^(true|false)$',
    example: 'true',
    default: 'true',
    env: 'CROSSFADE_CREATE_DYNAMODB_ENDPOINT',
    meaning: '`false` when those route tables lead to a gateway endpoint of DynamoDB already, or to a NAT gateway',
  },
  databaseInstance: {
    default: '',
    env: 'CROSSFADE_DATABASE_INSTANCE',
    meaning: 'name of the RDS instance; with it there is the alarm on connections',
  },
  databaseMaxConnections: {
    pattern: '^\\d+$',
    example: '100',
    default: '100',
    env: 'CROSSFADE_DATABASE_MAX_CONNECTIONS',
    meaning: 'max_connections of that instance',
  },
  databaseProxy: {
    default: '',
    env: 'CROSSFADE_DATABASE_PROXY',
    meaning: 'name of the RDS proxy; with it there is the alarm on pinned sessions',
  },
  alarmEmail: {
    pattern: '^\\S+@\\S+$',
    example: 'oncall@example.com',
    default: '',
    env: 'CROSSFADE_ALARM_EMAIL',
    meaning: 'address that gets alarms by mail; others subscribe to the topic',
  },
  alertEventBus: {
    default: 'default',
    env: 'CROSSFADE_ALERT_EVENT_BUS',
    meaning: 'bus of EventBridge that gets alerts as events, by name',
  },
  upstreamCidr: {
    default: '',
    env: 'CROSSFADE_UPSTREAM_CIDR',
    meaning:
      'network of the upstreams of service cutovers, as the shadow-writer sees it from its subnets: 10.0.0.0/8, or 0.0.0.0/0 with a NAT gateway',
  },
  gatewayTokenHeader: {
    default: 'Authorization',
    env: 'CROSSFADE_GATEWAY_TOKEN_HEADER',
    meaning:
      'header with the token of callers of the gateway; `X-Crossfade-Authorization` where a service gets `Authorization` (`gateway.authorization`)',
  },
  gatewayUrl: {
    pattern: '^(true|false)$',
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_GATEWAY_URL',
    meaning:
      '`true` gives the gateway a Function URL, too, for answers that are long or come bit by bit; a token is needed there as well',
  },
  alertWebhookUrl: {
    pattern: '^https://\\S+$',
    example: 'https://id.example.com',
    default: '',
    env: 'CROSSFADE_ALERT_WEBHOOK_URL',
    meaning: 'https address that gets alerts',
  },
  alertWebhookForm: {
    pattern: '^(crossfade|slack|teams|pagerduty)$',
    example: 'slack',
    default: 'crossfade',
    env: 'CROSSFADE_ALERT_WEBHOOK_FORM',
    meaning: 'what it takes: `crossfade`, a signed document of ours, or what `slack`, `teams` or `pagerduty` take',
  },
  alertWebhookKeyArn: {
    default: '',
    env: 'CROSSFADE_ALERT_WEBHOOK_KEY_ARN',
    meaning:
      'ARN of its secret, whose text signs them; of `slack` and `teams` it is the rest of the address, of `pagerduty` the routing key',
  },
  alarmArns: {
    default: '',
    env: 'CROSSFADE_ALARM_ARNS',
    meaning:
      'ARNs of the alarms that criteria name, separated by commas: the publisher may read these and no others. Composite alarms need `*`, which is a rule of CloudWatch',
  },
  checkKeyArn: {
    default: '',
    env: 'CROSSFADE_CHECK_KEY_ARN',
    meaning: 'ARN of the secret whose text signs HTTP checks of criteria',
  },
  runbookUrl: {
    pattern: '^(infra/runbooks|https://\\S+)$',
    example: 'https://git.example.com/crossfade/infra/runbooks',
    default: 'infra/runbooks',
    env: 'CROSSFADE_RUNBOOK_URL',
    meaning:
      'https address of the folder of runbooks in your copy of the repository; alarms add the page, such as /no-tick.md',
  },
  monthlyBudgetUsd: {
    pattern: '^\\d+$',
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
    pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
    example: 'acme-packages',
    default: '',
    env: 'CROSSFADE_PACKAGE_BUCKET',
    meaning: 'bucket in the region that the functions are taken from; empty: the stack makes one',
  },
  protectTables: {
    pattern: '^(true|false)$',
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_PROTECT_TABLES',
    meaning:
      '`true` from the second deployment on: the two tables cannot be deleted then. In the first one it would keep a failure from being cleaned up',
  },
  tracing: {
    pattern: '^(true|false)$',
    example: 'true',
    default: 'false',
    env: 'CROSSFADE_TRACING',
    meaning: '`true` traces every function in X-Ray',
  },
  breakGlassPrincipal: {
    default: '',
    env: 'CROSSFADE_BREAK_GLASS_PRINCIPAL',
    meaning: 'ARN of the principal that may take the break-glass role; empty: whomever the account allows to, with MFA',
  },
  breakGlassMfa: {
    pattern: '^(true|false)$',
    example: 'true',
    default: 'true',
    env: 'CROSSFADE_BREAK_GLASS_MFA',
    meaning:
      '`false` where people sign in by SSO (IAM Identity Center), whose sessions never say that there was MFA; then `breakGlassPrincipal` is needed',
  },
  appConfigLayer: {
    default: '',
    env: 'CROSSFADE_APPCONFIG_LAYER',
    meaning: 'ARN of the AppConfig agent layer; empty: the pinned one of the region',
  },
  reservedControl: {
    pattern: '^\\d+$',
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_CONTROL',
    meaning:
      'reserved concurrency; 0: not reserved. Lambda keeps 100 of an account unreserved, and a new account may have 10 in all',
  },
  reservedTick: { pattern: '^\\d+$', example: '1', default: '0', env: 'CROSSFADE_RESERVED_TICK', meaning: 'the same' },
  reservedPublisher: {
    pattern: '^\\d+$',
    example: '2',
    default: '0',
    env: 'CROSSFADE_RESERVED_PUBLISHER',
    meaning: 'the same, at least 2',
  },
  reservedRelay: {
    pattern: '^\\d+$',
    example: '3',
    default: '0',
    env: 'CROSSFADE_RESERVED_RELAY',
    meaning: 'the same, at least 3',
  },
  reservedShadowWriter: {
    pattern: '^\\d+$',
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_SHADOW_WRITER',
    meaning: 'the same',
  },
  reservedBackfill: {
    pattern: '^\\d+$',
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_BACKFILL',
    meaning: 'the same',
  },
  reservedVerify: {
    pattern: '^\\d+$',
    example: '1',
    default: '0',
    env: 'CROSSFADE_RESERVED_VERIFY',
    meaning: 'the same',
  },
  owner: { default: 'crossfade', env: 'CROSSFADE_OWNER', meaning: 'tag of every resource' },
  dataClass: { default: 'internal', env: 'CROSSFADE_DATA_CLASS', meaning: 'tag of every resource' },
  logLevel: {
    pattern: '^(debug|info|warn|error|silent)$',
    example: 'info',
    default: 'info',
    env: 'CROSSFADE_LOG_LEVEL',
    meaning: 'debug, info, warn, error or silent',
  },
  metricsRetentionDays: {
    pattern: '^\\d+$',
    example: '30',
    default: '30',
    env: 'CROSSFADE_METRICS_RETENTION_DAYS',
    meaning: 'after how many days minute windows expire, 1–400. Experiments and the audit log never do',
  },
};
