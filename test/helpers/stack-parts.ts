/**
 * The parts of a deployment, assembled for tests: tables and flags of their own on real servers, the environment that
 * the functions get, and the same ports in this process, with connections that can be closed and a clock that can be moved.
 */

import { randomUUID } from 'node:crypto';
import { AppConfigClient } from '@aws-sdk/client-appconfig';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { inject } from 'vitest';
import { type AppConfigIds, provisionAppConfig } from '../../infra/local/appconfig/provision.ts';
import { type LocalAppConfig, startAppConfig } from '../../infra/local/appconfig/server.ts';
import { type LocalCloudWatch, startCloudWatch } from '../../infra/local/cloudwatch.ts';
import type { TableNames } from '../../infra/local/tables.ts';
import { appConfigClient } from '../../lib/adapters/appconfig/client.ts';
import { appConfigPublisher } from '../../lib/adapters/appconfig/publisher.ts';
import { cloudWatchAlarms } from '../../lib/adapters/cloudwatch/alarms.ts';
import { cloudWatchClients } from '../../lib/adapters/cloudwatch/client.ts';
import { dynamoAlertStore } from '../../lib/adapters/dynamodb/alert-store.ts';
import { dynamoCustomMetrics } from '../../lib/adapters/dynamodb/custom-metric-store.ts';
import { dynamoExperimentStore } from '../../lib/adapters/dynamodb/experiment-store.ts';
import { dynamoForwardStore } from '../../lib/adapters/dynamodb/forwards/store.ts';
import { dynamoStateStore } from '../../lib/adapters/dynamodb/state-store.ts';
import { dynamoVerdictStore } from '../../lib/adapters/dynamodb/verdict-store.ts';
import { dynamoWakeUps } from '../../lib/adapters/dynamodb/wake-ups.ts';
import { dynamoWindowStore } from '../../lib/adapters/dynamodb/window-store.ts';
import { forwardDelivery } from '../../lib/adapters/http/deliver-forward.ts';
import { httpUpstream } from '../../lib/adapters/http/upstream.ts';
import { httpChecks } from '../../lib/adapters/notify/http-check.ts';
import { type PgConnection, postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { postgresTables } from '../../lib/adapters/postgres/tables.ts';
import { random, systemClock, systemIds } from '../../lib/adapters/system.ts';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../lib/core/cutover/cutover.ts';
import { nextStage } from '../../lib/core/cutover/plan.ts';
import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import { emptyWindow } from '../../lib/core/gates/minute-window.ts';
import { flagDocument, sameDocument } from '../../lib/core/routing/flags.ts';
import { type AuditEntry, verifyChain } from '../../lib/core/stage/audit.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { replay } from '../../lib/core/stage/evolve.ts';
import { type OperatorCommand, operate } from '../../lib/flows/control/operate.ts';
import type { Clock } from '../../lib/ports/machine.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { LOCAL_CREDENTIALS, localClient, ownTables } from './dynamodb.ts';

export { seeded } from '../property/samples.ts';

const REGION = 'eu-central-1';
/** Signs HTTP checks. */
export const CHECK_KEY = 'a key of the tests';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

// ------------------------------------------------------------------------------------------------------- servers

export type Backing = {
  dynamodb: DynamoDBDocumentClient;
  endpoint: string;
  tables: TableNames;
  appConfig: LocalAppConfig;
  cloudWatch: LocalCloudWatch;
  flags: AppConfigIds;
  stop(): Promise<void>;
};

/** Tables of one's own on the run's DynamoDB, and an AppConfig of one's own. */
export async function backing(): Promise<Backing> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const endpoint = inject('dynamodbEndpoint');
  const dynamodb = localClient(endpoint);
  const [tables, appConfig, cloudWatch] = await Promise.all([ownTables(dynamodb), startAppConfig(), startCloudWatch()]);
  const client = appConfigClient({ region: REGION, endpoint: appConfig.url, credentials: LOCAL_CREDENTIALS });
  const flags = await provisionAppConfig(client);
  return {
    dynamodb,
    endpoint,
    tables,
    appConfig,
    cloudWatch,
    flags,
    async stop() {
      client.destroy();
      dynamodb.destroy();
      await Promise.all([appConfig.stop(), cloudWatch.stop()]);
    },
  };
}

/** What `compose` reads, here and in the functions. */
export function environmentOf(
  { endpoint, tables, appConfig, cloudWatch, flags }: Backing,
  run: { databaseUrl: string; cutovers: string; speed: number; originMs: number },
): Record<string, string> {
  return {
    CROSSFADE_PROFILE: 'local',
    CROSSFADE_STATE_TABLE: tables.state,
    CROSSFADE_CHANGES_TABLE: tables.changes,
    CROSSFADE_DYNAMODB_ENDPOINT: endpoint,
    CROSSFADE_APPCONFIG_ENDPOINT: appConfig.url,
    CROSSFADE_CLOUDWATCH_ENDPOINT: cloudWatch.url,
    CROSSFADE_CHECK_KEY: CHECK_KEY,
    CROSSFADE_APPCONFIG_APPLICATION: flags.application,
    CROSSFADE_APPCONFIG_ENVIRONMENT: flags.environment,
    CROSSFADE_APPCONFIG_PROFILE: flags.profile,
    CROSSFADE_APPCONFIG_STRATEGY: flags.strategy,
    CROSSFADE_DATABASE_URL: run.databaseUrl,
    CROSSFADE_JWT_ISSUER: 'https://crossfade.localhost',
    CROSSFADE_JWT_AUDIENCE: 'crossfade',
    CROSSFADE_CLOCK_SPEED: String(run.speed),
    CROSSFADE_CLOCK_ORIGIN_MS: String(run.originMs),
    CROSSFADE_CUTOVERS: run.cutovers,
    CROSSFADE_LOG_LEVEL: 'warn',
    POWERTOOLS_METRICS_DISABLED: 'true',
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

// --------------------------------------------------------------------------------------------------------- ports

/** Time that stands still until it is moved, from the full hour on: in the past TTL would remove what is written. */
export type MovableClock = Clock & { pass(minutes: number): void };

export function movableClock(): MovableClock {
  const real = systemClock();
  let nowMs = Math.floor(real.now() / HOUR_MS) * HOUR_MS;
  return {
    now: () => nowMs,
    monotonicMs: real.monotonicMs,
    sleep: real.sleep,
    pass: (minutes) => {
      nowMs += minutes * MINUTE_MS;
    },
  };
}

/** Waiting takes no time: for whoever waits for a deployment that will not end. */
function hurriedClock(): Clock {
  const real = systemClock();
  let slept = 0;
  return {
    now: real.now,
    monotonicMs: () => real.monotonicMs() + slept,
    sleep: async (ms) => {
      slept += ms;
      await real.sleep(1);
    },
  };
}

export type OwnPorts = Ports & {
  events: { name: string; fields: Readonly<Record<string, unknown>> }[];
  close(): Promise<void>;
};

/** Clients of its own each time, as another instance of a function has them. */
export function portsOn(
  on: Backing,
  options: { databaseUrl: string; clock: Clock; dynamodb?: DynamoDBDocumentClient; databaseDeadlineMs?: number },
): OwnPorts {
  const { clock } = options;
  const ids = systemIds();
  const client = options.dynamodb ?? on.dynamodb;
  const control = new AppConfigClient({
    region: REGION,
    endpoint: on.appConfig.url,
    credentials: LOCAL_CREDENTIALS,
    maxAttempts: 1,
  });
  const connections = [1, 2].map(() =>
    postgresConnection({
      url: options.databaseUrl,
      clock: systemClock(),
      random,
      deadlineMs: options.databaseDeadlineMs,
    }),
  ) as [PgConnection, PgConnection];
  const flags = appConfigPublisher({ client: control, ...on.flags, clock: hurriedClock(), requestTimeoutMs: 2_000 });
  const events: OwnPorts['events'] = [];
  return {
    clock,
    ids,
    events,
    log: {
      event: (name, fields = {}) => void events.push({ name, fields }),
      failure: (name, error, fields = {}) => void events.push({ name, fields: { ...fields, error: String(error) } }),
    },
    metrics: { record: () => {}, flush: () => {} },
    alerts: dynamoAlertStore({ client, tableName: on.tables.state, ids }),
    criteria: {
      alarms: cloudWatchAlarms({
        client: cloudWatchClients({ endpoint: on.cloudWatch.url, credentials: LOCAL_CREDENTIALS }),
        timeoutMs: 500,
      }),
      httpCheck: httpChecks({
        clock: { ...systemClock(), now: clock.now },
        profile: 'local',
        key: async () => CHECK_KEY,
      }),
    },
    experiments: dynamoExperimentStore({ client, tableName: on.tables.state }),
    state: dynamoStateStore({ client, tableName: on.tables.state, clock, ids, random }),
    verdicts: dynamoVerdictStore({ client, tableName: on.tables.state, clock, random }),
    customMetrics: dynamoCustomMetrics({ client, tableName: on.tables.state }),
    windows: dynamoWindowStore({ client, tableName: on.tables.state, clock }),
    wakeUps: dynamoWakeUps({ client, tableName: on.tables.changes }),
    ...dynamoForwardStore({ client, tableName: on.tables.changes, realNow: Date.now }),
    realNow: Date.now,
    deliver: forwardDelivery(httpUpstream({ clock, profile: 'local' })),
    flags,
    sightings: { last: async () => (await flags.deployed()).document },
    ...postgresTables({ runtime: connections[0], owner: connections[1] }),
    async close() {
      control.destroy();
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

export async function command(
  ports: Ports,
  declarations: readonly CutoverDeclaration[],
  id: string,
  what: OperatorCommand,
): Promise<void> {
  const declaration = declarations.find((one) => one.id === id)!;
  const version = (await ports.state.readCutover(id))?.version ?? 0;
  const idempotency = { key: randomUUID(), fingerprint: what.type };
  await operate(ports, declarations, declaration, { command: what, actor: 'test', basedOn: version, idempotency });
}

/** One healthy minute of both sides, up to now. */
export async function recordTraffic(
  ports: Pick<Ports, 'clock' | 'windows'>,
  id: string,
  count: number,
  minutesAgo = 0,
): Promise<void> {
  const minute = Math.floor(ports.clock.now() / MINUTE_MS) - minutesAgo;
  const additions = (['primary', 'shadow'] as const).map((side) => ({
    cutover: id,
    operation: 'read',
    window: { ...emptyWindow(minute, side), count, latency: { [bucketIndex(5)]: count } },
  }));
  await ports.windows.add(randomUUID(), 'test', additions, ports.clock.now());
}

// -------------------------------------------------------------------------------------------------------- oracles

export async function auditOf({ state }: Pick<Ports, 'state'>, id: string): Promise<readonly AuditEntry<Event>[]> {
  return state.readAudit(id, { limit: 10_000, oldestFirst: true });
}

/** What is wrong with a cutover's log: its chain, its replay, a step that is no legal one. Empty when nothing is. */
export async function auditProblems(ports: Pick<Ports, 'state'>, declaration: CutoverDeclaration): Promise<string[]> {
  const entries = await auditOf(ports, declaration.id);
  const state = await ports.state.readCutover(declaration.id);
  if (!state) return entries.length === 0 ? [] : ['there is a log and no state'];
  const problems: string[] = [];
  const chain = verifyChain(entries, state);
  if (!chain.intact) problems.push(`entry ${chain.seq}: ${chain.why}`);
  let before: CutoverState = initialState(declaration);
  for (const entry of entries) {
    const after = replay(before, [entry]);
    if (entry.event.type === 'advanced' && nextStage(before)?.name !== entry.event.to) {
      problems.push(`entry ${entry.seq} goes from ${before.stage} to ${entry.event.to}`);
    }
    const grown = ['denied', 'rollback_seen'].includes(entry.event.type) ? 0 : 1;
    if (entry.version !== before.version + grown) problems.push(`entry ${entry.seq} has version ${entry.version}`);
    before = after;
  }
  if (JSON.stringify(sorted(before)) !== JSON.stringify(sorted(state))) problems.push('the replay is not the state');
  return problems;
}

const sorted = (value: object) => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));

/** I27: what is deployed and what the mirrors say, compared with the states. Empty when they agree. */
export async function driftOf(
  ports: Pick<Ports, 'state' | 'flags' | 'inspecting'>,
  declarations: readonly CutoverDeclaration[],
): Promise<string[]> {
  const problems: string[] = [];
  const [system, { document }] = await Promise.all([ports.state.readSystem(), ports.flags.deployed()]);
  const declared = await Promise.all(
    declarations.map(async (declaration) => ({
      declaration,
      state: (await ports.state.readCutover(declaration.id)) ?? initialState(declaration),
    })),
  );
  if (!document || !sameDocument(document, flagDocument(declared, system))) {
    const seen = declared.map(
      ({ state }) =>
        `${state.id} state ${state.stage} v${state.version}, flags ${document?.cutovers[state.id]?.stage} v${document?.cutovers[state.id]?.version}`,
    );
    problems.push(`flags differ: ${seen.join('; ')}`);
  }
  for (const { declaration, state } of declared) {
    if (declaration.kind !== 'table' || state.version === 0) continue;
    const mirror = (await ports.inspecting.status(state.id))?.mirror;
    if (mirror?.version !== state.version || mirror.epoch !== state.epoch || mirror.stage !== state.stage) {
      problems.push(
        `the mirror of ${state.id} is ${JSON.stringify(mirror)}, the state ${state.stage} v${state.version} e${state.epoch}`,
      );
    }
  }
  return problems;
}

/** Repeats a look until it shows what is expected; the deadline is a failure, not a pace. */
export async function until(look: () => Promise<boolean>, what: () => string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
