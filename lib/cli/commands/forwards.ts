/** Writes that one side has and the other one must get: what waits, and what a person decides about those in quarantine. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { ForwardAction, ForwardList, ListedForward } from '../../flows/forwards/forward-controls.ts';
import { type Context, cutoverId, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { printable } from '../text.ts';

export async function forwards(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const [, action, forward] = context.args;
  if (action === undefined) return list(context, id);
  if (action !== 'retry' && action !== 'discard') {
    throw new CrossfadeError(
      'invalid_input',
      `'${printable(action.slice(0, 40))}' is no action on forwarded writes. Use retry (the authoritative side has the write, the other one gets it) or discard (the other side does not get it).`,
    );
  }
  return act(context, id, action, forward);
}

/** Forwarded writes in quarantine hold the cutover, and so does this exit code. */
async function list(context: Context, id: string): Promise<Outcome> {
  const { api } = openApi(context);
  const found = await api.get<ForwardList>(`/v1/cutovers/${id}/forwards`);
  return { document: found, text: render(id, found), ...(found.quarantined > 0 ? { exit: EXIT.held } : {}) };
}

async function act(context: Context, id: string, action: ForwardAction, forward: string | undefined): Promise<Outcome> {
  const all = context.options.all === true;
  if (all === (forward !== undefined)) {
    throw new CrossfadeError(
      'invalid_input',
      `Name one forwarded write, or write --all for every one in quarantine: crossfade forwards ${id} ${action} ID. 'crossfade forwards ${id}' lists them.`,
    );
  }
  const key = idempotencyKey(context);
  const { api } = openApi(context);
  const body = forward === undefined ? { all: true } : { id: forward };
  const answer = await api.post<{ changed: number }>(`/v1/cutovers/${id}/forwards/${action}`, body, {
    idempotencyKey: key,
  });
  const done = action === 'retry' ? 'will be tried again' : 'will not be sent';
  return {
    document: answer,
    text: `${answer.changed} ${answer.changed === 1 ? 'forwarded write' : 'forwarded writes'} ${done}.`,
  };
}

function render(id: string, { open, quarantined, lagMs, more, forwards: listed }: ForwardList): string {
  if (open === 0) return `${id}: both sides have every write.`;
  const waiting = open === 1 && !more ? '1 write waits' : `${open}${more ? ' or more' : ''} writes wait`;
  const head = `${id}: ${waiting} to be forwarded, the oldest for ${seconds(lagMs)}; ${quarantined} in quarantine.`;
  const rows = listed.map(line);
  return [head, ...rows, ...(more ? ['… more of them are not listed.'] : [])].join('\n');
}

function line({ id, side, status, method, path, key, ageMs, attempts, problem }: ListedForward): string {
  const what = path === '' ? `key ${key}` : `${method} /${path}`;
  const why = problem ? `  ${problem.code}: ${printable(problem.text)}` : '';
  return `  ${id}  ${status} → ${side}  ${printable(what)}  ${seconds(ageMs)}, attempt ${attempts}${why}`;
}

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;
