/**
 * Turns hints that wait in an outbox, and copies that are due again, into wake-ups, over and over until the time is up.
 * Losing one costs only time.
 */

import type { CutoverDeclaration } from '../core/cutover.ts';
import type { Ports } from '../ports.ts';
import { copiesAreDue } from './apply-copies.ts';

export type Relayed = { rounds: number; wakeUps: number };

/** Pauses between rounds: short while there is work, longer while there is none. */
const BUSY_PAUSE_MS = 200;
const IDLE_PAUSE_MS = 500;

/** A copy wakes the writer itself when it is made; only what has to be tried again is looked for, less often. */
const COPIES_EVERY_ROUNDS = 4;

/** @param deadlineMs on the monotonic clock; at least one round is made */
export async function relay(
  ports: Pick<Ports, 'clock' | 'tables' | 'wakeUps' | 'log' | 'copies' | 'state'>,
  deadlineMs: number,
  declarations: readonly CutoverDeclaration[] = [],
): Promise<Relayed> {
  const copied = declarations.filter(({ kind }) => kind !== 'table');
  const relayed: Relayed = { rounds: 0, wakeUps: 0 };
  for (;;) {
    const waiting = await ports.tables.waiting();
    for (const { id } of waiting) {
      await ports.wakeUps.wake(id);
      relayed.wakeUps += 1;
    }
    if (relayed.rounds % COPIES_EVERY_ROUNDS === 0) relayed.wakeUps += await wakeForCopies(ports, copied);
    relayed.rounds += 1;
    const pauseMs = waiting.length > 0 ? BUSY_PAUSE_MS : IDLE_PAUSE_MS;
    if (ports.clock.monotonicMs() + pauseMs >= deadlineMs) return relayed;
    await ports.clock.sleep(pauseMs);
  }
}

async function wakeForCopies(
  ports: Pick<Ports, 'wakeUps' | 'log' | 'copies' | 'state'>,
  declarations: readonly CutoverDeclaration[],
): Promise<number> {
  let woken = 0;
  for (const declaration of declarations) {
    try {
      if (!(await copiesAreDue(ports, declaration))) continue;
      await ports.wakeUps.wake(declaration.id);
      woken += 1;
    } catch (error) {
      // One cutover whose copies cannot be read keeps no other from being woken.
      ports.log.failure('copies_not_woken', error, { cutover: declaration.id });
    }
  }
  return woken;
}
