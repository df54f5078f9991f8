/** A state as a fold over its audit log: what is recorded continues the chain, and replaying the log gives the state again. */

import { type AuditEntry, type AuditHead, nextEntry } from './audit.ts';
import type { Event } from './events.ts';

/** One event with its moment and who caused it. */
export type At = { event: Event; atMs: number; actor: string };

/** What a state is a fold of. */
export type Log<State extends AuditHead> = {
  evolve(state: State, at: At): State;
  /** What every entry says of the state after it. */
  headOf(state: State): Pick<AuditEntry, 'subject' | 'version' | 'epoch'>;
};

/** The state after the events, and the audit entries that say so, chained to the state's head. */
export function recordIn<State extends AuditHead>(
  log: Log<State>,
  state: State,
  events: readonly Event[],
  { nowMs, actor }: { nowMs: number; actor: string },
): { state: State; entries: AuditEntry<Event>[] } {
  const entries: AuditEntry<Event>[] = [];
  let after = state;
  for (const event of events) {
    after = log.evolve(after, { event, atMs: nowMs, actor });
    const entry = nextEntry<Event>(after, { ...log.headOf(after), atMs: nowMs, actor, event });
    after = { ...after, auditSeq: entry.seq, auditHash: entry.hash };
    entries.push(entry);
  }
  return { state: after, entries };
}

/** The state that an audit log leads to, oldest entry first. */
export function replayIn<State extends AuditHead>(
  log: Log<State>,
  initial: State,
  entries: readonly AuditEntry<Event>[],
): State {
  return entries.reduce<State>(
    (state, entry) => ({ ...log.evolve(state, entry), auditSeq: entry.seq, auditHash: entry.hash }),
    initial,
  );
}
