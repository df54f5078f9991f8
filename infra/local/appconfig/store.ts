/**
 * Everything the emulator remembers: applications with their environments, profiles and versions, strategies, sessions.
 * In memory; gone when the server stops. What is served to readers follows from the deployments, see `deployments.ts`.
 */

import { randomUUID } from 'node:crypto';
import { notFound } from './service-error.ts';

export type Quotas = {
  applications: number;
  strategies: number;
  profiles: number;
  environments: number;
  versionBytes: number;
};

const DEFAULT_QUOTAS: Quotas = {
  applications: 100,
  strategies: 20,
  profiles: 100,
  environments: 20,
  versionBytes: 1_048_576,
};

export type HostedVersion = {
  number: number;
  content: Buffer;
  contentType: string;
  description: string | null;
  label: string | null;
};

export type Profile = {
  id: string;
  name: string;
  description: string | null;
  locationUri: string;
  type: string;
  validators: readonly unknown[];
  /** Ascending by number; numbers are never used twice. */
  versions: HostedVersion[];
  lastNumber: number;
};

export type Strategy = {
  id: string;
  name: string;
  description: string | null;
  durationMinutes: number;
  growthType: 'LINEAR' | 'EXPONENTIAL';
  growthFactor: number;
  bakeMinutes: number;
  replicateTo: string;
};

type Outcome = 'COMPLETE' | 'ROLLED_BACK' | 'REVERTED';

export type Deployment = {
  number: number;
  profileId: string;
  profileName: string;
  /** A copy: the version may be deleted while it is deployed. */
  version: HostedVersion;
  strategy: Strategy;
  description: string | null;
  startedAtMs: number;
  /** Null while it runs. */
  outcome: Outcome | null;
  completedAtMs: number | null;
  events: { type: string; triggeredBy: string; description: string; atMs: number }[];
};

export type Environment = {
  id: string;
  name: string;
  description: string | null;
  /** Ascending by number. */
  deployments: Deployment[];
};

export type Application = {
  id: string;
  name: string;
  description: string | null;
  environments: Environment[];
  profiles: Profile[];
};

export type Session = {
  application: Application;
  environment: Environment;
  profile: Profile;
  /** 0–99: whether a deployment at n % has reached this reader. */
  bucket: number;
  pollSeconds: number;
  /** What was delivered last, to say "unchanged". */
  delivered: HostedVersion | null;
};

/** A token works once, for a day, and not before its time. */
export type Token = { session: Session; createdAtMs: number; notBeforeMs: number; used: boolean };

export type Store = {
  applications: Application[];
  strategies: Strategy[];
  tokens: Map<string, Token>;
  quotas: Quotas;
};

export function emptyStore(quotas: Partial<Quotas> = {}): Store {
  return { applications: [], strategies: [], tokens: new Map(), quotas: { ...DEFAULT_QUOTAS, ...quotas } };
}

/** Seven lower-case letters and digits. */
export const newId = () => randomUUID().replaceAll('-', '').slice(0, 7);

/** Strategies that exist in every account and cannot be deleted. */
export const PREDEFINED_STRATEGIES: readonly Strategy[] = [
  predefined('AppConfig.AllAtOnce', [0, 10], 'LINEAR', 100),
  predefined('AppConfig.Linear50PercentEvery30Seconds', [1, 1], 'LINEAR', 50),
  predefined('AppConfig.Linear20PercentEvery6Minutes', [30, 30], 'LINEAR', 20),
  predefined('AppConfig.Canary10Percent20Minutes', [20, 10], 'EXPONENTIAL', 10),
];

function predefined(
  id: string,
  [durationMinutes, bakeMinutes]: [durationMinutes: number, bakeMinutes: number],
  growthType: Strategy['growthType'],
  growthFactor: number,
): Strategy {
  const description = null;
  return { id, name: id, description, durationMinutes, growthType, growthFactor, bakeMinutes, replicateTo: 'NONE' };
}

// --------------------------------------------------------------------------------------------------------- look-up

export const applicationOf = (store: Store, id: string) => byId(store.applications, id, 'Application');
export const environmentOf = (application: Application, id: string) =>
  byId(application.environments, id, 'Environment');
export const profileOf = (application: Application, id: string) =>
  byId(application.profiles, id, 'Configuration Profile');
export const strategyOf = (store: Store, id: string) =>
  byId([...store.strategies, ...PREDEFINED_STRATEGIES], id, 'Deployment Strategy');

function byId<T extends { id: string }>(items: readonly T[], id: string, kind: string): T {
  const item = items.find((candidate) => candidate.id === id);
  if (!item) throw notFound(kind, id);
  return item;
}

/** Readers may say a name where the control plane takes ids only. */
export function placeOf(store: Store, application: string, environment: string, profile: string) {
  const app = named(store.applications, application, 'Application');
  return {
    application: app,
    environment: named(app.environments, environment, 'Environment'),
    profile: named(app.profiles, profile, 'Configuration Profile'),
  };
}

function named<T extends { id: string; name: string }>(items: readonly T[], wanted: string, kind: string): T {
  const item = items.find(({ id }) => id === wanted) ?? items.find(({ name }) => name === wanted);
  if (!item) throw notFound(kind, wanted);
  return item;
}
