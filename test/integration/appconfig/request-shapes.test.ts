/** What the publisher sends, word by word, without a server. */

import {
  AppConfigClient,
  ConflictException,
  CreateHostedConfigurationVersionCommand,
  GetDeploymentCommand,
  GetHostedConfigurationVersionCommand,
  ListDeploymentsCommand,
  ListHostedConfigurationVersionsCommand,
  StartDeploymentCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-appconfig';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { appConfigClient } from '../../../lib/adapters/appconfig/client.ts';
import { storedFlags } from '../../../lib/adapters/appconfig/document.ts';
import { appConfigPublisher } from '../../../lib/adapters/appconfig/publisher.ts';
import { sessionClient } from '../../../lib/routing/data-source.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { testClock } from './harness.ts';

const IDS = { application: 'appid11', environment: 'envid11', profile: 'profid1', strategy: 'strat11' };
const IN_PROFILE = { ApplicationId: 'appid11', ConfigurationProfileId: 'profid1' };
const IN_ENVIRONMENT = { ApplicationId: 'appid11', EnvironmentId: 'envid11' };

const mock = mockClient(AppConfigClient);
const publisher = () =>
  appConfigPublisher({ client: new AppConfigClient({ region: 'x' }), ...IDS, clock: testClock() });

beforeEach(() => {
  mock.reset();
  mock.on(GetHostedConfigurationVersionCommand).resolves({});
  mock.on(ListDeploymentsCommand).resolves({
    Items: [{ DeploymentNumber: 4, ConfigurationProfileId: 'profid1', ConfigurationVersion: '7', State: 'COMPLETE' }],
  });
  mock.on(CreateHostedConfigurationVersionCommand).resolves({ VersionNumber: 8 });
  mock.on(ListHostedConfigurationVersionsCommand).resolves({ Items: [{ VersionNumber: 7 }, { VersionNumber: 8 }] });
  mock.on(StartDeploymentCommand).resolves({ DeploymentNumber: 5 });
  mock.on(GetDeploymentCommand).resolves({ State: 'COMPLETE' });
});

const publish = (urgent = false) =>
  publisher().publish({ document: someFlags(), latestVersion: 7, urgent, deadlineMs: 5_000 });

describe('requests', () => {
  it('the version is fenced on the latest one, the deployment on the latest deployment', async () => {
    expect(await publish()).toEqual({ kind: 'published', version: 8 });
    const [created] = mock.commandCalls(CreateHostedConfigurationVersionCommand);
    expect(created?.args[0].input).toEqual({
      ...IN_PROFILE,
      Content: new TextEncoder().encode(storedFlags(someFlags())),
      ContentType: 'application/json',
      LatestVersionNumber: 7,
    });
    const [started] = mock.commandCalls(StartDeploymentCommand);
    expect(started?.args[0].input).toEqual({
      ...IN_ENVIRONMENT,
      ConfigurationProfileId: 'profid1',
      ConfigurationVersion: '8',
      DeploymentStrategyId: 'strat11',
      LatestDeploymentNumber: 4,
    });
    expect(mock.commandCalls(StopDeploymentCommand)).toEqual([]);
  });

  it('every call has its own deadline', async () => {
    await publish();
    const signals = mock
      .calls()
      .map((call) => (call.args as readonly unknown[] as [unknown, { abortSignal?: AbortSignal }])[1].abortSignal);
    expect(signals.length).toBeGreaterThan(5);
    expect(signals.every((signal) => signal instanceof AbortSignal)).toBe(true);
    expect(new Set(signals).size).toBe(signals.length);
  });

  it('what is urgent stops the running deployment, without a revert', async () => {
    mock
      .on(ListDeploymentsCommand)
      .resolvesOnce({
        Items: [
          { DeploymentNumber: 4, ConfigurationProfileId: 'profid1', ConfigurationVersion: '7', State: 'DEPLOYING' },
        ],
      })
      .resolves({
        Items: [
          { DeploymentNumber: 4, ConfigurationProfileId: 'profid1', ConfigurationVersion: '7', State: 'ROLLED_BACK' },
        ],
      });
    expect(await publish(true)).toEqual({ kind: 'published', version: 8 });
    const stopped = mock.commandCalls(StopDeploymentCommand).map((call) => call.args[0].input);
    expect(stopped).toEqual([{ ...IN_ENVIRONMENT, DeploymentNumber: 4 }]);
  });

  it('the newest version is found on whichever page and in whichever order it comes', async () => {
    mock
      .on(ListHostedConfigurationVersionsCommand)
      .resolvesOnce({ Items: [{ VersionNumber: 1 }, { VersionNumber: 9 }], NextToken: 'more' })
      .resolves({ Items: [{ VersionNumber: 12 }, { VersionNumber: 3 }] });
    expect((await publisher().deployed()).latestVersion).toBe(12);
  });

  it('a conflict is a value that says why', async () => {
    mock
      .on(StartDeploymentCommand)
      .rejects(new ConflictException({ message: 'Deployment number 5 already exists', $metadata: {} }));
    expect(await publish()).toEqual({ kind: 'conflict', why: expect.stringContaining('Deployment number 5') });
  });

  it('a missing permission is a value for who publishes and has its own code for who reads', async () => {
    mock
      .on(ListHostedConfigurationVersionsCommand)
      .rejects(Object.assign(new Error('no'), { name: 'AccessDeniedException' }));
    expect(await publish()).toEqual({ kind: 'unavailable', why: expect.stringContaining('role access') });
    await expect(publisher().deployed()).rejects.toMatchObject({ code: 'access_denied', retryable: false });
  });
});

describe('limits of the clients', () => {
  it('0.5 s to connect, 1 s per request that really ends it, 3 attempts', async () => {
    for (const client of [appConfigClient({ region: 'x' }), await sessionClient({ region: 'x' })]) {
      const { requestHandler, maxAttempts } = client.config;
      // The handler fills in its configuration with its first request.
      const handler = requestHandler as unknown as { configProvider: Promise<Record<string, unknown>> };
      expect(await handler.configProvider).toMatchObject({
        connectionTimeout: 500,
        requestTimeout: 1_000,
        throwOnRequestTimeout: true,
      });
      expect(await maxAttempts()).toBe(3);
    }
  });
});
