/** Writes that one side has and the other one must get: what waits, and what a person decides about those in quarantine. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CopyAction, CopyList, ListedCopy } from '../../flows/forwards/copies.ts';
import { type Context, cutoverId, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { printable } from '../text.ts';

export async function copies(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const [, action, copy] = context.args;
  if (action === undefined) return list(context, id);
  if (action !== 'retry' && action !== 'discard') {
    throw new CrossfadeError(
      'invalid_input',
      `'${printable(action.slice(0, 40))}' is no action on forwarded writes. Use retry (the authoritative side has the write, copy it) or discard (the other side does not get it).`,
    );
  }
  return act(context, id, action, copy);
}

/** Copies in quarantine hold the cutover, and so does this exit code. */
async function list(context: Context, id: string): Promise<Outcome> {
  const { api } = openApi(context);
  const found = await api.get<CopyList>(`/v1/cutovers/${id}/copies`);
  return { document: found, text: render(id, found), ...(found.quarantined > 0 ? { exit: EXIT.held } : {}) };
}

async function act(context: Context, id: string, action: CopyAction, copy: string | undefined): Promise<Outcome> {
  const all = context.options.all === true;
  if (all === (copy !== undefined)) {
    throw new CrossfadeError(
      'invalid_input',
      `Name one copy, or write --all for every one in quarantine: crossfade copies ${id} ${action} COPY. 'crossfade copies ${id}' lists them.`,
    );
  }
  const key = idempotencyKey(context);
  const { api } = openApi(context);
  const body = copy === undefined ? { all: true } : { id: copy };
  const answer = await api.post<{ changed: number }>(`/v1/cutovers/${id}/copies/${action}`, body, {
    idempotencyKey: key,
  });
  const done = action === 'retry' ? 'will be tried again' : 'will not be made';
  return { document: answer, text: `${answer.changed} ${answer.changed === 1 ? 'copy' : 'copies'} ${done}.` };
}

function render(id: string, { open, quarantined, lagMs, more, copies: listed }: CopyList): string {
  if (open === 0) return `${id}: both sides have every write.`;
  const waiting = open === 1 && !more ? '1 write waits' : `${open}${more ? ' or more' : ''} writes wait`;
  const head = `${id}: ${waiting} to be copied, the oldest for ${seconds(lagMs)}; ${quarantined} in quarantine.`;
  const rows = listed.map(line);
  return [head, ...rows, ...(more ? ['… more of them are not listed.'] : [])].join('\n');
}

function line({ id, side, status, method, path, key, ageMs, attempts, problem }: ListedCopy): string {
  const what = path === '' ? `key ${key}` : `${method} /${path}`;
  const why = problem ? `  ${problem.code}: ${printable(problem.text)}` : '';
  return `  ${id}  ${status} → ${side}  ${printable(what)}  ${seconds(ageMs)}, attempt ${attempts}${why}`;
}

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;
