/**
 * What people do about rows: look at keys in quarantine, try them again or give them up; pause, resume or cancel the copy.
 * Each act is written to the audit log first: one that then fails is one that may simply be repeated.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../core/cutover/cutover.ts';
import type { BackfillProgress } from '../../core/gates/table-status.ts';
import type { Event, RowsAction } from '../../core/stage/events.ts';
import { record } from '../../core/stage/evolve.ts';
import type { QuarantinedKey } from '../../ports/converging.ts';
import type { BackfillAction, Pressure } from '../../ports/copying.ts';
import type { Ports } from '../../ports/ports.ts';
import { type TableCutoverDeclaration, tableCutover, tableOf } from './table-of.ts';

type Needs = Pick<Ports, 'clock' | 'state' | 'inspecting' | 'copying' | 'converging'>;

const AUDIT_TRIES = 5;

// ----------------------------------------------------------------------------------------------------- quarantine

export async function listQuarantine(
  ports: Needs,
  declaration: CutoverDeclaration,
  page: { after?: string; limit: number },
): Promise<{ total: number; keys: readonly QuarantinedKey[] }> {
  return ports.converging.quarantined(tableOf(declaration).id, page);
}

/** @param key JSON text as the list has it; null for all */
export async function retryQuarantine(
  ports: Needs,
  declaration: CutoverDeclaration,
  key: string | null,
  actor: string,
): Promise<{ enqueued: number }> {
  const { id } = await settled(ports, declaration, key);
  await audited(ports, tableOf(declaration), { action: 'quarantine_retry', key: key ?? undefined }, actor);
  return ports.converging.retryQuarantined(id, key);
}

/** The row under this key may stay different on both sides: verification counts it from now on. */
export async function discardQuarantine(
  ports: Needs,
  declaration: CutoverDeclaration,
  request: { key: string; confirm: string; reason: string },
  actor: string,
): Promise<{ discarded: number }> {
  const { id } = tableOf(declaration);
  if (request.confirm !== id) {
    throw new CrossfadeError(
      'confirm_required',
      `Giving up a key of cutover '${id}' needs "confirm" with its id, got '${request.confirm.slice(0, 60)}'. Nothing was changed.`,
    );
  }
  await settled(ports, declaration, request.key);
  const { key, reason } = request;
  await audited(ports, tableOf(declaration), { action: 'quarantine_discard', key, reason }, actor);
  return ports.converging.discardQuarantined(id, key);
}

/** The key is one of the list, whatever blanks its JSON has. @throws CrossfadeError `not_found` */
async function settled(ports: Needs, declaration: CutoverDeclaration, key: string | null) {
  const table = tableOf(declaration);
  if (key === null) return table;
  const { keys } = await ports.converging.quarantined(table.id, { after: '', limit: 100_000 });
  const wanted = canonical(key);
  if (wanted !== null && keys.some((one) => canonical(one.key) === wanted)) return table;
  throw new CrossfadeError(
    'not_found',
    `No key ${key.slice(0, 200)} of cutover '${table.id}' is in quarantine. Keys are written as 'crossfade quarantine ${table.id}' lists them.`,
  );
}

/** Text without the blanks between tokens; numbers stay as they are written, since they may be longer than a double. */
function canonical(key: string): string | null {
  try {
    JSON.parse(key);
  } catch {
    return null;
  }
  return key.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text: string | undefined) => text ?? '');
}

// ------------------------------------------------------------------------------------------------------- backfill

export type BackfillReport = BackfillProgress & {
  /** Milliseconds until it is done at the rate of the last minute; null when nothing moves. */
  etaMs: number | null;
  pressure: Pressure;
};

export async function reportBackfill(ports: Needs, declaration: CutoverDeclaration): Promise<BackfillReport> {
  const table = tableOf(declaration);
  const [status, pressure] = [
    await ports.inspecting.status(table.id),
    await ports.copying.pressure(tableCutover(table)),
  ];
  const backfill = status?.backfill ?? { state: 'none', rowsDone: 0, rowsTotal: 0, rowsPerSecond: 0 };
  return { ...backfill, etaMs: etaMs(backfill), pressure };
}

export function etaMs({ state, rowsDone, rowsTotal, rowsPerSecond }: BackfillProgress): number | null {
  if (state !== 'running' || rowsPerSecond <= 0) return null;
  return Math.round((Math.max(0, rowsTotal - rowsDone) / rowsPerSecond) * 1_000);
}

/** @throws CrossfadeError `illegal_transition` when the copy is in no state for it */
export async function controlBackfill(
  ports: Needs,
  declaration: CutoverDeclaration,
  action: BackfillAction,
  request: { actor: string; reason?: string },
): Promise<{ state: string }> {
  const table = tableOf(declaration);
  const state = await ports.state.readCutover(table.id);
  if (!state) throw impossible(table.id, action, 'none');
  const done = await ports.copying.controlBackfill(table.id, state.epoch, action);
  if (done.kind === 'stale') {
    throw new CrossfadeError(
      'conflict',
      `The fence in Postgres is at epoch ${done.have} of cutover '${table.id}', the state at ${done.got}. Try again after the next tick.`,
      { retryable: true },
    );
  }
  if (done.kind === 'unchanged') {
    if (done.state === { pause: 'paused', cancel: 'cancelled', resume: 'running' }[action])
      return { state: done.state };
    throw impossible(table.id, action, done.state);
  }
  await audited(ports, table, { action: `backfill_${action}`, reason: request.reason }, request.actor);
  return { state: done.state };
}

function impossible(id: string, action: BackfillAction, state: string): CrossfadeError {
  const seen = state === 'none' ? 'has not begun' : `is ${state}`;
  return new CrossfadeError(
    'illegal_transition',
    `The copy of cutover '${id}' ${seen}: there is nothing to ${action}.`,
  );
}

// ---------------------------------------------------------------------------------------------------------- pieces

/** One entry, whatever else is written to the state at the same time. */
export async function audited(
  ports: Pick<Ports, 'clock' | 'state'>,
  declaration: TableCutoverDeclaration,
  what: { action: RowsAction; key?: string; reason?: string },
  actor: string,
): Promise<void> {
  const { action, key, reason } = what;
  const event: Event = { type: 'rows_handled', action, ...(key ? { key } : {}), ...(reason ? { reason } : {}) };
  let before: CutoverState = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  for (let tries = 1; tries <= AUDIT_TRIES; tries += 1) {
    const { state: after, entries } = record(before, [event], { nowMs: ports.clock.now(), actor });
    const written = await ports.state.writeCutover({ before, after, entries });
    if (written.kind !== 'stale') return;
    before = written.current;
  }
  throw new CrossfadeError('conflict', `Cutover '${declaration.id}' is being changed all the time. Try again.`, {
    retryable: true,
  });
}
