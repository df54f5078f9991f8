/** `crossfade phases` and `crossfade phase NAME …`: how phases stand, and what a person decides about them. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import { CUTOVER_ID } from '../../core/cutover/cutover.ts';
import type { PhaseCommand } from '../../core/phases/command.ts';
import type { PhaseResult, PhasesAnswer } from '../../flows/control/phases.ts';
import { PHASE_COMMAND_NAMES } from '../../schemas/phases.ts';
import { DEADLINE_MS, LONG_DEADLINE_MS } from '../api.ts';
import { confirm } from '../confirm.ts';
import { type Context, idempotencyKey, type Options, type Outcome, openApi } from '../context.ts';
import { renderPhase, renderPhaseResult, renderPhases } from '../render-phases.ts';
import { printable } from '../text.ts';

export async function phases(context: Context): Promise<Outcome> {
  const { io } = context;
  const answer = await openApi(context).api.get<PhasesAnswer>('/v1/phases');
  return { document: answer, text: renderPhases(answer, io.width, io.paint) };
}

export async function phase(context: Context): Promise<Outcome> {
  const [name = '', action] = context.args;
  if (!CUTOVER_ID.test(name))
    throw new CrossfadeError('invalid_identifier', `'${printable(name.slice(0, 60))}' cannot be the name of a phase.`);
  if (action !== undefined) return operate(context, name, action);
  const { io } = context;
  const answer = await openApi(context).api.get<PhasesAnswer>('/v1/phases');
  const found = answer.phases.find((view) => view.name === name);
  if (found) return { document: found, text: renderPhase(found, io.width, io.paint) };
  const names = answer.phases.map((view) => view.name);
  throw new CrossfadeError('not_found', `No phase '${name}' is declared.${didYouMean(name, names)}`);
}

async function operate(context: Context, name: string, action: string): Promise<Outcome> {
  const { io, options } = context;
  const type = PHASE_COMMAND_NAMES.find((command) => command === action);
  if (!type) {
    const hint = didYouMean(action, PHASE_COMMAND_NAMES);
    const listed = PHASE_COMMAND_NAMES.join(', ');
    throw new CrossfadeError(
      'invalid_input',
      `A phase takes ${listed}, not '${printable(action.slice(0, 40))}'.${hint}`,
    );
  }
  const body = BODIES[type](options, context.args[2], name);
  const { connection, api } = openApi(context);
  if ('confirm' in body) {
    const { loopback, url } = connection;
    const command = `${type} phase '${name}'`;
    await confirm(io, { command, name, given: options.confirm, yes: options.yes === true, loopback, url });
  }
  const ifVersion = options.ifVersion ?? (await api.get<PhasesAnswer>('/v1/phases')).version;
  const result = await api.post<PhaseResult>(`/v1/phases/${name}/${type}`, body, {
    idempotencyKey: idempotencyKey(context),
    ifVersion,
    deadlineMs: type === 'rollback' ? LONG_DEADLINE_MS : DEADLINE_MS,
  });
  return { document: result, text: renderPhaseResult(result, io.width) };
}

/** What each command sends. `confirm` is the name: the person typed it, or the command is not sent. */
const BODIES: Record<PhaseCommand['type'], (options: Options, check: string | undefined, name: string) => object> = {
  check: ({ withdraw }, check) => {
    if (check === undefined) throw new CrossfadeError('invalid_input', "'check' needs the name of a check.");
    return { check, ...(withdraw ? { ok: false } : {}) };
  },
  go: ({ force, reason }) => {
    if (force && !reason)
      throw new CrossfadeError('invalid_input', "'go --force' needs --reason: it is audited with your name.");
    return { force, reason };
  },
  extend: ({ minutes, reason }) => {
    if (minutes === undefined || !reason)
      throw new CrossfadeError('invalid_input', "'extend' needs --minutes and --reason.");
    return { minutes, reason };
  },
  rollback: ({ reason }, _check, name) => {
    if (!reason) throw new CrossfadeError('invalid_input', "'rollback' needs --reason: it is audited with your name.");
    return { reason, confirm: name };
  },
  reset: (_options, _check, name) => ({ confirm: name }),
};
