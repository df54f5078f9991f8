/** What is wrong with the parameters of a stage is named at once, each with an example: one law over the whole table, and what contradicts what. */

import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARAMETERS as GIVEN } from '../../helpers/packaged-template.ts';

type Row = { required?: true; default?: string; pattern: string; example: string; meaning: string; env: string };
type At = { stage: string; region: string };
const load = createRequire(import.meta.url);
const { PARAMETERS } = load('../../../infra/parameters.cjs') as { PARAMETERS: Readonly<Record<string, Row>> };
const { problemsOf } = load('../../../infra/refusals.cjs') as {
  problemsOf(given: Readonly<Record<string, string>>, at: At): string[];
};

const AT: At = { stage: 'prod', region: 'eu-central-1' };
const { jwtIssuer: _, jwtAudience: __, jwks: ___, ...IAM } = GIVEN;
const problems = (over: Readonly<Record<string, string>>, at: Partial<At> = {}) =>
  problemsOf({ ...GIVEN, ...over }, { ...AT, ...at });
const NAMES = Object.keys(PARAMETERS);
/** As people get them wrong: the place of a value left as it was, quotes around it, two values where one belongs. */
const WRONG: readonly ((name: string, example: string) => string)[] = [
  (name) => `<${name}>`,
  (_name, example) => `'${example}'`,
  (_name, example) => `${example}\n${example}`,
];

describe('every parameter', () => {
  it.each(NAMES)(
    '%s has a pattern that its example and its default fit, and is refused when it is wrong in three ways',
    (name) => {
      const { pattern, example, default: fallback, meaning } = PARAMETERS[name]!;
      for (const fits of [example, ...(fallback ? [fallback] : [])]) expect(fits).toMatch(new RegExp(pattern, 'su'));
      for (const wrong of WRONG) {
        const [line, ...more] = problems({ [name]: wrong(name, example) });
        expect(more).toEqual([]);
        expect(line).toMatch(new RegExp(`^${name} is `));
        expect(line).toContain(meaning.split(':')[0]!);
        expect(line).toContain(`Example: ${example}`);
      }
    },
  );

  it('that is wrong is named, and no other one, whichever and however many are', () => {
    const some = fc.subarray(NAMES);
    fc.assert(
      fc.property(some, fc.nat({ max: WRONG.length - 2 }), (names, way) => {
        const over = Object.fromEntries(names.map((name) => [name, WRONG[way]!(name, PARAMETERS[name]!.example)]));
        expect(problems(over).map((line) => line.split(' ')[0])).toEqual(names);
      }),
      { numRuns: 50 },
    );
  });

  it('that is needed and not given is named, together with all others', () => {
    const needed = NAMES.filter((name) => PARAMETERS[name]!.required);
    expect(problemsOf({}, AT).map((line) => line.replace(/ is missing: .* Example: \S+$/, ''))).toEqual(needed);
  });

  it('misspelt is no parameter, and the one that was meant is named: a letter less, two that changed places, its variable', () => {
    for (const name of NAMES) {
      const at = Math.floor(name.length / 2);
      const swapped = name.slice(0, at - 1) + name[at] + name[at - 1] + name.slice(at + 1);
      for (const misspelt of [name.slice(0, -1), swapped, PARAMETERS[name]!.env, name.toUpperCase()])
        if (!NAMES.includes(misspelt))
          expect(problems({ [misspelt]: 'x' })).toEqual([`${misspelt} is no parameter. Did you mean ${name}?`]);
    }
    expect(problems({ colour: 'blue' })).toEqual(['colour is no parameter.']);
  });
});

describe('values that look right', () => {
  it.each([
    ['vpcId', 'vpc-1'],
    ['vpcId', 'vpc-0A1B2C3D'],
    ['vpcId', 'vpc-0a1b2c3d4'],
    ['subnetIds', 'subnet-0a1b2c3d;subnet-1b2c3d4e'],
    ['subnetIds', 'subnet-0a1b2c3d,'],
    ['databaseSecurityGroupId', 'default'],
    ['dynamodbPrefixListId', 'com.amazonaws.eu-central-1.dynamodb'],
    ['databaseResourceId', 'db-shop'],
    ['databaseUrl', 'postgres://crossfade_runtime@db.example.com:99999/app'],
    ['databaseUrl', 'postgres://crossfade%runtime@db.example.com/app'],
    ['packageBucket', 'acme..packages'],
    ['packageBucket', '192.168.0.1'],
    ['databasePort', '70000'],
    ['databasePort', '0'],
    ['databaseUser', '*'],
    ['databaseCa', 'ca.pem'],
    ['monthlyBudgetUsd', '50 USD'],
    ['metricsRetentionDays', '30d'],
    ['metricsRetentionDays', '401'],
    ['logRetentionDays', '31'],
    ['reservedTick', '-1'],
    ['reservedTick', '1.5'],
    ['reservedRelay', '2'],
    ['reservedPublisher', '2'],
    ['upstreamCidr', '10.0.0.0'],
    ['upstreamCidr', '10.0.0.256/8'],
    ['alarmEmail', 'oncall'],
    ['alarmEmail', 'a@example.com,b@example.com'],
    ['jwtIssuer', 'http://id.example.com'],
    ['jwtIssuer', 'https://id.example.com?tenant=1'],
    ['jwtScopeClaims', 'roles, scp'],
    ['gatewayTokenHeader', 'Cookie'],
    ['tracing', 'yes'],
    ['canary', 'Canary10'],
    ['alertEventBus', '*'],
    ['alertEventBus', 'arn:aws:events:eu-central-1:123456789012:event-bus/x'],
    ['alertWebhookForm', 'slak'],
    ['alertWebhookUrl', 'https://a:b@hooks.example.com/x'],
    ['alertWebhookKeyArn', 'hunter2'],
    ['alarmArns', 'slow'],
    ['alarmArns', 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:*'],
    ['checkKeyArn', 'arn:aws:kms:eu-central-1:123456789012:key/1'],
    ['breakGlassPrincipal', 'arn:aws:iam::aws:policy/AdministratorAccess'],
    ['runbookUrl', 'https://git.example.com/runbooks/'],
    ['runbookUrl', 'https://x.example/a#b'],
    ['appConfigLayer', 'AWS-AppConfig-Extension-Arm64'],
  ])('%s=%s is refused', (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} is .*Example: `))]);
  });

  it('what cannot be seen in a value is spelled out', () => {
    expect(problems({ vpcId: 'vpc-0a1b2c3d\n\u200b' })[0]).toMatch(/^vpcId is 'vpc-0a1b2c3d\\u\{a\}\\u\{200b\}': /);
  });

  it.each(['eu-central', 'eu-central-1a', 'EU-CENTRAL-1', 'moon-1', ''])("region '%s' is named first", (region) => {
    const [line, ...others] = problems({}, { region });
    expect(line).toBe(`region is '${region}': a region of AWS, without the letter of a zone. Example: eu-central-1`);
    expect(others.filter((other) => other.startsWith('appConfigLayer'))).toEqual([]);
  });

  it('a password is named, and not repeated', () => {
    expect(problems({ databaseUrl: 'postgres://crossfade_runtime:hun@ter2@db.example.com/app' }).join()).not.toContain(
      'ter2',
    );
    const [line] = problems({ databaseUrl: 'postgres://crossfade_runtime:hunter2@db.example.com/app' });
    expect(line).toMatch(/^databaseUrl is 'postgres:\/\/crossfade_runtime:…@db.* It holds a password: leave it out/);
    expect(problems({ connections: '{"new":"postgres://a:hunter2@db/app"}' }).join()).not.toContain('hunter2');
  });
});

const RDS = 'crossfade_runtime@app.proxy-abc.eu-central-1.rds.amazonaws.com:5432/app';
const SECRET = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:alerts-AbCdEf';

describe('parameters that contradict each other', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      'an issuer without its audience',
      { jwtAudience: '' },
      /^jwtAudience is missing, and jwtIssuer is given.*Example: crossfade$/,
    ],
    ['an issuer without its keys', { jwks: '' }, /^jwks is missing, and jwtIssuer/],
    ['keys that are none', { jwks: '{"keys":1}' }, /^jwks is no JWKS document/],
    ['a private key', { jwks: '{"keys":[{"kty":"RSA","d":"x"}]}' }, /^jwks holds a private key/],
    [
      'a user without the right to connect',
      { databaseUser: 'other' },
      /^databaseUrl logs in as 'crossfade_runtime', and databaseUser is 'other'/,
    ],
    [
      'one role for all',
      { ownerDatabaseUser: 'crossfade_runtime', ownerDatabaseUrl: GIVEN.databaseUrl! },
      /^ownerDatabaseUser is .* give two roles/,
    ],
    ['two databases', { ownerDatabaseUrl: `${GIVEN.ownerDatabaseUrl}2` }, /^ownerDatabaseUrl leads to database 'app2'/],
    ['readers of a cluster', { databaseUrl: `postgres://${RDS.replace('proxy', 'cluster-ro')}` }, /without -ro/],
    [
      'a proxy with the id of its cluster',
      { databaseUrl: `postgres://${RDS}` },
      /^databaseResourceId is 'db-ABCDEFGH', and databaseUrl leads to a proxy/,
    ],
    [
      'a database elsewhere',
      { databaseUrl: `postgres://${RDS.replace('proxy-abc.eu-central-1', 'abc.us-east-1')}` },
      /leads to us-east-1, and the stage is in eu-central-1/,
    ],
    [
      'a database on this machine',
      { databaseUrl: 'postgres://crossfade_runtime@localhost:5432/app' },
      /^databaseUrl leads to localhost, which is another machine for each function/,
    ],
    [
      'a key and a boundary of two accounts',
      {
        kmsKeyArn: PARAMETERS.kmsKeyArn!.example,
        permissionsBoundary: 'arn:aws:iam::210987654321:policy/boundary',
      },
      /^permissionsBoundary is of account 210987654321, and kmsKeyArn of 123456789012/,
    ],
    [
      'the document of an issuer',
      { jwtIssuer: 'https://id.example.com/.well-known/openid-configuration' },
      /^jwtIssuer is the address of a document.*Example: https:\/\/id/,
    ],
    [
      'more tags than AWS takes',
      { tags: JSON.stringify(Object.fromEntries(Array.from({ length: 46 }, (_, n) => [`t${n}`, 'x']))) },
      /^tags is .*it has 46 tags, more than 45.*Example: /,
    ],
    ['a subnet twice', { subnetIds: 'subnet-0a1b2c3d,subnet-0a1b2c3d' }, /^subnetIds names subnet-0a1b2c3d twice/],
    ['a webhook without its key', { alertWebhookUrl: 'https://hooks.example.com/x' }, /^alertWebhookKeyArn is missing/],
    [
      'a key without a webhook',
      { alertWebhookKeyArn: SECRET.replace('west', 'central') },
      /^alertWebhookUrl is missing/,
    ],
    ['the form of no webhook', { alertWebhookForm: 'slack' }, /^alertWebhookUrl is missing/],
    ['nobody who may break the glass', { breakGlassMfa: 'false' }, /^breakGlassPrincipal is missing/],
    ['connections of no instance', { databaseMaxConnections: '500' }, /^databaseInstance is missing/],
    ['a secret of another region', { checkKeyArn: SECRET }, /^checkKeyArn is of aws in eu-west-1/],
    [
      'a layer of another part of AWS',
      { appConfigLayer: 'arn:aws-cn:lambda:cn-north-1:123456789012:layer:a:1' },
      /^appConfigLayer is of aws-cn/,
    ],
    ['a tag of our own', { tags: '{"owner":"x"}' }, /^tags is .*'owner' is a tag of our own/],
    ['a tag that AWS keeps', { tags: '{"aws:x":"x"}' }, /^tags is .*no tag that AWS takes.*Example: \{/],
    [
      'a boundary of another part of AWS',
      { permissionsBoundary: 'arn:aws-cn:iam::123456789012:policy/b' },
      /^permissionsBoundary is of aws-cn/,
    ],
    ['connections that are no addresses', { connections: '{"new":"db"}' }, /^connections is .*'new' is no postgres/],
    ['a connection without a role', { connections: '{"new":"postgres://host/app"}' }, /'new' is no postgres/],
    [
      'the name of a connection',
      { connections: '{"new-one":"postgres://a@host/app"}' },
      /'new-one' is no name in lower/,
    ],
    [
      'the group of a connection',
      { connections: '{"new":{"url":"postgres://a@host/app","securityGroupId":"new"}}' },
      /'new' has the securityGroupId 'new', and one looks like sg-/,
    ],
    [
      'what a connection has not',
      { connections: '{"new":{"url":"postgres://a@host/app","group":"sg-0a1b2c3d"}}' },
      /'new' has a group: known are url, securityGroupId, resourceId/,
    ],
  ])('%s', (_name, over, says) => {
    expect(problems(over)).toEqual([expect.stringMatching(says)]);
  });

  it('another port than the one that is open is named for both addresses', () => {
    expect(problems({ databasePort: '6432' }).map((line) => line.split(' ').slice(0, 4).join(' '))).toEqual([
      'databaseUrl uses port 5432,',
      'ownerDatabaseUrl uses port 5432,',
    ]);
  });

  it('every setting of tokens is named where there is no issuer', () => {
    const about = { jwtAudience: 'crossfade', jwtScopePrefix: 'x/', gatewayTokenHeader: 'X-Crossfade-Authorization' };
    expect(problemsOf({ ...IAM, ...about }, AT).map((line) => line.split(' ')[0])).toEqual(Object.keys(about));
  });

  it('all of it is named beside what is wrong by itself', () => {
    const lines = problems(
      { vpcId: 'vpc-1', subnetid: 'x', breakGlassMfa: 'false', jwtAudience: '' },
      { stage: 'Prod' },
    );
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'stage',
      'subnetid',
      'vpcId',
      'jwtAudience',
      'breakGlassPrincipal',
    ]);
  });

  it.each(['local', '1st', 'pro_d', 'a'.repeat(21), '', 'prod-throttles', 'prod-forwards'])(
    "a stage called '%s'",
    (stage) => {
      expect(problems({}, { stage })).toEqual([expect.stringMatching(/^stage is '.*Example: prod$/)]);
    },
  );

  it('a region without a pinned agent, or without function URLs', () => {
    expect(problems({}, { region: 'us-gov-west-1' })).toEqual([
      expect.stringMatching(/^appConfigLayer is missing.*arn:aws-us-gov:lambda:us-gov-west-1:/),
    ]);
    expect(problems({ gatewayUrl: 'true' }, { region: 'eu-central-2' })).toEqual([
      expect.stringMatching(/^gatewayUrl is true.*Leave it out/),
    ]);
  });
});
