/** The role of a pipeline: it may make, change and take away each kind of resource that the template has, under the names of its stage, and nothing else. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../helpers/imports.ts';
import { KINDS, OWN } from '../../helpers/resource-types.ts';

type Statement = {
  Sid: string;
  Action: string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
};

const STAGE = 'prod';
const VALUES: Readonly<Record<string, string>> = {
  Stage: STAGE,
  Repository: 'acme/shop',
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
  'AWS::AccountId': '123456789012',
};
/** `!Sub` as CloudFormation reads it; other functions stay what they are given. */
const customTags = ['Ref', 'GetAtt', 'Equals', 'If', 'Not'].flatMap((name) => [
  { tag: `!${name}`, resolve: (text: string) => text },
  { tag: `!${name}`, collection: 'seq' as const, resolve: (list: unknown) => list },
]);
const sub = {
  tag: '!Sub',
  resolve: (text: string) => text.replaceAll(/\$\{([\w:]+)\}/g, (_, name: string) => VALUES[name] ?? `missing ${name}`),
};

const TEXT = readFileSync(join(ROOT, 'infra/deployer.yml'), 'utf8');
const { Deployer, GivenKey } = parse(TEXT, { customTags: [...customTags, sub] as never }).Resources;
const POLICIES = Deployer.Properties.Policies as { PolicyDocument: { Statement: Statement[] } }[];
const STATEMENTS = POLICIES.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);

/** What no resource of the template needs: the framework, the agent's layer, and `crossfade doctor --deployed`. */
const TOOLS = ['Stack', 'Template', 'Agent', 'LookAtApi', 'AccessLog', 'NewKey'];

const pattern = (text: string) =>
  new RegExp(
    `^${text
      .split('*')
      .map((part) => part.replaceAll(/[.$^+?()[\]{}|\\]/g, '\\$&'))
      .join('.*')}$`,
  );
const resourcesOf = ({ Resource }: Statement) => [Resource].flat();
const allowing = (action: string, arn: string, statements: readonly Statement[] = STATEMENTS) =>
  statements.filter(
    (one) =>
      one.Action.some((each) => pattern(each).test(action)) && resourcesOf(one).some((each) => pattern(each).test(arn)),
  );

describe('the role of a pipeline', () => {
  it.each(Object.entries(KINDS))('may make and take away %s', (_, [arn, ...actions]) => {
    expect(actions.filter((one) => allowing(one, arn).length === 0)).toEqual([]);
  });

  it('has no statement that no type and no tool needs', () => {
    const needed = new Set(
      Object.values(KINDS).flatMap(([arn, ...actions]) =>
        actions.flatMap((one) => allowing(one, arn).map(({ Sid }) => Sid)),
      ),
    );
    expect(STATEMENTS.map(({ Sid }) => Sid).filter((sid) => !needed.has(sid) && !TOOLS.includes(sid))).toEqual([]);
  });

  it.each(Object.entries(KINDS).filter(([, [arn]]) => arn.includes(OWN)))(
    'reaches no %s of another stage',
    (_, [arn, ...actions]) => {
      for (const other of [arn.replaceAll(OWN, 'crossfade-dev'), arn.replaceAll(OWN, 'shop')])
        for (const action of actions) expect(allowing(action, other).map(({ Sid }) => Sid)).toEqual([]);
    },
  );

  it('names every action, whole but for two families of them, and a resource wherever there is one', () => {
    const wide = STATEMENTS.flatMap(({ Action }) => Action).filter((one) => one.includes('*'));
    expect(wide).toEqual(['lambda:*FunctionEventInvokeConfig', 'lambda:*FunctionUrlConfig']);
    const anywhere = STATEMENTS.filter((one) => resourcesOf(one).includes('*')).map(({ Sid }) => Sid);
    expect(anywhere).toEqual(['Template', 'Streams', 'NewKey', 'Look', 'AccessLog']);
  });

  it('cannot change itself, and gives roles to Lambda and CodeDeploy alone', () => {
    const itself = `arn:aws:iam::123456789012:role/${parse(TEXT, { customTags: [...customTags, sub] as never }).Resources.Deployer.Properties.RoleName}`;
    expect(allowing('iam:PutRolePolicy', itself)).toEqual([]);
    const [give] = allowing('iam:PassRole', KINDS['AWS::IAM::Role']![0]);
    expect(give!.Condition).toEqual({
      StringEquals: { 'iam:PassedToService': ['lambda.amazonaws.com', 'codedeploy.amazonaws.com'] },
    });
  });

  it('uses a key that was there before, and can neither change nor delete it', () => {
    const { PolicyDocument, Roles } = GivenKey.Properties;
    const statements = PolicyDocument.Statement as Statement[];
    expect(Roles).toEqual(['Deployer']);
    expect(statements.flatMap(resourcesOf)).toEqual(['KmsKeyArn', 'KmsKeyArn']);
    expect(statements.flatMap(({ Action }) => Action).sort()).toEqual([
      'kms:CreateGrant',
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:GenerateDataKey',
    ]);
  });

  it('is the one that the sample of a workflow takes, in the environment that may', () => {
    const { jobs, permissions } = parse(readFileSync(join(ROOT, 'infra/stages/github.example.yml'), 'utf8'));
    const { environment, steps } = jobs.deploy;
    const role = steps.map((one: { with?: Record<string, string> }) => one.with?.['role-to-assume']).find(Boolean);
    expect([environment, permissions['id-token']]).toEqual([STAGE, 'write']);
    expect(role).toBe(`arn:aws:iam::123456789012:role/${Deployer.Properties.RoleName}`);
    expect(steps.at(-1).run).toBe(`npx --no-install crossfade deploy --stage ${STAGE} --confirm ${STAGE} --yes`);
  });

  it('is taken by one repository and environment alone', () => {
    const [{ Condition }] = Deployer.Properties.AssumeRolePolicyDocument.Statement;
    expect(Condition).toEqual({
      StringEquals: {
        'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
        'token.actions.githubusercontent.com:sub': 'repo:acme/shop:environment:prod',
      },
    });
  });

  it('is no larger than IAM takes, and has no alias of YAML, which CloudFormation does not read', () => {
    const policies = [...POLICIES, GivenKey.Properties];
    expect(JSON.stringify(policies).replaceAll(/\s/g, '').length).toBeLessThan(10_240);
    expect(TEXT).not.toMatch(/[&*]\w+ *$|: &\w/m);
  });
});
