/**
 * The shadow-writer's work: a wake-up names a cutover, and its outbox is emptied in calls of one transaction each.
 * Wake-ups carry no rows, so a lost, doubled or reordered one costs time, never data.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverId, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { writesShadow } from '../../core/cutover/switches.ts';
import { emptyWindow } from '../../core/gates/minute-window.ts';
import type { Ports } from '../../ports/ports.ts';
import type { WindowAddition } from '../../ports/windows.ts';

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

type Needs = Pick<Ports, 'clock' | 'ids' | 'state' | 'converging' | 'inspecting' | 'windows' | 'log'>;

/** What a cutover's state and the master switch are now, or were a moment ago. */
export type StateNow = (id: CutoverId) => Promise<{ state: CutoverState | null; system: SystemState }>;

const BATCH = 500;
const MARGIN_MS = 1_000;
/** A long run hears within this time that writes were switched off. */
export const LOOK_EVERY_MS = 1_000;

/** Empties the outbox of one cutover until nothing can be claimed or the time is nearly up. */
export async function converge(ports: Needs, id: CutoverId, deadlineMs: number): Promise<Served> {
  const served = await convergeTurn(ports, id, { deadlineMs, turnMs: Number.POSITIVE_INFINITY, now: stateNow(ports) });
  await recordChecks(ports, [{ id, ...served }]);
  return served;
}

/** The same for no longer than a turn and a call, so that others get theirs. What was compared is left to be recorded. */
export async function convergeTurn(
  ports: Pick<Needs, 'clock' | 'converging' | 'inspecting' | 'log'>,
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

export function stateNow(ports: Pick<Needs, 'state'>): StateNow {
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

type Checks = Pick<Served, 'checked' | 'mismatched'> & { id: CutoverId };

/** What the writer compared right after writing counts for the shadow, in the minute of the comparison. */
export async function recordChecks(
  ports: Pick<Needs, 'clock' | 'ids' | 'windows' | 'log'>,
  compared: readonly Checks[],
): Promise<void> {
  const nowMs = ports.clock.now();
  const empty = emptyWindow(Math.floor(nowMs / MINUTE_MS), 'shadow' as const);
  const additions = compared
    .filter(({ checked }) => checked > 0)
    .map(
      ({ id, checked, mismatched }): WindowAddition => ({
        cutover: id,
        operation: 'converge',
        window: { ...empty, checks: checked, mismatches: mismatched },
      }),
    );
  const [first] = additions;
  if (!first) return;
  try {
    await ports.windows.add(ports.ids.next(), first.cutover, additions, nowMs);
  } catch (error) {
    // Fewer checks are counted: the gate holds longer, it never sees false health.
    ports.log.failure('checks_not_recorded', error, { cutover: first.cutover, cutovers: additions.length });
  }
}
