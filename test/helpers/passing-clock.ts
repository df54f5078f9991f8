/** Time that passes only when somebody sleeps or moves `ms` on. Whole moments count from `NOW`, monotonic ones from 0. */

import { NOW } from '../property/samples.ts';

export function passingClock() {
  const clock = {
    ms: 0,
    now: () => NOW + clock.ms,
    monotonicMs: () => clock.ms,
    sleep: async (ms: number) => {
      clock.ms += ms;
    },
  };
  return clock;
}
