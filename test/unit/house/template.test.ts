/** What would be deployed: the packaged template, rule by rule, and each rule shown to notice its own violation. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import REQUESTS from '../../../infra/requests.json' with { type: 'json' };
import {
  CONNECTION,
  FUNCTIONS,
  PARAMETERS,
  type Packaged,
  ROOT,
  type Workspace,
  workspace,
  ZURICH_STAGE,
} from '../../helpers/packaged-template.ts';
import { endpointsOf, type Network, placesOf, unreached } from '../../helpers/reachability.ts';
import { ABSENT, KINDS } from '../../helpers/resource-types.ts';
import { at, deployedOf, functionOf } from '../../helpers/template-access.ts';
import { ACCESS_RULES, unsignedRoutes } from '../../helpers/template-rules-access.ts';
import { CANARY_RULES } from '../../helpers/template-rules-canary.ts';
import { KEY_RULES } from '../../helpers/template-rules-key.ts';
import { PLATFORM_RULES } from '../../helpers/template-rules-platform.ts';

let service: Workspace;
let deployed: Packaged;
let local: Packaged;
/** The second stage in a VPC, where the endpoint of DynamoDB is there, and one without an issuer of tokens. */
let zurich: Packaged;

beforeAll(async () => {
  service = workspace();
  // One after the other: the framework works in one folder of the service.
  deployed = await service.package('prod', PARAMETERS);
  local = await service.package('local', {});
  zurich = await service.package(...ZURICH_STAGE);
  // Three packages: a minute each on a busy machine.
}, 600_000);
afterAll(() => service?.remove());

const RULES = [
  ...[...ACCESS_RULES, ...PLATFORM_RULES].map((rule) => ({ rule, of: () => deployed })),
  ...[...CANARY_RULES, ...KEY_RULES].map((rule) => ({ rule, of: () => zurich })),
];
for (const { rule, of } of RULES) {
  const { area, says, wrong, break: damage } = rule;
  describe(area, () => {
    it(says, () => {
      expect(wrong(of())).toEqual([]);
    });

    it(`would notice if not: ${says}`, () => {
      const damaged = structuredClone(of());
      damage(damaged);
      expect(wrong(damaged)).not.toEqual([]);
    });
  });
}

const typesOf = (it: Packaged) => [...new Set(Object.values(it.resources).map(({ Type }) => Type))];

describe('stages', () => {
  it('take their packages from a bucket of their own, or from one that is named, for tools that deploy the template themselves', () => {
    for (const name of FUNCTIONS) {
      const S3Key = expect.stringMatching(`/${name}\\.zip$`);
      expect(functionOf(deployed, name).Code).toEqual({ S3Bucket: { Ref: 'ServerlessDeploymentBucket' }, S3Key });
      expect(functionOf(zurich, name).Code).toEqual({ S3Bucket: 'acme-packages', S3Key });
    }
    expect(typesOf(zurich).filter((type) => type.startsWith('AWS::S3::'))).toEqual([]);
  });

  it('are made of types that are known: to the role of a pipeline, and by their regions', () => {
    const types = [...new Set([...typesOf(deployed), ...typesOf(zurich)])];
    expect(types.filter((type) => !(type in KINDS))).toEqual([]);
    expect(Object.keys(KINDS).filter((type) => !types.includes(type))).toEqual([]);
    const unknown = (it: Packaged, region: string) => typesOf(it).filter((type) => ABSENT[type]?.includes(region));
    expect([unknown(deployed, 'eu-central-1'), unknown(zurich, 'eu-central-2')]).toEqual([[], []]);
    expect(unknown(deployed, 'eu-central-2').sort()).toEqual(Object.keys(ABSENT));
  });

  it('have versions, aliases and CodeDeploy only where the parameter canary asks for them', () => {
    const types = Object.values(deployed.resources).map(({ Type }) => Type);
    expect(
      types.filter((type) => /Version$|Alias$|CodeDeploy/.test(type) && !/ConfigurationVersion/.test(type)),
    ).toEqual([]);
  });

  it('package traced, with protected tables', () => {
    const { resources } = zurich;
    expect(resources.TickLambdaFunction?.Properties.TracingConfig).toEqual({ Mode: 'Active' });
    expect(resources.StateTable?.Properties.DeletionProtectionEnabled).toBe(true);
  });

  it('give every resource that takes tags those of the organisation, every role its boundary, and logs their time', () => {
    const ours = { service: 'crossfade', owner: 'crossfade', 'data-class': 'internal' };
    const tagged = (it: Packaged, types: readonly string[]) =>
      Object.values(it.resources)
        .filter(({ Type }) => types.includes(Type))
        .map(({ Type, Properties }) => [
          Type,
          Object.fromEntries(
            (Properties.Tags as { Key: string; Value: string }[]).map(({ Key, Value }) => [Key, Value]),
          ),
        ]);
    const types = typesOf(zurich).filter((type) =>
      Object.values(zurich.resources).some(({ Type, Properties }) => Type === type && Array.isArray(Properties.Tags)),
    );
    expect(types).toEqual(
      expect.arrayContaining([
        'AWS::DynamoDB::Table',
        'AWS::Lambda::Function',
        'AWS::IAM::Role',
        'AWS::CodeDeploy::Application',
      ]),
    );
    for (const [type, tags] of tagged(zurich, types))
      expect(tags, String(type)).toEqual({ ...ours, 'cost-center': '4711' });
    for (const [type, tags] of tagged(deployed, types)) expect(tags, String(type)).toEqual(ours);
    const boundaries = (it: Packaged) => [
      ...new Set(
        Object.values(it.resources)
          .filter(({ Type }) => Type === 'AWS::IAM::Role')
          .map(({ Properties }) => Properties.PermissionsBoundary),
      ),
    ];
    expect([boundaries(zurich), boundaries(deployed)]).toEqual([[ZURICH_STAGE[1].permissionsBoundary], [undefined]]);
    expect(zurich.resources.TickLogGroup?.Properties.RetentionInDays).toBe(365);
  });

  it('that have a key of their own ask of its policy what the page says, and what the stack’s own says', () => {
    const page = readFileSync(join(ROOT, 'infra/README.md'), 'utf8');
    const asked = JSON.parse(/```text\n(\[.*?\n\])\n```/s.exec(page)![1]!) as { Sid: string }[];
    const own = (at(deployed.resources, 'DataKey.Properties.KeyPolicy.Statement') as { Sid: string }[]).map((one) =>
      JSON.parse(
        JSON.stringify(one)
          .replaceAll('{"Ref":"AWS::AccountId"}', '"123456789012"')
          .replaceAll(/\{"Fn::Sub":("[^"]*")\}/g, '$1')
          .replaceAll(/\$\{AWS::Partition\}/g, 'aws')
          .replaceAll(/\$\{AWS::AccountId\}/g, '123456789012'),
      ),
    );
    expect(asked.slice(0, own.length)).toEqual(own);
    expect(asked.slice(own.length).map(({ Sid }) => Sid)).toEqual(['Logs']);
    const groups = Object.values(deployed.resources).filter(({ Type }) => Type === 'AWS::Logs::LogGroup');
    for (const { Properties } of groups) expect(Properties.LogGroupName).toMatch(/^\/aws\/[^/]+\/crossfade-prod/);
  });

  it('has as many alarms, keys and megabytes as `crossfade cost` counts: `npm run bench requests` counts again', () => {
    expect(deployedOf(deployed)).toEqual(REQUESTS.deployed);
  });

  it('without an identity provider every route but health and preflights takes signed requests, and functions know it', () => {
    expect(unsignedRoutes(zurich)).toEqual([]);
    const open = structuredClone(zurich);
    open.resources.HttpApiRoutePostV1SystemEmergencyDashstop!.Properties.AuthorizationType = 'NONE';
    expect(unsignedRoutes(open)).toEqual(['POST /v1/system/emergency-stop: NONE, not AWS_IAM']);
  });

  it('the local stage packages without parameters, and its functions use the servers of this machine', () => {
    const variables = local.resources.TickLambdaFunction?.Properties.Environment as {
      Variables: Record<string, string>;
    };
    expect(variables.Variables).toMatchObject({
      CROSSFADE_PROFILE: 'local',
      CROSSFADE_DYNAMODB_ENDPOINT: 'http://127.0.0.1:3003',
      AWS_ACCESS_KEY_ID: 'local',
    });
    expect(local.resources.TickLambdaFunction?.Properties.VpcConfig).toBeUndefined();
  });

  it('of another kind are refused by the framework, with all that is missing, wrong or unknown', async () => {
    await expect(service.package('Staging', { vpcId: 'vpc-1', subnetIDs: 'subnet-0a1b2c3d' })).rejects.toThrow(
      /stage is 'Staging'[\s\S]*subnetIDs is no parameter. Did you mean subnetIds[\s\S]*databaseUrl is missing[\s\S]*vpcId is 'vpc-1'/,
    );
  });
});

describe('a second database', () => {
  const MOVERS = ['shadow-writer', 'backfill', 'verify'];
  const ASKING = ['control', 'dashboard', 'tick', 'relay', 'schema', ...MOVERS];
  const variable = (it: Packaged, name: string, of: string) =>
    (functionOf(it, name).Environment as { Variables: Record<string, string> }).Variables[of];
  const roles = (names: readonly string[]) => names.map((name) => functionOf(zurich, name).Role);
  const policy = (id: string) => {
    const { Roles, PolicyDocument } = zurich.resources[id]!.Properties as Record<string, never>;
    const role = ({ Ref }: { Ref: string }) => ({ 'Fn::GetAtt': [Ref, 'Arn'] });
    return { roles: (Roles as unknown as { Ref: string }[]).map(role), statements: at(PolicyDocument, 'Statement') };
  };
  const user = (ending: string) => [
    expect.objectContaining({
      Action: ['rds-db:connect'],
      Resource: [{ 'Fn::Sub': expect.stringMatching(`:rds-db:[^*]*:dbuser:${ending}$`) }],
    }),
  ];

  it('is reached by its port from the functions, which may log in there as its owner', () => {
    const functions = { 'Fn::GetAtt': ['FunctionSecurityGroup', 'GroupId'] };
    const port = { IpProtocol: 'tcp', FromPort: 5433, ToPort: 5433 };
    const way = (end: string) => zurich.resources[`ConnectionNewUone${end}`]!.Properties;
    expect(way('Egress')).toMatchObject({
      GroupId: functions,
      DestinationSecurityGroupId: CONNECTION.securityGroupId,
      ...port,
    });
    expect(way('Ingress')).toMatchObject({
      GroupId: CONNECTION.securityGroupId,
      SourceSecurityGroupId: functions,
      ...port,
    });
    expect(policy('ConnectionUsers')).toEqual({
      roles: roles(ASKING),
      statements: user(`${CONNECTION.resourceId}/app_owner`),
    });
    expect(variable(zurich, 'relay', 'CROSSFADE_CONNECTIONS')).toBe(JSON.stringify({ new_one: CONNECTION.url }));
  });

  it('has the functions that move rows read them as the owner of the primary, and nothing of it is there without', () => {
    expect(policy('MoversOwner')).toEqual({ roles: roles(MOVERS), statements: user('db-ABCDEFGH/crossfade_owner') });
    for (const name of MOVERS) {
      expect(variable(zurich, name, 'CROSSFADE_OWNER_DATABASE_URL')).toBe(PARAMETERS.ownerDatabaseUrl);
      expect(variable(deployed, name, 'CROSSFADE_OWNER_DATABASE_URL')).toBe('');
    }
    expect(Object.keys(deployed.resources).filter((id) => /^(Connection[^s]|Movers)/.test(id))).toEqual([]);
    expect(variable(deployed, 'tick', 'CROSSFADE_CONNECTIONS')).toBe('');
  });
});

describe('reachability', () => {
  const NOTHING: Network = { nat: false, endpoints: [], dynamodbGateway: false };
  /** What is carried and not used there, and what needs a way out that only somebody who wants it makes. */
  const KNOWN = [
    // The ports of tables are part of every composition, and loaded when they are first used.
    ...['outcomes', 'gateway', 'gateway-stream', 'publisher'].map((name) => `${name} does not reach database`),
    // It describes the routes of all functions, and serves its own.
    'control does not reach addresses of the configuration',
    'control does not reach agent',
    'control does not reach issuer of tokens',
    // Forwarded writes of service cutovers: `upstreamCidr`.
    'shadow-writer does not reach addresses of the configuration',
  ];

  it.each<[string, () => Packaged, Network]>([
    ['without NAT', () => deployed, NOTHING],
    ['with NAT', () => deployed, { ...NOTHING, nat: true }],
    ['with endpoints of its own', () => deployed, { ...NOTHING, endpoints: ['appconfig', 'sns', 'logs', 'sts'] }],
    ['of two stages in one VPC', () => zurich, { ...NOTHING, dynamodbGateway: true }],
  ])('in a VPC %s each function reaches all that its bundle has clients for', async (_name, packaged, network) => {
    expect((await unreached(packaged(), network)).sort()).toEqual([...KNOWN].sort());
  });

  it('a second stage makes no endpoint where the first one has made it', () => {
    expect(endpointsOf(deployed)).toHaveLength(1);
    expect(endpointsOf(zurich)).toEqual([]);
  });

  it('would be noticed if not: no endpoint, no way to the database, a client of AppConfig beside it', async () => {
    const all = 'control dashboard tick relay shadow-writer backfill verify schema'.split(' ');
    expect(await unreached(zurich, NOTHING)).toEqual(
      expect.arrayContaining(all.map((name) => `${name} does not reach dynamodb`)),
    );
    const cut = structuredClone(deployed);
    delete cut.resources.DatabaseIngress;
    expect(await unreached(cut, NOTHING)).toEqual(
      expect.arrayContaining(all.map((name) => `${name} does not reach database`)),
    );
    const places = (name: string) => placesOf(name, name === 'tick' ? 'lib/compose/publisher.ts' : undefined);
    expect(await unreached(deployed, { ...NOTHING, nat: true }, places)).toEqual(
      expect.arrayContaining(['tick does not reach appconfig', 'tick does not reach sns']),
    );
  });
});

describe('settings', () => {
  const settings = createRequire(import.meta.url)('../../../infra/settings.cjs');
  const resolved = (given: Record<string, string>, stage = 'prod') =>
    settings({
      resolveVariable: async (name: string) => {
        if (name === 'sls:stage') return stage;
        if (name === 'self:provider.region') return given.region ?? 'eu-central-1';
        return given[name.replace(/^param:|, null$/g, '')] ?? null;
      },
    });

  it('of the local stage are never deployed', async () => {
    const words = process.argv;
    process.argv = [...words.slice(0, 2), 'deploy'];
    await expect(resolved({}, 'local').finally(() => (process.argv = words))).rejects.toThrow(
      "Stage 'local' runs on this machine only",
    );
  });

  describe('of further databases', () => {
    const withConnections = (connections: unknown) =>
      resolved({ ...PARAMETERS, connections: JSON.stringify(connections) });
    const types = async (connections: unknown) =>
      Object.values((await withConnections(connections)).connectionResources.Resources).map(
        (one) => (one as { Type: string }).Type,
      );

    it('open each way once, none by hand, and none that is open', async () => {
      const first = {
        ...CONNECTION,
        url: CONNECTION.url.replace('5433', '5432'),
        securityGroupId: PARAMETERS.databaseSecurityGroupId,
      };
      expect(await types({ a: CONNECTION, b: CONNECTION })).toEqual([
        'AWS::EC2::SecurityGroupEgress',
        'AWS::EC2::SecurityGroupIngress',
        'AWS::IAM::Policy',
        'AWS::IAM::Policy',
      ]);
      expect(await types({ a: first })).toEqual(['AWS::IAM::Policy', 'AWS::IAM::Policy']);
      expect(await types({ a: CONNECTION.url })).toEqual(['AWS::IAM::Policy']);
    });
  });

  it('reserves nothing where the parameter is 0', async () => {
    const { concurrency } = await resolved({ ...PARAMETERS, reservedControl: '0', reservedTick: '3' });
    expect(concurrency).toMatchObject({ control: null, tick: 3 });
  });

  it('lets callers of the gateway bring their token in the other header', async () => {
    expect((await resolved({ ...PARAMETERS })).gatewayTokenHeader).toBe('Authorization');
    const gatewayTokenHeader = 'X-Crossfade-Authorization';
    expect(await resolved({ ...PARAMETERS, gatewayTokenHeader })).toMatchObject({ gatewayTokenHeader });
  });

  describe('in every region and kind of network', () => {
    const REGIONS =
      'us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-north-1 eu-south-1 ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2 ap-south-1 sa-east-1'.split(
        ' ',
      );
    const { jwtIssuer: _, jwtAudience: __, jwks: ___, ...IAM } = PARAMETERS;
    const VARIANTS: readonly [name: string, given: Record<string, string>][] = [
      ['no NAT', PARAMETERS],
      ['NAT', { ...PARAMETERS, createDynamodbEndpoint: 'false' }],
      ['endpoints of its own', { ...PARAMETERS, createDynamodbEndpoint: 'false', upstreamCidr: '10.0.0.0/8' }],
      ['two stages in one VPC', { ...PARAMETERS, createDynamodbEndpoint: 'false' }],
      ['a new account', { ...PARAMETERS, protectTables: 'false' }],
      ['no identity provider', IAM],
    ];

    it.each(VARIANTS)('settings are whole: %s', async (_name, given) => {
      for (const region of REGIONS) {
        const { layers, budgets, functionUrls, concurrency, environment, createDynamodbEndpoint, access } =
          await resolved({
            ...given,
            region,
          });
        expect(layers).toEqual([expect.stringMatching(`^arn:aws:lambda:${region}:\\d{12}:layer:AWS-AppConfig-`)]);
        for (const [setting, type] of [
          [budgets, 'AWS::Budgets::Budget'],
          [functionUrls, 'AWS::Lambda::Url'],
        ] as const)
          expect(setting).toBe(ABSENT[type]!.includes(region) ? 'unknown' : 'known');
        expect(Object.values(concurrency)).toEqual(Object.values(concurrency).map(() => null));
        expect(createDynamodbEndpoint).toBe(given.createDynamodbEndpoint ?? 'true');
        expect('CROSSFADE_ACCESS' in environment ? environment.CROSSFADE_ACCESS : 'tokens').toBe(
          given.jwtIssuer ? 'tokens' : 'iam',
        );
        expect(Object.keys(access.authorizers)).toHaveLength(given.jwtIssuer ? 2 : 0);
      }
    });

    it('one without a pinned agent takes one by its ARN', async () => {
      const appConfigLayer = 'arn:aws:lambda:af-south-1:123456789012:layer:agent:1';
      expect((await resolved({ ...PARAMETERS, region: 'af-south-1', appConfigLayer })).layers).toEqual([
        appConfigLayer,
      ]);
    });
  });

  describe('of access', () => {
    const { jwtIssuer: _, jwtAudience: __, jwks: ___, ...withoutIssuer } = PARAMETERS;

    it('let IAM check every route where no issuer is named, and tell the functions', async () => {
      const { access, environment } = await resolved(withoutIssuer);
      expect(access.authorizers).toEqual({});
      for (const route of Object.values(access.routes)) expect(route).toEqual({ type: 'aws_iam' });
      expect(environment).toMatchObject({ CROSSFADE_ACCESS: 'iam' });
      expect(environment).not.toHaveProperty('CROSSFADE_JWKS');
    });

    it('ask for the scope in the words of the issuer, and leave other claims to the functions', async () => {
      const prefixed = await resolved({ ...PARAMETERS, jwtScopePrefix: 'crossfade/' });
      expect(prefixed.access.routes.stop).toEqual({ name: 'tokens', scopes: ['crossfade/control:stop'] });
      expect(prefixed.access.routes.gateway).toEqual({ name: 'callers', scopes: ['crossfade/gateway:call'] });
      const byRoles = await resolved({ ...PARAMETERS, jwtScopeClaims: 'roles' });
      expect(byRoles.access.routes.stop).toEqual({ name: 'tokens' });
      expect(byRoles.environment).toMatchObject({ CROSSFADE_JWT_SCOPE_CLAIMS: 'roles' });
    });

    /** As Entra publishes them: a certificate beside each key. */
    const published = (count: number) =>
      JSON.stringify({
        keys: Array.from({ length: count }, (__, n) => ({
          kty: 'RSA',
          use: 'sig',
          kid: `key-${n}`,
          n: 'n'.repeat(342),
          e: 'AQAB',
          x5t: 'x'.repeat(27),
          x5c: ['c'.repeat(1_400)],
        })),
      });

    it('keep of keys what verifies signatures, so that those of large issuers fit', async () => {
      const { environment } = await resolved({ ...PARAMETERS, jwks: published(6) });
      expect(published(6).length).toBeGreaterThan(10_000);
      expect(environment.CROSSFADE_JWKS.length).toBeLessThan(2_600);
      expect(JSON.parse(environment.CROSSFADE_JWKS).keys[5]).toEqual({
        kty: 'RSA',
        kid: 'key-5',
        use: 'sig',
        n: 'n'.repeat(342),
        e: 'AQAB',
      });
    });

    it('refuse an environment that is larger than Lambda takes, and name what is long in it', async () => {
      await expect(resolved({ ...PARAMETERS, jwks: published(12) })).rejects.toThrow(
        /would have \d{4} bytes, and Lambda takes 4096\. Longest is CROSSFADE_JWKS with \d{4}: give the keys/,
      );
    });
  });

  it('names the authorities of the database, those of the runtime unless others are given', async () => {
    const { environment } = await resolved({ ...PARAMETERS });
    expect(environment.CROSSFADE_DATABASE_CA).toBe('/var/runtime/ca-cert.pem');
    const other = await resolved({ ...PARAMETERS, databaseCa: '/opt/ca.pem' });
    expect(other.environment.CROSSFADE_DATABASE_CA).toBe('/opt/ca.pem');
  });

  const WEBHOOK = {
    alertWebhookUrl: 'https://hooks.example.com/x',
    alertWebhookKeyArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:crossfade-AbCdEf',
  };

  it('gives the publisher the webhook for alerts, when one is named, and no function beside the database a way out', async () => {
    const without = await resolved({ ...PARAMETERS });
    const named = await resolved({ ...PARAMETERS, ...WEBHOOK });
    expect(named.vpc).toEqual(without.vpc);
    expect(named.vpc.securityGroupIds).toEqual([{ Ref: 'FunctionSecurityGroup' }]);
    expect(named.alerts.CROSSFADE_ALERT_WEBHOOK_KEY_ARN).toBe(WEBHOOK.alertWebhookKeyArn);
  });

  const CHECK_KEY = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:checks-AbCdEf';
  const ALARMS = [1, 2].map((n) => `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow ${n}`);

  it('names the alarms and the key of HTTP checks', async () => {
    const named = await resolved({ ...PARAMETERS, checkKeyArn: CHECK_KEY, alarmArns: ALARMS.join(', ') });
    expect(named).toMatchObject({ checkKeyArn: CHECK_KEY, alarms: ALARMS });
    expect((await resolved({ ...PARAMETERS, alarmArns: '*' })).alarms).toEqual(['*']);
  });

  it('names the folder of runbooks in the repository, or an https address of it', async () => {
    expect(await resolved(PARAMETERS)).toMatchObject({ runbookUrl: 'infra/runbooks' });
    const runbookUrl = 'https://git.example.com/crossfade/infra/runbooks';
    expect(await resolved({ ...PARAMETERS, runbookUrl })).toMatchObject({ runbookUrl });
  });

  it('takes the break-glass role without MFA from a named principal only', async () => {
    const principal = 'arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_oncall_x';
    const named = await resolved({ ...PARAMETERS, breakGlassMfa: 'false', breakGlassPrincipal: principal });
    expect(named).toMatchObject({ breakGlassMfa: 'false', breakGlassPrincipal: principal });
  });
});
