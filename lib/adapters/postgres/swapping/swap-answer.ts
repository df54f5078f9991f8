/** What crossfade.swap answers, and how a swap that was put off is explained: what it waits for, and what ends that. */

import type { TableCutover } from '../../../ports/tables.ts';

/** SQLSTATE: a lock was not granted in time. */
export const LOCK_NOT_GRANTED = '55P03';
/** SQLSTATE: two transactions waited for each other. */
const DEADLOCK = '40P01';
/** What may pass with another try: locks, a serialization failure, a statement that took too long. */
export const BUSY = new Set([LOCK_NOT_GRANTED, DEADLOCK, '40001', '57014']);

/** `pid` is null of a transaction that was prepared and outlives its session; `doing` is what ends it then. */
export type Holder = {
  pid: number | null;
  application: string;
  state: string | null;
  seconds: number | null;
  doing: string | null;
};
export type SwapAnswer =
  | { kind: 'already' }
  | { kind: 'swapped'; lockHeldMs: number; waitedMs: number }
  | { kind: 'postponed'; sqlstate: string; why: string; holders: readonly Holder[] };

/** What ends what crossfade.swap waits for, by how it says it; what it says itself is not said again. */
function releaseOf(id: string, why: string): string {
  if (why.includes('in quarantine'))
    return ` 'crossfade quarantine ${id}' names them: correct the rows and 'retry', or 'discard' them.`;
  if (why.includes('backfill is not done')) return ' The end of the copy releases it.';
  return why.includes('old snapshot') ? ' The end of that transaction releases it.' : '';
}

export function explained(
  { id }: TableCutover,
  { sqlstate, why, holders }: SwapAnswer & { kind: 'postponed' },
): string {
  if (sqlstate !== LOCK_NOT_GRANTED && sqlstate !== DEADLOCK)
    return `Not swapped yet: ${why}. Nothing was changed.${releaseOf(id, why)}`;
  const waited = 'Not swapped yet: the locks on the tables were not granted in time. Nothing was changed.';
  return `${waited} ${heldBy(holders)}`;
}

/** Who has the locks, and what ends that. */
export function heldBy(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'The holder of the lock is gone by now.';
  const named = holders.slice(0, 3).map(({ pid, application, state, seconds, doing }) => {
    const since = seconds === null ? '' : `, its transaction is ${seconds} s old`;
    if (pid === null) return `${application} (${doing}${since})`;
    const last = doing ? `, last: ${doing}` : '';
    return `'${application || 'a client without a name'}' (process ${pid}${state ? `, ${state}` : ''}${since}${last})`;
  });
  return `Held by ${named.join(', ')}. Let that transaction end, or end it.`;
}
