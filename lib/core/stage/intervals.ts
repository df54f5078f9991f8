/** The intervals that a cutover spent in stages, from its audit log. Pure. */

import type { CutoverState } from '../cutover/cutover.ts';
import type { AuditEntry } from './audit.ts';
import type { Event } from './events.ts';
import { evolve } from './evolve.ts';

/** `entered` and `last`: the state as the stay began and as it stood last. `end` is null while it lasts. */
export type StageStay = {
  entered: CutoverState;
  last: CutoverState;
  fromMs: number;
  toMs: number | null;
  /** When a person first turned a switch in it; null when that never happened. */
  switchedAtMs: number | null;
  /** The entry that ended it, and the state after that. */
  end: { entry: AuditEntry<Event>; after: CutoverState } | null;
};

/** The stays in stages that count, oldest first. @param entries the whole log, oldest first */
export function staysIn(
  initial: CutoverState,
  entries: readonly AuditEntry<Event>[],
  counts: (state: CutoverState) => boolean,
): StageStay[] {
  const stays: StageStay[] = [];
  let state = initial;
  let open: StageStay | null = null;
  for (const entry of entries) {
    const after: CutoverState = evolve(state, entry);
    if (after.enteredAtMs !== state.enteredAtMs || after.stage !== state.stage) {
      if (open) Object.assign(open, { toMs: entry.atMs, end: { entry, after } });
      open = counts(after)
        ? { entered: after, last: after, fromMs: after.enteredAtMs, toMs: null, switchedAtMs: null, end: null }
        : null;
      if (open) stays.push(open);
    }
    state = after;
    if (!open) continue;
    open.last = after;
    open.switchedAtMs ??= after.switches.sinceMs || null;
  }
  return stays;
}
