/** The machine itself: clock, randomness, environment. The only file of `lib` that touches them. */

import { randomUUID } from 'node:crypto';
import { elapsedClock } from '../core/base/elapsed-clock.ts';
import type { Clock, Ids } from '../ports/machine.ts';

export type ClockScale = {
  /** Virtual minutes per real minute; 1 outside of demonstrations. */
  speed: number;
  /** Real epoch milliseconds at which the virtual clock agreed with the real one. */
  originMs: number;
};

const monotonicMs = elapsedClock(
  () => performance.now(),
  () => Date.now(),
);

/** A clock that runs `speed` times as fast as the real one since `originMs`. Pauses are real. */
export function systemClock({ speed, originMs }: ClockScale = { speed: 1, originMs: 0 }): Clock {
  return {
    now: () => (speed === 1 ? Date.now() : Math.floor(originMs + (Date.now() - originMs) * speed)),
    // One for a process: what was frozen was frozen for all.
    monotonicMs,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/** Real time, for tokens: they do not live in accelerated time. */
export const realNow = (): number => Date.now();

export const random = (): number => Math.random();

export const systemIds = (): Ids => ({ next: () => randomUUID() });

export const environment = (): Readonly<Record<string, string | undefined>> => process.env;
