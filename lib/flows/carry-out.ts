/**
 * Carries out a pending intent in Postgres and settles it in the state. Safe to repeat: the swap is fenced by the
 * intent's epoch, and a swap whose answer was lost is found done. One that is given up is fenced off in Postgres first, so
 * that a call which is still under way can never swap behind the state's back.
 *
 *   state   intent e+1 ───────────────────────────────→ completed e+1     (a crash anywhere here: the next tick repeats)
 *   table            swap in one transaction, mirror e+1
 */

import type { CutoverDeclaration, CutoverState } from '../core/cutover.ts';
import type { Observation } from '../core/events.ts';
import { decide } from '../core/stage.ts';
import type { Ports, TableCutover } from '../ports.ts';
import { commit } from './commit.ts';

/** An intent that could not be carried out for this long is taken back, so that other commands are possible again. */
const GIVE_UP_AFTER_MS = 10 * 60_000;
const ACTOR = 'tick';

/**
 * The state after the intent was carried out, given up, or left for the next tick.
 * @param stopped while everything is stopped no promotion is begun; one that was done already is found and kept
 */
export async function carryOut(
  ports: Pick<Ports, 'state' | 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  state: CutoverState,
  nowMs: number,
  stopped = false,
): Promise<CutoverState> {
  const seen = await act(ports, declaration, state, nowMs, stopped);
  if (!seen) return state;
  const by = { nowMs, actor: state.pending?.actor ?? ACTOR };
  const decision = decide(state, seen, { ...by, emergencyStop: false });
  if (decision.kind === 'refused') return state;
  const result = await commit(ports, state, decision, by);
  if (result.kind === 'stale') return result.current;
  return result.kind === 'repeated' ? state : result.state;
}

async function act(
  ports: Pick<Ports, 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  state: CutoverState,
  nowMs: number,
  stopped: boolean,
): Promise<Observation | null> {
  const pending = state.pending;
  if (!pending || declaration.kind !== 'table') return null;
  const cutover = tableCutover(declaration);
  const done = (lockHeldMs?: number): Observation => ({ type: 'carried_out', epoch: pending.epoch, lockHeldMs });
  const version = state.version + 1;
  const giveUp = async (why: string): Promise<Observation> => {
    const { kind } = await ports.tables.abandon(declaration.id, { toEpoch: pending.epoch, version });
    return kind === 'swapped' ? done() : { type: 'given_up', epoch: pending.epoch, why };
  };
  const late = nowMs - pending.sinceMs > GIVE_UP_AFTER_MS;
  try {
    if (pending.action === 'cleanup') {
      const result = await ports.tables.cleanup(cutover, state.epoch, { dropTracking: pending.dropTracking === true });
      return result.kind === 'refused' ? { type: 'given_up', epoch: pending.epoch, why: result.why } : done();
    }
    if (stopped && pending.action === 'promote') {
      const status = await ports.tables.status(declaration.id);
      if (status?.mirror?.epoch !== pending.epoch)
        return late ? await giveUp('everything was stopped meanwhile') : null;
    }
    const swap = {
      fromEpoch: state.epoch,
      toEpoch: pending.epoch,
      stage: pending.action === 'promote' ? state.plan.stages.at(-1)!.name : 'rolled_back',
      version,
    };
    const result = await ports.tables[pending.action](cutover, swap);
    ports.log.event('swap', { cutover: declaration.id, action: pending.action, result: result.kind });
    if (result.kind === 'swapped') return done(result.lockHeldMs);
    if (result.kind === 'already') return done();
    if (result.kind === 'refused' || late) return await giveUp(result.why);
    return null;
  } catch (error) {
    // The outcome is unknown: the next try finds the mirror either way. Nothing is given up on a guess.
    ports.log.failure('carry_out_failed', error, { cutover: declaration.id, action: pending.action });
    return null;
  }
}

export function tableCutover(declaration: CutoverDeclaration & { kind: 'table' }): TableCutover {
  return { id: declaration.id, table: declaration.table, validation: declaration.validation };
}
