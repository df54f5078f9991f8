/** `crossfade quarantine` and `crossfade backfill`: look at rows that wait, and say what becomes of them. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { duration } from '../../core/conditions/figures.ts';
import type { BackfillRehearsal } from '../../flows/rows/rehearse-backfill.ts';
import type { BackfillReport } from '../../flows/rows/row-controls.ts';
import type { QuarantinedKey } from '../../ports/converging.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { confirm } from '../confirm.ts';
import { type Context, cutoverId, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { count, counted, field, printable } from '../text.ts';

const BACKFILL_ACTIONS = ['pause', 'resume', 'cancel'];

/** Without an action: the list, and code 3 while it is not empty. */
export async function quarantine(context: Context): Promise<Outcome> {
  const [, action, key] = context.args;
  if (action === undefined) return listed(context);
  if (action === 'retry') return retried(context, key);
  if (action === 'discard') return discarded(context, key);
  throw new CrossfadeError('invalid_input', `'${printable(action.slice(0, 40))}' is no action here: retry or discard.`);
}

async function listed(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const query = new URLSearchParams({ limit: String(options.limit ?? 100) });
  const found = await api.get<{ total: number; keys: readonly QuarantinedKey[] }>(
    `/v1/cutovers/${id}/quarantine?${query}`,
  );
  const lines = found.keys.flatMap(({ key, sqlstate, reason, attempts }) =>
    field(printable(key), `${sqlstate} ${printable(reason)}, ${counted(attempts, 'attempt')}`, io.width, 30),
  );
  const more = found.total - found.keys.length;
  const head =
    found.total === 0 ? `${id}: no key is in quarantine.` : `${id}: ${counted(found.total, 'key')} in quarantine`;
  const rest = more > 0 ? [`… and ${more} more (--limit)`] : [];
  return {
    document: found,
    text: [head, ...lines, ...rest].join('\n'),
    ...(found.total > 0 ? { exit: EXIT.held } : {}),
  };
}

async function retried(context: Context, key: string | undefined): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const body = key === undefined ? {} : { key };
  const call = { idempotencyKey: idempotencyKey(context) };
  const result = await api.post<{ enqueued: number }>(`/v1/cutovers/${id}/quarantine/retry`, body, call);
  return { document: result, text: `${id}: ${counted(result.enqueued, 'key')} will be tried again.` };
}

async function discarded(context: Context, key: string | undefined): Promise<Outcome> {
  const { io, options } = context;
  const id = cutoverId(context);
  if (key === undefined)
    throw new CrossfadeError('invalid_input', `Name the key: 'crossfade quarantine ${id} discard KEY --reason …'.`);
  if (!options.reason)
    throw new CrossfadeError('invalid_input', "'quarantine discard' needs --reason: it is audited with your name.");
  const call = { idempotencyKey: idempotencyKey(context) };
  const { connection, api } = openApi(context);
  const { loopback, url } = connection;
  const command = `giving up ${printable(key)} of '${id}'`;
  await confirm(io, { command, name: id, given: options.confirm, yes: options.yes === true, loopback, url });
  const body = { key, confirm: id, reason: options.reason };
  const result = await api.post<{ discarded: number }>(`/v1/cutovers/${id}/quarantine/discard`, body, call);
  return { document: result, text: `${id}: ${printable(key)} is given up. Verification counts it from now on.` };
}

/** Without an action: how far it is, when it will be done, and what it waits for. */
export async function backfill(context: Context): Promise<Outcome> {
  const { options } = context;
  const action = context.args[1];
  const id = cutoverId(context);
  if (action === 'dry-run') return rehearsed(context, id);
  if (action !== undefined && !BACKFILL_ACTIONS.includes(action)) {
    throw new CrossfadeError(
      'invalid_input',
      `'${printable(action.slice(0, 40))}' is no action here: dry-run, ${BACKFILL_ACTIONS.join(', ')}.`,
    );
  }
  const { api } = openApi(context);
  if (action !== undefined) {
    const body = options.reason ? { reason: options.reason } : {};
    const call = { idempotencyKey: idempotencyKey(context) };
    const result = await api.post<{ state: string }>(`/v1/cutovers/${id}/backfill/${action}`, body, call);
    return { document: result, text: `${id}: the copy is ${result.state}.` };
  }
  const report = await api.get<BackfillReport>(`/v1/cutovers/${id}/backfill`);
  return { document: report, text: backfillText(id, report) };
}

/** What would be copied, and how long it would take. */
async function rehearsed(context: Context, id: string): Promise<Outcome> {
  const { api } = openApi(context);
  const path = `/v1/cutovers/${id}/backfill/dry-run`;
  const seen = await api.get<BackfillRehearsal>(path, { deadlineMs: LONG_DEADLINE_MS });
  return { document: seen, text: rehearsalText(id, seen) };
}

function rehearsalText(id: string, seen: BackfillRehearsal): string {
  const { state, rows, shadowRows, chunks, estimatedMs, rowsPerSecond, sampleRows, why, waits } = seen;
  const head =
    state === 'done'
      ? `${id}: everything is copied.`
      : `${id}: about ${count(rows)} rows would be copied; nothing was.`;
  const time =
    estimatedMs === null || rowsPerSecond === null
      ? `How long it takes is not known: ${printable(why ?? 'there is no row to try')}.`
      : `In some ${counted(chunks ?? 0, 'chunk')}, about ${duration(estimatedMs)}: ${counted(sampleRows, 'row')} went into an empty table like the shadow at ${count(rowsPerSecond)} rows/s.`;
  const had = shadowRows > 0 && state === 'none';
  return [
    head,
    ...(rows > 0 ? [time] : []),
    ...(had ? [`The shadow has about ${count(shadowRows)} rows already: they are compared, not overwritten.`] : []),
    ...(waits === null ? [] : [`It would wait now: ${printable(waits)}.`]),
  ].join('\n');
}

function backfillText(
  id: string,
  { state, rowsDone, rowsTotal, rowsPerSecond, etaMs, pressure }: BackfillReport,
): string {
  const eta = etaMs === null ? '' : `, done in about ${Math.ceil(etaMs / 1_000)} s`;
  const waits =
    pressure.waitsFor.length > 0 ? [`It waits for ${pressure.waitsFor.join(', ')}, to which its rows refer.`] : [];
  const condition = pressure.goOn ? [] : ['It waits: the declared condition is not true.'];
  const rate = state === 'running' ? `, ${rowsPerSecond} rows/s${eta}` : '';
  return [`${id}: ${state}, ${rowsDone} of about ${rowsTotal} rows${rate}`, ...waits, ...condition].join('\n');
}
