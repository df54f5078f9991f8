/**
 * Deployments of one environment: how far one is at a moment, who may start or stop one, and what a reader gets.
 *
 *   start ──duration── 100 % ──bake── COMPLETE ──Allow-Revert, ≤ 72 h──→ REVERTED
 *     └── stop, alarm ──→ ROLLED_BACK
 *
 * A stopped or reverted deployment is passed over, so readers get the one before it. That is what AWS documents, and
 * why a stop alone is never a safe answer.
 */

import { MINUTE_MS } from '../../../lib/core/base/units.ts';
import type { Faults } from './faults.ts';
import { badRequest, conflict, notFound } from './service-error.ts';
import type { Deployment, Environment, HostedVersion, Profile, Strategy } from './store.ts';

const REVERT_WITHIN_MS = 72 * 60 * MINUTE_MS;

export type Phase = { state: 'DEPLOYING' | 'BAKING' | 'ROLLED_BACK' | 'REVERTED' | 'COMPLETE'; percentage: number };

export type DeploymentRules = {
  /** How long the service takes where the strategy says 0 minutes. */
  settleMs: number;
  /** Documented: only DEPLOYING can be stopped without Allow-Revert. */
  stopsBaking: boolean;
};

// ------------------------------------------------------------------------------------------------------- progress

export function phaseOf(deployment: Deployment, nowMs: number, rules: DeploymentRules, stuck: boolean): Phase {
  if (deployment.outcome) return { state: deployment.outcome, percentage: deployment.outcome === 'COMPLETE' ? 100 : 0 };
  if (stuck) return { state: 'DEPLOYING', percentage: 0 };
  const deployMs = deployMsOf(deployment, rules);
  const elapsedMs = nowMs - deployment.startedAtMs;
  if (elapsedMs < deployMs) return { state: 'DEPLOYING', percentage: grown(deployment.strategy, elapsedMs) };
  return { state: 'BAKING', percentage: 100 };
}

const deployMsOf = (deployment: Deployment, rules: DeploymentRules) =>
  Math.max(deployment.strategy.durationMinutes * MINUTE_MS, rules.settleMs);

/** LINEAR: equal steps of `growthFactor` %. EXPONENTIAL: growthFactor · 2ⁿ after n of its steps. */
function grown(strategy: Strategy, elapsedMs: number): number {
  const totalMs = strategy.durationMinutes * MINUTE_MS;
  if (totalMs === 0) return 0;
  const { growthFactor } = strategy;
  const steps =
    strategy.growthType === 'LINEAR' ? Math.ceil(100 / growthFactor) : Math.ceil(Math.log2(100 / growthFactor)) + 1;
  const step = Math.floor((elapsedMs / totalMs) * steps);
  return Math.min(100, strategy.growthType === 'LINEAR' ? growthFactor * (step + 1) : growthFactor * 2 ** step);
}

/** Ends what has ended by now. Called before every request, so no timer is needed. */
export function settle(
  environment: Environment,
  nowMs: number,
  faults: Readonly<Faults>,
  rules: DeploymentRules,
): void {
  for (const deployment of environment.deployments) {
    if (deployment.outcome) continue;
    const endsAtMs =
      deployment.startedAtMs + deployMsOf(deployment, rules) + deployment.strategy.bakeMinutes * MINUTE_MS;
    if (faults.alarm)
      end(deployment, 'ROLLED_BACK', nowMs, { type: 'ROLLBACK_COMPLETED', triggeredBy: 'CLOUDWATCH_ALARM' });
    else if (!faults.stuckDeploying && nowMs >= endsAtMs)
      end(deployment, 'COMPLETE', nowMs, { type: 'DEPLOYMENT_COMPLETED', triggeredBy: 'APPCONFIG' });
  }
}

function end(
  deployment: Deployment,
  outcome: NonNullable<Deployment['outcome']>,
  nowMs: number,
  event: { type: string; triggeredBy: string },
): void {
  deployment.outcome = outcome;
  deployment.completedAtMs = nowMs;
  deployment.events.unshift({ ...event, description: `Now ${outcome}`, atMs: nowMs });
}

export const runningOf = (environment: Environment) => environment.deployments.find(({ outcome }) => !outcome);

// --------------------------------------------------------------------------------------------------- start and stop

export function startDeployment(
  environment: Environment,
  request: {
    profile: Profile;
    version: HostedVersion;
    strategy: Strategy;
    description: string | null;
    latestNumber: number | null;
    nowMs: number;
  },
): Deployment {
  const latest = environment.deployments.at(-1)?.number ?? 0;
  const running = runningOf(environment);
  if (running)
    throw conflict(
      `Deployment ${running.number} of environment '${environment.name}' is still running: one at a time.`,
    );
  if (request.latestNumber !== null && request.latestNumber !== latest)
    throw conflict(`The latest deployment is number ${latest}, not ${request.latestNumber}.`);
  const deployment: Deployment = {
    number: latest + 1,
    profileId: request.profile.id,
    profileName: request.profile.name,
    version: request.version,
    strategy: request.strategy,
    description: request.description,
    startedAtMs: request.nowMs,
    outcome: null,
    completedAtMs: null,
    events: [
      { type: 'DEPLOYMENT_STARTED', triggeredBy: 'USER', description: 'Deployment started', atMs: request.nowMs },
    ],
  };
  environment.deployments.push(deployment);
  return deployment;
}

export function stopDeployment(
  deployment: Deployment,
  request: { allowRevert: boolean; nowMs: number; rules: DeploymentRules; stuck: boolean },
): void {
  const { state } = phaseOf(deployment, request.nowMs, request.rules, request.stuck);
  const stoppable = state === 'DEPLOYING' || (state === 'BAKING' && (request.allowRevert || request.rules.stopsBaking));
  if (stoppable) {
    end(deployment, 'ROLLED_BACK', request.nowMs, { type: 'ROLLBACK_COMPLETED', triggeredBy: 'USER' });
    return;
  }
  if (state !== 'COMPLETE' || !request.allowRevert)
    throw badRequest(`Deployment ${deployment.number} is ${state} and cannot be stopped.`);
  if (request.nowMs - deployment.completedAtMs! > REVERT_WITHIN_MS)
    throw badRequest(`Deployment ${deployment.number} was completed more than 72 hours ago and cannot be reverted.`);
  end(deployment, 'REVERTED', request.nowMs, { type: 'REVERT_COMPLETED', triggeredBy: 'USER' });
}

export function deploymentOf(environment: Environment, number: string): Deployment {
  const deployment = environment.deployments.find((one) => String(one.number) === number);
  if (!deployment) throw notFound('Deployment', number);
  return deployment;
}

/** State of the environment itself, which follows its newest deployment. */
export function environmentState(environment: Environment): string {
  const newest = environment.deployments.at(-1);
  if (!newest || newest.outcome === 'COMPLETE') return 'READY_FOR_DEPLOYMENT';
  return newest.outcome ?? 'DEPLOYING';
}

// -------------------------------------------------------------------------------------------------------- readers

/** Whom the content is for: a share of readers, and how much later than others this one sees a change. */
export type Reader = { bucket: number; delayMs: number; ignoreStartedAfterMs: number };

/** The version this reader gets, or null when nothing was ever deployed for it. */
export function servedVersion(
  environment: Environment,
  profile: Profile,
  reader: Reader,
  at: { nowMs: number; faults: Readonly<Faults>; rules: DeploymentRules },
): HostedVersion | null {
  const reached = environment.deployments.filter(
    (one) =>
      one.profileId === profile.id &&
      one.startedAtMs <= reader.ignoreStartedAfterMs &&
      one.startedAtMs + reader.delayMs <= at.nowMs &&
      phaseOf(one, at.nowMs, at.rules, at.faults.stuckDeploying).percentage > reader.bucket,
  );
  const newest = at.faults.content === 'older' ? (reached.at(-2) ?? reached.at(-1)) : reached.at(-1);
  return newest?.version ?? null;
}
