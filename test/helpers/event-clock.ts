/** Virtual time for what runs side by side: who sleeps is woken in the order of the times, and nothing else takes any. */

import type { Clock } from '../../lib/ports/machine.ts';

export type EventClock = Clock & {
  at(ms: number, what: () => void): void;
  /** Until nobody sleeps before this moment. */
  runUntil(ms: number): Promise<void>;
};

export function eventClock(): EventClock {
  const due: { ms: number; what: () => void }[] = [];
  let nowMs = 0;
  const at = (ms: number, what: () => void) => {
    const place = due.findIndex((other) => other.ms > ms);
    due.splice(place < 0 ? due.length : place, 0, { ms, what });
  };
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => new Promise((resolve) => at(nowMs + ms, resolve)),
    at,
    async runUntil(ms) {
      while (due.length > 0 && due[0]!.ms <= ms) {
        const { ms: nextMs, what } = due.shift()!;
        nowMs = nextMs;
        what();
        // Everything that this has set going gets to its next sleep.
        await new Promise(setImmediate);
      }
      nowMs = ms;
    },
  };
}
