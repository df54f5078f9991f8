/**
 * The whole product on one machine: Postgres, DynamoDB, AppConfig, the deployed handlers, their schedules, and the front
 * that people open. Started in this order, stopped in the reverse one; a failure on the way up stops what is up.
 */

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appConfigClient } from '../../lib/adapters/appconfig/client.ts';
import { dynamoClient } from '../../lib/adapters/dynamodb/client.ts';
import { OPERATOR_SCOPES } from '../../lib/adapters/http/scopes.ts';
import { signToken } from '../../lib/adapters/http/sign-token.ts';
import { startFront } from '../../lib/cli/front.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { type LocalSettings, localDirectory, localSettingsPath } from '../../lib/schemas/local-settings.ts';
import { provisionAppConfig } from './appconfig/provision.ts';
import { startAppConfig } from './appconfig/server.ts';
import { startCloudWatch } from './cloudwatch.ts';
import { startDynamoDb } from './dynamodb.ts';
import { type LocalFunctions, startFunctions, startStreams } from './functions.ts';
import { type Metronome, startMetronome } from './metronome.ts';
import { demandFreePorts, type LocalPorts, portsFrom } from './ports.ts';
import { createTables } from './tables.ts';

export type StackOptions = {
  root: string;
  port: number;
  /** Virtual minutes per real minute. */
  speed: number;
  cutovers: readonly CutoverDeclaration[];
  /** Boots a database, or names the user's own, migrated and ready. */
  database: (context: { directory: string; port: number }) => Promise<LocalDatabase>;
  say: (line: string) => void;
  /** What is kept beyond the stack; without it everything is new and in memory. */
  memory?: StackMemory;
  /** After the servers are up, before any function runs. What it throws stops them again. */
  demand?: (state: StateTable) => Promise<void>;
};

type StateTable = { client: ReturnType<typeof dynamoClient>; tableName: string };

export type StackMemory = {
  /** Absolute directory of DynamoDB, and file of AppConfig. */
  dynamo: string;
  appConfig: string;
  keys: SigningKeys;
  checkKey: string;
  /** Of the virtual clock, with the speed of the stack. */
  originMs: number;
};

export type LocalDatabase = {
  runtimeUrl: string;
  ownerUrl: string;
  /** Of an application that came with the database. */
  applicationUrl?: string;
  stop(): Promise<void>;
};

export type Stack = {
  settings: LocalSettings;
  functions: LocalFunctions;
  metronome: Metronome;
  /** A fresh operator token, valid for five minutes. */
  token(): string;
  now(): number;
  logFile: string;
  database: LocalDatabase;
  stop(): Promise<void>;
};

const REGION = 'eu-central-1';
const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };
const TABLES = { state: 'crossfade-state', changes: 'crossfade-changes' };
const ISSUER = 'https://crossfade.localhost';
const AUDIENCE = 'crossfade';
const TOKEN_SECONDS = 300;

export async function startStack(options: StackOptions): Promise<Stack> {
  const ports = portsFrom(options.port);
  await demandFreePorts(ports);
  const directory = freshDirectory(options.port);
  const running: { stop(): Promise<void> }[] = [];
  const started = async <T extends { stop(): Promise<void> }>(what: string, start: Promise<T>): Promise<T> => {
    const from = Date.now();
    const server = await start;
    running.unshift(server);
    options.say(`  ${what.padEnd(34)} ready in ${((Date.now() - from) / 1000).toFixed(1)} s`);
    return server;
  };
  const stop = async () => {
    for (const server of running.splice(0)) await server.stop().catch(() => {});
    rmSync(localSettingsPath(options.port), { force: true });
    rmSync(join(options.root, '.serverless-offline-dynamodb-streams.json'), { force: true });
  };
  try {
    rmSync(join(options.root, '.serverless-offline-dynamodb-streams.json'), { force: true });
    return { ...(await boot(options, ports, directory, started)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits for all of them, also where one fails: what is still on its way up could not be stopped. */
async function allUp<T extends readonly unknown[]>(starting: { [Place in keyof T]: Promise<T[Place]> }): Promise<T> {
  await Promise.allSettled(starting);
  return Promise.all(starting) as Promise<unknown> as Promise<T>;
}

type Started = <T extends { stop(): Promise<void> }>(what: string, start: Promise<T>) => Promise<T>;

async function boot(
  options: StackOptions,
  ports: LocalPorts,
  directory: string,
  started: Started,
): Promise<Omit<Stack, 'stop'>> {
  const { memory } = options;
  const originMs = memory?.originMs ?? Date.now();
  const now = () => Math.floor(originMs + (Date.now() - originMs) * options.speed);
  const [database, dynamo, appConfig, cloudWatch] = await allUp([
    started('Postgres', options.database({ directory, port: ports.postgres })),
    started(
      'DynamoDB with Streams',
      startDynamoDb({ port: ports.dynamodb, ...(memory ? { directory: memory.dynamo } : {}) }),
    ),
    started(
      'AppConfig',
      startAppConfig({ port: ports.appconfig, minPollSeconds: 1, ...(memory ? { file: memory.appConfig } : {}) }),
    ),
    started('CloudWatch', startCloudWatch({ port: ports.cloudwatch, clock: now, alarms: alarmsOf(options.cutovers) })),
  ]);
  const client = dynamoClient({ region: REGION, endpoint: dynamo.endpoint, credentials: CREDENTIALS });
  await createTables(client, TABLES);
  await options.demand?.({ client, tableName: TABLES.state });
  const flags = await provisionAppConfig(
    appConfigClient({ region: REGION, endpoint: appConfig.url, credentials: CREDENTIALS }),
  );

  const keys = memory?.keys ?? signingKeys();
  const settings = localSettings(options, ports, directory, {
    database,
    dynamo,
    appConfig,
    cloudWatch,
    flags,
    keys,
    originMs,
  });
  writePrivately(localSettingsPath(options.port), JSON.stringify(settings, null, 2));
  const logFile = join(directory, 'functions.log');
  const functions = await started(
    'Functions (serverless-offline)',
    startFunctions({ root: options.root, ...settings, logFile }),
  );
  if (settings.streamUrl !== null)
    await started(
      'Gateway that streams',
      startStreams({ root: options.root, port: ports.stream, ...settings, logFile }),
    );
  const token = () => operatorToken(keys.privateKey);
  await started('Page and API', startPage(ports.front, settings.apiUrl, token));
  const metronome = startMetronome(functions, 60_000 / options.speed);
  await started('Schedules', Promise.resolve(metronome));
  return { settings, functions, metronome, token, now, logFile, database };
}

async function startPage(port: number, target: string, token: () => string) {
  const front = await startFront({ port, target, mintToken: async () => token() });
  return { stop: () => front.close() };
}

function localSettings(
  options: StackOptions,
  ports: LocalPorts,
  directory: string,
  servers: {
    database: LocalDatabase;
    dynamo: { endpoint: string };
    appConfig: { url: string };
    cloudWatch: { url: string };
    flags: { application: string; environment: string; profile: string; strategy: string };
    keys: SigningKeys;
    originMs: number;
  },
): LocalSettings {
  const config = join(directory, 'cutovers.json');
  writePrivately(config, JSON.stringify(options.cutovers, null, 2));
  const { database, dynamo, appConfig, cloudWatch, flags, keys } = servers;
  const jwks = { keys: [keys.publicKey] };
  return {
    pid: process.pid,
    url: `http://127.0.0.1:${ports.front}`,
    apiUrl: `http://127.0.0.1:${ports.api}`,
    lambdaUrl: `http://127.0.0.1:${ports.lambda}`,
    streamUrl: options.cutovers.some(({ kind }) => kind === 'service') ? `http://127.0.0.1:${ports.stream}` : null,
    dynamodbEndpoint: dynamo.endpoint,
    appconfigEndpoint: appConfig.url,
    cloudwatchEndpoint: cloudWatch.url,
    databaseUrl: database.runtimeUrl,
    ownerDatabaseUrl: database.ownerUrl,
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks,
    privateKey: keys.privateKey,
    clockSpeed: options.speed,
    clockOriginMs: servers.originMs,
    config,
    environment: {
      CROSSFADE_PORT: String(options.port),
      CROSSFADE_PROFILE: 'local',
      CROSSFADE_STATE_TABLE: TABLES.state,
      CROSSFADE_CHANGES_TABLE: TABLES.changes,
      CROSSFADE_DYNAMODB_ENDPOINT: dynamo.endpoint,
      CROSSFADE_APPCONFIG_ENDPOINT: appConfig.url,
      CROSSFADE_CLOUDWATCH_ENDPOINT: cloudWatch.url,
      CROSSFADE_CHECK_KEY: options.memory?.checkKey ?? randomUUID(),
      CROSSFADE_APPCONFIG_APPLICATION: flags.application,
      CROSSFADE_APPCONFIG_ENVIRONMENT: flags.environment,
      CROSSFADE_APPCONFIG_PROFILE: flags.profile,
      CROSSFADE_APPCONFIG_STRATEGY: flags.strategy,
      CROSSFADE_DATABASE_URL: database.runtimeUrl,
      CROSSFADE_OWNER_DATABASE_URL: database.ownerUrl,
      CROSSFADE_JWT_ISSUER: ISSUER,
      CROSSFADE_JWT_AUDIENCE: AUDIENCE,
      CROSSFADE_JWKS: JSON.stringify(jwks),
      CROSSFADE_CLOCK_SPEED: String(options.speed),
      CROSSFADE_CLOCK_ORIGIN_MS: String(servers.originMs),
      CROSSFADE_CUTOVERS: config,
      CROSSFADE_LOG_LEVEL: 'info',
      POWERTOOLS_METRICS_DISABLED: 'true',
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  };
}

/** All that a criterion names, so that each is there and in OK. */
const alarmsOf = (cutovers: readonly CutoverDeclaration[]): string[] =>
  cutovers.flatMap(({ criteria = [] }) => criteria.flatMap((one) => ('alarm' in one ? [one.alarm] : [])));

/** Empty, for this run only; Postgres as another user must be able to pass through it. */
function freshDirectory(port: number): string {
  const directory = localDirectory(port);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o711);
  return directory;
}

function writePrivately(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

export type SigningKeys = ReturnType<typeof signingKeys>;

export function signingKeys() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const named = { kid: randomUUID(), alg: 'ES256', use: 'sig' };
  return {
    publicKey: { ...publicKey.export({ format: 'jwk' }), ...named },
    privateKey: { ...privateKey.export({ format: 'jwk' }), ...named },
  };
}

function operatorToken(privateKey: SigningKeys['privateKey']): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(
    {
      sub: 'local:operator',
      iss: ISSUER,
      aud: AUDIENCE,
      iat: now,
      exp: now + TOKEN_SECONDS,
      scope: OPERATOR_SCOPES.join(' '),
    },
    privateKey,
  );
}
