/**
 * Turns hints that wait in an outbox, and forwarded writes that are due again, into wake-ups, until the time is up.
 * Losing one costs only time. A round wakes one table, the one that waits longest: its writer serves all others that wait, too, so
 * that two hundred tables cost no more records than one. A table whose oldest hint was there when it was woken is not woken again
 * at once: the stream would fill with records of changes that were applied long ago, and each change would wait behind them.
 *
 * A call lives for two periods of its schedule. In the first half it leads. In the second half it stands by: it looks less often,
 * and wakes only for what no leader has woken for.
 *
 *   call 1   leads ───────── stands by ──────
 *   call 2                 leads ───────── stands by ──────
 *   call 3                               leads ─────────
 *
 * So one leads at every moment, one is there when the leader dies, and neither has to know of the other. Claims in the outbox are
 * exclusive: two wake-ups for one hint cost a record.
 */

import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { namesShadow } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import { forwardsAreDue } from '../forwards/apply-forwards.ts';

export type Relayed = { rounds: number; wakeUps: number };

type Part = {
  /** Between two rounds. */
  pauseMs: number;
  /** A hint must be as old before it is woken for. */
  minLagMs: number;
};
const LEADING: Part = { pauseMs: 200, minLagMs: 0 };
/** A leader has woken for an older hint. */
const STANDING_BY: Part = { pauseMs: 1_000, minLagMs: 900 };

/** Each wake-up costs a write, a call and its reads, a look next to nothing: a change that comes alone is woken for at the next look. */
const WAKE_EVERY_MS = 400;

/** With many tables a look takes the server tens of milliseconds: no more than a tenth of the time is spent on looking. */
const PAUSE_PER_LOOK = 9;
const LONGEST_PAUSE_MS = 2_000;

/** A forwarded write wakes the writer when it is made; only what has to be tried again is looked for, less often. */
const FORWARDS_EVERY_ROUNDS = 8;

/**
 * For how long a wake-up is taken to be under way while its table still waits; later it counts as lost. While the writer is behind it
 * is under way for longer: a tenth of the lag.
 */
const UNDER_WAY_MS = 3_000;
const UNDER_WAY_PER_LAG = 0.1;

/**
 * Where nothing is kept equal and no forwarded write is due it ends at once, and asks the database nothing. A database that is away is
 * not asked again in this call and keeps no forwarded write back; its error is thrown at the end.
 * @param deadlineMs on the monotonic clock; at least one round is made
 */
export async function relay(
  ports: Pick<Ports, 'clock' | 'realNow' | 'converging' | 'wakeUps' | 'log' | 'forwards' | 'state' | 'sightings'>,
  deadlineMs: number,
  declarations: readonly CutoverDeclaration[],
): Promise<Relayed> {
  const { clock } = ports;
  const leadsUntilMs = (clock.monotonicMs() + deadlineMs) / 2;
  const active = await activeOf(ports, declarations);
  const forwarding = declarations.filter(({ kind }) => kind !== 'table');
  const tables = new Set(active.filter(({ kind }) => kind === 'table').map(({ id }) => id));
  const relayed: Relayed = { rounds: 0, wakeUps: 0 };
  let hintsIn: Ports['converging'] | null = tables.size > 0 ? ports.converging : null;
  let away: { error: unknown } | null = null;
  let part = LEADING;
  const wokenAtMs = new Map<string, number>();
  for (;;) {
    if (relayed.rounds % FORWARDS_EVERY_ROUNDS === 0) relayed.wakeUps += await wakeForForwards(ports, forwarding);
    let waiting: Waiting = [];
    const lookedAtMs = clock.monotonicMs();
    try {
      // The writer serves none that is not declared: nothing is woken for it.
      waiting = ((await hintsIn?.waiting()) ?? []).filter(({ id }) => tables.has(id));
    } catch (error) {
      if (forwarding.length === 0) throw error;
      hintsIn = null;
      away = { error };
    }
    const lookMs = clock.monotonicMs() - lookedAtMs;
    const { minLagMs } = part;
    relayed.wakeUps += await wakeForHints(
      ports,
      waiting.filter(({ lagMs }) => lagMs >= minLagMs),
      wokenAtMs,
    );
    relayed.rounds += 1;
    const pauseMs = Math.max(part.pauseMs, Math.min(PAUSE_PER_LOOK * lookMs, LONGEST_PAUSE_MS));
    const hasWork = active.length > 0 || relayed.wakeUps > 0;
    if (!hasWork || clock.monotonicMs() + pauseMs >= deadlineMs) break;
    await clock.sleep(pauseMs);
    part = clock.monotonicMs() < leadsUntilMs ? LEADING : STANDING_BY;
  }
  if (away) throw away.error;
  return relayed;
}

/** What is kept equal, or is about to be, or still has readers after its rollback; a state that cannot be read may be. */
async function activeOf(
  { state, sightings }: Pick<Ports, 'state' | 'sightings'>,
  declarations: readonly CutoverDeclaration[],
): Promise<readonly CutoverDeclaration[]> {
  const states = await state.readAll();
  const hasGoneBack = (one: (typeof states)[number]) => !('invalid' in one) && one.stageKind === 'rolled_back';
  const deployed = states.some(hasGoneBack) ? await sightings.last() : null;
  const active = states.filter(
    (one) =>
      'invalid' in one || syncsShadow(one) || one.pending !== null || (hasGoneBack(one) && namesShadow(deployed, one)),
  );
  const ids = new Set(active.map(({ id }) => id));
  return declarations.filter(({ id }) => ids.has(id));
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
    return lagMs < sinceMs || sinceMs >= Math.max(UNDER_WAY_MS, UNDER_WAY_PER_LAG * lagMs);
  };
  const lastMs = Math.max(Number.NEGATIVE_INFINITY, ...wokenAtMs.values());
  if (nowMs - lastMs < WAKE_EVERY_MS) return 0;
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
