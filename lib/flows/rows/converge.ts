/**
 * The shadow-writer's work: a wake-up names a cutover, and its outbox is emptied in calls of one transaction each.
 * Wake-ups carry no rows, so a lost, doubled or reordered one costs time, never data.
 */

import type { CutoverId, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { writesShadow } from '../../core/cutover/switches.ts';
import type { Ports } from '../../ports/ports.ts';

/** `more`: hints may be left; the turn was over (`outOfTime`: all of the time) before none could be claimed. */
export type Served = {
  calls: number;
  written: number;
  deleted: number;
  quarantined: number;
  checked: number;
  mismatched: number;
  more: boolean;
  outOfTime: boolean;
};

type Needs = Pick<Ports, 'clock' | 'converging' | 'inspecting' | 'log'>;

/** What a cutover's state and the master switch are now, or were a moment ago. */
export type StateNow = (id: CutoverId) => Promise<{ state: CutoverState | null; system: SystemState }>;

const BATCH = 500;
const MARGIN_MS = 1_000;
/** A long run hears within this time that writes were switched off. */
export const LOOK_EVERY_MS = 1_000;

/**
 * Empties the outbox of one cutover until nothing can be claimed, for no longer than a turn and a call, so that others get theirs.
 * What was compared is left to be recorded.
 */
export async function converge(
  ports: Needs,
  id: CutoverId,
  { deadlineMs, turnMs, now }: { deadlineMs: number; turnMs: number; now: StateNow },
): Promise<Served> {
  const counts = { calls: 0, written: 0, deleted: 0, quarantined: 0, checked: 0, mismatched: 0 };
  const served: Served = { ...counts, more: false, outOfTime: false };
  const beganMs = ports.clock.monotonicMs();
  let epoch = await epochInForce(ports, id, now);
  let lookedAtMs = ports.clock.monotonicMs();
  let slowestMs = 0;
  while (epoch !== null) {
    const startedMs = ports.clock.monotonicMs();
    const outOfTime = deadlineMs - startedMs < 2 * slowestMs + MARGIN_MS;
    if (outOfTime || startedMs - beganMs > turnMs) {
      Object.assign(served, { more: true, outOfTime });
      break;
    }
    const result = await ports.converging.converge(id, epoch, BATCH);
    slowestMs = Math.max(slowestMs, ports.clock.monotonicMs() - startedMs);
    served.calls += 1;
    if (result.kind === 'stale') {
      // The fence in Postgres is at another epoch: somebody newer is at work, or the next tick brings it here.
      ports.log.event('converge_stale', { cutover: id, have: result.have, got: result.got });
      break;
    }
    served.written += result.written;
    served.deleted += result.deleted;
    served.quarantined += result.quarantined;
    served.checked += result.checked;
    served.mismatched += result.mismatched;
    if (result.claimed === 0 || result.remaining === 0) break;
    if (startedMs - lookedAtMs < LOOK_EVERY_MS) continue;
    lookedAtMs = startedMs;
    epoch = await epochInForce(ports, id, now);
  }
  return served;
}

export function stateNow(ports: Pick<Ports, 'state'>): StateNow {
  return async (id) => {
    const [state, system] = await Promise.all([ports.state.readCutover(id), ports.state.readSystem()]);
    return { state, system };
  };
}

/**
 * The epoch to write under, null when nothing is to be kept equal. After a rollback that is the fence's, until it follows:
 * reads are taken away first, and a reader that still follows old flags must not see rows that have stopped changing.
 */
async function epochInForce(ports: Pick<Needs, 'inspecting'>, id: CutoverId, now: StateNow): Promise<number | null> {
  const { state, system } = await now(id);
  // Switched off, hints stay where they are until somebody switches it on again.
  if (!state || !writesShadow(state, system)) return null;
  if (syncsShadow(state)) return state.epoch;
  if (state.stageKind !== 'rolled_back') return null;
  const status = await ports.inspecting.status(id);
  return status?.armed === 'forward' && status.mirror ? status.mirror.epoch : null;
}
