/** How fast minutes go, and their clock: in an accelerated `crossfade dev`, whose variables say so, and else really. */

import type { Environment } from '../routing/route-table.ts';

export type Minutes = {
  /** Minutes of Crossfade in a real one. */
  speed: number;
  /** Epoch milliseconds. */
  now(): number;
};

export function minutesOf({ CROSSFADE_CLOCK_SPEED, CROSSFADE_CLOCK_ORIGIN_MS }: Environment): Minutes {
  const speed = Number(CROSSFADE_CLOCK_SPEED ?? 1);
  const originMs = Number(CROSSFADE_CLOCK_ORIGIN_MS);
  if (!(speed > 0 && originMs > 0)) return { speed: 1, now: () => Date.now() };
  return { speed, now: () => Math.floor(originMs + (Date.now() - originMs) * speed) };
}
