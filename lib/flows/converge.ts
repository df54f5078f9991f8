/**
 * The shadow-writer's work: a wake-up names a cutover, and its outbox is emptied in calls of one transaction each.
 * Wake-ups carry no rows, so a lost, doubled or reordered one costs time, never data.
 */

import type { CutoverId } from '../core/cutover.ts';
import { emptyWindow } from '../core/evidence.ts';
import { syncsShadow } from '../core/stage-kinds.ts';
import { writesShadow } from '../core/switches.ts';
import type { Ports } from '../ports.ts';

export type Served = { calls: number; written: number; deleted: number; quarantined: number; outOfTime: boolean };

type Needs = Pick<Ports, 'clock' | 'ids' | 'state' | 'tables' | 'windows' | 'log'>;

const BATCH = 500;
const MARGIN_MS = 1_000;
/** A long run hears within this time that writes were switched off. */
const LOOK_EVERY_MS = 1_000;

/** Empties the outbox of one cutover until nothing can be claimed or the time is nearly up. */
export async function converge(ports: Needs, id: CutoverId, deadlineMs: number): Promise<Served> {
  const served: Served = { calls: 0, written: 0, deleted: 0, quarantined: 0, outOfTime: false };
  let epoch = await epochInForce(ports, id);
  let lookedAtMs = ports.clock.monotonicMs();
  let checked = 0;
  let mismatched = 0;
  let slowestMs = 0;
  while (epoch !== null) {
    const startedMs = ports.clock.monotonicMs();
    if (deadlineMs - startedMs < 2 * slowestMs + MARGIN_MS) {
      served.outOfTime = true;
      break;
    }
    const result = await ports.tables.converge(id, epoch, BATCH);
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
    checked += result.checked;
    mismatched += result.mismatched;
    if (result.claimed === 0 || result.remaining === 0) break;
    if (startedMs - lookedAtMs < LOOK_EVERY_MS) continue;
    lookedAtMs = startedMs;
    epoch = await epochInForce(ports, id);
  }
  if (checked > 0) await recordChecks(ports, id, checked, mismatched);
  return served;
}

/**
 * The epoch to write under, null when nothing is to be kept equal. After a rollback that is the fence's, until it follows:
 * reads are taken away first, and a reader that still follows old flags must not see rows that have stopped changing.
 */
async function epochInForce(ports: Needs, id: CutoverId): Promise<number | null> {
  const [state, system] = await Promise.all([ports.state.readCutover(id), ports.state.readSystem()]);
  // Switched off, hints stay where they are until somebody switches it on again.
  if (!state || !writesShadow(state, system)) return null;
  if (syncsShadow(state)) return state.epoch;
  if (state.stageKind !== 'rolled_back') return null;
  const status = await ports.tables.status(id);
  return status?.armed === 'forward' && status.mirror ? status.mirror.epoch : null;
}

/** What the writer compared right after writing counts for the shadow, in the minute of the comparison. */
async function recordChecks(ports: Needs, id: CutoverId, checks: number, mismatches: number): Promise<void> {
  const nowMs = ports.clock.now();
  const window = { ...emptyWindow(Math.floor(nowMs / 60_000), 'shadow' as const), checks, mismatches };
  try {
    await ports.windows.add(ports.ids.next(), id, [{ cutover: id, operation: 'converge', window }], nowMs);
  } catch (error) {
    // Fewer checks are counted: the gate holds longer, it never sees false health.
    ports.log.failure('checks_not_recorded', error, { cutover: id });
  }
}
