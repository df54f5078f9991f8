/**
 * Carries out a pending intent in Postgres and settles it in the state. Safe to repeat: the work is fenced by the
 * intent's epoch, and work whose answer was lost is found done. What is given up or withdrawn is fenced off in Postgres
 * first, so that a call which is still under way can never act behind the state's back.
 *
 *   state   intent e+1 ───────────────────────────────→ completed e+1     (a crash anywhere here: the next tick repeats)
 *   table            swap in one transaction, mirror e+1
 *
 *   state   intent e+1 ── withdrawn ─────────────┬────→ rolled back e+1
 *   table                    no swap to e+1 any more
 *                                                └────→ completed e+1, intent to go back e+2     (it had swapped)
 */

import type { CutoverDeclaration, CutoverState, PendingAction } from '../core/cutover.ts';
import { isCrossfadeError } from '../core/errors.ts';
import type { Observation } from '../core/events.ts';
import { decide } from '../core/stage.ts';
import type { Ports, TableCutover } from '../ports.ts';
import { commit } from './commit.ts';

/** An intent that could not be carried out for this long is taken back, so that other commands are possible again. */
const GIVE_UP_AFTER_MS = 10 * 60_000;

type Needs = Pick<Ports, 'state' | 'tables' | 'log'>;
type TableDeclared = CutoverDeclaration & { kind: 'table' };

/**
 * The state after the intent was carried out, given up, or left for the next tick. Of one that was withdrawn too late the
 * way back follows at once.
 * @param stopped while everything is stopped no promotion is begun; the stop itself withdraws it
 */
export async function carryOut(
  ports: Needs,
  declaration: CutoverDeclaration,
  state: CutoverState,
  nowMs: number,
  stopped = false,
): Promise<CutoverState> {
  const { pending } = state;
  if (!pending || declaration.kind !== 'table') return state;
  const after = await settle(ports, declaration, state, pending, nowMs, stopped);
  const goesOn = pending.withdrawn && after !== state && after.pending?.action === 'revert';
  return goesOn ? settle(ports, declaration, after, after.pending!, nowMs, stopped) : after;
}

async function settle(
  ports: Needs,
  declaration: TableDeclared,
  state: CutoverState,
  pending: PendingAction,
  nowMs: number,
  stopped: boolean,
): Promise<CutoverState> {
  const seen = await act(ports, declaration, state, pending, nowMs, stopped);
  if (!seen) return state;
  const by = { nowMs, actor: pending.withdrawn?.actor ?? pending.actor };
  const decision = decide(state, seen, { ...by, emergencyStop: false });
  if (decision.kind === 'refused') return state;
  const result = await commit(ports, state, decision, by);
  if (result.kind === 'stale') return result.current;
  return result.kind === 'repeated' ? state : result.state;
}

/** What became of it; null when nothing is known for good. */
async function act(
  ports: Needs,
  declaration: TableDeclared,
  state: CutoverState,
  pending: PendingAction,
  nowMs: number,
  stopped: boolean,
): Promise<Observation | null> {
  const { epoch, action, withdrawn } = pending;
  if (stopped && action === 'promote' && !withdrawn) return null;
  const version = state.version + 1;
  const giveUp = async (why: string): Promise<Observation> => {
    const { kind } = await ports.tables.abandon(declaration.id, { toEpoch: epoch, version });
    return kind === 'swapped' ? { type: 'carried_out', epoch } : { type: 'given_up', epoch, why };
  };
  const late = nowMs - pending.sinceMs > GIVE_UP_AFTER_MS;
  try {
    if (withdrawn) return await giveUp(withdrawn.reason);
    const tried = await tryOnce(ports, declaration, state, pending);
    if (tried.kind === 'done') return { type: 'carried_out', epoch, lockHeldMs: tried.lockHeldMs };
    return tried.kind === 'refused' || late ? await giveUp(tried.why) : null;
  } catch (error) {
    ports.log.failure('carry_out_failed', error, { cutover: declaration.id, action });
    // Whether it was done is unknown. Nothing is given up on a guess: giving up asks the database, under the lock of the work.
    const final = isCrossfadeError(error) && !error.retryable;
    if (withdrawn || !(final || late)) return null;
    return giveUp(error instanceof Error ? error.message : String(error)).catch((failure) => {
      ports.log.failure('not_given_up', failure, { cutover: declaration.id, action });
      return null;
    });
  }
}

type Tried = { kind: 'done'; lockHeldMs?: number | undefined } | { kind: 'refused' | 'later'; why: string };

async function tryOnce(
  ports: Needs,
  declaration: TableDeclared,
  state: CutoverState,
  { action, epoch: toEpoch, dropTracking }: PendingAction,
): Promise<Tried> {
  const cutover = tableCutover(declaration);
  const { epoch: fromEpoch } = state;
  const version = state.version + 1;
  if (action === 'cleanup') {
    const result = await ports.tables.cleanup(cutover, fromEpoch, { dropTracking: dropTracking === true, version });
    return result.kind === 'refused' ? result : { kind: 'done' };
  }
  const stage = action === 'promote' ? state.plan.stages.at(-1)!.name : 'rolled_back';
  const result = await ports.tables[action](cutover, { fromEpoch, toEpoch, stage, version });
  ports.log.event('swap', { cutover: declaration.id, action, result: result.kind });
  if (result.kind === 'swapped') return { kind: 'done', lockHeldMs: result.lockHeldMs };
  if (result.kind === 'already') return { kind: 'done' };
  return { kind: result.kind === 'refused' ? 'refused' : 'later', why: result.why };
}

export function tableCutover(declaration: TableDeclared): TableCutover {
  return { id: declaration.id, table: declaration.table, validation: declaration.validation };
}
