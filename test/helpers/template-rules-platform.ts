/**
 * What it runs on and who watches it: network, stream, schedules, tables, flags and alarms of the packaged template, one
 * rule per requirement, each with a way to break it.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SCHEDULE_MARGIN_MS } from '../../functions/middleware.ts';
import { changesTable, stateTable } from '../../infra/local/tables.ts';
import { ALERTS, ASKED, STATES } from '../../lib/adapters/dynamodb/keys.ts';
import { FUNCTIONS, PARAMETERS, type Packaged, ROOT } from './packaged-template.ts';
import { LIFE_MS } from './relay-world.ts';
import {
  at,
  capital,
  differences,
  functionId,
  functionOf,
  type Json,
  ofType,
  properties,
  put,
  type Rule,
  same,
} from './template-access.ts';

const SCHEDULED = ['tick', 'publisher', 'relay', 'backfill', 'verify'];
const WITH_DATABASE = ['control', 'dashboard', 'tick', 'relay', 'shadow-writer', 'backfill', 'verify', 'schema'];
const DEAD_LETTERS = { 'Fn::GetAtt': ['DeadLetters', 'Arn'] };

/** Alarm → the metric it watches. The list is that of "alarms to ship"; cost and break-glass are a budget and a rule. */
const ALARMS: Readonly<Record<string, string>> = {
  OutboxAge: 'OutboxAgeMs',
  IteratorAgeWarn: 'IteratorAge',
  IteratorAgePage: 'IteratorAge',
  StreamErrors: 'Errors',
  DeadLetterArrived: 'ApproximateNumberOfMessagesVisible',
  KeysQuarantined: 'Quarantined',
  ForwardsQuarantined: 'CopiesQuarantined',
  ForwardsAge: 'CopiesAgeMs',
  NoTick: 'Tick',
  TickErrors: 'Errors',
  PublishConflict: 'PublishConflictMs',
  FlagDrift: 'DriftMs',
  LongHold: 'HeldMs',
  FlagAge: 'FlagAgeMs',
  FlagsInvalidSeen: 'FlagsInvalid',
  StateInvalidSeen: 'StateInvalid',
  PinnedSessions: 'DatabaseConnectionsCurrentlySessionPinned',
  Connections: 'DatabaseConnections',
  ControlErrors: 'Errors',
  ApiFailures: '5xx',
  ApiRefusals: '4xx',
  CommandsDenied: 'DeniedCommands',
  ...Object.fromEntries(FUNCTIONS.map((name) => [`Throttles${name.split('-').map(capital).join('')}`, 'Throttles'])),
};

const NAME_PROPERTIES = [
  'FunctionName',
  'RoleName',
  'TableName',
  'AlarmName',
  'QueueName',
  'TopicName',
  'LogGroupName',
  'Name',
];
/** Of those that are shorter than 255: https://docs.aws.amazon.com/lambda and /IAM, /sqs, /eventbridge, quotas of names. */
const MAX_NAME: Readonly<Record<string, number>> = { FunctionName: 64, RoleName: 64, QueueName: 80, Name: 64 };
/** As infra/refusals.cjs lets it be. */
const LONGEST_STAGE = 20;
/** Stages that end so are refused there. */
const TAKEN_ENDINGS = ['forwards', 'throttles'];

/** The default of `runbookUrl` is the folder of the pages, so that each address can be followed here. */
function hasRunbook(description: unknown): boolean {
  const [, page] = / Runbook: (\S+\.md)(?:#[a-z-]+)?$/.exec(String(description)) ?? [];
  return page !== undefined && existsSync(join(ROOT, page));
}

export const PLATFORM_RULES: readonly Rule[] = [
  {
    area: 'network',
    says: 'functions with a database sit in the private subnets, the others outside',
    wrong: (it) =>
      FUNCTIONS.filter((name) => {
        const wanted = {
          SecurityGroupIds: [{ Ref: 'FunctionSecurityGroup' }],
          SubnetIds: PARAMETERS.subnetIds!.split(','),
        };
        return !same(functionOf(it, name).VpcConfig, WITH_DATABASE.includes(name) ? wanted : undefined);
      }).map((name) => `${name}: ${JSON.stringify(functionOf(it, name).VpcConfig)}`),
    break: (it) => put(functionOf(it, 'tick'), 'VpcConfig', undefined),
  },
  {
    area: 'network',
    says: 'they reach the database port and DynamoDB, and no address beyond',
    wrong: (it) => {
      const egress = properties(it, 'FunctionSecurityGroup').SecurityGroupEgress as Json[];
      const open = egress.filter(
        (rule) => rule.CidrIp !== undefined || rule.CidrIpv6 !== undefined || rule.IpProtocol !== 'tcp',
      );
      const ports = egress.map((rule) => `${rule.FromPort}-${rule.ToPort}`);
      return [
        ...open.map((rule) => `open: ${JSON.stringify(rule)}`),
        ...(same(ports, ['5432-5432', '443-443']) ? [] : [ports.join()]),
      ];
    },
    break: (it) =>
      (properties(it, 'FunctionSecurityGroup').SecurityGroupEgress as Json[]).push({
        IpProtocol: '-1',
        CidrIp: '0.0.0.0/0',
      }),
  },
  {
    area: 'network',
    says: 'no interface endpoint is made: its private DNS would hold for every other program of the VPC',
    wrong: (it) =>
      ofType(it, 'AWS::EC2::VPCEndpoint').flatMap(([id, { Properties }]) =>
        differences(Properties, { VpcEndpointType: 'Gateway', PrivateDnsEnabled: undefined }, `${id}: `),
      ),
    break: (it) => put(properties(it, 'DynamoDbEndpoint'), 'VpcEndpointType', 'Interface'),
  },
  {
    area: 'stream mapping',
    says: 'failures are reported by item, bisected, tried 10 times within the hour and then put aside; removals are filtered out',
    wrong: (it) =>
      differences(mappingOf(it, 'ChangesTable'), {
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        BisectBatchOnFunctionError: true,
        StartingPosition: 'TRIM_HORIZON',
        MaximumRetryAttempts: 10,
        MaximumRecordAgeInSeconds: 3600,
        ParallelizationFactor: 1,
        'DestinationConfig.OnFailure.Destination': DEAD_LETTERS,
        'FilterCriteria.Filters': [{ Pattern: '{"dynamodb":{"NewImage":{"id":{"S":[{"exists":true}]}}}}' }],
      }),
    break: (it) => put(mappingOf(it, 'ChangesTable'), 'FunctionResponseTypes', []),
  },
  {
    area: 'stream mapping',
    says: 'changes of states and requests for flags wake the publisher, by their keys; one that fails is not kept for more than a minute',
    wrong: (it) => [
      ...differences(properties(it, 'StateTable'), { 'StreamSpecification.StreamViewType': 'KEYS_ONLY' }),
      ...differences(mappingOf(it, 'StateTable'), {
        FunctionName: { 'Fn::GetAtt': ['PublisherLambdaFunction', 'Arn'] },
        StartingPosition: 'TRIM_HORIZON',
        MaximumRetryAttempts: 2,
        MaximumRecordAgeInSeconds: 60,
        'FilterCriteria.Filters': [
          { Pattern: JSON.stringify({ dynamodb: { Keys: { pk: { S: [STATES, ASKED, ALERTS] } } } }) },
        ],
      }),
    ],
    break: (it) => put(mappingOf(it, 'StateTable'), 'FilterCriteria.Filters', []),
  },
  {
    area: 'stream mapping',
    says: 'the stream shows new images, and an update of the stack cannot replace its table',
    wrong: (it) => [
      ...differences(properties(it, 'ChangesTable'), { 'StreamSpecification.StreamViewType': 'NEW_IMAGE' }),
      ...(it.stackPolicy.some(
        ({ Effect, Action, Resource }) =>
          Effect === 'Deny' &&
          [Action].flat().includes('Update:Replace') &&
          [Resource].flat().includes('LogicalResourceId/ChangesTable'),
      )
        ? []
        : ['the stack policy does not protect ChangesTable']),
    ],
    break: (it) => put(properties(it, 'ChangesTable'), 'StreamSpecification.StreamViewType', 'KEYS_ONLY'),
  },
  {
    area: 'schedules',
    says: 'every minute, never repeated, not older than 60 s, else put aside; in the rule and in the function',
    wrong: (it) =>
      SCHEDULED.flatMap((name) => [
        ...differences(
          properties(it, `${capital(name)}Schedule`),
          {
            ScheduleExpression: 'rate(1 minute)',
            State: 'ENABLED',
            'Targets.0.Arn': { 'Fn::GetAtt': [functionId(name), 'Arn'] },
            'Targets.0.RetryPolicy': { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
            'Targets.0.DeadLetterConfig.Arn': DEAD_LETTERS,
          },
          `${name} rule: `,
        ),
        ...differences(
          properties(it, `${capital(name)}LambdaEvConf`),
          {
            MaximumRetryAttempts: 0,
            MaximumEventAgeInSeconds: 60,
            'DestinationConfig.OnFailure.Destination': DEAD_LETTERS,
          },
          `${name} function: `,
        ),
        ...(Number(functionOf(it, name).Timeout) < 60 || name === 'relay' ? [] : [`${name} can outlast its minute`]),
      ]),
    break: (it) => put(properties(it, 'TickLambdaEvConf'), 'MaximumRetryAttempts', 2),
  },
  {
    area: 'schedules',
    says: 'a relay lives for two minutes and the margin of the middleware, so that one leads and one stands by at every moment',
    wrong: (it) => differences(functionOf(it, 'relay'), { Timeout: (LIFE_MS + SCHEDULE_MARGIN_MS) / 1_000 }),
    break: (it) => put(functionOf(it, 'relay'), 'Timeout', 55),
  },
  {
    area: 'concurrency',
    says: 'nothing is reserved unless it is asked for: a new account has 10 instances, and none to give away',
    wrong: (it) =>
      FUNCTIONS.flatMap((name) =>
        differences(functionOf(it, name), { ReservedConcurrentExecutions: undefined }, `${name}: `),
      ),
    break: (it) => put(functionOf(it, 'control'), 'ReservedConcurrentExecutions', 5),
  },
  {
    area: 'tables',
    says: 'both can be restored, are encrypted with the key, and are kept when the stack goes, unless a first deployment failed',
    wrong: (it) =>
      ['StateTable', 'ChangesTable'].flatMap((id) =>
        differences(
          it.resources[id],
          {
            DeletionPolicy: 'RetainExceptOnCreate',
            UpdateReplacePolicy: 'Retain',
            'Properties.DeletionProtectionEnabled': false,
            'Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled': true,
            'Properties.SSESpecification': {
              SSEEnabled: true,
              SSEType: 'KMS',
              KMSMasterKeyId: { 'Fn::GetAtt': ['DataKey', 'Arn'] },
            },
          },
          `${id}: `,
        ),
      ),
    // With this alone a second try would find the name taken.
    break: (it) => put(it.resources.StateTable, 'DeletionPolicy', 'Retain'),
  },
  {
    area: 'tables',
    says: 'keys, TTL and stream are those of the local tables, on which every other test runs',
    wrong: (it) => {
      const [state, changes] = [stateTable('crossfade-prod-state'), changesTable('crossfade-prod-changes')];
      return [
        ...differences(properties(it, 'StateTable'), {
          TableName: state.TableName,
          KeySchema: state.KeySchema,
          'StreamSpecification.StreamViewType': state.StreamSpecification.StreamViewType,
          AttributeDefinitions: state.AttributeDefinitions,
          'TimeToLiveSpecification.Enabled': true,
          'TimeToLiveSpecification.AttributeName': 'expires_at',
        }),
        ...differences(properties(it, 'ChangesTable'), {
          TableName: changes.TableName,
          KeySchema: changes.KeySchema,
          AttributeDefinitions: changes.AttributeDefinitions,
          'StreamSpecification.StreamViewType': changes.StreamSpecification.StreamViewType,
        }),
      ];
    },
    break: (it) => put(properties(it, 'StateTable'), 'TimeToLiveSpecification.Enabled', false),
  },
  {
    area: 'AppConfig',
    says: 'flags are feature flags with constraints, deployed at once without bake',
    wrong: (it) => [
      ...differences(properties(it, 'FlagsProfile'), { Type: 'AWS.AppConfig.FeatureFlags', LocationUri: 'hosted' }),
      ...differences(properties(it, 'FlagsStrategy'), {
        DeploymentDurationInMinutes: 0,
        GrowthFactor: 100,
        FinalBakeTimeInMinutes: 0,
      }),
      ...unconstrained(String(properties(it, 'FirstFlags').Content)),
    ],
    break: (it) => put(properties(it, 'FlagsStrategy'), 'FinalBakeTimeInMinutes', 10),
  },
  {
    area: 'AppConfig',
    says: 'readers have the agent, pinned for the region, and poll every 10 s',
    wrong: (it) =>
      ['route', 'gateway'].flatMap((name) => [
        ...differences(
          functionOf(it, name),
          {
            'Environment.Variables.AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS': '10',
            'Environment.Variables.AWS_APPCONFIG_EXTENSION_PREFETCH_LIST': {
              'Fn::Sub': `/applications/\${FlagsApplication}/environments/\${FlagsEnvironment}/configurations/\${FlagsProfile}`,
            },
          },
          `${name}: `,
        ),
        ...(/^arn:aws:lambda:eu-central-1:\d{12}:layer:AWS-AppConfig-Extension-Arm64:\d+$/.test(
          String(at(functionOf(it, name), 'Layers.0')),
        )
          ? []
          : [`${name} has no agent`]),
      ]),
    break: (it) => put(functionOf(it, 'route'), 'Layers', []),
  },
  {
    area: 'watch',
    says: 'logs are JSON and kept for 30 days; functions are traced only where that is asked for',
    wrong: (it) => [
      ...FUNCTIONS.flatMap((name) =>
        differences(
          functionOf(it, name),
          { 'LoggingConfig.LogFormat': 'JSON', 'TracingConfig.Mode': undefined },
          `${name}: `,
        ),
      ),
      ...differences(it.resources.Trace, {
        Condition: 'Traced',
        'Properties.Roles': [
          ...new Set(FUNCTIONS.map((name) => ((functionOf(it, name).Role as Json)['Fn::GetAtt'] as string[])[0])),
        ].map((role) => ({ Ref: role })),
      }),
      ...ofType(it, 'AWS::Logs::LogGroup').flatMap(([id, { Properties }]) =>
        differences(Properties, { RetentionInDays: 30 }, `${id}: `),
      ),
      ...(ofType(it, 'AWS::Logs::LogGroup').length === FUNCTIONS.length + 1 ? [] : ['a log group is missing']),
    ],
    break: (it) => put(it.resources.TickLogGroup, 'Properties.RetentionInDays', undefined),
  },
  {
    area: 'watch',
    says: 'every alarm exists, speaks to the topic and names its runbook',
    wrong: (it) => {
      const found = Object.fromEntries(ofType(it, 'AWS::CloudWatch::Alarm'));
      const metric = (alarm: Json) => alarm.MetricName ?? at(alarm, 'Metrics.1.MetricStat.Metric.MetricName');
      return [
        ...Object.entries(ALARMS)
          .filter(([id, name]) => !found[id] || metric(found[id].Properties) !== name)
          .map(([id]) => `${id} is missing`),
        ...Object.entries(found).flatMap(([id, { Properties }]) => [
          ...differences(Properties, { AlarmActions: [{ Ref: 'Alerts' }] }, `${id}: `),
          ...(hasRunbook(Properties.AlarmDescription) ? [] : [`${id} names no runbook`]),
        ]),
      ];
    },
    break: (it) => delete it.resources.NoTick,
  },
  {
    area: 'watch',
    says: 'silence of the tick is an alarm after 3 minutes, and late wake-ups after 1 and 5',
    wrong: (it) => [
      ...differences(properties(it, 'NoTick'), {
        Period: 60,
        EvaluationPeriods: 3,
        TreatMissingData: 'breaching',
        Threshold: 1,
      }),
      ...differences(properties(it, 'IteratorAgeWarn'), { Threshold: 60_000 }),
      ...differences(properties(it, 'IteratorAgePage'), { Threshold: 300_000 }),
    ],
    break: (it) => put(properties(it, 'NoTick'), 'TreatMissingData', 'notBreaching'),
  },
  {
    area: 'watch',
    says: 'there are a dashboard, a budget and a signal for break-glass use, all to the topic',
    wrong: (it) => [
      ...(ofType(it, 'AWS::CloudWatch::Dashboard').length === 1 ? [] : ['no dashboard']),
      ...differences(properties(it, 'MonthlyCost'), {
        'NotificationsWithSubscribers.0.Subscribers.0.Address': { Ref: 'Alerts' },
      }),
      ...differences(properties(it, 'BreakGlassUsed'), {
        'EventPattern.detail.requestParameters.roleArn': [{ 'Fn::GetAtt': ['BreakGlassRole', 'Arn'] }],
        'Targets.0.Arn': { Ref: 'Alerts' },
      }),
      ...differences(properties(it, 'Alerts'), { KmsMasterKeyId: { 'Fn::GetAtt': ['DataKey', 'Arn'] } }),
    ],
    break: (it) => delete it.resources.BreakGlassUsed,
  },
  {
    area: 'names',
    says: 'no ARN names the part of AWS, but that of the layer, which is pinned for its region',
    wrong: (it) =>
      [...JSON.stringify(it.resources).matchAll(/arn:aws[a-z-]*:[^"]*/g)]
        .map(([arn]) => arn)
        .filter((arn) => !/^arn:aws:lambda:[a-z0-9-]+:\d{12}:layer:AWS-AppConfig-/.test(arn)),
    break: (it) => put(properties(it, 'Alerts'), 'KmsMasterKeyId', 'arn:aws:kms:eu-central-1:123456789012:key/1'),
  },
  {
    area: 'names',
    says: 'fit with the longest stage, and no name of a stage can be that of another one with a dash more',
    wrong: (it) => {
      const named = Object.values(it.resources).flatMap(({ Type, Properties }) =>
        NAME_PROPERTIES.map((key) => ({ Type, key, name: Properties[key] })),
      );
      const ours = named.filter(({ name }) => typeof name === 'string' && name.includes('crossfade-prod'));
      const long = ours.filter(
        ({ key, name }) => String(name).replace('prod', 'p'.repeat(LONGEST_STAGE)).length > (MAX_NAME[key] ?? 255),
      );
      const rest = ({ name }: { name: unknown }) => String(name).split('crossfade-prod-')[1] ?? '';
      const twice = ours.filter((one) =>
        ours.some(
          (other) =>
            other.Type === one.Type &&
            rest(other) !== '' &&
            rest(one).endsWith(`-${rest(other)}`) &&
            !TAKEN_ENDINGS.includes(rest(one).slice(0, -1 - rest(other).length)),
        ),
      );
      return [...long, ...twice].map(({ Type, name }) => `${Type} ${name}`);
    },
    break: (it) => put(properties(it, 'TickLambdaFunction'), 'FunctionName', 'crossfade-prod-other-relay'),
  },
  {
    area: 'outputs',
    says: 'owner and data class are tagged; outputs hold names and addresses of the API only',
    wrong: (it) => [
      ...FUNCTIONS.filter(
        (name) =>
          !['owner', 'data-class'].every((key) => (functionOf(it, name).Tags as Json[]).some((tag) => tag.Key === key)),
      ),
      ...Object.keys(it.outputs).filter(
        (name) => !['ServerlessDeploymentBucketName', 'HttpApiId', 'HttpApiUrl', 'GatewayStreamUrl'].includes(name),
      ),
    ],
    break: (it) => put(it.outputs, 'DatabaseUrl', { Value: 'postgres://…' }),
  },
];

/** Of the function that this table wakes. */
const mappingOf = (it: Packaged, table: string): Json =>
  ofType(it, 'AWS::Lambda::EventSourceMapping').find(([, { Properties }]) =>
    same(Properties.EventSourceArn, { 'Fn::GetAtt': [table, 'StreamArn'] }),
  )?.[1].Properties ?? {};

/** Attributes of a stored flag document that have no constraint. */
function unconstrained(content: string): string[] {
  const { flags } = JSON.parse(content) as {
    flags: Record<string, { attributes: Record<string, { constraints?: Json }> }>;
  };
  return Object.entries(flags).flatMap(([flag, { attributes }]) =>
    Object.entries(attributes)
      .filter(([, { constraints }]) => !constraints?.type)
      .map(([name]) => `${flag}.${name} has no constraint`),
  );
}
