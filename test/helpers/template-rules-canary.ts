/** How a release comes to the functions that applications call, where the parameter `canary` asks for it. Rules as for all of the template. */

import type { Packaged } from './packaged-template.ts';
import {
  at,
  capital,
  differences,
  type Json,
  ofType,
  properties,
  type Rule,
  statementIn,
  statements,
} from './template-access.ts';

/** What uses the schema of the database is released at once: its two releases would need two schemas. */
const CANARIES = ['route', 'outcomes', 'gateway'];

const versionOf = (it: Packaged, own: string) =>
  ofType(it, 'AWS::Lambda::Version').find(
    ([, { Properties }]) => at(Properties, 'FunctionName.Ref') === `${own}LambdaFunction`,
  );

export const CANARY_RULES: readonly Rule[] = [
  {
    area: 'canary',
    says: 'the API calls the alias of each, may call it, and CodeDeploy moves it to the version that is released',
    wrong: (it) =>
      CANARIES.map(capital).flatMap((own) => {
        const { UpdatePolicy } = it.resources[`${own}Alias`] as unknown as Json;
        return [
          ...differences(
            properties(it, `HttpApiIntegration${own}`),
            { IntegrationUri: { Ref: `${own}Alias` } },
            `${own}: `,
          ),
          ...differences(
            properties(it, `${own}AliasPermission`),
            {
              FunctionName: { Ref: `${own}Alias` },
              Principal: 'apigateway.amazonaws.com',
              Action: 'lambda:InvokeFunction',
            },
            `${own}: `,
          ),
          ...differences(
            { ...properties(it, `${own}Alias`), UpdatePolicy },
            {
              FunctionVersion: { 'Fn::GetAtt': [versionOf(it, own)?.[0], 'Version'] },
              FunctionName: { Ref: `${own}LambdaFunction` },
              'UpdatePolicy.CodeDeployLambdaAliasUpdate': {
                ApplicationName: { Ref: 'CanaryApplication' },
                DeploymentGroupName: { Ref: `${own}Canary` },
              },
            },
            `${own}: `,
          ),
          ...(it.resources[`HttpApiIntegration${own}`]?.DependsOn === `${own}AliasPermission`
            ? []
            : [`${own}: called before it may be`]),
          ...(versionOf(it, own)?.[1].DeletionPolicy ? [`${own}: old versions stay`] : []),
        ];
      }),
    break: (it) => {
      properties(it, 'HttpApiIntegrationRoute').IntegrationUri = { 'Fn::GetAtt': ['RouteLambdaFunction', 'Arn'] };
    },
  },
  {
    area: 'canary',
    says: 'alarms of the template take a release back',
    wrong: (it) =>
      ofType(it, 'AWS::CodeDeploy::DeploymentGroup').flatMap(([id, { Properties }]) => [
        ...differences(
          Properties,
          {
            'AlarmConfiguration.Enabled': true,
            'AutoRollbackConfiguration.Enabled': true,
            'DeploymentStyle.DeploymentOption': 'WITH_TRAFFIC_CONTROL',
            DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
          },
          `${id}: `,
        ),
        ...(at(Properties, 'AutoRollbackConfiguration.Events') as string[]).filter(
          (one) => !one.startsWith('DEPLOYMENT_'),
        ),
        ...((at(Properties, 'AlarmConfiguration.Alarms') as { Name: { Ref: string } }[]) ?? [])
          .filter(({ Name }) => it.resources[Name.Ref]?.Type !== 'AWS::CloudWatch::Alarm')
          .map(({ Name }) => `${id}: ${Name.Ref} is no alarm`),
      ]),
    break: (it) => {
      (at(properties(it, 'RouteCanary'), 'AlarmConfiguration.Alarms.0') as Json).Name = { Ref: 'NoSuchAlarm' };
    },
  },
  {
    area: 'canary',
    says: 'CodeDeploy may move these aliases and no others',
    wrong: (it) =>
      statements(it)
        .filter(({ role }) => role === 'CanaryRole')
        .flatMap(({ Sid, Action, Resource }) => {
          if (Sid === 'SeeAlarms') return Action.filter((one) => one !== 'cloudwatch:DescribeAlarms');
          return Resource.map((one) => JSON.stringify(one)).filter(
            (one) => !/:function:crossfade-\w+-(route|outcomes|gateway)(:live)?"\}$/.test(one),
          );
        }),
    break: (it) => {
      statementIn(it, 'CanaryRole', 'MoveAliases').Resource = '*';
    },
  },
  {
    area: 'canary',
    says: 'there is one for these functions and for no others',
    wrong: (it) => {
      const found = ofType(it, 'AWS::Lambda::Alias').map(([, { Properties }]) =>
        String(at(Properties, 'FunctionName.Ref')),
      );
      const wanted = CANARIES.map((name) => `${capital(name)}LambdaFunction`);
      return [...found.filter((one) => !wanted.includes(one)), ...wanted.filter((one) => !found.includes(one))];
    },
    break: (it) => {
      delete it.resources.GatewayAlias;
    },
  },
];
