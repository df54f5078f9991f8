/**
 * Turns hints that wait in an outbox, and forwarded writes that are due again, into wake-ups, until the time is up.
 * Losing one costs only time. A round wakes one table, the one that waits longest: its writer serves all others that wait, too, so
 * that two hundred tables cost no more records than one. A table whose oldest hint was there when it was woken is not woken again
 * at once: the stream would fill with records of changes that were applied long ago, and each change would wait behind them.
 */

import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';
import { forwardsAreDue } from '../forwards/apply-forwards.ts';

export type Relayed = { rounds: number; wakeUps: number };

/** Pauses between rounds: short while there is work, longer while there is none. */
const BUSY_PAUSE_MS = 200;
const IDLE_PAUSE_MS = 500;
/** With many tables a look takes the server tens of milliseconds: no more than a tenth of the time is spent on looking. */
const PAUSE_PER_LOOK = 9;
const LONGEST_PAUSE_MS = 2_000;

/** A forwarded write wakes the writer when it is made; only what has to be tried again is looked for, less often. */
const FORWARDS_EVERY_ROUNDS = 4;

/** For how long a wake-up is taken to be under way while its table still waits; later it counts as lost. */
const UNDER_WAY_MS = 3_000;

/**
 * A database that is away is not asked again in this call and keeps no forwarded write back; its error is thrown at the end.
 * Without table cutovers there may be no database at all.
 * @param deadlineMs on the monotonic clock; at least one round is made
 */
export async function relay(
  ports: Pick<Ports, 'clock' | 'realNow' | 'converging' | 'wakeUps' | 'log' | 'forwards' | 'state'>,
  deadlineMs: number,
  declarations: readonly CutoverDeclaration[],
): Promise<Relayed> {
  const forwarding = declarations.filter(({ kind }) => kind !== 'table');
  const relayed: Relayed = { rounds: 0, wakeUps: 0 };
  const tables = new Set(declarations.filter(({ kind }) => kind === 'table').map(({ id }) => id));
  let hintsIn: Ports['converging'] | null = tables.size > 0 ? ports.converging : null;
  let away: { error: unknown } | null = null;
  const wokenAtMs = new Map<string, number>();
  for (;;) {
    if (relayed.rounds % FORWARDS_EVERY_ROUNDS === 0) relayed.wakeUps += await wakeForForwards(ports, forwarding);
    let waiting: Waiting = [];
    const lookedAtMs = ports.clock.monotonicMs();
    try {
      // The writer serves none that is not declared: nothing is woken for it.
      waiting = ((await hintsIn?.waiting()) ?? []).filter(({ id }) => tables.has(id));
    } catch (error) {
      if (forwarding.length === 0) throw error;
      hintsIn = null;
      away = { error };
    }
    const lookMs = ports.clock.monotonicMs() - lookedAtMs;
    relayed.wakeUps += await wakeForHints(ports, waiting, wokenAtMs);
    relayed.rounds += 1;
    const restMs = Math.min(PAUSE_PER_LOOK * lookMs, LONGEST_PAUSE_MS);
    const pauseMs = Math.max(waiting.length > 0 ? BUSY_PAUSE_MS : IDLE_PAUSE_MS, restMs);
    if (ports.clock.monotonicMs() + pauseMs >= deadlineMs) break;
    await ports.clock.sleep(pauseMs);
  }
  if (away) throw away.error;
  return relayed;
}

type Waiting = Awaited<ReturnType<Ports['converging']['waiting']>>;

/** Of the one that waits longest. */
async function wakeForHints(
  ports: Pick<Ports, 'clock' | 'wakeUps'>,
  waiting: Waiting,
  wokenAtMs: Map<string, number>,
): Promise<number> {
  const nowMs = ports.clock.monotonicMs();
  const isDue = ({ id, lagMs }: Waiting[number]) => {
    const sinceMs = nowMs - (wokenAtMs.get(id) ?? Number.NEGATIVE_INFINITY);
    return lagMs < sinceMs || sinceMs >= UNDER_WAY_MS;
  };
  const [longest] = waiting.filter(isDue).sort((a, b) => b.lagMs - a.lagMs);
  if (!longest) return 0;
  await ports.wakeUps.wake(longest.id);
  wokenAtMs.set(longest.id, nowMs);
  return 1;
}

async function wakeForForwards(
  ports: Pick<Ports, 'realNow' | 'wakeUps' | 'log' | 'forwards' | 'state'>,
  declarations: readonly CutoverDeclaration[],
): Promise<number> {
  let woken = 0;
  for (const declaration of declarations) {
    try {
      if (!(await forwardsAreDue(ports, declaration))) continue;
      await ports.wakeUps.wake(declaration.id);
      woken += 1;
    } catch (error) {
      // One cutover whose forwarded writes cannot be read keeps no other from being woken.
      ports.log.failure('forwards_not_woken', error, { cutover: declaration.id });
    }
  }
  return woken;
}
