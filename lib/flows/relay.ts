/** Turns hints that wait in an outbox into wake-ups, again and again until the time is up. Losing one costs only time. */

import type { Ports } from '../ports.ts';

export type Relayed = { rounds: number; wakeUps: number };

/** Pauses between rounds: short while there is work, longer while there is none. */
const BUSY_PAUSE_MS = 200;
const IDLE_PAUSE_MS = 500;

/** @param deadlineMs on the monotonic clock; at least one round is made */
export async function relay(
  ports: Pick<Ports, 'clock' | 'tables' | 'wakeUps' | 'log'>,
  deadlineMs: number,
): Promise<Relayed> {
  const relayed: Relayed = { rounds: 0, wakeUps: 0 };
  for (;;) {
    const waiting = await ports.tables.waiting();
    for (const { id } of waiting) {
      await ports.wakeUps.wake(id);
      relayed.wakeUps += 1;
    }
    relayed.rounds += 1;
    const pauseMs = waiting.length > 0 ? BUSY_PAUSE_MS : IDLE_PAUSE_MS;
    if (ports.clock.monotonicMs() + pauseMs >= deadlineMs) return relayed;
    await ports.clock.sleep(pauseMs);
  }
}
