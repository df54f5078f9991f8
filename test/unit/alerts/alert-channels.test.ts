/** Channels of alerts: what leaves the house, to whom it may go, and how long it may take. */

import { createHmac } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventBridgeChannel } from '../../../lib/adapters/notify/event-bridge.ts';
import { snsChannel } from '../../../lib/adapters/notify/sns.ts';
import { checkedUrl, webhookChannel } from '../../../lib/adapters/notify/webhook.ts';
import { alertChannels } from '../../../lib/compose/channels.ts';
import { WEBHOOK_FORMS } from '../../../lib/core/alerts/webhook-form.ts';
import type { NetworkProfile } from '../../../lib/core/net/upstream.ts';
import { readEnvironment } from '../../../lib/schemas/environment.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import { NOW } from '../../property/samples.ts';

const [MESSAGE] = firing(0).messages as [ReturnType<typeof firing>['messages'][number]];
const CLOCK = { now: () => NOW, monotonicMs: () => 0, sleep: async () => {} };

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function listening(answer: RequestListener): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((done) => void server!.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

const webhook = (url: string, profile: NetworkProfile = 'local') =>
  webhookChannel({ url, form: 'crossfade', key: async () => 'k3y', clock: CLOCK, profile });

describe('the webhook', () => {
  it('gets one signed document with the figures, and its signature can be checked', async () => {
    let got: { headers: Record<string, unknown>; body: string } | undefined;
    const url = await listening(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      got = { headers: request.headers, body };
      response.writeHead(204).end();
    });
    await webhook(url).send(MESSAGE, 2_000);
    const { headers, body } = got!;
    expect(JSON.parse(body)).toMatchObject({
      id: 'customer.errors#1',
      change: 'fired',
      severity: 'critical',
      value: 0.25,
      limit: 0.01,
      at: '2026-01-15T12:00:00.000Z',
      text: expect.stringContaining('errors of the shadow beyond the primary 25 % over 5 min'),
    });
    expect(headers).toMatchObject({
      'x-crossfade-message-id': 'customer.errors#1',
      'x-crossfade-timestamp': `${NOW / 1_000}`,
    });
    const mac = createHmac('sha256', 'k3y')
      .update(`${NOW / 1_000}.${body}`)
      .digest('hex');
    expect(headers['x-crossfade-signature']).toBe(`v1=${mac}`);
    expect(`${JSON.stringify(headers)}${body}`).not.toContain('k3y');
  });

  it.each([301, 302, 307, 400, 500, 503])(
    'an answer of %s is no delivery, and redirects are not followed',
    async (status) => {
      let calls = 0;
      const url = await listening((_request, response) => {
        calls += 1;
        response.writeHead(status, { location: '/elsewhere' }).end();
      });
      await expect(webhook(url).send(MESSAGE, 2_000)).rejects.toMatchObject({
        code: 'upstream_unavailable',
        details: { status },
      });
      expect(calls).toBe(1);
    },
  );

  it('that never answers is left at its deadline', async () => {
    const url = await listening(() => undefined);
    await expect(webhook(url).send(MESSAGE, 80)).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('that answers without end has taken the message', async () => {
    const url = await listening((_request, response) => {
      response.writeHead(200);
      response.write('a');
    });
    await webhook(url).send(MESSAGE, 2_000);
  });

  it('that is not there is said to be', async () => {
    await expect(webhook('http://127.0.0.1:9/').send(MESSAGE, 2_000)).rejects.toMatchObject({
      code: 'upstream_unavailable',
    });
  });

  it('a name that points to this machine is refused at the connection, and nothing arrives', async () => {
    let calls = 0;
    const url = await listening((_request, response) => {
      calls += 1;
      response.end();
    });
    const named = url.replace('http://127.0.0.1', 'https://localhost');
    await expect(webhook(named, 'aws').send(MESSAGE, 2_000)).rejects.toMatchObject({ code: 'upstream_refused' });
    expect(calls).toBe(0);
    // Negative control: the local profile may, and then the connection is made (to a server that speaks no TLS).
    await expect(webhook(named, 'local').send(MESSAGE, 2_000)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it.each([
    'http://hooks.example.com/x',
    'ftp://hooks.example.com',
    'file:///etc/passwd',
    'not an address',
    '',
    'https://a:b@hooks.example.com',
    'https://hooks.example.com./x',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://169.254.169.254/latest',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://10.1.2.3/',
    'https://[fd00::1]/',
  ])('outside of the local profile %s is refused before anything is sent', (url) => {
    expect(() => checkedUrl(url, 'aws')).toThrow(/webhook for alerts is refused/);
  });

  it.each(['https://hooks.example.com/x?y=1', 'https://93.184.216.34/', 'https://[2606:2800:220:1::1]/'])(
    '%s is not',
    (url) => {
      expect(checkedUrl(url, 'aws').protocol).toBe('https:');
    },
  );
});

describe('SNS', () => {
  const sns = mockClient(SNSClient);
  beforeEach(() => sns.reset());
  afterAll(() => sns.restore());
  const channel = snsChannel({
    client: new SNSClient({ region: 'eu-central-1' }),
    topicArn: 'arn:aws:sns:eu-central-1:1:alerts',
  });

  it('gets subject, text with the figures, and attributes to filter on', async () => {
    sns.on(PublishCommand).resolves({});
    await channel.send(MESSAGE, 2_000);
    const input = sns.commandCalls(PublishCommand)[0]!.args[0].input;
    expect(input.TopicArn).toBe('arn:aws:sns:eu-central-1:1:alerts');
    expect(input.Subject).toBe('Crossfade critical: customer.errors fires');
    expect(input.Message).toContain('25 %');
    expect(input.MessageAttributes?.severity?.StringValue).toBe('critical');
  });

  it('that refuses has not taken it', async () => {
    sns.on(PublishCommand).rejects(new Error('throttled'));
    await expect(channel.send(MESSAGE, 2_000)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it('a subject is plain text of at most 100 characters', async () => {
    sns.on(PublishCommand).resolves({});
    await channel.send({ ...MESSAGE, alert: `größe\n🚀${'x'.repeat(200)}` }, 2_000);
    expect(sns.commandCalls(PublishCommand)[0]!.args[0].input.Subject).toMatch(/^[\x20-\x7e]{1,100}$/);
  });
});

describe('EventBridge', () => {
  const bus = mockClient(EventBridgeClient);
  beforeEach(() => bus.reset());
  afterAll(() => bus.restore());
  const channel = eventBridgeChannel({ client: new EventBridgeClient({ region: 'eu-central-1' }), bus: 'default' });

  it('gets one event', async () => {
    bus.on(PutEventsCommand).resolves({ FailedEntryCount: 0 });
    await channel.send(MESSAGE, 2_000);
    const [entry] = bus.commandCalls(PutEventsCommand)[0]!.args[0].input.Entries!;
    expect(entry).toMatchObject({ EventBusName: 'default', Source: 'crossfade', DetailType: 'Crossfade alert' });
    expect(JSON.parse(entry!.Detail!)).toMatchObject({ id: 'customer.errors#1', value: 0.25 });
  });

  it('an event that is refused in a call that succeeds has not been taken', async () => {
    bus.on(PutEventsCommand).resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'ThrottlingException' }] });
    await expect(channel.send(MESSAGE, 2_000)).rejects.toThrow(/ThrottlingException/);
  });
});

describe('channels by environment', () => {
  const env = (more: Record<string, string>) =>
    readEnvironment({
      CROSSFADE_PROFILE: 'local',
      CROSSFADE_STATE_TABLE: 'state',
      CROSSFADE_CHANGES_TABLE: 'changes',
      CROSSFADE_APPCONFIG_APPLICATION: 'a',
      CROSSFADE_APPCONFIG_ENVIRONMENT: 'b',
      CROSSFADE_APPCONFIG_PROFILE: 'c',
      CROSSFADE_JWT_ISSUER: 'd',
      CROSSFADE_JWT_AUDIENCE: 'e',
      ...more,
    });

  it('a webhook has one of the forms that there are', () => {
    const read = (form: string) => env({ CROSSFADE_ALERT_WEBHOOK_FORM: form }).CROSSFADE_ALERT_WEBHOOK_FORM;
    expect(WEBHOOK_FORMS.map(read)).toEqual(WEBHOOK_FORMS);
    expect(env({}).CROSSFADE_ALERT_WEBHOOK_FORM).toBe('crossfade');
    expect(() => read('slak')).toThrow(/CROSSFADE_ALERT_WEBHOOK_FORM/);
  });

  it('none unless one is named', () => {
    expect(alertChannels(env({ CROSSFADE_ALERT_WEBHOOK_URL: '' }), CLOCK)).toEqual([]);
    const all = {
      CROSSFADE_ALERT_TOPIC: 'arn',
      CROSSFADE_ALERT_EVENT_BUS: 'default',
      CROSSFADE_ALERT_WEBHOOK_URL: 'https://h.example',
    };
    expect(alertChannels(env(all), CLOCK).map(({ name }) => name)).toEqual(['sns', 'eventbridge', 'webhook']);
  });

  it('a webhook without a key sends nothing, and on AWS no key in the environment is used', async () => {
    let calls = 0;
    const url = await listening((_request, response) => {
      calls += 1;
      response.end();
    });
    const [bare] = alertChannels(env({ CROSSFADE_ALERT_WEBHOOK_URL: url }), CLOCK);
    await expect(bare!.send(MESSAGE, 500)).rejects.toMatchObject({ code: 'invalid_config' });
    const aws = {
      CROSSFADE_PROFILE: 'aws',
      CROSSFADE_ALERT_WEBHOOK_URL: 'https://h.example',
      CROSSFADE_ALERT_WEBHOOK_KEY: 'k3y',
    };
    await expect(alertChannels(env(aws), CLOCK)[0]!.send(MESSAGE, 500)).rejects.toMatchObject({
      code: 'invalid_config',
    });
    expect(calls).toBe(0);
    const [keyed] = alertChannels(env({ CROSSFADE_ALERT_WEBHOOK_URL: url, CROSSFADE_ALERT_WEBHOOK_KEY: 'k3y' }), CLOCK);
    await keyed!.send(MESSAGE, 2_000);
    expect(calls).toBe(1);
  });

  it('a secret that was rotated signs within five minutes, without a restart; until then it is not asked for again', async () => {
    const secrets = mockClient(SecretsManagerClient);
    onTestFinished(() => secrets.restore());
    const signatures: unknown[] = [];
    const url = await listening((request, response) => {
      signatures.push(request.headers['x-crossfade-signature']);
      response.end();
    });
    const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:webhook';
    const clock = { ...CLOCK, atMs: 0, monotonicMs: () => clock.atMs };
    const given = { CROSSFADE_ALERT_WEBHOOK_URL: url, CROSSFADE_ALERT_WEBHOOK_KEY_ARN: arn };
    const [channel] = alertChannels(env(given), clock);
    const signedAt = async (atMs: number, key: string) => {
      secrets.on(GetSecretValueCommand).resolves({ SecretString: key });
      clock.atMs = atMs;
      await channel!.send(MESSAGE, 2_000);
      return signatures.at(-1);
    };
    const first = await signedAt(0, 'first');
    expect(await signedAt(299_999, 'second')).toBe(first);
    expect(secrets.commandCalls(GetSecretValueCommand)).toHaveLength(1);
    expect(await signedAt(300_000, 'second')).not.toBe(first);
    expect(await signedAt(300_001, 'third')).toBe(signatures.at(-2));
  });
});
