/** Nothing is granted that no scenario uses, but for the exceptions that infra/grants.json names. The scenarios themselves look that they use it. */

import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it, onTestFinished } from 'vitest';
import { composePublisher } from '../../../lib/compose/publisher.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import { GRANT_LEDGER, type Ledger, ledgerAgainst, ledgerFaults } from '../../helpers/grants.ts';
import { ROLES } from '../../helpers/role-evaluation.ts';

describe('the ledger of grants', () => {
  it('has a use or a reason for each grant of every role, and nothing else', () => {
    expect(ledgerFaults()).toEqual([]);
  });

  const USED = GRANT_LEDGER.used;
  const CONTROL = { 'ControlRole.ReadState': ['audit#*'] };
  it.each<[what: string, ledger: Ledger, roles: typeof ROLES, says: string]>([
    [
      'a grant that nobody uses',
      GRANT_LEDGER,
      [...ROLES, { ...ROLES[0]!, Sid: 'More', Action: ['sqs:DeleteQueue'] }],
      'RouteRole.More sqs:DeleteQueue: granted, and no scenario uses it',
    ],
    [
      'a reason that is gone',
      { ...GRANT_LEDGER, exceptions: GRANT_LEDGER.exceptions.slice(1) },
      ROLES,
      'RouteRole.Log logs:PutLogEvents: granted, and no scenario uses it',
    ],
    [
      'an exception that is used',
      {
        ...GRANT_LEDGER,
        exceptions: [...GRANT_LEDGER.exceptions, { of: ['ControlRole.ReadState audit#*'], why: 'none' }],
      },
      ROLES,
      'ControlRole.ReadState audit#*: an exception that is used',
    ],
    [
      'a use that is not granted',
      { ...GRANT_LEDGER, used: { ...USED, 'a.test.ts': { 'RouteRole.ReadState': ['state'] } } },
      ROLES,
      'RouteRole.ReadState state: used, and not granted',
    ],
    [
      'an exception that nothing grants',
      { ...GRANT_LEDGER, exceptions: [...GRANT_LEDGER.exceptions, { of: ['Lag'], why: 'none' }] },
      ROLES,
      'Lag: an exception that nothing grants',
    ],
  ])('would notice %s', (_, ledger, roles, says) => {
    expect(ledgerFaults(ledger, roles)).toContain(says);
  });

  it('would notice in a scenario what it says wrongly', () => {
    const ledger = { exceptions: [{ of: ['Log'], why: 'none' }], used: { 'a.test.ts': CONTROL } };
    expect(ledgerAgainst('a.test.ts', ['TickRole.Log logs:PutLogEvents'], ledger)).toEqual([
      'ControlRole.ReadState audit#*: said to be used, and not seen',
      'TickRole.Log logs:PutLogEvents: an exception that was used',
    ]);
  });
});

describe('the publisher', () => {
  it('asks SNS, EventBridge, CloudWatch and Secrets Manager for what its role is granted, at the very address', async () => {
    const [topic, bus] = ['arn:aws:sns:eu-central-1:123456789012:crossfade-prod-alerts', 'default'];
    const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${name}`;
    const alarm = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:shop';
    const [sns, events] = [mockClient(SNSClient), mockClient(EventBridgeClient)];
    const [secrets, alarms] = [mockClient(SecretsManagerClient), mockClient(CloudWatchClient)];
    onTestFinished(() => [sns, events, secrets, alarms].forEach((mock) => void mock.restore()));
    events.on(PutEventsCommand).resolves({ FailedEntryCount: 0, Entries: [{ EventId: '1' }] });
    secrets.on(GetSecretValueCommand).resolves({ SecretString: 'k3y' });
    alarms.on(DescribeAlarmsCommand).resolves({});
    const { ports } = composePublisher({
      CROSSFADE_PROFILE: 'aws',
      CROSSFADE_STATE_TABLE: 'state',
      CROSSFADE_CHANGES_TABLE: 'changes',
      CROSSFADE_APPCONFIG_APPLICATION: 'a',
      CROSSFADE_APPCONFIG_ENVIRONMENT: 'b',
      CROSSFADE_APPCONFIG_PROFILE: 'c',
      CROSSFADE_ACCESS: 'iam',
      AWS_REGION: 'eu-central-1',
      CROSSFADE_ALERT_TOPIC: topic,
      CROSSFADE_ALERT_EVENT_BUS: bus,
      CROSSFADE_ALERT_WEBHOOK_URL: 'https://hooks.invalid/',
      CROSSFADE_ALERT_WEBHOOK_KEY_ARN: secret('webhook'),
      CROSSFADE_CHECK_KEY_ARN: secret('checks'),
    });
    const [message] = firing().messages;
    for (const channel of ports.channels) await channel.send(message!, 100).catch(() => {});
    await ports.criteria.alarms([alarm]);
    await ports.criteria
      .httpCheck({ url: 'https://127.0.0.1:9/' } as never, { id: '1', atMs: 0 } as never)
      .catch(() => {});
    expect(sns.commandCalls(PublishCommand).map(({ args }) => args[0].input.TopicArn)).toEqual([topic]);
    expect(events.commandCalls(PutEventsCommand).map(({ args }) => args[0].input.Entries?.[0]?.EventBusName)).toEqual([
      bus,
    ]);
    expect(secrets.commandCalls(GetSecretValueCommand).map(({ args }) => args[0].input.SecretId)).toEqual([
      secret('webhook'),
      secret('checks'),
    ]);
    expect(alarms.commandCalls(DescribeAlarmsCommand).map(({ args }) => args[0].input.AlarmNames)).toEqual([['shop']]);
    const asked = ['sns:Publish', 'events:PutEvents', 'secretsmanager:GetSecretValue', 'cloudwatch:DescribeAlarms'];
    const used = ROLES.flatMap(({ role, Sid, Action }) =>
      role === 'PublisherRole' ? Action.filter((one) => asked.includes(one)).map((one) => `${role}.${Sid} ${one}`) : [],
    );
    expect(ledgerAgainst('test/unit/house/grants.test.ts', used)).toEqual([]);
  });
});
