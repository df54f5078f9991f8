/** Commands that concern every cutover: emergency stop, rollback of all, lifting the stop. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { StopResult } from '../../flows/control/stop.ts';
import { type Api, LONG_DEADLINE_MS } from '../api.ts';
import { confirm } from '../confirm.ts';
import { type Context, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { renderBreakGlass } from '../render-break-glass.ts';
import { renderStop } from '../render-verdict.ts';

export async function stop(context: Context): Promise<Outcome> {
  if (context.options.breakGlass) return breakGlass(context);
  if (context.options.dryRun) throw new CrossfadeError('invalid_input', '--dry-run is a drill of --break-glass.');
  const body = { reason: context.options.reason };
  const result = await send<StopResult>(context, 'emergency-stop', body, { command: 'emergency stop', name: null });
  return stopped(context, result, 'Everything is stopped; nothing starts or advances until it is lifted.');
}

export async function rollbackSystem(context: Context): Promise<Outcome> {
  const body = { confirm: 'system', reason: context.options.reason };
  const result = await send<StopResult>(context, 'rollback', body, { command: 'rollback-system', name: 'system' });
  return stopped(context, result, 'Every cutover that had something to undo was rolled back.');
}

export async function resetSystem(context: Context): Promise<Outcome> {
  type Answer = { emergencyStop: boolean; published: boolean };
  const body = { confirm: 'system' };
  const answer = await send<Answer>(context, 'reset', body, { command: 'reset system', name: 'system' });
  const flags = answer.published ? '' : ' The flags are not deployed yet; every tick tries again.';
  return { document: answer, text: `The emergency stop is lifted. Cutovers stay where they are.${flags}` };
}

/** Straight into the state table and the flags, with the credentials that AWS gives this person. */
async function breakGlass({ io, options }: Context): Promise<Outcome> {
  const { stage, awsProfile, dryRun = false, reason = '' } = options;
  const region = io.env.AWS_REGION ?? io.env.AWS_DEFAULT_REGION;
  if (stage === undefined)
    throw new CrossfadeError('invalid_input', '--break-glass needs --stage, such as --stage prod.');
  if (!region)
    throw new CrossfadeError('invalid_input', '--break-glass needs AWS_REGION, such as AWS_REGION=eu-central-1.');
  const command = `emergency stop of stage '${stage}' past the API`;
  if (!dryRun)
    await confirm(io, {
      command,
      name: null,
      given: undefined,
      yes: options.yes === true,
      loopback: false,
      url: region,
    });
  const { breakGlassStop } = await import('../../flows/control/break-glass.ts');
  const { composeBreakGlass, deployedNames } = await import('../../compose/break-glass.ts');
  const ports = await composeBreakGlass({ region, profile: awsProfile, ...deployedNames(stage) });
  const result = await breakGlassStop(ports, { actor: `break-glass:${io.user()}`, reason, dryRun });
  const isDone = dryRun || (result.state.stopped && result.flags.published);
  return { document: result, text: renderBreakGlass(result), ...(isDone ? {} : { exit: EXIT.other }) };
}

/** @param asked the command as it is typed, and the name that confirms it; `null` when a plain yes does */
export async function send<T>(
  context: Context,
  path: string,
  body: object,
  { command, name }: { command: string; name: string | null },
): Promise<T> {
  const { io, options } = context;
  if (options.ifVersion !== undefined) {
    throw new CrossfadeError('invalid_input', `--if-version means one cutover; '${command}' concerns all of them.`);
  }
  const key = idempotencyKey(context);
  const { connection, api } = openApi(context);
  const { loopback, url } = connection;
  await confirm(io, { command, name, given: options.confirm, yes: options.yes === true, loopback, url });
  const answer = api.post<T>(`/v1/system/${path}`, body, { idempotencyKey: key, deadlineMs: LONG_DEADLINE_MS });
  return askingPublisher(api, answer, () => io.newKey());
}

const ASK_PUBLISHER_EVERY_MS = 500;

/**
 * Past the stream that wakes the publisher, and that may be late or silent, for as long as the command waits for flags. What comes of it
 * is said by the command's own answer.
 */
async function askingPublisher<T>(api: Api, answer: Promise<T>, newKey: () => string): Promise<T> {
  let waits = true;
  const answered = answer.finally(() => {
    waits = false;
  });
  const ask = async (): Promise<void> => {
    await sleep(ASK_PUBLISHER_EVERY_MS, undefined, { ref: false });
    if (!waits) return;
    await api.post('/v1/flags/publish', {}, { idempotencyKey: newKey() }).catch(() => {});
    return ask();
  };
  void ask();
  return answered;
}

/** A cutover that could not be rolled back is not hidden behind a 0. */
function stopped({ io }: Context, result: StopResult, headline: string): Outcome {
  const failed = result.cutovers.some((cutover) => cutover.problem !== undefined);
  const text = `${headline}\n${renderStop(result, io.width, io.paint)}`;
  return { document: result, text, ...(failed ? { exit: EXIT.other } : {}) };
}
