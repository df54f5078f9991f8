/**
 * Who may do what: packages, routes, roles and secrets of the packaged template, one rule per requirement. A rule knows
 * how to break a template, so that the test can show that it would notice.
 */

import { FUNCTIONS, PARAMETERS, type Packaged, type Resource } from './packaged-template.ts';
import {
  at,
  differences,
  functionOf,
  type Json,
  ofType,
  properties,
  put,
  type Rule,
  type Statement,
  same,
  statementIn,
  statements,
} from './template-access.ts';

/** The scope of every route; null: open. */
export const ROUTE_SCOPES: Readonly<Record<string, string | null>> = {
  'GET /v1/health': null,
  'GET /v1/route/{cutover}': 'route:read',
  'POST /v1/route': 'route:read',
  'GET /v1/flags/served': 'route:read',
  'POST /ofrep/v1/evaluate/flags': 'route:read',
  'POST /ofrep/v1/evaluate/flags/{flag}': 'route:read',
  'POST /v1/outcomes': 'outcomes:write',
  'GET /v1/openapi.json': 'control:read',
  'GET /v1/cutovers': 'control:read',
  'GET /v1/cutovers/{cutover}': 'control:read',
  'GET /v1/cutovers/{cutover}/preview': 'control:read',
  'GET /v1/cutovers/{cutover}/plan': 'control:read',
  'GET /v1/cutovers/{cutover}/history': 'control:read',
  'GET /v1/cutovers/{cutover}/rollbacks': 'control:read',
  'GET /v1/cutovers/{cutover}/verification': 'control:read',
  'GET /v1/cutovers/{cutover}/health': 'control:read',
  'GET /v1/cutovers/{cutover}/progress': 'control:read',
  'GET /v1/cutovers/{cutover}/record': 'control:read',
  'POST /v1/cutovers/{cutover}/record/values': 'rows:read',
  'GET /v1/cutovers/{cutover}/consistency': 'control:read',
  'GET /v1/progress': 'control:read',
  'POST /v1/cutovers/{cutover}/start': 'control:write',
  'POST /v1/cutovers/{cutover}/advance': 'control:write',
  'POST /v1/cutovers/{cutover}/approve': 'control:write',
  'POST /v1/cutovers/{cutover}/pause': 'control:write',
  'POST /v1/cutovers/{cutover}/resume': 'control:write',
  'POST /v1/cutovers/{cutover}/policy': 'control:write',
  'POST /v1/cutovers/{cutover}/reads': 'control:write',
  'POST /v1/cutovers/{cutover}/shadow-writes': 'control:write',
  'POST /v1/cutovers/{cutover}/rollback': 'control:write',
  'POST /v1/cutovers/{cutover}/reset': 'control:write',
  'POST /v1/cutovers/{cutover}/verify': 'control:write',
  'POST /v1/cutovers/{cutover}/repair': 'control:write',
  'GET /v1/cutovers/{cutover}/quarantine': 'control:read',
  'POST /v1/cutovers/{cutover}/quarantine/retry': 'control:write',
  'POST /v1/cutovers/{cutover}/quarantine/discard': 'control:write',
  'GET /v1/cutovers/{cutover}/backfill': 'control:read',
  'POST /v1/cutovers/{cutover}/adopt': 'control:write',
  'POST /v1/cutovers/{cutover}/remove-shadow': 'control:cleanup',
  'POST /v1/cutovers/{cutover}/read-only': 'control:write',
  'POST /v1/cutovers/{cutover}/read-only/end': 'control:write',
  'GET /v1/cutovers/{cutover}/backfill/dry-run': 'control:read',
  'POST /v1/cutovers/{cutover}/backfill/pause': 'control:write',
  'POST /v1/cutovers/{cutover}/backfill/resume': 'control:write',
  'POST /v1/cutovers/{cutover}/backfill/cancel': 'control:write',
  'GET /v1/cutovers/{cutover}/forwards': 'control:read',
  'GET /v1/cutovers/{cutover}/copies': 'control:read',
  'POST /v1/cutovers/{cutover}/forwards/retry': 'control:write',
  'POST /v1/cutovers/{cutover}/forwards/discard': 'control:write',
  'POST /v1/cutovers/{cutover}/copies/retry': 'control:write',
  'POST /v1/cutovers/{cutover}/copies/discard': 'control:write',
  'POST /v1/cutovers/{cutover}/complete': 'control:complete',
  'POST /v1/cutovers/{cutover}/cleanup': 'control:cleanup',
  'GET /v1/system': 'control:read',
  'POST /v1/system/emergency-stop': 'control:stop',
  'POST /v1/system/rollback': 'control:stop',
  'POST /v1/system/shadow-writes': 'control:stop',
  'POST /v1/system/reset': 'control:stop',
  'POST /v1/flags/publish': 'control:stop',
  'GET /v1/phases': 'control:read',
  'POST /v1/phases/{phase}/check': 'control:write',
  'POST /v1/phases/{phase}/go': 'control:write',
  'POST /v1/phases/{phase}/extend': 'control:write',
  'POST /v1/phases/{phase}/rollback': 'control:write',
  'POST /v1/phases/{phase}/reset': 'control:write',
  'GET /v1/flags': 'control:read',
  'GET /v1/report': 'control:read',
  'GET /v1/metrics': 'control:read',
  'GET /v1/alerts': 'control:read',
  'GET /v1/cutovers/{cutover}/export': 'control:read',
  'GET /v1/cutovers/{cutover}/replay': 'control:read',
  'GET /v1/cutovers/{cutover}/checkpoints': 'control:read',
  'GET /v1/audit': 'control:read',
  'GET /v1/audit/verification': 'control:read',
  'GET /v1/experiments': 'control:read',
  'GET /v1/experiments/{experiment}': 'control:read',
  'POST /v1/experiments/{experiment}/events': 'outcomes:write',
  'POST /v1/forwards': 'copies:write',
  'POST /v1/forwards/settle': 'copies:write',
  'POST /v1/copies': 'copies:write',
  'POST /v1/copies/settle': 'copies:write',
  'POST /v1/alerts/{alert}/acknowledge': 'control:write',
  'GET /gateway/{cutover}/{proxy+}': 'gateway:call',
  'HEAD /gateway/{cutover}/{proxy+}': 'gateway:call',
  'POST /gateway/{cutover}/{proxy+}': 'gateway:call',
  'PUT /gateway/{cutover}/{proxy+}': 'gateway:call',
  'PATCH /gateway/{cutover}/{proxy+}': 'gateway:call',
  'DELETE /gateway/{cutover}/{proxy+}': 'gateway:call',
  'OPTIONS /gateway/{cutover}/{proxy+}': null,
  'GET /': 'control:read',
  'GET /dashboard/data': 'control:read',
  'GET /dashboard/assets/{asset}': 'control:read',
};

/** Every statement that may hold a pattern: Sid → what its patterned resources look like. */
const PATTERNS_ALLOWED: Readonly<Record<string, RegExp>> = {
  Log: /log-group:\/aws\/lambda\/crossfade-prod-[a-z-]+:\*"\}$/,
  NetworkInterfaces: /^"\*"$/,
  // Lists of names: AppConfig has no narrower resource for them.
  FindFlags: /^"\*"$/,
  ListStreams: /:table\/crossfade-prod-(changes|state)\/stream\/\*"\}$/,
  SeeDeployedFlags: /\/(deployment|hostedconfigurationversion)\/\*"\}$/,
  PublishFlags: /\/(deployment|hostedconfigurationversion)\/\*"\}$/,
};

/** What functions write that decide nothing. */
const OWN_ITEMS = ['window#*', 'experiment#*', 'answered', 'publisher', 'alert'];

const routes = (packaged: Packaged): [string, Json][] =>
  ofType(packaged, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => [String(Properties.RouteKey), Properties]);

const PUBLISHERS = ['PublisherRole', 'BreakGlassRole'];

/** Of a template without an issuer of tokens: what differs from one signed request for each route but health and preflights. */
export const unsignedRoutes = (it: Packaged): string[] => [
  ...routes(it).flatMap(([key, { AuthorizationType = 'NONE' }]) => {
    const wanted = ROUTE_SCOPES[key] === null ? 'NONE' : 'AWS_IAM';
    return AuthorizationType === wanted ? [] : [`${key}: ${AuthorizationType}, not ${wanted}`];
  }),
  ...ofType(it, 'AWS::ApiGatewayV2::Authorizer').map(([id]) => `${id} is there`),
  ...FUNCTIONS.filter((name) => at(functionOf(it, name), 'Environment.Variables.CROSSFADE_ACCESS') !== 'iam').map(
    (name) => `${name} does not know that IAM lets callers in`,
  ),
];

export const ACCESS_RULES: readonly Rule[] = [
  {
    area: 'runtime',
    says: 'every function runs on nodejs22.x and arm64 with its own memory and time-out',
    wrong: (it) =>
      FUNCTIONS.flatMap((name) => [
        ...differences(functionOf(it, name), { Runtime: 'nodejs22.x', Architectures: ['arm64'] }, `${name}: `),
        ...['MemorySize', 'Timeout']
          .filter((key) => !(Number(functionOf(it, name)[key]) > 0))
          .map((key) => `${name}: no ${key}`),
      ]),
    break: (it) => put(functionOf(it, 'route'), 'Runtime', 'nodejs24.x'),
  },
  {
    area: 'runtime',
    says: 'each package holds the bundle of its function, that of the schema its migrations, and nothing else: no source map, no other function, no .env',
    wrong: (it) =>
      FUNCTIONS.filter(
        (name) =>
          !same(
            [...(it.zips[name] ?? [])].sort(),
            ['index.mjs', ...(name === 'schema' ? ['migrations/0001_tables.sql'] : []), 'part-1.mjs'].map(
              (file) => `dist/functions/${name}/${file}`,
            ),
          ),
      ).map((name) => `${name}.zip holds ${it.zips[name]?.join(', ')}`),
    break: (it) => it.zips.tick!.push('dist/functions/tick/index.mjs.map'),
  },
  {
    area: 'routes',
    says: 'every route but health and preflights has its token authorizer and exactly its own scope, and no other route exists',
    wrong: (it) => {
      const authorizerOf = (key: string) => ({
        Ref: / \/gateway\//.test(key) ? 'HttpApiAuthorizerCallers' : 'HttpApiAuthorizerTokens',
      });
      const found = Object.fromEntries(
        routes(it).map(([key, route]) => [
          key,
          route.AuthorizationType === 'JWT' && same(route.AuthorizerId, authorizerOf(key))
            ? route.AuthorizationScopes
            : null,
        ]),
      );
      const wanted = Object.fromEntries(Object.entries(ROUTE_SCOPES).map(([key, scope]) => [key, scope && [scope]]));
      return [...new Set([...Object.keys(found), ...Object.keys(wanted)])]
        .filter((key) => !(key in found) || !(key in wanted) || !same(found[key], wanted[key]))
        .map((key) => `${key}: ${JSON.stringify(found[key])}, not ${JSON.stringify(wanted[key])}`);
    },
    break: (it) =>
      put(
        it.resources.HttpApiRoutePostV1SystemEmergencyDashstop ?? firstRoute(it),
        'Properties.AuthorizationType',
        'NONE',
      ),
  },
  {
    area: 'routes',
    says: 'both authorizers check issuer and audience and read one header only: the Authorization, unless a parameter names another',
    wrong: (it) =>
      ['HttpApiAuthorizerTokens', 'HttpApiAuthorizerCallers'].flatMap((id) =>
        differences(properties(it, id), {
          'JwtConfiguration.Issuer': PARAMETERS.jwtIssuer,
          'JwtConfiguration.Audience': [PARAMETERS.jwtAudience],
          IdentitySource: ['$request.header.Authorization'],
        }),
      ),
    break: (it) => put(properties(it, 'HttpApiAuthorizerTokens'), 'JwtConfiguration.Audience', []),
  },
  {
    area: 'routes',
    says: 'every route has a rate and a burst, and the stage waits until the route exists',
    wrong: (it) => {
      const stage = it.resources.HttpApiStage;
      const waits = new Set([stage?.DependsOn].flat());
      const limits = at(stage, 'Properties.RouteSettings') as Json;
      const keys = ofType(it, 'AWS::ApiGatewayV2::Route').map(
        ([id, { Properties }]) => [id, String(Properties.RouteKey)] as const,
      );
      return [
        ...keys.filter(([id]) => !waits.has(id)).map(([, key]) => `the stage does not wait for ${key}`),
        ...keys
          .filter(
            ([, key]) =>
              !(
                Number((limits[key] as Json)?.ThrottlingRateLimit) > 0 &&
                Number((limits[key] as Json)?.ThrottlingBurstLimit) > 0
              ),
          )
          .map(([, key]) => `${key} has no limit`),
        ...Object.keys(limits)
          .filter((key) => !keys.some(([, known]) => known === key))
          .map((key) => `${key} does not exist`),
      ];
    },
    break: (it) => delete (at(it.resources.HttpApiStage, 'Properties.RouteSettings') as Json)['POST /v1/outcomes'],
  },
  {
    area: 'routes',
    says: 'no CORS is configured',
    wrong: (it) =>
      properties(it, 'HttpApi').CorsConfiguration === undefined ? [] : ['HttpApi has a CORS configuration'],
    break: (it) => put(properties(it, 'HttpApi'), 'CorsConfiguration', { AllowOrigins: ['*'] }),
  },
  {
    area: 'roles',
    says: 'every function has a role of its own; both fronts of the gateway are one',
    wrong: (it) => {
      const roleOf = (name: string) => JSON.stringify(functionOf(it, name).Role);
      const roles = FUNCTIONS.filter((name) => name !== 'gateway-stream').map(roleOf);
      const shared = roleOf('gateway-stream') === roleOf('gateway') ? [] : ['gateway-stream'];
      return new Set(roles).size === roles.length && !roles.includes('undefined') ? shared : [roles.join(' ')];
    },
    break: (it) => put(functionOf(it, 'route'), 'Role', functionOf(it, 'tick').Role),
  },
  {
    area: 'routes',
    says: 'the address that streams is there only when it is asked for, and leads to the gateway alone',
    wrong: (it) =>
      ['GatewayUrl', 'GatewayUrlPermission', 'GatewayUrlCall'].filter((name) => {
        const one = it.resources[name] as (Resource & { Condition?: string }) | undefined;
        const target = one?.Properties.TargetFunctionArn ?? one?.Properties.FunctionName;
        return (
          one?.Condition !== 'GatewayUrlWanted' ||
          !same(target, { 'Fn::GetAtt': ['GatewayDashstreamLambdaFunction', 'Arn'] })
        );
      }),
    break: (it) => put(it.resources.GatewayUrl as never, 'Condition', undefined),
  },
  {
    area: 'roles',
    says: 'patterns in resources and actions come from a named list only',
    wrong: (it) =>
      statements(it).flatMap((statement) => [
        ...statement.Action.filter((action) => action.includes('*')).map(
          (action) => `${statement.role}.${statement.Sid}: ${action}`,
        ),
        ...statement.Resource.map((resource) => JSON.stringify(resource))
          .filter((text) => text.includes('*') && !PATTERNS_ALLOWED[statement.Sid ?? '']?.test(text))
          .map((text) => `${statement.role}.${statement.Sid}: ${text}`),
      ]),
    break: (it) => put(statementIn(it, 'OutcomesRole', 'AddToWindows'), 'Resource', '*'),
  },
  {
    area: 'roles',
    says: 'nobody may delete an item but a forwarded write that was carried out, and so nobody can delete an audit entry',
    wrong: (it) => {
      const changes = JSON.stringify({ 'Fn::GetAtt': ['ChangesTable', 'Arn'] });
      return statements(it)
        .filter(({ Action }) =>
          Action.some((action) => /dynamodb:(\*|Delete|BatchWrite|PartiQL(?!Select))/.test(action)),
        )
        .filter(({ Resource }) => Resource.some((resource) => JSON.stringify(resource) !== changes))
        .map(({ role, Sid }) => `${role}.${Sid}`);
    },
    break: (it) => put(statementIn(it, 'TickRole', 'WriteState'), 'Action', ['dynamodb:DeleteItem']),
  },
  {
    area: 'roles',
    says: 'only control, tick and break-glass may write stages and audit entries; the others reach named items only',
    wrong: (it) => {
      const state = JSON.stringify({ 'Fn::GetAtt': ['StateTable', 'Arn'] });
      const onState = statements(it).filter(
        ({ Effect, Resource }) => Effect === 'Allow' && Resource.some((resource) => JSON.stringify(resource) === state),
      );
      const keysOf = (statement: Statement) =>
        (at(statement.Condition, 'ForAllValues:StringLike') as Json | undefined)?.['dynamodb:LeadingKeys'] as
          | string[]
          | undefined;
      return onState
        .filter((statement) => {
          const keys = keysOf(statement);
          if (!keys) return true;
          const writes = statement.Action.some((action) => /Put|Update/.test(action));
          const mayWrite = ['ControlRole', 'TickRole', 'BreakGlassRole'].includes(statement.role);
          return writes && !mayWrite && keys.some((key) => !OWN_ITEMS.includes(key));
        })
        .map(({ role, Sid }) => `${role}.${Sid}`);
    },
    break: (it) => put(statementIn(it, 'OutcomesRole', 'AddToWindows'), 'Condition', undefined),
  },
  {
    area: 'roles',
    says: 'control, dashboard and tick may select windows and forwarded writes, and nobody who selects may scan',
    wrong: (it) => {
      const selecting = statements(it).filter(({ Action }) => Action.includes('dynamodb:PartiQLSelect'));
      const tables = ({ role, Resource }: Statement) => Resource.map((table) => `${role} ${JSON.stringify(table)}`);
      const may = selecting.filter(({ Effect }) => Effect === 'Allow').flatMap(tables);
      const mayNotScan = selecting
        .filter(({ Effect, Condition }) => {
          const scan = (at(Condition, 'Bool') as Json | undefined)?.['dynamodb:FullTableScan'];
          return Effect === 'Deny' && scan === 'true';
        })
        .flatMap(tables);
      const wanted = ['ControlRole', 'DashboardRole', 'TickRole'].flatMap((role) =>
        ['StateTable', 'ChangesTable'].map((table) => `${role} ${JSON.stringify({ 'Fn::GetAtt': [table, 'Arn'] })}`),
      );
      return [
        ...wanted.filter((one) => !may.includes(one)).map((one) => `${one}: cannot select`),
        ...may.filter((one) => !mayNotScan.includes(one)).map((one) => `${one}: can scan`),
      ];
    },
    break: (it) => put(statementIn(it, 'TickRole', 'NoScan'), 'Effect', 'Allow'),
  },
  {
    area: 'roles',
    says: 'the gateway records forwarded writes and reads the state, and the shadow-writer carries them out, wherever upstreams are',
    wrong: (it) => {
      const allowed = (role: string, Sid: string, actions: string[]) => {
        const found = statements(it).find((one) => one.role === role && one.Sid === Sid);
        return actions
          .filter((action) => !found?.Action.includes(`dynamodb:${action}`))
          .map((action) => `${role}: no ${action}`);
      };
      return [
        ...allowed('GatewayRole', 'RecordForwards', ['PutItem', 'UpdateItem', 'DeleteItem', 'Query']),
        ...allowed('GatewayRole', 'ReadState', ['GetItem']),
        ...allowed('ShadowWriterRole', 'CarryOutForwards', ['Query', 'UpdateItem', 'DeleteItem']),
        ...differences(it.resources.UpstreamSecurityGroup, { Condition: 'UpstreamsGiven' }),
      ];
    },
    break: (it) => put(statementIn(it, 'GatewayRole', 'RecordForwards'), 'Action', ['dynamodb:PutItem']),
  },
  {
    area: 'roles',
    says: 'route reads flags and nothing else',
    wrong: (it) =>
      statements(it)
        .filter(({ role, Sid }) => role === 'RouteRole' && !['Log', 'ReadFlags'].includes(Sid ?? ''))
        .map(({ Sid }) => String(Sid)),
    break: (it) => put(statementIn(it, 'RouteRole', 'ReadFlags'), 'Sid', 'More'),
  },
  {
    area: 'roles',
    says: 'only the publisher and break-glass may publish flags, or ask AppConfig what is deployed, in our application and environment',
    wrong: (it) => {
      const wanted = [
        'appconfig:CreateHostedConfigurationVersion',
        'appconfig:StartDeployment',
        'appconfig:StopDeployment',
        'appconfig:ListDeployments',
      ];
      const may = (role: string) =>
        statements(it)
          .filter((one) => one.role === role)
          .flatMap((one) => one.Action);
      const publishers = statements(it).filter(({ Action }) => Action.some((action) => wanted.includes(action)));
      return [
        ...publishers.filter(({ role }) => !PUBLISHERS.includes(role)).map(({ role }) => role),
        ...publishers
          .filter(
            ({ Resource }) => !Resource.every((one) => /\$\{Flags(Application|Strategy)\}/.test(JSON.stringify(one))),
          )
          .map(({ role }) => `${role} reaches other applications`),
        ...PUBLISHERS.flatMap((role) =>
          wanted.filter((action) => !may(role).includes(action)).map((action) => `${role} lacks ${action}`),
        ),
      ];
    },
    break: (it) => put(statementIn(it, 'RouteRole', 'ReadFlags'), 'Action', ['appconfig:StartDeployment']),
  },
  {
    area: 'roles',
    says: 'only the publisher tells anybody of alerts, on our topic and one bus',
    wrong: (it) => {
      const told = statements(it).filter(({ Action }) =>
        Action.some((action) => ['sns:Publish', 'events:PutEvents'].includes(action)),
      );
      const found = told.map(({ role, Action, Resource }) => `${role} ${Action} ${JSON.stringify(Resource)}`);
      const [topic, bus, ...more] = found;
      const right =
        topic === 'PublisherRole sns:Publish [{"Ref":"Alerts"}]' &&
        /^PublisherRole events:PutEvents \[[^*]*:event-bus\/default"\}\]$/.test(bus ?? '');
      return right && more.length === 0 ? [] : found;
    },
    break: (it) => put(statementIn(it, 'PublisherRole', 'TellTopic'), 'Resource', '*'),
  },
  {
    area: 'secrets',
    says: 'the key of the webhook for alerts is one secret, read by the publisher alone, and exists only with a webhook',
    wrong: (it) => {
      const readers = statements(it).filter(({ Action }) => Action.includes('secretsmanager:GetSecretValue'));
      return [
        ...readers.map(({ role, Sid }) => `${role}.${Sid}`),
        ...differences(it.resources.WebhookKey, {
          Condition: 'WebhookGiven',
          'Properties.Roles': [{ Ref: 'PublisherRole' }],
          'Properties.PolicyDocument.Statement.0.Action': ['secretsmanager:GetSecretValue'],
        }),
      ];
    },
    break: (it) => put(it.resources.WebhookKey, 'Condition', undefined),
  },
  {
    area: 'secrets',
    says: 'only the publisher reads alarms and the key of HTTP checks, by policies that exist only where criteria need them',
    wrong: (it) => [
      ...statements(it)
        .filter(({ Action }) => Action.includes('cloudwatch:DescribeAlarms'))
        .map(({ role, Sid }) => `${role}.${Sid}`),
      ...differences(it.resources.ReadAlarms, {
        Condition: 'AlarmsGiven',
        'Properties.Roles': [{ Ref: 'PublisherRole' }],
        'Properties.PolicyDocument.Statement.0.Action': ['cloudwatch:DescribeAlarms'],
        'Properties.PolicyDocument.Statement.0.Resource': ['none'],
      }),
      ...differences(it.resources.CheckKey, {
        Condition: 'ChecksGiven',
        'Properties.Roles': [{ Ref: 'PublisherRole' }],
        'Properties.PolicyDocument.Statement.0.Action': ['secretsmanager:GetSecretValue'],
      }),
    ],
    break: (it) => put(it.resources.ReadAlarms, 'Properties.PolicyDocument.Statement.0.Resource', ['*']),
  },
  {
    area: 'secrets',
    says: 'each database right is for one user of one database; only control, tick and schema may be its owner',
    wrong: (it) => {
      const grants = statements(it).filter(({ Action }) => Action.some((action) => action.startsWith('rds-db')));
      return grants
        .filter(({ role, Sid, Resource }) => {
          const user = Sid === 'OwnerDatabase' ? 'crossfade_owner' : 'crossfade_runtime';
          const exact = Resource.length === 1 && JSON.stringify(Resource[0]).endsWith(`:dbuser:db-ABCDEFGH/${user}"}`);
          return !exact || (Sid === 'OwnerDatabase' && !['ControlRole', 'TickRole', 'SchemaRole'].includes(role));
        })
        .map(({ role, Sid }) => `${role}.${Sid}`)
        .concat(grants.length === 0 ? ['nobody may connect'] : []);
    },
    break: (it) => put(statementIn(it, 'VerifyRole', 'Database'), 'Sid', 'OwnerDatabase'),
  },
  {
    area: 'secrets',
    says: 'nothing secret is in the environment of a function',
    wrong: (it) =>
      FUNCTIONS.flatMap((name) =>
        Object.entries(at(functionOf(it, name), 'Environment.Variables') as Json)
          .filter(
            ([key, value]) =>
              /PASSWORD|SECRET|TOKEN|PRIVATE|ACCESS_KEY/i.test(key) || /:\/\/[^/@]*:[^/@]*@|"d":/.test(String(value)),
          )
          .map(([key]) => `${name}: ${key}`),
      ),
    break: (it) => put(functionOf(it, 'tick'), 'Environment.Variables.CROSSFADE_DATABASE_URL', 'postgres://a:b@c/d'),
  },
  {
    area: 'secrets',
    says: 'the key rotates and is kept',
    wrong: (it) => [
      ...differences(properties(it, 'DataKey'), { EnableKeyRotation: true }),
      ...differences(it.resources.DataKey, {
        DeletionPolicy: 'RetainExceptOnCreate',
        UpdateReplacePolicy: 'Retain',
      }),
    ],
    break: (it) => put(properties(it, 'DataKey'), 'EnableKeyRotation', false),
  },
];

const firstRoute = (packaged: Packaged): Resource =>
  ofType(packaged, 'AWS::ApiGatewayV2::Route').find(([, route]) => route.Properties.AuthorizationType)![1];
