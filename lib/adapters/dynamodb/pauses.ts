/** Pauses between tries, with jitter, so that writers who collided do not collide again. */

import type { Clock } from '../../ports/machine.ts';

const FIRST_PAUSE_MS = 50;

/** Twice as long after each try. `random` gives 0 ≤ x < 1. */
export const pausesOf =
  ({ clock, random }: { clock: Pick<Clock, 'sleep'>; random: () => number }) =>
  (tries: number): Promise<void> =>
    clock.sleep(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + random()));
