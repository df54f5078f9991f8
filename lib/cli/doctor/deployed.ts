/**
 * Checks of what is deployed under a stage, from outside: the database and its schema through a function, who is let in, flags from
 * the publisher to the reader, the alarms, and the tick. None of them changes anything.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Deployment } from '../../compose/deployment.ts';
import { isCrossfadeError, messageOf } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import { type FlagDocument, flagTag, servedForm } from '../../core/routing/flags.ts';
import type { SystemReport } from '../../flows/report/report.ts';
import { type Api, apiClient } from '../api.ts';
import { type Connection, connectDeployed } from '../connection.ts';
import type { Context } from '../context.ts';
import { packageRoot } from '../package-root.ts';
import { counted } from '../text.ts';
import { judgeReport } from './api.ts';
import { type Check, fail, ok, warn } from './check.ts';

type At = { stage: string; region: string };
type Version = { installed: number; wanted: number };
/** Functions of the release before say nothing of connections. */
type Looked = Version & { connections?: (Version & { connection: string })[]; apiUrl: string | null };

/** Everything that is found, the failures of each part beside those of the others. */
export async function checkDeployment(context: Context, at: At, deployment: Deployment): Promise<Check[]> {
  const [database, alarms, tick] = await Promise.all([
    lookThrough(deployment, at),
    checkAlarms(deployment, at),
    checkTick(deployment, at, context.io.nowMs()),
  ]);
  const url = context.options.url ?? context.io.env.CROSSFADE_URL ?? database.apiUrl;
  const api = url
    ? await checkAccess(connectDeployed(url, { ...at, awsProfile: context.options.awsProfile }, context.io), context)
    : [fail('API', 'its address is not known: the function schema could not say it', 'Give it: --url https://…')];
  return [...database.checks, ...api, tick, ...alarms];
}

// ------------------------------------------------------------------------------------------------------- database

async function lookThrough(deployment: Deployment, { stage }: At): Promise<{ checks: Check[]; apiUrl: string | null }> {
  const name = `crossfade-${stage}-schema`;
  try {
    const { installed, wanted, connections = [], apiUrl } = await deployment.schema<Looked>({ task: 'look' });
    const others = connections.map((one) => ({
      ...judgeSchema(one.installed, one.wanted, stage),
      name: `schema of '${one.connection}'`,
    }));
    const checks = [ok('database', `reached by function ${name}`), judgeSchema(installed, wanted, stage), ...others];
    return { checks, apiUrl };
  } catch (error) {
    const remedy = `Look into the log of ${name}: is the database up, do subnets and security group lead to it, may the role crossfade_owner log in with IAM?`;
    return { checks: [fail('database', `not reached: ${messageOf(error)}`, remedy)], apiUrl: null };
  }
}

export function judgeSchema(installed: number, wanted: number, stage: string): Check {
  const seen = `it ends with migration ${installed}, and the functions need ${wanted}`;
  if (installed === wanted) return ok('schema', `it ends with migration ${installed}, as the functions need it`);
  if (installed < wanted) return fail('schema', seen, `crossfade migrate --stage ${stage}`);
  return fail('schema', seen, `A newer release was here. Deploy that one: crossfade deploy --stage ${stage}`);
}

// --------------------------------------------------------------------------------------------------------- access

async function checkAccess(connection: Connection, { io }: Context): Promise<Check[]> {
  const unsigned = apiClient({ ...connection, sign: async ({ headers }) => ({ ...headers }) }, io.signal);
  const api = apiClient(connection, io.signal);
  const closed = await checkClosed(unsigned, connection.url);
  try {
    const report = await api.get<SystemReport>('/v1/cutovers');
    const [, ...found] = judgeReport(report);
    return [closed, ok('caller', `let in at ${connection.url}`), ...found, await checkServed(api)];
  } catch (error) {
    return [closed, refused(error, connection.sign !== null)];
  }
}

/** What no caller without a name may get. */
async function checkClosed(api: Api, url: string): Promise<Check> {
  try {
    await api.get('/v1/cutovers');
  } catch (error) {
    if (isRefusal(error)) return ok('authorizer', 'refuses a call without a signature or token');
    return fail('authorizer', messageOf(error), 'Is this the address of the API? Deploy again if it is.');
  }
  return fail(
    'authorizer',
    `${url} answers a call without a signature or token`,
    'The routes have lost their authorizer: deploy again, and look whether something stands in front of the API that signs for everybody.',
  );
}

const isRefusal = (error: unknown) =>
  isCrossfadeError(error) && (error.code === 'unauthenticated' || error.code === 'forbidden');

function refused(error: unknown, signed: boolean): Check {
  if (!isRefusal(error))
    return fail('caller', messageOf(error), 'Look into the log of the function control; it needs DynamoDB.');
  const token = 'Put a valid access token with the scope control:read into CROSSFADE_TOKEN.';
  // To a signature IAM says 403, and an API that takes tokens 401.
  if (signed && isCrossfadeError(error) && error.code === 'unauthenticated')
    return warn('caller', 'not checked, nor flags and cutovers: this API takes tokens, and none is given', token);
  return fail('caller', messageOf(error), signed ? 'The caller needs execute-api:Invoke on this API.' : token);
}

/** From the publisher, through AppConfig and its agent, to a function that reads. */
async function checkServed(api: Api): Promise<Check> {
  const name = 'flags read back';
  const log = "Look into the logs of the functions 'publisher' and 'route'.";
  try {
    const [deployed, served] = await Promise.all([
      api.get<{ document: FlagDocument | null; latestVersion: number }>('/v1/flags'),
      api.get<object>('/v1/flags/served'),
    ]);
    if (deployed.document === null)
      return fail(name, 'none are published yet', `The first tick publishes them. ${log}`);
    const version = deployed.latestVersion;
    if (flagTag(served) === flagTag(servedForm(deployed.document))) return ok(name, `version ${version}, as published`);
    const remedy = `Readers take them within some 15 s: look again. A flag that somebody has switched off in AppConfig differs, too. ${log}`;
    return fail(name, `others than were published as version ${version}`, remedy);
  } catch (error) {
    return fail(name, messageOf(error), `The caller needs the scopes control:read and route:read. ${log}`);
  }
}

// ----------------------------------------------------------------------------------------------------- CloudWatch

const MAY = 'The caller needs cloudwatch:DescribeAlarms and cloudwatch:GetMetricStatistics.';
const TICK_MINUTES = 3;
/** EMF of the logs becomes a metric after a while. */
const LATE_MS = 2 * MINUTE_MS;

async function checkTick(deployment: Deployment, { stage }: At, nowMs: number): Promise<Check> {
  const { namespace, dimension } = metricsTable();
  const remedy = `It runs every minute: look into the log of crossfade-${stage}-tick, and whether its schedule crossfade-${stage}-tick is enabled.`;
  try {
    const within = { fromMs: nowMs - TICK_MINUTES * MINUTE_MS - LATE_MS, toMs: nowMs };
    const seenMs = await deployment.lastSeen({ namespace, dimension, name: 'Tick' }, within);
    if (seenMs === null) return fail('tick', `none has ended in the last ${TICK_MINUTES} minutes`, remedy);
    return ok('tick', `the last that CloudWatch knows ended at ${new Date(seenMs).toISOString().slice(11, 16)} UTC`);
  } catch (error) {
    return fail('tick', `CloudWatch could not be asked: ${messageOf(error)}`, MAY);
  }
}

async function checkAlarms(deployment: Deployment, { stage }: At): Promise<Check[]> {
  const wanted = deployedAlarms(stage);
  try {
    const found = await deployment.alarms(wanted.map(({ name }) => name));
    return judgeAlarms(wanted, found);
  } catch (error) {
    return [fail('alarms', `CloudWatch could not be asked: ${messageOf(error)}`, MAY)];
  }
}

type Wanted = { name: string; page: string; conditional: boolean };

/** @param wanted of the template; those with a condition may be missing */
export function judgeAlarms(
  wanted: readonly Wanted[],
  found: readonly { name: string; state: string; reason: string }[],
): Check[] {
  const names = new Set(found.map(({ name }) => name));
  const missing = wanted.filter(({ name, conditional }) => !conditional && !names.has(name));
  const ringing = found.filter(({ state }) => state === 'ALARM');
  const silent = found.filter(({ state }) => state === 'INSUFFICIENT_DATA').length;
  return [
    missing.length === 0
      ? ok('alarms', `${found.length} are there, ${ringing.length} of them ring, ${silent} have no data yet`)
      : fail(
          'alarms',
          `${counted(missing.length, 'alarm')} of ${wanted.length} ${missing.length === 1 ? 'is' : 'are'} missing: ${missing.map(({ name }) => name).join(', ')}`,
          'Deploy again: the template makes them. Somebody may have deleted them.',
        ),
    ...ringing.map(({ name, reason }) =>
      fail(`alarm`, `${name} rings: ${reason}`, `Runbook: ${wanted.find((one) => one.name === name)?.page}`),
    ),
  ];
}

/** The table that the template is made from. */
function deployedAlarms(stage: string): Wanted[] {
  const { Resources } = createRequire(join(packageRoot(), 'package.json'))('./infra/alarms.cjs') as {
    Resources: Record<string, { Condition?: string; Properties: { AlarmName: string; AlarmDescription: string } }>;
  };
  return Object.values(Resources).map(({ Condition, Properties }) => ({
    name: Properties.AlarmName.replace('$' + '{sls:stage}', stage),
    page: `infra/runbooks/${Properties.AlarmDescription.split('/').at(-1)}`,
    conditional: Condition !== undefined,
  }));
}

const metricsTable = (): { namespace: string; dimension: string } =>
  JSON.parse(readFileSync(join(packageRoot(), 'infra', 'metrics.json'), 'utf8'));
