/** What the control plane shows of its things: the fields and names of the service. */

import { type DeploymentRules, environmentState, phaseOf } from './deployments.ts';
import type { Faults } from './faults.ts';
import type { Place } from './http.ts';
import type { Application, Deployment, Environment, Profile, Strategy } from './store.ts';

/** How far a deployment is depends on the moment, the rules and what was switched on. */
export type ViewedAt = { nowMs: number; faults: Readonly<Faults>; rules: DeploymentRules };

const described = (one: { description: string | null }) =>
  one.description === null ? {} : { Description: one.description };

export const applicationView = (one: Application) => ({ Id: one.id, Name: one.name, ...described(one) });

export const environmentView = (application: Application, one: Environment) => ({
  ApplicationId: application.id,
  Id: one.id,
  Name: one.name,
  ...described(one),
  State: environmentState(one),
  Monitors: [],
});

export const profileView = (application: Application, one: Profile) => ({
  ApplicationId: application.id,
  Id: one.id,
  Name: one.name,
  ...described(one),
  LocationUri: one.locationUri,
  Type: one.type,
  Validators: one.validators,
});

export const strategyView = (one: Strategy) => ({
  Id: one.id,
  Name: one.name,
  ...described(one),
  ...timesOf(one),
  ReplicateTo: one.replicateTo,
});

const timesOf = (one: Strategy) => ({
  DeploymentDurationInMinutes: one.durationMinutes,
  GrowthType: one.growthType,
  GrowthFactor: one.growthFactor,
  FinalBakeTimeInMinutes: one.bakeMinutes,
});

const isoOf = (atMs: number) => new Date(atMs).toISOString();

export function deploymentSummary(at: ViewedAt, one: Deployment) {
  const phase = phaseOf(one, at.nowMs, at.rules, at.faults.stuckDeploying);
  return {
    DeploymentNumber: one.number,
    ConfigurationProfileId: one.profileId,
    ConfigurationName: one.profileName,
    ConfigurationVersion: String(one.version.number),
    ...(one.version.label === null ? {} : { VersionLabel: one.version.label }),
    ...timesOf(one.strategy),
    State: phase.state,
    PercentageComplete: phase.percentage,
    StartedAt: isoOf(one.startedAtMs),
    ...(one.completedAtMs === null ? {} : { CompletedAt: isoOf(one.completedAtMs) }),
    Type: 'USER',
  };
}

export function deploymentView(at: ViewedAt, place: Place, one: Deployment) {
  const { Type: _only, ...summary } = deploymentSummary(at, one);
  return {
    ApplicationId: place.A,
    EnvironmentId: place.E,
    DeploymentStrategyId: one.strategy.id,
    ConfigurationLocationUri: 'hosted',
    ...described(one),
    ...summary,
    EventLog: one.events.map((event) => ({
      EventType: event.type,
      TriggeredBy: event.triggeredBy,
      Description: event.description,
      OccurredAt: isoOf(event.atMs),
    })),
  };
}
