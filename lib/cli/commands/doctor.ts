/** Checks everything a person would otherwise find out one failure at a time. Each finding carries its remedy. */

import { CrossfadeError, isCrossfadeError, messageOf } from '../../core/base/errors.ts';
import type { HealthReport } from '../../flows/rows/inspect.ts';
import { apiClient, LONG_DEADLINE_MS } from '../api.ts';
import { type Connection, connect } from '../connection.ts';
import { type Context, cutoverId, EXIT, type Outcome } from '../context.ts';
import { addressOf, openDatabase } from '../database.ts';
import { checkApi } from '../doctor/api.ts';
import { anyFailed, type Check, fail, ok, renderChecks, warn } from '../doctor/check.ts';
import { judgeFacts, readFacts } from '../doctor/database.ts';
import { checkDeployment } from '../doctor/deployed.ts';
import { checkMachine } from '../doctor/machine.ts';
import { HOW_TO_START } from '../package-root.ts';
import { checksOf } from '../render-health.ts';
import { deploymentOf, stageOf } from '../stage.ts';

export async function doctor(context: Context): Promise<Outcome> {
  const { io } = context;
  const checks = await (context.options.deployed ? checksOfStage(context) : checksFromHere(context));
  return {
    document: { ok: !anyFailed(checks), checks },
    text: renderChecks(checks, io.width, io.paint),
    ...(anyFailed(checks) ? { exit: EXIT.other } : {}),
  };
}

async function checksOfStage(context: Context): Promise<Check[]> {
  if (context.args[0] !== undefined || context.options.databaseUrl !== undefined)
    throw new CrossfadeError(
      'invalid_input',
      '--deployed looks at a whole stage from outside: leave the cutover and --database-url out.',
    );
  const at = stageOf(context, 'doctor --deployed');
  return checkDeployment(context, at, await deploymentOf(context, at));
}

async function checksFromHere(context: Context): Promise<Check[]> {
  const { io, options } = context;
  if (options.stage !== undefined)
    throw new CrossfadeError('invalid_input', '--stage names a deployment: add --deployed to look at it.');
  const found = findConnection(context);
  const connection = 'url' in found ? found : null;
  return [
    ...checkMachine(connection === null || connection.settings !== null),
    ...('url' in found ? await checkApi(apiClient(found, io.signal), found.url) : [found]),
    ...(connection ? await checkTables(context, connection) : []),
    ...(await checkDatabase(options.databaseUrl ?? io.env.CROSSFADE_DATABASE_URL ?? connection?.settings?.databaseUrl)),
  ];
}

/** Of the cutover that is named, if one is: what `crossfade health` finds, without what passed. */
async function checkTables(context: Context, connection: Connection): Promise<Check[]> {
  if (context.args[0] === undefined) return [];
  const id = cutoverId(context);
  const call = { deadlineMs: LONG_DEADLINE_MS };
  const report = await apiClient(connection, context.io.signal).get<HealthReport>(`/v1/cutovers/${id}/health`, call);
  return checksOf(report).filter(({ level }) => level !== 'ok');
}

/** An address that is wrong is a usage error; one where nothing runs is a finding. */
function findConnection({ io, options }: Context): Connection | Check {
  try {
    return connect(options, io);
  } catch (error) {
    if (!isCrossfadeError(error) || error.code !== 'upstream_unavailable') throw error;
    return fail('API', error.message, HOW_TO_START);
  }
}

async function checkDatabase(url: string | undefined): Promise<Check[]> {
  if (!url) {
    return [
      warn('database', 'not checked: no URL is known', 'Give --database-url or CROSSFADE_DATABASE_URL to check it.'),
    ];
  }
  const { notes, ...address } = addressOf(url);
  const unused = notes.map((note) => ok('address', `not used: ${note}`));
  const database = await openDatabase(url);
  try {
    return [...unused, ...judgeFacts(await readFacts((sql) => database.call(sql, [], { attempts: 1 }), address))];
  } catch (error) {
    const seen = messageOf(error);
    return [
      ...unused,
      fail(
        'database',
        `${address.host}:${address.port}: ${seen}`,
        'Is the server up, and are role, password and pg_hba.conf right?',
      ),
    ];
  } finally {
    await database.close();
  }
}
