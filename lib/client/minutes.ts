/** How fast minutes go, and their clock: in an accelerated `crossfade dev`, whose variables say so, and else really. */

import type { Environment } from '../routing/route-table.ts';

export type Minutes = {
  /** Minutes of Crossfade in a real one. */
  speed: number;
  /** Epoch milliseconds. */
  now(): number;
};

/** @param wallMs epoch milliseconds, really */
export function minutesOf(environment: Environment, wallMs: () => number): Minutes {
  const { CROSSFADE_CLOCK_SPEED, CROSSFADE_CLOCK_ORIGIN_MS } = environment;
  const speed = Number(CROSSFADE_CLOCK_SPEED ?? 1);
  const originMs = Number(CROSSFADE_CLOCK_ORIGIN_MS);
  if (!(speed > 0 && originMs > 0)) return { speed: 1, now: wallMs };
  return { speed, now: () => Math.floor(originMs + (wallMs() - originMs) * speed) };
}
