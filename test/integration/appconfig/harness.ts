/** An emulator with its own clock, real SDK clients on it, and what the contract suite asks of a publisher. */

import {
  AppConfigClient,
  CreateConfigurationProfileCommand,
  CreateDeploymentStrategyCommand,
  CreateHostedConfigurationVersionCommand,
  StartDeploymentCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-appconfig';
import { AppConfigDataClient } from '@aws-sdk/client-appconfigdata';
import { type AppConfigIds, provisionAppConfig } from '../../../infra/local/appconfig/provision.ts';
import { type AppConfigOptions, type LocalAppConfig, startAppConfig } from '../../../infra/local/appconfig/server.ts';
import { storedFlags } from '../../../lib/adapters/appconfig/document.ts';
import { appConfigPublisher } from '../../../lib/adapters/appconfig/publisher.ts';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import type { FlagPublisher } from '../../../lib/ports/flags.ts';
import { parseFlagText } from '../../../lib/schemas/flags.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

export const START_MS = Date.UTC(2026, 0, 15, 12);
export const MINUTE_MS = 60_000;

/** Stands still until somebody sleeps or moves it. */
export type TestClock = { nowMs: number; now(): number; monotonicMs(): number; sleep(ms: number): Promise<void> };

export function testClock(): TestClock {
  const clock: TestClock = {
    nowMs: START_MS,
    now: () => clock.nowMs,
    monotonicMs: () => clock.nowMs,
    sleep: async (ms) => {
      clock.nowMs += ms;
    },
  };
  return clock;
}

const LOCAL = {
  region: 'local',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
};

export type Stage = {
  clock: TestClock;
  server: LocalAppConfig;
  /** One attempt per call, so that each fault is seen. */
  control: AppConfigClient;
  data: AppConfigDataClient;
  stop(): Promise<void>;
};

export async function stage(options: AppConfigOptions = {}): Promise<Stage> {
  const clock = testClock();
  const server = await startAppConfig({ clock: clock.now, ...options });
  const control = new AppConfigClient({ ...LOCAL, endpoint: server.url, maxAttempts: 1 });
  const data = new AppConfigDataClient({ ...LOCAL, endpoint: server.url, maxAttempts: 1 });
  return {
    clock,
    server,
    control,
    data,
    async stop() {
      control.destroy();
      data.destroy();
      await server.stop();
    },
  };
}

export type Subject = Stage & {
  ids: AppConfigIds;
  /** Of the application. */
  inEnvironment: { ApplicationId: string; EnvironmentId: string };
  inProfile: { ApplicationId: string; ConfigurationProfileId: string };
  publisher: FlagPublisher;
};

/** Application, environment, profile and strategy of their own, on a shared emulator or one of their own. */
export async function subject(on: Stage, client: AppConfigClient = on.control): Promise<Subject> {
  const ids = await provisionAppConfig(on.control);
  return {
    ...on,
    ids,
    inEnvironment: { ApplicationId: ids.application, EnvironmentId: ids.environment },
    inProfile: { ApplicationId: ids.application, ConfigurationProfileId: ids.profile },
    publisher: appConfigPublisher({ client, ...ids, clock: on.clock, requestTimeoutMs: 2_000 }),
  };
}

/** What the agent gives to a reader that asks now; null while nothing is deployed. */
export async function servedBy({ server }: Stage): Promise<FlagDocument | null> {
  const response = await fetch(`${server.agentUrl}/applications/crossfade/environments/local/configurations/flags`);
  if (response.status === 404) return null;
  return parseFlagText(await response.text());
}

export async function store({ control, inProfile }: Subject, content: string | FlagDocument): Promise<number> {
  const stored = await control.send(
    new CreateHostedConfigurationVersionCommand({
      ...inProfile,
      ContentType: 'application/json',
      Content: new TextEncoder().encode(typeof content === 'string' ? content : storedFlags(content)),
    }),
  );
  return stored.VersionNumber!;
}

export async function strategy(
  { control }: Stage,
  times: { minutes: number; bakeMinutes?: number; growthFactor?: number; growthType?: 'LINEAR' | 'EXPONENTIAL' },
): Promise<string> {
  const made = await control.send(
    new CreateDeploymentStrategyCommand({
      Name: `s-${times.minutes}-${times.bakeMinutes ?? 0}`,
      DeploymentDurationInMinutes: times.minutes,
      FinalBakeTimeInMinutes: times.bakeMinutes ?? 0,
      GrowthFactor: times.growthFactor ?? 100,
      GrowthType: times.growthType ?? 'LINEAR',
    }),
  );
  return made.Id!;
}

export async function deploy(
  { control, inEnvironment, ids }: Subject,
  version: number,
  options: { strategyId?: string; profile?: string; latest?: number } = {},
): Promise<number> {
  const started = await control.send(
    new StartDeploymentCommand({
      ...inEnvironment,
      ConfigurationProfileId: options.profile ?? ids.profile,
      ConfigurationVersion: String(version),
      DeploymentStrategyId: options.strategyId ?? ids.strategy,
      ...(options.latest === undefined ? {} : { LatestDeploymentNumber: options.latest }),
    }),
  );
  return started.DeploymentNumber!;
}

/** A deployment of another profile in the same environment that takes half an hour. */
export async function blockWithOther(on: Subject): Promise<number> {
  const { control, inEnvironment } = on;
  const other = await control.send(
    new CreateConfigurationProfileCommand({
      ApplicationId: inEnvironment.ApplicationId,
      Name: 'other',
      LocationUri: 'hosted',
      Type: 'AWS.Freeform',
    }),
  );
  const stored = await control.send(
    new CreateHostedConfigurationVersionCommand({
      ApplicationId: inEnvironment.ApplicationId,
      ConfigurationProfileId: other.Id,
      ContentType: 'text/plain',
      Content: new TextEncoder().encode('hello'),
    }),
  );
  const slow = 'AppConfig.Linear20PercentEvery6Minutes';
  return deploy(on, stored.VersionNumber!, { profile: other.Id, strategyId: slow });
}

export async function stopDeployment(
  { control, inEnvironment }: Subject,
  number: number,
  allowRevert?: boolean,
): Promise<void> {
  await control.send(
    new StopDeploymentCommand({ ...inEnvironment, DeploymentNumber: number, AllowRevert: allowRevert }),
  );
}
