/** Whether a rehearsal that was handed over lets a cutover start: passed, of the same declaration and tables, fresh, and by a key that is trusted. Pure. */

import { HOUR_MS, MINUTE_MS } from '../base/units.ts';
import type { RehearsalRule } from '../cutover/table-declaration.ts';

/** What a signed report of a rehearsal says, after its signature was verified. */
export type SignedRehearsal = {
  cutover: string;
  passed: boolean;
  endedMs: number;
  /** SHA-256 in hex of the declaration, and of the shape of both tables as they were before the start. */
  declaration: string;
  shape: string;
  /** Thumbprint of the key that signed it (RFC 7638). */
  signedBy: string;
};

/** What a start was given: what a report says whose signature holds, and the hash of the declaration as it is deployed. */
export type HandedRehearsal = { seen: SignedRehearsal | null; declaration: string };

type RehearsalWanted = { id: string; declaration: string; shape: string; rule: RehearsalRule };

/** Of two machines. */
const CLOCKS_APART_MS = 5 * MINUTE_MS;

export const rehearseFirst = (id: string) =>
  `Rehearse it on a copy, then hand its report over: crossfade rehearse ${id} --database-url …, then crossfade start ${id} --rehearsal .crossfade/rehearsal/rehearsal-${id}.json`;

/** @returns what keeps it from being one that counts, with what to do; null when it counts */
export function rehearsalObstacle(
  seen: SignedRehearsal | null,
  { id, declaration, shape, rule }: RehearsalWanted,
  nowMs: number,
): string | null {
  const refused = (why: string) => `${why} ${rehearseFirst(id)}`;
  if (seen === null) return refused('Its declaration requires a rehearsal, and none was handed over.');
  if (seen.cutover !== id) return refused(`The rehearsal is of cutover '${seen.cutover}'.`);
  if (rule.signedBy && !rule.signedBy.includes(seen.signedBy))
    return refused(`The rehearsal is signed by key ${seen.signedBy}, which signedBy of the declaration does not name.`);
  if (!seen.passed) return refused('The rehearsal failed: its report says in which step, and what to do.');
  if (seen.declaration !== declaration) return refused('The declaration was changed since the rehearsal.');
  if (seen.shape !== shape) return refused('The tables have another shape than the rehearsal has seen.');
  const ageMs = nowMs - seen.endedMs;
  if (ageMs < -CLOCKS_APART_MS) return refused('The rehearsal ended in the future: a clock is wrong.');
  if (ageMs > rule.hours * HOUR_MS)
    return refused(`The rehearsal is ${Math.floor(ageMs / HOUR_MS)} hours old; at most ${rule.hours} are allowed.`);
  return null;
}
