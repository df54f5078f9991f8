/**
 * The AppConfig calls that publishing needs, each with its own deadline, each answering with a value or a failure.
 * `Allow-Revert` is never sent: a revert restores whatever was deployed before, which may be what must go.
 */

import {
  type AppConfigClient,
  CreateHostedConfigurationVersionCommand,
  DeleteHostedConfigurationVersionCommand,
  type DeploymentSummary,
  GetDeploymentCommand,
  GetHostedConfigurationVersionCommand,
  ListDeploymentsCommand,
  ListHostedConfigurationVersionsCommand,
  StartDeploymentCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-appconfig';
import { type Failure, failureOf } from './failures.ts';

export type Target = {
  client: AppConfigClient;
  /** Ids, not names. */
  application: string;
  environment: string;
  profile: string;
  strategy: string;
  requestTimeoutMs: number;
  /** What is left of the caller's deadline; no call lives longer. */
  timeLeftMs?: () => number;
};

type Answer<T> = { ok: true; value: T } | { ok: false; failure: Failure };

/** `ours`: of the profile of the flags, and not of another one in the same environment. */
export type Deployment = { number: number; ours: boolean; version: number; state: string };

const RUNNING = new Set(['DEPLOYING', 'VALIDATING', 'BAKING', 'ROLLING_BACK']);
export const isRunning = (deployment: Deployment) => RUNNING.has(deployment.state);

const PAGE = 50;
const MOST_PAGES = 10;

export type Calls = ReturnType<typeof appConfigCalls>;

export function appConfigCalls(target: Target) {
  const limits = () => {
    const leftMs = Math.min(target.requestTimeoutMs, target.timeLeftMs?.() ?? Number.POSITIVE_INFINITY);
    return { abortSignal: AbortSignal.timeout(Math.max(1, Math.ceil(leftMs))) };
  };
  return { ...deploymentCalls(target, limits), ...versionCalls(target, limits) };
}

type Limits = () => { abortSignal: AbortSignal };

function deploymentCalls(target: Target, limits: Limits) {
  const { client } = target;
  const inEnvironment = { ApplicationId: target.application, EnvironmentId: target.environment };
  return {
    /** Newest first, at most one page. */
    newestDeployments: () =>
      answered(async () => {
        const { Items } = await client.send(
          new ListDeploymentsCommand({ ...inEnvironment, MaxResults: PAGE }),
          limits(),
        );
        return (Items ?? []).map((item) => deploymentOf(item, target.profile)).sort((a, b) => b.number - a.number);
      }),

    deploymentState: (number: number) =>
      answered(async () => {
        const found = await client.send(
          new GetDeploymentCommand({ ...inEnvironment, DeploymentNumber: number }),
          limits(),
        );
        return found.State ?? 'UNKNOWN';
      }),

    /** `after` is the lock: the newest deployment that the caller has seen, 0 when none. */
    start: (version: number, after: number) =>
      answered(async () => {
        const started = await client.send(
          new StartDeploymentCommand({
            ...inEnvironment,
            ConfigurationProfileId: target.profile,
            ConfigurationVersion: String(version),
            DeploymentStrategyId: target.strategy,
            ...(after > 0 ? { LatestDeploymentNumber: after } : {}),
          }),
          limits(),
        );
        return started.DeploymentNumber ?? 0;
      }),

    stop: (number: number) =>
      answered(async () => {
        await client.send(new StopDeploymentCommand({ ...inEnvironment, DeploymentNumber: number }), limits());
      }),
  };
}

function versionCalls(target: Target, limits: Limits) {
  const { client } = target;
  const inProfile = { ApplicationId: target.application, ConfigurationProfileId: target.profile };
  return {
    /** `after` is the lock: the newest version that the caller has seen. The service has no lock for the first one. */
    store: (content: string, after: number) =>
      answered(async () => {
        const stored = await client.send(
          new CreateHostedConfigurationVersionCommand({
            ...inProfile,
            Content: new TextEncoder().encode(content),
            ContentType: 'application/json',
            ...(after > 0 ? { LatestVersionNumber: after } : {}),
          }),
          limits(),
        );
        return stored.VersionNumber ?? 0;
      }),

    content: (version: number) =>
      answered(async () => {
        const found = await client.send(
          new GetHostedConfigurationVersionCommand({ ...inProfile, VersionNumber: version }),
          limits(),
        );
        return found.Content ? new TextDecoder().decode(found.Content) : '';
      }),

    /** Numbers of all stored versions, newest first. The order of the service is not documented. */
    versions: () =>
      answered(async () => {
        const numbers: number[] = [];
        let NextToken: string | undefined;
        for (let page = 0; page < MOST_PAGES; page += 1) {
          const found = await client.send(
            new ListHostedConfigurationVersionsCommand({ ...inProfile, MaxResults: PAGE, NextToken }),
            limits(),
          );
          numbers.push(...(found.Items ?? []).map((item) => item.VersionNumber ?? 0));
          NextToken = found.NextToken;
          if (!NextToken) break;
        }
        return numbers.sort((a, b) => b - a);
      }),

    deleteVersion: (version: number) =>
      answered(async () => {
        await client.send(
          new DeleteHostedConfigurationVersionCommand({ ...inProfile, VersionNumber: version }),
          limits(),
        );
      }),
  };
}

async function answered<T>(call: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

function deploymentOf(item: DeploymentSummary, profile: string): Deployment {
  return {
    number: item.DeploymentNumber ?? 0,
    ours: item.ConfigurationProfileId === profile,
    version: Number(item.ConfigurationVersion),
    state: item.State ?? 'UNKNOWN',
  };
}
