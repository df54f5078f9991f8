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

import { isCrossfadeError, messageOf } from '../../core/base/errors.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type PendingAction,
} from '../../core/cutover/cutover.ts';
import { GIVE_UP_AFTER_MS } from '../../core/gates/pending.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import { decide } from '../../core/stage/decide.ts';
import type { Observation } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { askTables, type TablesAsked } from '../rows/ask-tables.ts';
import { type TableCutoverDeclaration, tableCutover } from '../rows/table-of.ts';
import type { Around } from './collect.ts';
import { commit } from './commit.ts';
import { waitsForReaders } from './readers-first.ts';

export type CarryOutPorts = Pick<Ports, 'state' | 'swapping' | 'sightings' | 'log'>;

/** `waits`: why the intent is still pending; null when it is not, or somebody else moved first. */
export type Carried = { state: CutoverState; waits: string | null };

/**
 * `stopped`: while everything is stopped no promotion is begun; the stop itself withdraws it.
 * `deployed`: what readers follow, where it was asked.
 */
type When = { nowMs: number; stopped?: boolean; deployed?: FlagDocument | null | undefined };

/** What is to be carried out, of whom, in which state. */
type Work = { declaration: TableCutoverDeclaration; state: CutoverState; pending: PendingAction };

/**
 * The first step of a tick. A pending intent is read once more, since it may have been settled meanwhile, and is carried out or
 * given up; a state that cannot be read says why.
 * @returns the state with what the look at it needs; `from`: the stage it was in before
 */
export async function settle(
  ports: CarryOutPorts & Pick<Ports, 'inspecting'>,
  declaration: CutoverDeclaration,
  { nowMs, system, states, tables, deployed }: Around,
): Promise<Carried & { from: string; tables: TablesAsked }> {
  const stored = states.get(declaration.id) ?? initialState(declaration);
  if (!('invalid' in stored) && stored.pending === null) {
    return { from: stored.stage, state: stored, waits: null, tables };
  }
  const found = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  const carried = await carryOut(ports, declaration, found, {
    nowMs,
    stopped: system.emergencyStop,
    deployed: deployed?.document,
  });
  // What was carried out has changed what the database says.
  return { ...carried, from: found.stage, tables: await askTables(ports, [declaration]) };
}

/**
 * The state after the intent was carried out, given up, or left for the next tick. Of one that was withdrawn too late the
 * way back follows at once.
 */
export async function carryOut(
  ports: CarryOutPorts,
  declaration: CutoverDeclaration,
  state: CutoverState,
  when: When,
): Promise<Carried> {
  const { pending } = state;
  if (!pending || declaration.kind !== 'table') return { state, waits: null };
  const first = await tryToSettle(ports, { declaration, state, pending }, when);
  const after = first.state;
  const goesOn = pending.withdrawn && after !== state && after.pending?.action === 'revert';
  return goesOn ? tryToSettle(ports, { declaration, state: after, pending: after.pending! }, when) : first;
}

async function tryToSettle(ports: CarryOutPorts, work: Work, when: When): Promise<Carried> {
  const { state, pending } = work;
  const seen = await act(ports, work, when);
  if (seen.type === 'waits') return { state, waits: seen.why };
  const by = { nowMs: when.nowMs, actor: pending.withdrawn?.actor ?? pending.actor };
  const decision = decide(state, seen, { ...by, emergencyStop: false });
  if (decision.kind === 'refused') return { state, waits: decision.message };
  const result = await commit(ports, state, decision, by);
  if (result.kind === 'stale') return { state: result.current, waits: null };
  return { state: result.kind === 'repeated' ? state : result.state, waits: null };
}

type Waits = { type: 'waits'; why: string };
const waits = (why: string): Waits => ({ type: 'waits', why });
const STOPPED = "everything is stopped, and meanwhile no promotion is begun. 'crossfade reset system' lifts the stop";

/** What became of it; why it waits when nothing is known for good. */
async function act(ports: CarryOutPorts, work: Work, when: When): Promise<Observation | Waits> {
  const { nowMs, stopped = false } = when;
  const { declaration, state, pending } = work;
  const { epoch, action, withdrawn } = pending;
  if (stopped && action === 'promote' && !withdrawn) return waits(STOPPED);
  const version = state.version + 1;
  const giveUp = async (why: string): Promise<Observation> => {
    const { kind } = await ports.swapping.abandon(declaration.id, { toEpoch: epoch, version });
    return kind === 'swapped' ? { type: 'carried_out', epoch } : { type: 'given_up', epoch, why };
  };
  const late = nowMs - pending.sinceMs > GIVE_UP_AFTER_MS;
  try {
    if (withdrawn) return await giveUp(withdrawn.reason);
    const readers = await waitsForReaders(ports, state, when);
    if (readers !== null) return late ? await giveUp(readers) : waits(readers);
    const tried = await tryOnce(ports, work);
    if (tried.kind === 'done') return { type: 'carried_out', epoch, lockHeldMs: tried.lockHeldMs };
    return tried.kind === 'refused' || late ? await giveUp(tried.why) : waits(tried.why);
  } catch (error) {
    ports.log.failure('carry_out_failed', error, { cutover: declaration.id, action });
    // Whether it was done is unknown. Nothing is given up on a guess: giving up asks the database, under the lock of the work.
    const final = isCrossfadeError(error) && !error.retryable;
    const why = messageOf(error);
    if (withdrawn || !(final || late)) return waits(why);
    return giveUp(why).catch((failure) => {
      ports.log.failure('not_given_up', failure, { cutover: declaration.id, action });
      return waits(why);
    });
  }
}

type Tried = { kind: 'done'; lockHeldMs?: number | undefined } | { kind: 'refused' | 'later'; why: string };

async function tryOnce(ports: CarryOutPorts, { declaration, state, pending }: Work): Promise<Tried> {
  const { action, epoch: toEpoch, dropTracking } = pending;
  const cutover = tableCutover(declaration);
  const { epoch: fromEpoch } = state;
  const version = state.version + 1;
  if (action === 'cleanup') {
    const result = await ports.swapping.cleanup(cutover, fromEpoch, { dropTracking: dropTracking === true, version });
    return result.kind === 'refused' ? result : { kind: 'done' };
  }
  const stage = action === 'promote' ? state.plan.stages.at(-1)!.name : 'rolled_back';
  const result = await ports.swapping[action](cutover, { fromEpoch, toEpoch, stage, version });
  ports.log.event('swap', { cutover: declaration.id, action, result: result.kind });
  if (result.kind === 'swapped') return { kind: 'done', lockHeldMs: result.lockHeldMs };
  if (result.kind === 'already') return { kind: 'done' };
  return { kind: result.kind === 'refused' ? 'refused' : 'later', why: result.why };
}
