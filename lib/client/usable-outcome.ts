/** What of an outcome the receiver takes: one that it refuses would take its whole batch with it. */

import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { isSlice } from '../core/routing/slices.ts';

/** Whatever an application hands in. */
type Given = { cutover: string; side: string; latencyMs: number; slice?: number | null };

export function isUsable(outcome: Given | null | undefined): boolean {
  if (!outcome || typeof outcome.cutover !== 'string' || !isCutoverId(outcome.cutover)) return false;
  const { side, latencyMs, slice = null } = outcome;
  if (slice !== null && !isSlice(slice)) return false;
  return (side === 'primary' || side === 'shadow') && Number.isFinite(latencyMs) && latencyMs >= 0;
}

/** The last name seen is nearly always the next one. */
let lastGoodId = '';
export function isCutoverId(name: string): boolean {
  if (name === lastGoodId) return true;
  if (!CUTOVER_ID.test(name)) return false;
  lastGoodId = name;
  return true;
}
