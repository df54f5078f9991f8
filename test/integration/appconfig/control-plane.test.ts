import {
  CreateApplicationCommand,
  CreateConfigurationProfileCommand,
  CreateDeploymentStrategyCommand,
  CreateEnvironmentCommand,
  CreateHostedConfigurationVersionCommand,
  DeleteApplicationCommand,
  DeleteConfigurationProfileCommand,
  DeleteDeploymentStrategyCommand,
  DeleteEnvironmentCommand,
  DeleteHostedConfigurationVersionCommand,
  GetApplicationCommand,
  GetConfigurationProfileCommand,
  GetDeploymentCommand,
  GetDeploymentStrategyCommand,
  GetEnvironmentCommand,
  GetHostedConfigurationVersionCommand,
  ListApplicationsCommand,
  ListDeploymentStrategiesCommand,
  ListDeploymentsCommand,
  ListHostedConfigurationVersionsCommand,
  StartDeploymentCommand,
} from '@aws-sdk/client-appconfig';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { provisionAppConfig } from '../../../infra/local/appconfig/provision.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { blockWithOther, deploy, MINUTE_MS, START_MS, type Stage, stage, store, strategy, subject } from './harness.ts';

let on: Stage;
beforeEach(async () => {
  on = await stage({ quotas: { applications: 2, strategies: 3, profiles: 2, environments: 2, versionBytes: 2_048 } });
});
afterEach(() => on.stop());

const bytes = (text: string) => new TextEncoder().encode(text);
const FREEFORM = { LocationUri: 'hosted', Type: 'AWS.Freeform' };

describe('shapes through the real client', () => {
  it('application, environment and profile come with ids, and are found again', async () => {
    const { control } = on;
    const application = await control.send(new CreateApplicationCommand({ Name: 'shop', Description: 'a shop' }));
    expect(application).toMatchObject({ Name: 'shop', Description: 'a shop', $metadata: { httpStatusCode: 201 } });
    expect(application.Id).toMatch(/^[a-z0-9]{4,7}$/);
    const at = { ApplicationId: application.Id };
    const environment = await control.send(new CreateEnvironmentCommand({ ...at, Name: 'prod' }));
    expect(environment).toMatchObject({ Name: 'prod', State: 'READY_FOR_DEPLOYMENT', ...at });
    const validators = [{ Type: 'JSON_SCHEMA' as const, Content: '{}' }];
    const profile = await control.send(
      new CreateConfigurationProfileCommand({ ...at, ...FREEFORM, Name: 'settings', Validators: validators }),
    );
    expect(profile).toMatchObject({ Name: 'settings', ...FREEFORM, Validators: validators });
    expect(await control.send(new GetApplicationCommand(at))).toMatchObject({ Name: 'shop' });
    const inEnvironment = { ...at, EnvironmentId: environment.Id };
    expect(await control.send(new GetEnvironmentCommand(inEnvironment))).toMatchObject({ Name: 'prod' });
    const inProfile = { ...at, ConfigurationProfileId: profile.Id };
    expect(await control.send(new GetConfigurationProfileCommand(inProfile))).toMatchObject({ Name: 'settings' });
  });

  it('a strategy has the times it was given; the predefined ones exist; deletion has its misspelt path', async () => {
    const id = await strategy(on, { minutes: 20, bakeMinutes: 5, growthFactor: 25, growthType: 'EXPONENTIAL' });
    expect(await on.control.send(new GetDeploymentStrategyCommand({ DeploymentStrategyId: id }))).toMatchObject({
      DeploymentDurationInMinutes: 20,
      FinalBakeTimeInMinutes: 5,
      GrowthFactor: 25,
      GrowthType: 'EXPONENTIAL',
      ReplicateTo: 'NONE',
    });
    const { Items } = await on.control.send(new ListDeploymentStrategiesCommand({}));
    expect(Items?.map((item) => item.Id)).toContain('AppConfig.AllAtOnce');
    await on.control.send(new DeleteDeploymentStrategyCommand({ DeploymentStrategyId: id }));
    expect(on.server.requests.DeleteDeploymentStrategy).toBe(1);
    await expect(on.control.send(new GetDeploymentStrategyCommand({ DeploymentStrategyId: id }))).rejects.toMatchObject(
      { name: 'ResourceNotFoundException' },
    );
    await expect(
      on.control.send(new DeleteDeploymentStrategyCommand({ DeploymentStrategyId: 'AppConfig.AllAtOnce' })),
    ).rejects.toMatchObject({ name: 'BadRequestException' });
  });

  it('a version echoes its content raw, with everything else in headers', async () => {
    const { control, inProfile } = await subject(on);
    const other = await control.send(
      new CreateConfigurationProfileCommand({ ApplicationId: inProfile.ApplicationId, Name: 'text', ...FREEFORM }),
    );
    const at = { ApplicationId: inProfile.ApplicationId, ConfigurationProfileId: other.Id };
    const created = await control.send(
      new CreateHostedConfigurationVersionCommand({
        ...at,
        Content: bytes('héllo'),
        ContentType: 'text/plain',
        Description: 'greeting',
        VersionLabel: 'v1.0',
      }),
    );
    const expected = {
      ...at,
      VersionNumber: 1,
      ContentType: 'text/plain',
      Description: 'greeting',
      VersionLabel: 'v1.0',
    };
    expect(created).toMatchObject(expected);
    expect(new TextDecoder().decode(created.Content)).toBe('héllo');
    const read = await control.send(new GetHostedConfigurationVersionCommand({ ...at, VersionNumber: 1 }));
    expect(read).toMatchObject({ ...expected, $metadata: { httpStatusCode: 200 } });
    expect(new TextDecoder().decode(read.Content)).toBe('héllo');
  });

  it('a deployment tells state, times as dates, strategy and version', async () => {
    const own = await subject(on);
    const slow = await strategy(on, { minutes: 10, growthFactor: 50 });
    const version = await store(own, someFlags());
    const started = await on.control.send(
      new StartDeploymentCommand({
        ...own.inEnvironment,
        ConfigurationProfileId: own.ids.profile,
        ConfigurationVersion: String(version),
        DeploymentStrategyId: slow,
        Description: 'go',
      }),
    );
    expect(started).toMatchObject({
      DeploymentNumber: 1,
      State: 'DEPLOYING',
      ConfigurationName: 'flags',
      ConfigurationVersion: '1',
      DeploymentStrategyId: slow,
      DeploymentDurationInMinutes: 10,
      Description: 'go',
      StartedAt: new Date(START_MS),
      $metadata: { httpStatusCode: 201 },
    });
    on.clock.nowMs += 10 * MINUTE_MS;
    const done = await on.control.send(new GetDeploymentCommand({ ...own.inEnvironment, DeploymentNumber: 1 }));
    expect(done).toMatchObject({ State: 'COMPLETE', PercentageComplete: 100, CompletedAt: new Date(on.clock.nowMs) });
    expect(done.EventLog?.map((event) => event.EventType)).toEqual(['DEPLOYMENT_COMPLETED', 'DEPLOYMENT_STARTED']);
  });

  it('lists come in pages, deployments and versions newest first', async () => {
    const own = await subject(on);
    for (const version of [1, 2, 3]) await deploy(own, await store(own, someFlags({ version })));
    const first = await on.control.send(new ListDeploymentsCommand({ ...own.inEnvironment, MaxResults: 2 }));
    expect(first.Items?.map((item) => item.DeploymentNumber)).toEqual([3, 2]);
    const rest = await on.control.send(
      new ListDeploymentsCommand({ ...own.inEnvironment, MaxResults: 2, NextToken: first.NextToken }),
    );
    expect(rest.Items?.map((item) => item.DeploymentNumber)).toEqual([1]);
    expect(rest.NextToken).toBeUndefined();
    const versions = await on.control.send(new ListHostedConfigurationVersionsCommand(own.inProfile));
    expect(versions.Items?.map((item) => item.VersionNumber)).toEqual([3, 2, 1]);
  });

  it('provisioning twice finds what the first one made', async () => {
    expect(await provisionAppConfig(on.control)).toEqual(await provisionAppConfig(on.control));
    const { Items } = await on.control.send(new ListApplicationsCommand({}));
    expect(Items?.map((item) => item.Name)).toEqual(['crossfade']);
  });

  it('what is deleted is gone, and what still holds something cannot be', async () => {
    const own = await subject(on);
    const { control, inEnvironment, inProfile } = own;
    const application = { ApplicationId: inEnvironment.ApplicationId };
    const version = await store(own, someFlags());
    await expect(control.send(new DeleteApplicationCommand(application))).rejects.toMatchObject({
      name: 'BadRequestException',
    });
    await expect(control.send(new DeleteConfigurationProfileCommand(inProfile))).rejects.toMatchObject({
      name: 'ConflictException',
    });
    await control.send(new DeleteHostedConfigurationVersionCommand({ ...inProfile, VersionNumber: version }));
    await expect(
      control.send(new GetHostedConfigurationVersionCommand({ ...inProfile, VersionNumber: version })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await control.send(new DeleteConfigurationProfileCommand(inProfile));
    await control.send(new DeleteEnvironmentCommand(inEnvironment));
    await control.send(new DeleteApplicationCommand(application));
    expect((await control.send(new ListApplicationsCommand({}))).Items).toEqual([]);
  });

  it('a number of a deleted version is never given again', async () => {
    const own = await subject(on);
    for (const version of [1, 2]) await store(own, someFlags({ version }));
    await on.control.send(new DeleteHostedConfigurationVersionCommand({ ...own.inProfile, VersionNumber: 2 }));
    expect(await store(own, someFlags({ version: 3 }))).toBe(3);
  });
});

describe('errors carry their name, status and details', () => {
  it('402 for each quota', async () => {
    const { control, ids } = await subject(on);
    const at = { ApplicationId: ids.application };
    const quota = { name: 'ServiceQuotaExceededException', $metadata: { httpStatusCode: 402 } };
    await control.send(new CreateApplicationCommand({ Name: 'second' }));
    await expect(control.send(new CreateApplicationCommand({ Name: 'third' }))).rejects.toMatchObject(quota);
    await control.send(new CreateEnvironmentCommand({ ...at, Name: 'second' }));
    await expect(control.send(new CreateEnvironmentCommand({ ...at, Name: 'third' }))).rejects.toMatchObject(quota);
    await control.send(new CreateConfigurationProfileCommand({ ...at, ...FREEFORM, Name: 'second' }));
    await expect(
      control.send(new CreateConfigurationProfileCommand({ ...at, ...FREEFORM, Name: 'third' })),
    ).rejects.toMatchObject(quota);
    for (const minutes of [1, 2]) await strategy(on, { minutes });
    await expect(strategy(on, { minutes: 3 })).rejects.toMatchObject(quota);
  });

  it('413 with measure, limit and size', async () => {
    const own = await subject(on);
    const profile = await on.control.send(
      new CreateConfigurationProfileCommand({ ApplicationId: own.ids.application, Name: 'text', ...FREEFORM }),
    );
    const create = new CreateHostedConfigurationVersionCommand({
      ApplicationId: own.ids.application,
      ConfigurationProfileId: profile.Id,
      Content: bytes('x'.repeat(4_096)),
      ContentType: 'text/plain',
    });
    await expect(on.control.send(create)).rejects.toMatchObject({
      name: 'PayloadTooLargeException',
      Measure: 'KILOBYTES',
      Limit: 2,
      Size: 4,
      $metadata: { httpStatusCode: 413 },
    });
  });

  it('404 for what does not exist, 400 for what cannot be', async () => {
    const own = await subject(on);
    await expect(on.control.send(new GetApplicationCommand({ ApplicationId: 'nothing' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      ResourceName: 'nothing',
      $metadata: { httpStatusCode: 404 },
    });
    await expect(deploy(own, 9)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(strategy(on, { minutes: 2_000 })).rejects.toMatchObject({ name: 'BadRequestException' });
    const nameless = new CreateDeploymentStrategyCommand({
      Name: '',
      DeploymentDurationInMinutes: 0,
      GrowthFactor: 100,
    });
    await expect(on.control.send(nameless)).rejects.toMatchObject({ name: 'BadRequestException' });
  });
});

describe('conflicts', () => {
  const conflict = { name: 'ConflictException', $metadata: { httpStatusCode: 409 } };

  it('one running deployment per environment, of whichever profile', async () => {
    const own = await subject(on);
    const version = await store(own, someFlags());
    await blockWithOther(own);
    await expect(deploy(own, version)).rejects.toMatchObject(conflict);
  });

  it('a version on a number that is not the latest', async () => {
    const own = await subject(on);
    await store(own, someFlags());
    const locked = (LatestVersionNumber: number) =>
      on.control.send(
        new CreateHostedConfigurationVersionCommand({
          ...own.inProfile,
          LatestVersionNumber,
          ContentType: 'application/json',
          Content: bytes('{"version":"1","flags":{},"values":{}}'),
        }),
      );
    await expect(locked(2)).rejects.toMatchObject(conflict);
    expect((await locked(1)).VersionNumber).toBe(2);
    await expect(locked(1)).rejects.toMatchObject(conflict);
  });

  it('a deployment on a number that is not the latest', async () => {
    const own = await subject(on);
    const version = await store(own, someFlags());
    await deploy(own, version);
    await expect(deploy(own, version, { latest: 0 })).rejects.toMatchObject(conflict);
    expect(await deploy(own, version, { latest: 1 })).toBe(2);
  });
});
