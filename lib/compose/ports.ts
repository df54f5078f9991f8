/**
 * Configuration → real ports, for functions beside the database: what they have no way to is not even in their packages. Each
 * adapter is imported when it is first used: a stop needs no Postgres, and a routing decision needs no AWS client at all.
 */

import { powertoolsLog } from '../adapters/powertools/log.ts';
import { cloudWatchMetrics } from '../adapters/powertools/metrics.ts';
import { environment, random, realNow, systemClock, systemIds } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import type { CutoverDeclaration } from '../core/cutover/cutover.ts';
import { unknownConnections } from '../core/cutover/remote-shadow.ts';
import { declaredAddresses } from '../core/cutover/write-target.ts';
import { type NetworkProfile, refusedUpstream } from '../core/net/upstream.ts';
import type { ForwardStore } from '../ports/forwards.ts';
import type { Ports, TablePorts } from '../ports/ports.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { Router } from '../routing/service.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { invocation } from './invocation.ts';
import { TABLE_PORTS } from './table-ports.ts';

export type Composition = {
  ports: Ports;
  cutovers(): Promise<readonly CutoverDeclaration[]>;
  router(): Promise<Router>;
  upstream(): Promise<Upstream>;
  realNow(): number;
};

const FORWARD_STORE = ['intents', 'forwards', 'attempts'] as const satisfies readonly (keyof ForwardStore)[];

export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function compose(variables = environment(), env = readEnvironment(variables)): Composition {
  const clock = systemClock({ speed: env.CROSSFADE_CLOCK_SPEED, originMs: env.CROSSFADE_CLOCK_ORIGIN_MS });
  const ids = systemIds();
  const metrics = cloudWatchMetrics();
  const failed = () => metrics.record('Failures', 1);
  const log = powertoolsLog({ level: env.CROSSFADE_LOG_LEVEL, invocation, failed });
  const dynamo = once(() => dynamoOf(env));
  const cutovers = once(() => declaredCutovers(env));
  const ports: Ports = {
    clock,
    ids,
    log,
    metrics,
    state: lazily(async () => {
      const { dynamoStateStore } = await import('../adapters/dynamodb/state-store.ts');
      return dynamoStateStore({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, clock, ids, random });
    }),
    verdicts: lazily(async () => {
      const { dynamoVerdictStore } = await import('../adapters/dynamodb/verdict-store.ts');
      return dynamoVerdictStore({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, clock, random });
    }),
    windows: lazily(async () => {
      const { dynamoWindowStore } = await import('../adapters/dynamodb/window-store.ts');
      const retentionDays = env.CROSSFADE_METRICS_RETENTION_DAYS;
      return dynamoWindowStore({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, clock, retentionDays });
    }),
    customMetrics: lazily(async () => {
      const { dynamoCustomMetrics } = await import('../adapters/dynamodb/custom-metric-store.ts');
      return dynamoCustomMetrics({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE });
    }),
    wakeUps: lazily(async () => {
      const { dynamoWakeUps } = await import('../adapters/dynamodb/wake-ups.ts');
      return dynamoWakeUps({ client: await dynamo(), tableName: env.CROSSFADE_CHANGES_TABLE });
    }),
    ...eachLazily(FORWARD_STORE, async () => {
      const { dynamoForwardStore } = await import('../adapters/dynamodb/forwards/store.ts');
      return dynamoForwardStore({ client: await dynamo(), tableName: env.CROSSFADE_CHANGES_TABLE, realNow });
    }),
    deliver: notFromHere,
    realNow,
    alerts: lazily(async () => {
      const { dynamoAlertStore } = await import('../adapters/dynamodb/alert-store.ts');
      return dynamoAlertStore({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, ids });
    }),
    criteria: lazily(async () => {
      const { askedCriteria } = await import('../adapters/dynamodb/criteria-requests.ts');
      return askedCriteria({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, clock, ids, realNow });
    }),
    experiments: lazily(async () => {
      const { dynamoExperimentStore } = await import('../adapters/dynamodb/experiment-store.ts');
      return dynamoExperimentStore({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE });
    }),
    flags: lazily(async () => {
      const { askedFlags } = await import('../adapters/dynamodb/asked-flags.ts');
      return askedFlags({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE, clock, ids, realNow });
    }),
    sightings: lazily(async () => {
      const { flagSightings } = await import('../adapters/dynamodb/asked-flags.ts');
      return flagSightings({ client: await dynamo(), tableName: env.CROSSFADE_STATE_TABLE });
    }),
    ...eachLazily(TABLE_PORTS, () => tablePorts(env, { clock, log, metrics }, cutovers)),
  };
  return {
    ports,
    cutovers,
    realNow,
    router: notFromHere,
    upstream: notFromHere,
  };
}

export async function dynamoOf({ AWS_REGION: region, CROSSFADE_DYNAMODB_ENDPOINT: endpoint }: Environment) {
  const { dynamoClient } = await import('../adapters/dynamodb/client.ts');
  return dynamoClient({ region, ...(endpoint ? { endpoint, credentials: LOCAL_CREDENTIALS } : {}) });
}

async function tablePorts(
  env: Environment,
  parts: Pick<Ports, 'clock' | 'log' | 'metrics'>,
  cutovers: () => Promise<readonly CutoverDeclaration[]>,
): Promise<TablePorts> {
  const { CROSSFADE_DATABASE_URL: databaseUrl } = env;
  if (!databaseUrl) throw missing('CROSSFADE_DATABASE_URL', 'table cutovers are run');
  const { databaseTables } = await import('./tables.ts');
  return databaseTables(env, databaseUrl, parts, await cutovers());
}

/** Bundled with the code when deployed; a file for the local stack, whose configuration may be the user's own. */
async function declaredCutovers(env: Environment): Promise<readonly CutoverDeclaration[]> {
  const declared = env.CROSSFADE_CUTOVERS === undefined ? (await import('../../infra/cutovers.ts')).default : null;
  const { readFile } = await import('node:fs/promises');
  const declarations =
    declared ?? (JSON.parse(await readFile(env.CROSSFADE_CUTOVERS!, 'utf8')) as readonly CutoverDeclaration[]);
  refuseUpstreams(declarations, env.CROSSFADE_PROFILE);
  refuseUnknownConnections(declarations, Object.keys(env.CROSSFADE_CONNECTIONS));
  return declarations;
}

/** Loopback is for the local profile only; the rest was checked when the cutovers were defined. */
function refuseUpstreams(declarations: readonly CutoverDeclaration[], profile: NetworkProfile): void {
  const problems = declarations.flatMap((declaration) =>
    declaredAddresses(declaration).flatMap(({ field, url, privateHosts }) => {
      const why = refusedUpstream(url, privateHosts, profile);
      return why ? [`${declaration.id}.${field} '${url}': ${why}`] : [];
    }),
  );
  if (problems.length > 0)
    throw new CrossfadeError('upstream_refused', `Upstreams cannot be used: ${problems.join('; ')}.`, {
      details: { problems },
    });
}

function refuseUnknownConnections(declarations: readonly CutoverDeclaration[], known: readonly string[]): void {
  const unknown = unknownConnections(declarations, known);
  const problems = unknown.map(
    ({ id, connection }) => `${id}.shadow.connection '${connection}' has no address.${didYouMean(connection, known)}`,
  );
  if (problems.length === 0) return;
  throw new CrossfadeError(
    'invalid_config',
    `Connections cannot be used: ${problems.join(' ')} CROSSFADE_CONNECTIONS has them as JSON: {"${unknown[0]!.connection}": "postgres://HOST:5432/DATABASE"}.`,
    { details: { problems } },
  );
}

/** Of functions that have no business with services, and no way to them: see services.ts. */
async function notFromHere(): Promise<never> {
  throw new CrossfadeError(
    'internal',
    'Services and flags of readers are reached by the gateway and the shadow-writer only.',
  );
}

export function missing(variable: string, when: string): CrossfadeError {
  return new CrossfadeError(
    'invalid_config',
    `${variable} is needed when ${when}, and it is not set. It belongs into the environment in serverless.yml.`,
  );
}

/** The value of the first successful call; a failed one is forgotten, so that the next call tries again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** A port that is made when one of its functions is first called. All functions of such a port are asynchronous. */
export function lazily<Port extends object>(make: () => Promise<Port>): Port {
  const port = once(make);
  return new Proxy({} as Port, {
    get: (_, name) =>
      name === 'then'
        ? undefined
        : async (...args: unknown[]) => {
            const made = (await port()) as Record<PropertyKey, (...args: unknown[]) => unknown>;
            return made[name]!(...args);
          },
  });
}

/** The same for ports that are made together. */
function eachLazily<Name extends string, Made extends Record<Name, object>>(
  names: readonly Name[],
  make: () => Promise<Made>,
): Pick<Made, Name> {
  const made = once(make);
  return Object.fromEntries(names.map((name) => [name, lazily(async () => (await made())[name])])) as Pick<Made, Name>;
}
